// MNIST's handwritten digits, and the IDX files that they come in.
#pragma once

#include <string>

#include "tapir/data/dataset.h"

namespace tapir::data::datasets {

/// Reads an IDX file of unsigned bytes, plain or gzip-compressed: a uint8 tensor of the sizes that the file
/// gives. Throws IOError, which names the file and the fault, where it is not exactly such a file.
TAPIR_API Tensor read_idx(const std::string& path);

/// Images of handwritten digits, 28 by 28, and which digit each shows. Reads the four files of the MNIST set,
/// or another set of that form (Fashion-MNIST), as they are distributed or unpacked.
class TAPIR_API MNIST : public Dataset<MNIST> {
 public:
  enum class Mode { kTrain, kTest };
  /// Reads the mode's two files from the folder `root`. Throws IOError.
  explicit MNIST(const std::string& root, Mode mode = Mode::kTrain);
  /// Image (1, 28, 28) and target (). Throws IndexError.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override;
  bool is_train() const noexcept { return mode_ == Mode::kTrain; }
  /// (N, 1, 28, 28), float32 from 0 to 1.
  const Tensor& images() const { return images_; }
  /// (N), int64 from 0 to 9.
  const Tensor& targets() const { return targets_; }

 private:
  Mode mode_;
  Tensor images_, targets_;
};

}  // namespace tapir::data::datasets
