#include <zlib.h>

#include <random>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/data/datasets/mnist.h"

using namespace tapir;
using namespace tapir::data;

namespace {

std::string big_endian(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

std::string idx(std::vector<uint32_t> sizes, const std::string& data) {
  std::string bytes = big_endian(0x0800 + static_cast<uint32_t>(sizes.size()));
  for (uint32_t n : sizes) bytes += big_endian(n);
  return bytes + data;
}

std::string gzip(const std::string& bytes, const TemporaryFolder& folder) {
  const std::string path = folder / "gzip";
  gzFile f = gzopen(path.c_str(), "wb");
  gzwrite(f, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(f);
  const std::string packed = read_file(path);
  std::filesystem::remove(path);
  return packed;
}

std::string pixels(size_t images) {
  std::string data(images * 784, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7);
  return data;
}

std::string fault_of(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder / "hostile";
  write_file(path, bytes);
  try {
    datasets::read_idx(path);
    return "";
  } catch (const IOError& e) {
    CHECK(std::string(e.what()).find(path) != std::string::npos);
    return e.what();
  }
}

}  // namespace

TEST_CASE("images and labels of both modes, plain and compressed") {
  const TemporaryFolder folder;
  write_file(folder / "train-images-idx3-ubyte", idx({3, 28, 28}, pixels(3)));
  write_file(folder / "train-labels-idx1-ubyte.gz", gzip(idx({3}, "\x05\x01\x09"), folder));
  write_file(folder / "t10k-images.idx3-ubyte.gz", gzip(idx({1, 28, 28}, pixels(1)), folder));
  write_file(folder / "t10k-labels.idx1-ubyte", idx({1}, "\x02"));

  datasets::MNIST train(folder.path());
  CHECK(train.is_train());
  CHECK(train.size() == 3u);
  CHECK(train.images().sizes() == IntArrayRef({3, 1, 28, 28}));
  CHECK(train.images().dtype() == kFloat32);
  CHECK(train.targets().dtype() == kInt64);
  const Example<> second = train.get(1);
  CHECK(second.data.sizes() == IntArrayRef({1, 28, 28}));
  CHECK(second.target.item<int64_t>() == 1);
  for (int64_t i = 0; i < 784; ++i)
    CHECK(second.data.data_ptr<float>()[i] == static_cast<float>((784 + i) * 7 % 256) / 255.0f);
  CHECK_THROWS_AS(train.get(3), IndexError);

  datasets::MNIST test(folder.path(), datasets::MNIST::Mode::kTest);
  CHECK_FALSE(test.is_train());
  CHECK(test.size() == 1u);
  CHECK(test.get(0).target.item<int64_t>() == 2);
}

TEST_CASE("a folder without the files says which are needed and where they are") {
  const TemporaryFolder folder;
  for (const std::string& root : {folder.path(), folder / "nowhere"}) {
    try {
      datasets::MNIST set(root);
      FAIL("no exception");
    } catch (const IOError& e) {
      const std::string message = e.what();
      CHECK(message.find(root) != std::string::npos);
      CHECK(message.find("train-images-idx3-ubyte") != std::string::npos);
      CHECK(message.find("https://") != std::string::npos);
    }
  }
}

TEST_CASE("files that do not belong together get an IOError") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& images, const std::string& labels) {
    write_file(folder / "train-images-idx3-ubyte", images);
    write_file(folder / "train-labels-idx1-ubyte", labels);
    datasets::MNIST set(folder.path());
  };
  load(idx({2, 28, 28}, pixels(2)), idx({2}, "\1\2"));
  CHECK_THROWS_AS(load(idx({2, 28, 28}, pixels(2)), idx({1}, "\1")), IOError);
  CHECK_THROWS_AS(load(idx({2, 28, 28}, pixels(2)), idx({2}, "\1\x0a")), IOError);
  CHECK_THROWS_AS(load(idx({2, 28, 28}, pixels(2)), idx({1, 2}, "\1\2")), IOError);
  CHECK_THROWS_AS(load(idx({2, 14, 56}, pixels(2)), idx({2}, "\1\2")), IOError);
  CHECK_THROWS_AS(load(idx({2}, "\1\2"), idx({2}, "\1\2")), IOError);
}

TEST_CASE("a hostile IDX file gets an IOError") {
  const TemporaryFolder folder;
  const std::string good = idx({2, 3}, "abcdef");
  CHECK(fault_of(folder, good).empty());
  CHECK(fault_of(folder, gzip(good, folder)).empty());
  CHECK(fault_of(folder, idx({2, 0, 4294967295u}, "")).empty());
  struct Case {
    std::string bytes, expected;
  };
  const std::string packed = gzip(idx({40, 50}, std::string(2000, 'x')), folder);
  std::string bad_sum = packed;
  bad_sum[bad_sum.size() - 6] ^= 1;
  const Case cases[] = {
      {"", "cut short in its header"},
      {"\0\0", "cut short in its header"},
      {good.substr(0, 10), "cut short in its header"},
      {good.substr(0, 17), "take 6 bytes, but 5 are there"},
      {good + "g", "more than the 6 bytes"},
      {"hello world", "no IDX file"},
      {big_endian(0x0803) + big_endian(1), "cut short in its header"},
      {big_endian(0x0800), "no IDX file"},
      {big_endian(0x0d01) + big_endian(1) + "1234", "type 0x0d"},
      {big_endian(0x08ff), "255 dimensions"},
      {idx({4294967295u, 4294967295u, 4294967295u}, ""), "too large"},
      {idx({0, 4294967295u, 4294967295u, 4294967295u}, ""), "too large"},
      {idx({4294967295u, 1000000}, "abc"), "take 4294967295000000 bytes, but 3 are there"},
      {packed.substr(0, packed.size() - 9), "cut short"},
      {packed.substr(0, 12), "cut short"},
      {bad_sum, "incorrect data check"},
  };
  for (const Case& c : cases) {
    const std::string fault = fault_of(folder, c.bytes);
    INFO(fault << " / " << c.expected);
    CHECK(fault.find(c.expected) != std::string::npos);
  }
  CHECK_THROWS_AS(datasets::read_idx(folder / "missing"), IOError);
  CHECK_THROWS_AS(datasets::read_idx(folder.path()), IOError);
}

TEST_CASE("whatever bytes an IDX file has, reading gives a tensor or an IOError") {
  const TemporaryFolder folder;
  const std::string plain = idx({2, 3}, "abcdef"),
                    packed = gzip(idx({20, 30}, std::string(600, 'a')), folder);
  std::mt19937 random(3);
  int read = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = round % 2 ? plain : packed;
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
      const size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        default:
          bytes.erase(at, 1);
      }
      if (bytes.empty()) bytes = "x";
    }
    write_file(folder / "m", bytes);
    try {
      const Tensor t = datasets::read_idx(folder / "m");
      CHECK(t.numel() < 5000);
      ++read;
    } catch (const IOError&) {
    }
  }
  CHECK(read > 100);
}

TEST_CASE("the real test set, where it is beside the repository") {
  const std::string root = TAPIR_TEST_DIR "/../../shared/data/mnist";
  if (!std::filesystem::exists(root)) {
    WARN("skipped: there is no " << root);
    return;
  }
  datasets::MNIST test(root, datasets::MNIST::Mode::kTest);
  CHECK(test.size() == 10000u);
  CHECK(test.get(0).target.item<int64_t>() == 7);
  double sum = 0;
  for (int64_t i = 0; i < test.images().numel(); ++i)
    sum += static_cast<double>(test.images().data_ptr<float>()[i]);
  CHECK(sum / static_cast<double>(test.images().numel()) == Approx(0.13251).epsilon(1e-3));
}
