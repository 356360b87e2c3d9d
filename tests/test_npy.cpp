#include <cstdlib>
#include <cstring>
#include <sstream>

#include "support/catch.h"
#include "support/hostile.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/io/npy.h"

using namespace tapir;

namespace {

using Named = OrderedDict<std::string, Tensor>;

std::string folder() { return TAPIR_TEST_DIR "/oracle/npy/"; }

// 0, 1, 2, ... (bool: odd or not)
Tensor counting(IntArrayRef sizes, DType dtype) {
  std::vector<double> v(static_cast<size_t>(count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = dtype == kBool ? i % 2 : static_cast<double>(i);
  return values::make(v, sizes, dtype);
}

// What make_npy.py's values() are, by the same names.
Named python_values() {
  Named named;
  for (const DType dtype : kAllDTypes)
    if (dtype != kBFloat16) named.insert(dtype_name(dtype), counting({2, 3}, dtype));
  named.insert("scalar", values::make({2.5}, IntArrayRef{}, kFloat64));
  named.insert("empty", Tensor::empty({0, 4}, kFloat32));
  named.insert("one", values::make({7}, kInt16));
  return named;
}

// A .npy file with that header text, as it stands.
std::string npy_of(const std::string& header, const std::string& data, char version = 1) {
  std::string file = "\x93NUMPY";
  file +=
      {version, '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8 & 0xff)};
  if (version > 1) file += {'\0', '\0'};
  return file + header + data;
}

Tensor load_bytes(const std::string& bytes) {
  std::istringstream in(bytes);
  return load_npy(in);
}

}  // namespace

TEST_CASE("a tensor of every dtype and shape comes back from .npy as it was") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "x.npy";
  for (const DType dtype : kAllDTypes)
    for (const std::vector<int64_t>& sizes :
         {std::vector<int64_t>{}, {1}, {5}, {3, 4}, {0}, {2, 0, 3}, {2, 1, 3, 1, 2}}) {
      const Tensor x = counting(sizes, dtype);
      save_npy(path, x);
      CHECK_SAME(load_npy(path), x);
      std::stringstream stream;
      save_npy(stream, x);
      CHECK(stream.str() == read_file(path));
      CHECK_SAME(load_npy(stream), x);
    }
  const Tensor x = counting({4, 6}, kFloat32);
  save_npy(path, x.alias(x.layout_of().transpose(0, 1)));
  CHECK_SAME(load_npy(path), raw::clone_contiguous(x.alias(x.layout_of().transpose(0, 1))));
  CHECK(temporary.files() == 1);
}

TEST_CASE("a loaded array shows the file, and writing to it does not change the file") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "x.npy";
  save_npy(path, counting({100}, kFloat64));
  const std::string bytes = read_file(path);
  const Tensor x = load_npy(path);
  raw::fill(x, 7);
  CHECK(read_file(path) == bytes);
  save_npy(path, x);
  std::filesystem::remove(path);
  CHECK(x.data_ptr<double>()[99] == 7);
}

TEST_CASE("what NumPy writes is read: both byte orders, both orders of dimensions, stored and deflated") {
  for (const char* name : {"stored.npz", "deflated.npz"}) {
    INFO(name);
    const Named found = load_npz(folder() + name);
    Named expected = python_values();
    for (const DType dtype : kAllDTypes)
      if (dtype != kBFloat16)
        expected.insert(std::string("big_") + dtype_name(dtype), counting({2, 3}, dtype));
    expected.insert("fortran", counting({2, 3, 4}, kFloat32));
    expected.insert("big_fortran", counting({3, 2}, kInt32));
    REQUIRE(found.keys() == expected.keys());
    for (const auto& item : expected) {
      INFO(item.key());
      CHECK_SAME(found[item.key()], item.value());
      CHECK(found[item.key()].is_contiguous());
    }
  }
  for (const char* name : {"version1.npy", "version2.npy", "version3.npy"})
    CHECK_SAME(load_npy(folder() + name), counting({2, 3}, kFloat32));
}

TEST_CASE("a file for Python to read", "[.write]") {
  save_npz(std::getenv("TAPIR_OUT"), python_values(), true);
}

TEST_CASE("tensors come back from .npz by name and in order, stored or deflated") {
  const TemporaryFolder temporary;
  for (const bool compressed : {false, true}) {
    const std::string path = temporary / "x.npz";
    Named named = python_values();
    named.insert("bfloat16", counting({4}, kBFloat16));
    named.insert("zeros", Tensor::empty({300, 400}, kFloat32));
    raw::fill(named["zeros"], 0);
    named.insert("", counting({1}, kUInt8));
    named.insert("with/slash à.npy", counting({2}, kUInt8));
    save_npz(path, named, compressed);
    if (compressed) CHECK(std::filesystem::file_size(path) < 10000);
    const Named found = load_npz(path);
    REQUIRE(found.keys() == named.keys());
    for (const auto& item : named) CHECK_SAME(found[item.key()], item.value());
    if (!compressed)
      for (const auto& item : found)  // aligned, so that it shows the file
        if (item.value().nbytes() > 0) CHECK(reinterpret_cast<uintptr_t>(item.value().data_ptr()) % 64 == 0);
    std::stringstream stream;
    save_npz(stream, named, compressed);
    CHECK(stream.str() == read_file(path));
    CHECK(load_npz(stream).size() == named.size());
  }
  save_npz(temporary / "none.npz", Named());
  CHECK(load_npz(temporary / "none.npz").is_empty());
}

TEST_CASE("a bad call leaves the file that was there") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "x";
  write_file(path, "before");
  CHECK_THROWS_AS(save_npy(path, Tensor()), ValueError);
  CHECK_THROWS_AS(save_npz(path, {{"a", Tensor()}}), ValueError);
  CHECK_THROWS_AS(save_npz(path, {{std::string("a\0b", 3), counting({1}, kUInt8)}}), ValueError);
  CHECK_THROWS_AS(save_npz(path, {{std::string(65532, 'a'), counting({1}, kUInt8)}}), ValueError);
  CHECK_THROWS_AS(save_npy(temporary / "no/folder", counting({1}, kUInt8)), IOError);
  CHECK_THROWS_AS(load_npy(temporary / "missing"), IOError);
  CHECK_THROWS_AS(load_npz(temporary.path()), IOError);
  CHECK(read_file(path) == "before");
  CHECK(temporary.files() == 1);
}

TEST_CASE("NumPy's other dtypes are refused by name") {
  const std::pair<const char*, const char*> cases[] = {{"uint16", "\"<u2\", unsigned integers"},
                                                       {"complex", "\"<c8\", complex"},
                                                       {"text", "\"<U2\", text"},
                                                       {"bytes", "\"|S1\", text"},
                                                       {"times", "times"},
                                                       {"records", "records"},
                                                       {"longdouble", "\"<f16\", floats"},
                                                       {"objects", "Python objects"}};
  for (const auto& [name, expected] : cases) {
    const std::string path = folder() + "refused_" + name + ".npy";
    const std::string message = message_of<IOError>([&] { load_npy(path); });
    INFO(message);
    CHECK(contains(message, expected));
    CHECK(contains(message, path));
  }
}

TEST_CASE("a .npy file that is not what it claims gets an IOError that says where") {
  const auto dict = [](const std::string& descr, const std::string& order, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  };
  const std::string data(8, '\0');
  const auto f4 = [&](const std::string& shape) { return npy_of(dict("'<f4'", "False", shape), data); };
  CHECK_SAME(load_bytes(f4("(2,)")), values::make({0, 0}));
  CHECK_SAME(load_bytes(f4("(2L, 1)")), values::make({0, 0}, {2, 1}));
  CHECK_SAME(load_bytes(npy_of("{\"shape\":(),'fortran_order':True,\t'descr':\"=f8\"}\n", data, 3)),
             values::make({0}, IntArrayRef{}, kFloat64));
  struct Case {
    std::string bytes, expected;
  };
  const Case cases[] = {
      {"", "does not begin"},
      {"\x93NUMPX\x01\0\0\0\0\0", "does not begin"},
      {npy_of("{}", "", 4), "version 4"},
      {npy_of("{}", "", 0), "version 0"},
      {npy_of("{}", "").substr(0, 11), "cut short"},
      {npy_of("", ""), "a dict"},
      {npy_of("{}", ""), "no \"descr\""},
      {npy_of("{'descr': '<f4'}", ""), "no \"fortran_order\""},
      {npy_of("{'descr': '<f4', 'descr': '<f4'}", ""), "\"descr\" twice"},
      {npy_of("{'descr': '<f4' 'shape'}", ""), "\",\" or \"}\""},
      {npy_of("{'descr' '<f4'}", ""), "\":\" after a key"},
      {npy_of("{'descr", ""), "a key"},
      {npy_of("{'kind': 1}", ""), "the key \"kind\""},
      {npy_of(dict("'<f4'", "False", "(2,)") + "x", data), "goes on with \"x\""},
      {npy_of(dict("'<f4'", "0", "(2,)"), data), "for fortran_order"},
      {npy_of(dict("''", "False", "(2,)"), data), "dtype \"\""},
      {npy_of(dict("'<x4'", "False", "(2,)"), data), "dtype \"<x4\""},
      {npy_of(dict("'<f4", "False", "(2,)"), data), "dtype \"<f4, \""},
      {npy_of(dict("4", "False", "(2,)"), data), "a dtype"},
      {f4("2"), "a tuple"},
      {f4("(-2,)"), "a size"},
      {f4("(2.0,)"), "\",\" or \")\""},
      {f4("(99999999999999999999,)"), "beyond 2^63"},
      {f4("(4611686018427387904, 4)"), "more than 2^63"},
      {f4("(0, 4611686018427387904, 4)"), "more than 2^63"},
      {f4("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2)"), "more dimensions"},
      {f4("(3,)"), "takes 12 bytes, but 8 follow the header: it was cut short"},
      {f4("(1,)"), "takes 4 bytes, but 8 follow"},
      {f4("(1000000000000,)"), "cut short"},
      {npy_of(dict("'|b1'", "False", "(8,)"), "\1\1\1\1\1\1\1\2"), "neither 0 nor 1"},
  };
  for (const Case& c : cases) {
    INFO(c.bytes);
    const std::string message = message_of<IOError>([&] { load_bytes(c.bytes); });
    INFO(message);
    CHECK(contains(message, c.expected));
    CHECK(message.size() < 500);
  }
}

TEST_CASE("files cut short are refused, and no wrong bit in an .npz passes") {
  const auto npy = [](std::istream& in) { touch(load_npy(in)); };
  const auto npz = [](std::istream& in) {
    for (const auto& item : load_npz(in)) touch(item.value());
  };
  std::stringstream one;
  save_npy(one, counting({3}, kFloat32));
  check_cut_short<IOError>(one.str(), npy);
  check_bits_flipped<IOError>(one.str(), npy);
  for (const bool compressed : {false, true}) {
    std::stringstream several;
    const Named named = {{"a", counting({3}, kFloat32)}, {"b", counting({2, 2}, kBool)}};
    save_npz(several, named, compressed);
    check_cut_short<IOError>(several.str(), npz);
    check_bits_flipped<IOError>(several.str(), [&](std::istream& in) {
      const Named found = load_npz(in);
      for (const auto& item : named)
        if (found.contains(item.key())) CHECK_SAME(found[item.key()], item.value());
    });
  }
}

TEST_CASE("hostile archives are refused") {
  std::stringstream stream;
  save_npz(stream, {{"a", counting({3}, kFloat32)}, {"b", counting({3}, kFloat32)}});
  const std::string good = stream.str();
  const auto fault = [](const std::string& bytes) {
    std::istringstream in(bytes);
    return message_of<IOError>([&] { load_npz(in); });
  };
  const auto with = [&](size_t at, uint64_t value, size_t bytes) {
    std::string changed = good;
    std::memcpy(changed.data() + at, &value, bytes);
    return changed;
  };
  const size_t end = good.size() - 22;
  const size_t first = good.find("PK\1\2"), second = good.find("PK\1\2", first + 1);
  CHECK(fault(good) == "");
  CHECK(fault(good + std::string("\0", 1)) != "");
  CHECK(contains(fault(std::string(30, 'x')), "no end of a zip archive"));
  CHECK(contains(fault(with(end + 4, 1, 2)), "split over several files"));
  CHECK(contains(fault(with(end + 10, 60000, 2)), "cannot list 60000 members"));
  CHECK(contains(fault(with(end + 16, 0xfffffff0, 4)), "does not lie in the file"));
  CHECK(contains(fault(with(first + 8, 1, 2)), "\"a.npy\": it is encrypted"));
  CHECK(contains(fault(with(first + 10, 12, 2)), "method 12"));
  CHECK(contains(fault(with(first + 24, 1, 4)), "cannot have been made"));
  CHECK(contains(fault(with(first + 42, 5, 4)), "no member at 5"));
  CHECK(contains(fault(with(first + 46, 'b', 1)), "another name"));
  CHECK(contains(fault(with(second + 46, 'a', 1)), "another name"));
  // The second entry shows the first member's bytes.
  std::string twice = with(second + 42, 0, 4);
  twice[second + 46] = 'a';
  CHECK(contains(fault(twice), "comes twice"));
  // A member that claims to inflate to a terabyte.
  std::string bomb = with(first + 10, 8, 2);
  const uint32_t huge = 0xfffffff0;
  std::memcpy(bomb.data() + first + 24, &huge, 4);
  CHECK(contains(fault(bomb), "cannot have been made"));
  CHECK(contains(fault(with(good.find("a.npy") + 100, 0x55, 1)), "CRC-32"));
}
