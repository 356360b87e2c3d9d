// AlexNet.
#pragma once

#include "tapir/nn/module.h"
#include "tapir/nn/pooling.h"
#include "tapir/nn/sequential.h"

namespace tapir::models {

struct TAPIR_API AlexNetOptions {
  AlexNetOptions(int64_t num_classes = 1000) : num_classes_(num_classes) {}  // NOLINT
  TAPIR_ARG(int64_t, num_classes);
  TAPIR_ARG(double, dropout) = 0.5;
};

/// AlexNet as in Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014: images
/// (N, 3, H, W) of at least 63 x 63, trained on 224 x 224, to logits (N, num_classes). Parameters are named
/// and drawn as torchvision's are.
class TAPIR_API AlexNetImpl : public nn::Cloneable<AlexNetImpl> {
 public:
  explicit AlexNetImpl(const AlexNetOptions& options = {});
  void reset() override;
  Tensor forward(const Tensor& input);
  AlexNetOptions options;
  nn::Sequential features{nullptr};
  nn::AdaptiveAvgPool2d avgpool{nullptr};
  nn::Sequential classifier{nullptr};
};
TAPIR_MODULE(AlexNet);

TAPIR_API AlexNet alexnet(int64_t num_classes = 1000);

}  // namespace tapir::models
