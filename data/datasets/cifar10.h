// CIFAR-10's photographs, in its binary version.
#pragma once

#include <string>

#include "tapir/data/dataset.h"

namespace tapir::data::datasets {

/// Colour images of 32 by 32 pixels and which of ten kinds of thing each shows. Reads data_batch_1.bin to
/// data_batch_5.bin, or test_batch.bin, from the folder `root` or from cifar-10-batches-bin in it, as
/// https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz unpacks them.
class TAPIR_API CIFAR10 : public Dataset<CIFAR10> {
 public:
  enum class Mode { kTrain, kTest };
  /// Throws IOError, which names the file and the fault.
  explicit CIFAR10(const std::string& root, Mode mode = Mode::kTrain);
  /// Image (3, 32, 32), red first, and target (). Throws IndexError.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override;
  bool is_train() const noexcept { return mode_ == Mode::kTrain; }
  /// (N, 3, 32, 32), float32 from 0 to 1.
  const Tensor& images() const { return images_; }
  /// (N), int64 from 0 to 9.
  const Tensor& targets() const { return targets_; }
  /// "airplane", ... Throws IndexError.
  static const char* class_name(int64_t target);

 private:
  Mode mode_;
  Tensor images_, targets_;
};

}  // namespace tapir::data::datasets
