// Residual networks: ResNet-18 to 152, ResNeXt and wide ones.
#pragma once

#include <array>

#include "tapir/nn/batch_norm.h"
#include "tapir/nn/conv.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/module.h"
#include "tapir/nn/pooling.h"
#include "tapir/nn/sequential.h"

namespace tapir::models {

/// The two kinds of residual blocks: two 3 x 3 convolutions; or a 1 x 1, a 3 x 3, which has the stride, and a
/// 1 x 1 with four times the channels.
enum class ResidualKind { Basic, Bottleneck };

struct TAPIR_API ResNetOptions {
  using Blocks = std::array<int64_t, 4>;
  /// The kind of the blocks, and how many there are at each of the four sizes.
  ResNetOptions(ResidualKind kind, Blocks blocks) : kind_(kind), blocks_(blocks) {}
  TAPIR_ARG(ResidualKind, kind);
  TAPIR_ARG(Blocks, blocks);
  TAPIR_ARG(int64_t, num_classes) = 1000;
  /// Each block's last batch norm begins with weight 0, so that the block begins as the identity.
  TAPIR_ARG(bool, zero_init_residual) = false;
  /// Of the 3 x 3 convolutions of bottlenecks, and their channels per group at the first size; basic blocks
  /// throw ValueError for other than these.
  TAPIR_ARG(int64_t, groups) = 1;
  TAPIR_ARG(int64_t, width_per_group) = 64;
};

/// relu(f(x) + x), where f is two or three convolutions with batch norms; x is brought to f(x)'s sizes by a
/// 1 x 1 convolution where they differ (`downsample`).
class TAPIR_API ResidualBlockImpl : public nn::Cloneable<ResidualBlockImpl> {
 public:
  ResidualBlockImpl(const ResNetOptions& options, int64_t in_channels, int64_t channels, int64_t stride);
  void reset() override;
  Tensor forward(const Tensor& input);
  ResNetOptions options;
  int64_t in_channels, channels, stride;
  nn::Conv2d conv1{nullptr}, conv2{nullptr}, conv3{nullptr};  // conv3, bn3: of a bottleneck
  nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, bn3{nullptr};
  nn::Sequential downsample{nullptr};
};
TAPIR_MODULE(ResidualBlock);

/// The networks of He et al., "Deep residual learning for image recognition", 2015, with the stride in the
/// 3 x 3 convolution: images (N, 3, H, W), trained on 224 x 224, to logits (N, num_classes). Parameters are
/// named and drawn as torchvision's are.
class TAPIR_API ResNetImpl : public nn::Cloneable<ResNetImpl> {
 public:
  explicit ResNetImpl(const ResNetOptions& options);
  void reset() override;
  Tensor forward(const Tensor& input);
  ResNetOptions options;
  nn::Conv2d conv1{nullptr};
  nn::BatchNorm2d bn1{nullptr};
  nn::MaxPool2d maxpool{nullptr};
  nn::Sequential layer1{nullptr}, layer2{nullptr}, layer3{nullptr}, layer4{nullptr};
  nn::AdaptiveAvgPool2d avgpool{nullptr};
  nn::Linear fc{nullptr};
};
TAPIR_MODULE(ResNet);

TAPIR_API ResNet resnet18(int64_t num_classes = 1000);
TAPIR_API ResNet resnet34(int64_t num_classes = 1000);
TAPIR_API ResNet resnet50(int64_t num_classes = 1000);
TAPIR_API ResNet resnet101(int64_t num_classes = 1000);
TAPIR_API ResNet resnet152(int64_t num_classes = 1000);
/// Xie et al., "Aggregated residual transformations for deep neural networks", 2017.
TAPIR_API ResNet resnext50_32x4d(int64_t num_classes = 1000);
TAPIR_API ResNet resnext101_32x8d(int64_t num_classes = 1000);
/// Zagoruyko and Komodakis, "Wide residual networks", 2016.
TAPIR_API ResNet wide_resnet50_2(int64_t num_classes = 1000);
TAPIR_API ResNet wide_resnet101_2(int64_t num_classes = 1000);

}  // namespace tapir::models
