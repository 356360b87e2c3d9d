// A folder of images with a folder for each class.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tapir/data/dataset.h"
#include "tapir/data/image.h"
#include "tapir/tensor/args.h"

namespace tapir::data::datasets {

struct TAPIR_API ImageFolderOptions {
  TAPIR_ARG(ImageMode, mode) = ImageMode::kRGB;
  /// Height and width that images are resized to, so that they can be stacked; 0 and 0 leave them as they
  /// are.
  using Size = std::pair<int64_t, int64_t>;
  TAPIR_ARG(Size, size) = {0, 0};
};

/// Images root/CLASS/.../NAME.png, .jpg or .jpeg: the classes are the folders in `root`, numbered by name.
/// They are read from their files each time they are asked for. Copies share the list of files.
class TAPIR_API ImageFolder : public Dataset<ImageFolder> {
 public:
  /// Throws IOError where the folder cannot be read, holds no folder, or one of them no image.
  explicit ImageFolder(const std::string& root, const ImageFolderOptions& options = {});
  /// Image (C, H, W), float32 from 0 to 1, and its class (). Throws IndexError; IOError, which names the
  /// file.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override { return files_->size(); }
  const std::vector<std::string>& classes() const { return classes_; }
  /// Path and class of each image.
  const std::vector<std::pair<std::string, int64_t>>& files() const { return *files_; }

 private:
  ImageFolderOptions options_;
  std::vector<std::string> classes_;
  std::shared_ptr<const std::vector<std::pair<std::string, int64_t>>> files_;
};

}  // namespace tapir::data::datasets
