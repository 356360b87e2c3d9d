#include "tapir/data/datasets/mnist.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

namespace {

// zlib's reader, which takes plain files too.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) fail("it is a folder");
    errno = 0;
    file_ = gzopen(path.c_str(), "rb");
    if (!file_) fail(errno ? std::strerror(errno) : "out of memory");
    gzbuffer(file_, 1 << 17);
  }
  ~Reader() { gzclose(file_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[noreturn]] void fail(const std::string& what) const {
    throw_error<IOError>("read_idx: \"{}\": {}", path_, what);
  }

  /// Up to n bytes; fewer only at the end of the file.
  size_t read(void* data, size_t n) {
    const int got = gzread(file_, data, static_cast<unsigned>(n));
    int code = Z_OK;
    const char* message = gzerror(file_, &code);
    if (code == Z_BUF_ERROR) fail("the compressed data is cut short");
    if (code == Z_ERRNO) fail(std::strerror(errno));
    if (got < 0 || code != Z_OK) {
      const std::string_view text = message;  // begins with the path
      const std::string prefix = path_ + ": ";
      fail(std::string(text.starts_with(prefix) ? text.substr(prefix.size()) : text));
    }
    return static_cast<size_t>(got);
  }
  uint32_t big_endian() {
    uint8_t b[4];
    if (read(b, 4) != 4) fail("the file is cut short in its header");
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  }

 private:
  std::string path_;
  gzFile file_ = nullptr;
};

// The file of that name in the folder, or its compressed form.
std::string find_file(const std::string& root, const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  // "train-images-idx3-ubyte" is called "train-images.idx3-ubyte" by some tools.
  std::string dotted = name;
  dotted[dotted.find("-idx")] = '.';
  for (const std::string& n : {name, name + ".gz", dotted, dotted + ".gz"})
    if (fs::exists(fs::path(root) / n, ignored)) return (fs::path(root) / n).string();
  throw_error<IOError>(
      "MNIST: {} \"{}\"; expected a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, "
      "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, as "
      "https://ossci-datasets.s3.amazonaws.com/mnist/ has them",
      fs::is_directory(root, ignored) ? "there is no " + name + " in" : "there is no folder", root);
}

}  // namespace

Tensor read_idx(const std::string& path) {
  Reader in(path);
  const uint32_t magic = in.big_endian();
  const uint32_t type = magic >> 8 & 0xff, dims = magic & 0xff;
  if (magic >> 16 != 0 || type < 0x08 || type > 0x0e || dims == 0)
    in.fail(fmt::format("it begins with {:#010x}: this is no IDX file", magic));
  if (type != 0x08)
    in.fail(fmt::format("its elements are of type {:#04x}, expected 0x08, unsigned bytes", type));
  if (dims > static_cast<uint32_t>(kMaxDims))
    in.fail(fmt::format("it has {} dimensions, Tapir has up to {}", dims, kMaxDims));
  std::vector<int64_t> sizes;
  int64_t count = 1;
  for (uint32_t d = 0; d < dims; ++d) {
    sizes.push_back(in.big_endian());
    if (__builtin_mul_overflow(count, std::max<int64_t>(sizes.back(), 1), &count))
      in.fail(fmt::format("its sizes {} are too large", shape_str(sizes)));
  }
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) count = 0;

  // Memory grows with what is there, not with what the header says.
  std::vector<uint8_t> bytes;
  while (static_cast<int64_t>(bytes.size()) < count) {
    const size_t had = bytes.size();
    const size_t more =
        std::min<size_t>(std::max<size_t>(had, size_t{1} << 20), static_cast<size_t>(count) - had);
    const size_t step = std::min<size_t>(more, size_t{1} << 30);
    bytes.resize(had + step);
    const size_t got = in.read(bytes.data() + had, step);
    bytes.resize(had + got);
    if (got < step)
      in.fail(fmt::format("it is cut short: sizes {} take {} bytes, but {} are there", shape_str(sizes),
                          count, had + got));
  }
  uint8_t extra;
  if (in.read(&extra, 1) != 0)
    in.fail(fmt::format("more than the {} bytes of sizes {} are there", count, shape_str(sizes)));
  const Tensor out = Tensor::empty(sizes, kUInt8);
  std::copy(bytes.begin(), bytes.end(), out.data_ptr<uint8_t>());
  return out;
}

MNIST::MNIST(const std::string& root, Mode mode) : mode_(mode) {
  const std::string prefix = is_train() ? "train" : "t10k";
  const std::string image_path = find_file(root, prefix + "-images-idx3-ubyte");
  const std::string label_path = find_file(root, prefix + "-labels-idx1-ubyte");
  const Tensor images = read_idx(image_path), labels = read_idx(label_path);
  TAPIR_CHECK_AS(IOError, images.dim() == 3 && images.sizes()[1] == 28 && images.sizes()[2] == 28,
                 "MNIST: \"{}\" has sizes {}, expected [N, 28, 28]", image_path, images.sizes());
  TAPIR_CHECK_AS(IOError, labels.dim() == 1 && labels.sizes()[0] == images.sizes()[0],
                 "MNIST: \"{}\" has sizes {}, expected [{}], one for each image of \"{}\"", label_path,
                 labels.sizes(), images.sizes()[0], image_path);
  const int64_t n = images.sizes()[0];
  const uint8_t* digits = labels.data_ptr<uint8_t>();
  targets_ = Tensor::empty({n}, kInt64);
  for (int64_t i = 0; i < n; ++i) {
    TAPIR_CHECK_AS(IOError, digits[i] <= 9, "MNIST: \"{}\" has label {} at {}, expected 0 to 9", label_path,
                   digits[i], i);
    targets_.data_ptr<int64_t>()[i] = digits[i];
  }
  images_ = Tensor::empty({n, 1, 28, 28}, kFloat32);
  const uint8_t* from = images.data_ptr<uint8_t>();
  float* const to = images_.data_ptr<float>();
  for (int64_t i = 0; i < images.numel(); ++i) to[i] = static_cast<float>(from[i]) / 255.0f;
}

Example<> MNIST::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < *size(), "MNIST: got index {}, expected one below {}", index, *size());
  const int64_t i = static_cast<int64_t>(index);
  return {images_.alias(images_.layout_of().select(0, i)), targets_.alias(targets_.layout_of().select(0, i))};
}

std::optional<size_t> MNIST::size() const { return static_cast<size_t>(targets_.numel()); }

}  // namespace tapir::data::datasets
