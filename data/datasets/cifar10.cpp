#include "tapir/data/datasets/cifar10.h"

#include <filesystem>
#include <vector>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

namespace {

constexpr size_t kPixels = 3 * 32 * 32, kRecord = 1 + kPixels;
constexpr const char* kClasses[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                    "dog",      "frog",       "horse", "ship", "truck"};

}  // namespace

CIFAR10::CIFAR10(const std::string& root, Mode mode) : mode_(mode) {
  namespace fs = std::filesystem;
  std::vector<std::string> names{"test_batch.bin"};
  if (is_train())
    names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
             "data_batch_5.bin"};
  std::error_code ignored;
  const fs::path folder = fs::exists(fs::path(root) / names[0], ignored)
                              ? fs::path(root)
                              : fs::path(root) / "cifar-10-batches-bin";
  TAPIR_CHECK_AS(IOError, fs::exists(folder / names[0], ignored),
                 "CIFAR10: there is no {} in \"{}\" or in cifar-10-batches-bin there; "
                 "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz has it",
                 names[0], root);
  std::vector<std::string> files;
  size_t records = 0;
  for (const std::string& name : names) {
    const std::string path = (folder / name).string();
    files.push_back(read_text("CIFAR10", path));
    const size_t bytes = files.back().size();
    TAPIR_CHECK_AS(
        IOError, bytes > 0 && bytes % kRecord == 0,
        "CIFAR10: \"{}\" has {} bytes, expected a multiple of {}, a label and an image each: was it cut "
        "short?",
        path, bytes, kRecord);
    for (size_t i = 0; i < bytes; i += kRecord)
      TAPIR_CHECK_AS(IOError, static_cast<uint8_t>(files.back()[i]) <= 9,
                     "CIFAR10: \"{}\" has label {} at {}, expected 0 to 9", path,
                     static_cast<uint8_t>(files.back()[i]), i / kRecord);
    records += bytes / kRecord;
  }
  images_ = Tensor::empty({static_cast<int64_t>(records), 3, 32, 32}, kFloat32);
  targets_ = Tensor::empty({static_cast<int64_t>(records)}, kInt64);
  float* image = images_.data_ptr<float>();
  int64_t* target = targets_.data_ptr<int64_t>();
  for (const std::string& file : files)
    for (size_t i = 0; i < file.size(); i += kRecord) {
      *target++ = static_cast<uint8_t>(file[i]);
      for (size_t p = 1; p < kRecord; ++p)
        *image++ = static_cast<float>(static_cast<uint8_t>(file[i + p])) / 255.0f;
    }
}

Example<> CIFAR10::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < *size(), "CIFAR10: got index {}, expected one below {}", index, *size());
  const int64_t i = static_cast<int64_t>(index);
  return {images_.alias(images_.layout_of().select(0, i)), targets_.alias(targets_.layout_of().select(0, i))};
}

std::optional<size_t> CIFAR10::size() const { return static_cast<size_t>(targets_.numel()); }

const char* CIFAR10::class_name(int64_t target) {
  TAPIR_CHECK_AS(IndexError, target >= 0 && target < 10, "CIFAR10::class_name: got {}, expected 0 to 9",
                 target);
  return kClasses[target];
}

}  // namespace tapir::data::datasets
