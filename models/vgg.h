// VGG-11, 13, 16 and 19, with and without batch normalization.
#pragma once

#include <vector>

#include "tapir/nn/module.h"
#include "tapir/nn/pooling.h"
#include "tapir/nn/sequential.h"

namespace tapir::models {

struct TAPIR_API VggOptions {
  /// The channels of the 3 x 3 convolutions, in order; kPool stands for a max pool that halves the image.
  VggOptions(std::vector<int64_t> channels) : channels_(std::move(channels)) {}  // NOLINT
  static constexpr int64_t kPool = 0;
  TAPIR_ARG(std::vector<int64_t>, channels);
  TAPIR_ARG(bool, batch_norm) = false;
  TAPIR_ARG(int64_t, num_classes) = 1000;
  TAPIR_ARG(double, dropout) = 0.5;
};

/// The networks of Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
/// recognition", 2015: images (N, 3, H, W) of at least 32 x 32, trained on 224 x 224, to logits
/// (N, num_classes). Parameters are named and drawn as torchvision's are.
class TAPIR_API VggImpl : public nn::Cloneable<VggImpl> {
 public:
  explicit VggImpl(const VggOptions& options);
  void reset() override;
  Tensor forward(const Tensor& input);
  VggOptions options;
  nn::Sequential features{nullptr};
  nn::AdaptiveAvgPool2d avgpool{nullptr};
  nn::Sequential classifier{nullptr};
};
TAPIR_MODULE(Vgg);

TAPIR_API Vgg vgg11(int64_t num_classes = 1000);
TAPIR_API Vgg vgg11_bn(int64_t num_classes = 1000);
TAPIR_API Vgg vgg13(int64_t num_classes = 1000);
TAPIR_API Vgg vgg13_bn(int64_t num_classes = 1000);
TAPIR_API Vgg vgg16(int64_t num_classes = 1000);
TAPIR_API Vgg vgg16_bn(int64_t num_classes = 1000);
TAPIR_API Vgg vgg19(int64_t num_classes = 1000);
TAPIR_API Vgg vgg19_bn(int64_t num_classes = 1000);

}  // namespace tapir::models
