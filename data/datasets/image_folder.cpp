#include "tapir/data/datasets/image_folder.h"

#include <algorithm>
#include <filesystem>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

namespace {

namespace fs = std::filesystem;

// The folders in a folder, by name.
std::vector<std::string> folders_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored)) names.push_back(it->path().filename().string());
  }
  if (error) throw_error<IOError>("ImageFolder: cannot read the folder \"{}\": {}", folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ImageFolder::ImageFolder(const std::string& root, const ImageFolderOptions& options)
    : options_(options), classes_(folders_in(root)) {
  const auto [height, width] = options.size();
  TAPIR_CHECK_AS(ValueError, (height > 0 && width > 0) || (height == 0 && width == 0),
                 "ImageFolder: got the size {} by {}, expected both above 0", height, width);
  TAPIR_CHECK_AS(IOError, !classes_.empty(),
                 "ImageFolder: there is no folder in \"{}\", expected one for each class", root);
  auto files = std::make_shared<std::vector<std::pair<std::string, int64_t>>>();
  for (size_t c = 0; c < classes_.size(); ++c) {
    const size_t before = files->size();
    std::vector<std::string> open{(fs::path(root) / classes_[c]).string()};
    while (!open.empty()) {
      const std::string folder = std::move(open.back());
      open.pop_back();
      for (std::string& path : files_in("ImageFolder", folder, {".png", ".jpg", ".jpeg"}))
        files->emplace_back(std::move(path), static_cast<int64_t>(c));
      // Links to folders are left out: they may lead back.
      for (const std::string& name : folders_in(folder))
        if (const fs::path inner = fs::path(folder) / name; !fs::is_symlink(inner))
          open.push_back(inner.string());
    }
    TAPIR_CHECK_AS(IOError, files->size() > before,
                   "ImageFolder: there is no .png, .jpg or .jpeg file in \"{}\"",
                   (fs::path(root) / classes_[c]).string());
    std::sort(files->begin() + static_cast<std::ptrdiff_t>(before), files->end());
  }
  files_ = std::move(files);
}

Example<> ImageFolder::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < files_->size(), "ImageFolder: got index {}, expected one below {}",
                 index, files_->size());
  const auto& [path, label] = (*files_)[index];
  Tensor image = read_image(path, options_.mode());
  if (const auto [height, width] = options_.size(); height > 0) image = resize_image(image, height, width);
  const Tensor data = Tensor::empty(image.sizes(), kFloat32);
  const uint8_t* from = image.data_ptr<uint8_t>();
  float* to = data.data_ptr<float>();
  for (int64_t i = 0; i < image.numel(); ++i) to[i] = static_cast<float>(from[i]) / 255.0f;
  const Tensor target = Tensor::empty({}, kInt64);
  *target.data_ptr<int64_t>() = label;
  return {data, target};
}

}  // namespace tapir::data::datasets
