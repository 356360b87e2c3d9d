#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <random>
#include <sstream>
#include <thread>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/io/safetensors.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;

namespace {

// 0, 1, 2, ... in any dtype (bool: odd or not).
Tensor counting(IntArrayRef sizes, DType dtype) {
  const Tensor x = Tensor::empty(sizes, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < x.numel(); ++i) {
      if constexpr (std::is_same_v<T, bool>)
        x.data_ptr<T>()[i] = i % 2 == 1;
      else
        x.data_ptr<T>()[i] = T(static_cast<float>(i));
    }
  });
  return x;
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.sizes() == b.sizes())) return false;
  const Tensor x = raw::contiguous(a), y = raw::contiguous(b);
  return x.nbytes() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

// What make_safetensors.py writes, by the same names.
NamedTensors python_values() {
  NamedTensors t;
  const std::pair<const char*, DType> names[] = {{"u8", kUInt8},    {"i8", kInt8},     {"i16", kInt16},
                                                 {"i32", kInt32},   {"i64", kInt64},   {"f16", kFloat16},
                                                 {"f32", kFloat32}, {"f64", kFloat64}, {"bool", kBool}};
  for (const auto& [name, dtype] : names) t.emplace_back(name, counting({2, 3}, dtype));
  const Tensor scalar = Tensor::empty({}, kFloat64);
  *scalar.data_ptr<double>() = 2.5;
  t.emplace_back("scalar", scalar);
  t.emplace_back("empty", Tensor::empty({0, 4}, kFloat32));
  return t;
}

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

// The message of the IOError that loading these bytes throws, or "" where it throws none.
std::string fault_of(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder / "hostile";
  write_file(path, bytes);
  try {
    load_safetensors(path);
    return "";
  } catch (const IOError& e) {
    CHECK(std::string(e.what()).find(path) != std::string::npos);
    return e.what();
  }
}

}  // namespace

TEST_CASE("tensors of every dtype come back as they were, in order") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  NamedTensors saved;
  for (DType dtype : kAllDTypes)
    saved.emplace_back(std::string("x.") + dtype_name(dtype), counting({3, 5}, dtype));
  saved.emplace_back("scalar", counting({}, kFloat32));
  saved.emplace_back("empty", Tensor::empty({2, 0, 3}, kInt16));
  saved.emplace_back("odd bytes", counting({7}, kBool));
  saved.emplace_back("after", counting({2}, kFloat64));
  saved.emplace_back("quoted \"\\ \n à", counting({1}, kUInt8));
  const Metadata metadata{{"format", "pt"}, {"b", ""}, {"a", "{\"lr\": 0.1}"}};
  save_safetensors(path, saved, metadata);

  const SafeTensors loaded = load_safetensors(path);
  REQUIRE(loaded.tensors.size() == saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    CHECK(loaded.tensors[i].first == saved[i].first);
    CHECK(equal(loaded.tensors[i].second, saved[i].second));
    CHECK(reinterpret_cast<uintptr_t>(loaded.tensors[i].second.data_ptr()) % saved[i].second.itemsize() == 0);
  }
  CHECK(loaded.metadata == metadata);
  CHECK(equal(loaded.at("after"), saved[saved.size() - 2].second));
  CHECK(loaded.contains("scalar"));
  CHECK_FALSE(loaded.contains("vector"));
  CHECK_THROWS_AS(loaded.at("vector"), IndexError);
  CHECK(folder.files() == 1);

  save_safetensors(path, {});
  CHECK(load_safetensors(path).tensors.empty());
}

TEST_CASE("strided tensors are written row-major") {
  const TemporaryFolder folder;
  const Tensor x = counting({4, 6}, kFloat32);
  const Tensor transposed = x.alias(x.layout_of().transpose(0, 1));
  const Tensor part = x.alias(x.layout_of().slice(1, 1, 6, 2));
  save_safetensors(folder / "f", {{"transposed", transposed}, {"part", part}});
  const SafeTensors loaded = load_safetensors(folder / "f");
  CHECK(loaded.at("transposed").is_contiguous());
  CHECK(equal(loaded.at("transposed"), transposed));
  CHECK(equal(loaded.at("part"), part));
}

TEST_CASE("a file that Python wrote") {
  const SafeTensors loaded = load_safetensors(TAPIR_TEST_DIR "/oracle/python.safetensors");
  const NamedTensors expected = python_values();
  CHECK(loaded.tensors.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    CHECK(equal(loaded.at(name), tensor));
  }
  CHECK(loaded.metadata == Metadata{{"format", "pt"}, {"note", "from Python"}});
}

TEST_CASE("a file for Python to read", "[.write]") {
  save_safetensors(std::getenv("TAPIR_OUT"), python_values(), {{"format", "tapir"}, {"note", "à \"b\"\n"}});
}

TEST_CASE("loaded tensors outlive the file, and writing to them does not change it") {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  save_safetensors(path, {{"a", counting({1000}, kFloat32)}, {"b", counting({3}, kFloat32)}});
  const std::string bytes = read_file(path);
  Tensor a;
  {
    const SafeTensors loaded = load_safetensors(path);
    a = loaded.at("a");
    const uint32_t version = loaded.at("b")._version();
    raw::fill(a, 7);
    CHECK(loaded.at("b")._version() == version);  // each tensor counts its own changes
  }
  CHECK(read_file(path) == bytes);
  // Saving what a file holds into that same file is safe: the map keeps the old one.
  save_safetensors(path, {{"a", a}});
  CHECK(a.data_ptr<float>()[999] == 7);
  CHECK(load_safetensors(path).at("a").data_ptr<float>()[999] == 7);
  std::filesystem::remove(path);
  CHECK(a.data_ptr<float>()[0] == 7);
}

TEST_CASE("to and from a stream") {
  std::stringstream stream;
  save_safetensors(stream, python_values(), {{"k", "v"}});
  const SafeTensors loaded = load_safetensors(stream);
  CHECK(loaded.metadata == Metadata{{"k", "v"}});
  for (const auto& [name, tensor] : python_values()) CHECK(equal(loaded.at(name), tensor));
  std::stringstream garbage("garbage in a stream");
  CHECK_THROWS_AS(load_safetensors(garbage), IOError);
  std::stringstream empty;
  CHECK_THROWS_AS(load_safetensors(empty), IOError);
  stream.setstate(std::ios::badbit);
  CHECK_THROWS_AS(save_safetensors(stream, {}), IOError);
}

TEST_CASE("data that is not aligned is read all the same") {
  const TemporaryFolder folder;
  const float value = 1.5f;
  for (int pad = 0; pad < 8; ++pad) {
    const std::string header =
        R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})" +
        std::string(static_cast<size_t>(pad), ' ');
    write_file(folder / "f", file_of(header, "\x09" + std::string(reinterpret_cast<const char*>(&value), 4)));
    const SafeTensors loaded = load_safetensors(folder / "f");
    CHECK(*loaded.at("b").data_ptr<float>() == 1.5f);
    CHECK(reinterpret_cast<uintptr_t>(loaded.at("b").data_ptr()) % 4 == 0);
  }
}

TEST_CASE("a file that is not what it claims gets an IOError that says where") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load_safetensors(folder / "missing"), IOError);
  CHECK_THROWS_AS(load_safetensors(folder.path()), IOError);

  const auto one = [](const std::string& info) { return "{\"w\":{" + info + "}}"; };
  const auto f32 = [&](const std::string& shape, const std::string& offsets) {
    return one("\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":" + offsets);
  };
  const std::string good = f32("[2]", "[0,8]"), data(8, '\0');
  CHECK(fault_of(folder, file_of(good, data)).empty());
  CHECK(fault_of(folder, file_of(good + "   \n", data)).empty());

  const auto length = [](uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), 8); };
  const auto item = [](const std::string& name, int begin, int end) {
    return "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(end - begin) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  std::string nested = "{\"w\":";
  for (int i = 0; i < 200000; ++i) nested += '[';
  struct Case {
    std::string bytes, expected;
  };
  const Case cases[] = {
      {"", "0 bytes"},
      {"1234567", "7 bytes"},
      {length(0), "begin with"},
      {length(5) + "{}", "cut short"},
      {length(UINT64_MAX) + "{}", "the format allows"},
      {length(100'000'001) + "{}", "the format allows"},
      {length(99'999'999) + "{}", "cut short"},
      {file_of("[]", ""), "begin with"},
      {file_of("  {}", ""), "begin with"},
      {file_of("{", ""), "no JSON"},
      {file_of("{} x", ""), "no JSON"},
      {file_of("{\"w\":{\xff", ""), "no JSON"},
      {file_of("{\"\xff\":1}", ""), "no JSON"},
      {file_of("{\"w\":3}", ""), "\"w\": got 3, expected an object"},
      {file_of("{\"w\":null}", ""), "got null"},
      {file_of(nested, ""), "got an array"},
      {file_of("{\"w\":{\"dtype\":{\"a\":{}}}}", ""), "got an object for \"dtype\""},
      {file_of("{\"w\":{\"shape\":[[1]]}}", ""), "got an array in \"shape\""},
      {file_of("{\"w\":{\"shape\":\"1\"}}", ""), "got \"1\" for \"shape\""},
      {file_of("{\"w\":{\"kind\":1}}", ""), "got key \"kind\""},
      {file_of("{\"w\":{\"shape\":[],\"shape\":[]}}", ""), "\"shape\" comes twice"},
      {file_of("{" + item("w", 0, 4) + "," + item("w", 4, 8) + "}", data), "\"w\" comes twice"},
      {file_of("{\"__metadata__\":{\"a\":1}}", ""), "__metadata__: got 1 for \"a\", expected a string"},
      {file_of("{\"__metadata__\":[]}", ""), "__metadata__: got an array"},
      {file_of("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", ""), "comes twice"},
      {file_of("{\"__metadata__\":{},\"__metadata__\":{}}", ""), "comes twice"},
      {file_of(one("\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,8]"), data), "no dtype \"F4\""},
      {file_of(one("\"shape\":[2],\"data_offsets\":[0,8]"), data), "\"w\": dtype is missing"},
      {file_of(one("\"dtype\":\"F32\",\"data_offsets\":[0,8]"), data), "\"w\": shape is missing"},
      {file_of(one("\"dtype\":\"F32\",\"shape\":[2]"), data), "\"w\": data_offsets is missing"},
      {file_of(f32("[2]", "[0,8,8]"), data), "data_offsets has 3 numbers"},
      {file_of(f32("[2]", "[8,0]"), data), "wrong order"},
      {file_of(f32("[2]", "[0,16]"), data), "cut short"},
      {file_of(f32("[4]", "[0,8]"), data), "float32 of shape [4] takes 16 bytes, but data_offsets has 8"},
      {file_of(f32("[-2]", "[0,8]"), data), "got -2 in \"shape\""},
      {file_of(f32("[2.0]", "[0,8]"), data), "got 2.0 in \"shape\""},
      {file_of(f32("[true]", "[0,8]"), data), "got a bool in \"shape\""},
      {file_of(f32("[99999999999999999999]", "[0,8]"), data), "in \"shape\""},
      {file_of(f32("[18446744073709551615]", "[0,8]"), data), "too large"},
      {file_of(f32("[4611686018427387904,4]", "[0,8]"), data), "more than 2^63"},
      {file_of(f32("[4294967296,4294967296,2]", "[0,8]"), data), "more than 2^63"},
      {file_of(f32("[0,4611686018427387904,4]", "[0,0]"), ""), "more than 2^63"},
      {file_of(f32("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), data), "17 dimensions"},
      {file_of(f32("[1]", "[0,4]"), data), "take 4 bytes, but 8 follow"},
      {file_of("{" + item("a", 0, 3) + "," + item("b", 4, 8) + "}", data), "\"b\": its data begins at 4"},
      {file_of("{" + item("a", 0, 5) + "," + item("b", 4, 8) + "}", data), "they overlap"},
      {file_of("{" + item("a", 4, 8) + "}", data), "there is a hole"},
      {file_of(one("\"dtype\":\"BOOL\",\"shape\":[8],\"data_offsets\":[0,8]"), "\1\1\1\1\1\1\1\2"),
       "neither 0 nor 1"},
  };
  for (const Case& c : cases) {
    INFO(c.bytes.substr(0, 200));
    const std::string fault = fault_of(folder, c.bytes);
    INFO(fault);
    CHECK(fault.find(c.expected) != std::string::npos);
    CHECK(fault.size() < 500);
  }
}

TEST_CASE("a file cut short anywhere gets an IOError") {
  const TemporaryFolder folder;
  save_safetensors(folder / "f", {{"a", counting({3}, kFloat32)}, {"b", counting({5}, kInt8)}}, {{"k", "v"}});
  const std::string bytes = read_file(folder / "f");
  for (size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(fault_of(folder, bytes.substr(0, n)).empty());
  CHECK(fault_of(folder, bytes).empty());
}

TEST_CASE("whatever bytes a file has, loading gives tensors within it or an IOError") {
  const TemporaryFolder folder;
  save_safetensors(
      folder / "f",
      {{"w", counting({3, 2}, kFloat32)}, {"bias", counting({5}, kBFloat16)}, {"m", counting({2}, kBool)}},
      {{"format", "pt"}});
  const std::string good = read_file(folder / "f");
  const std::string tokens[] = {"{",
                                "}",
                                "[",
                                "]",
                                ",",
                                ":",
                                "\"",
                                "-1",
                                "0",
                                "1",
                                "9999999999999",
                                "1e9",
                                "null",
                                "\"w\"",
                                "\"dtype\"",
                                "\"shape\"",
                                "\"F64\"",
                                "\\u0000",
                                "\xff"};
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return random() % n; };
  int loaded = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = good;
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(2) ? below(bytes.size()) : below(std::min<size_t>(bytes.size(), 260));
      switch (below(5)) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 2:
          bytes.insert(at, tokens[below(std::size(tokens))]);
          break;
        case 3:
          bytes.erase(at, 1 + below(8));
          break;
        default:
          bytes.replace(at, 1, tokens[below(std::size(tokens))]);
      }
      if (bytes.empty()) bytes = "x";
    }
    if (below(2) && bytes.size() > 8) {  // let the header's length agree, so that the rest is looked at
      const uint64_t length =
          below(2) ? bytes.size() - 8 - std::min<size_t>(36, bytes.size() - 8) : good[0] & 0xff;
      std::memcpy(bytes.data(), &length, 8);
    }
    write_file(folder / "m", bytes);
    try {
      const SafeTensors result = load_safetensors(folder / "m");
      ++loaded;
      for (const auto& [name, tensor] : result.tensors) {
        unsigned sum = 0;
        for (size_t i = 0; i < tensor.nbytes(); ++i) sum += static_cast<const uint8_t*>(tensor.data_ptr())[i];
        CHECK(sum <= 255 * bytes.size());
      }
    } catch (const IOError&) {
    }
  }
  CHECK(loaded > 50);  // the edits were small enough that some files stayed good
}

TEST_CASE("a save that fails leaves the previous file and nothing else") {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  save_safetensors(path, {{"a", counting({3}, kFloat32)}});
  const std::string before = read_file(path);
  const Tensor x = counting({2}, kFloat32);
  CHECK_THROWS_AS(save_safetensors(path, {{"a", x}, {"a", x}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{"__metadata__", x}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{"\xff", x}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{"a", x}}, {{"k", "\xff"}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{"a", x}}, {{"k", "1"}, {"k", "2"}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{"a", Tensor()}}), ValueError);
  CHECK_THROWS_AS(save_safetensors(folder / "no/such/folder", {{"a", x}}), IOError);
  CHECK_THROWS_AS(save_safetensors(folder.path(), {{"a", x}}), IOError);

  // A full disk, as a limit on the size of files.
  rlimit old;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 20000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    save_safetensors(path, {{"a", counting({100000}, kFloat32)}});
  } catch (const IOError& e) {
    message = e.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(message.find("File too large") != std::string::npos);
  CHECK(message.find(path) != std::string::npos);
  CHECK(read_file(path) == before);
  CHECK(folder.files() == 1);
}

TEST_CASE("a link to a file is kept, and so are the file's permissions") {
  const TemporaryFolder folder;
  save_safetensors(folder / "real", {});
  std::filesystem::permissions(folder / "real",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink("real", folder / "link");
  save_safetensors(folder / "link", {{"a", counting({1}, kInt8)}});
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(load_safetensors(folder / "real").contains("a"));
  CHECK(std::filesystem::status(folder / "real").permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("a link to a file that is not there yet makes that file") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_symlink("sub/second", folder / "first");
  std::filesystem::create_symlink("third", folder / "sub/second");
  save_safetensors(folder / "first", {{"a", counting({1}, kInt8)}});
  CHECK(std::filesystem::is_symlink(folder / "first"));
  CHECK(std::filesystem::is_symlink(folder / "sub/second"));
  CHECK(load_safetensors(folder / "sub/third").contains("a"));

  std::filesystem::create_symlink("round", folder / "round");
  CHECK_THROWS_AS(save_safetensors(folder / "round", {}), IOError);
  CHECK(std::filesystem::is_symlink(folder / "round"));
}

TEST_CASE("pipes and devices are written into, not replaced") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] { read = read_file(folder / "pipe"); });
  save_safetensors(folder / "pipe", {{"a", counting({1}, kInt8)}});
  reader.join();
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  std::istringstream stream(read);
  CHECK(load_safetensors(stream).contains("a"));
  std::filesystem::create_symlink("/dev/null", folder / "null");
  save_safetensors(folder / "null", {});
  CHECK(std::filesystem::is_symlink(folder / "null"));
  CHECK(folder.files() == 2);
}

TEST_CASE("a file's name may be as long as names can be") {
  const TemporaryFolder folder;
  const std::string path = folder / std::string(250, 'n');
  save_safetensors(path, {});
  save_safetensors(path, {{"a", counting({1}, kInt8)}});
  CHECK(load_safetensors(path).contains("a"));
  CHECK(folder.files() == 1);
}
