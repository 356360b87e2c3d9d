// MobileNetV2.
#pragma once

#include "tapir/nn/module.h"
#include "tapir/nn/sequential.h"

namespace tapir::models {

struct TAPIR_API MobileNetV2Options {
  MobileNetV2Options(int64_t num_classes = 1000) : num_classes_(num_classes) {}  // NOLINT
  TAPIR_ARG(int64_t, num_classes);
  /// All numbers of channels are this times the paper's, rounded to multiples of round_nearest.
  TAPIR_ARG(double, width_mult) = 1.0;
  TAPIR_ARG(int64_t, round_nearest) = 8;
  TAPIR_ARG(double, dropout) = 0.2;
};

/// A 1 x 1 convolution to `expansion` times the channels, a 3 x 3 within each, a 1 x 1 to out_channels, with
/// batch norms and ReLU6 between; the input is added where the sizes allow it.
class TAPIR_API InvertedResidualImpl : public nn::Cloneable<InvertedResidualImpl> {
 public:
  InvertedResidualImpl(int64_t in_channels, int64_t out_channels, int64_t stride, int64_t expansion);
  void reset() override;
  Tensor forward(const Tensor& input);
  int64_t in_channels, out_channels, stride, expansion;
  nn::Sequential conv{nullptr};
};
TAPIR_MODULE(InvertedResidual);

/// The network of Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018: images
/// (N, 3, H, W), trained on 224 x 224, to logits (N, num_classes). Parameters are named and drawn as
/// torchvision's are.
class TAPIR_API MobileNetV2Impl : public nn::Cloneable<MobileNetV2Impl> {
 public:
  explicit MobileNetV2Impl(const MobileNetV2Options& options = {});
  void reset() override;
  Tensor forward(const Tensor& input);
  MobileNetV2Options options;
  nn::Sequential features{nullptr}, classifier{nullptr};
};
TAPIR_MODULE(MobileNetV2);

TAPIR_API MobileNetV2 mobilenet_v2(int64_t num_classes = 1000);

}  // namespace tapir::models
