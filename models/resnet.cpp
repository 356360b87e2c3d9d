#include "tapir/models/resnet.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/models/init.h"
#include "tapir/nn/init.h"

namespace tapir::models {
namespace {

nn::Conv2d conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t groups = 1) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false));
}

bool is_bottleneck(const ResNetOptions& o) { return o.kind() == ResidualKind::Bottleneck; }
int64_t expansion(const ResNetOptions& o) { return is_bottleneck(o) ? 4 : 1; }

}  // namespace

ResidualBlockImpl::ResidualBlockImpl(const ResNetOptions& options, int64_t in_channels, int64_t channels,
                                     int64_t stride)
    : options(options), in_channels(in_channels), channels(channels), stride(stride) {
  if (!is_bottleneck(options) && (options.groups() != 1 || options.width_per_group() != 64))
    throw ValueError("ResNet: got groups " + std::to_string(options.groups()) + " and width_per_group " +
                     std::to_string(options.width_per_group()) +
                     " for basic blocks, expected 1 and 64; bottlenecks take others");
  reset();
}

void ResidualBlockImpl::reset() {
  const int64_t out = channels * expansion(options);
  nn::Sequential shortcut{nullptr};  // made first: its weights are drawn before the others'
  if (stride != 1 || in_channels != out)
    shortcut = nn::Sequential(conv(in_channels, out, 1, stride), nn::BatchNorm2d(out));
  if (is_bottleneck(options)) {
    const int64_t width = channels * options.width_per_group() / 64 * options.groups();
    conv1 = register_module("conv1", conv(in_channels, width, 1));
    bn1 = register_module("bn1", nn::BatchNorm2d(width));
    conv2 = register_module("conv2", conv(width, width, 3, stride, options.groups()));
    bn2 = register_module("bn2", nn::BatchNorm2d(width));
    conv3 = register_module("conv3", conv(width, out, 1));
    bn3 = register_module("bn3", nn::BatchNorm2d(out));
  } else {
    conv1 = register_module("conv1", conv(in_channels, channels, 3, stride));
    bn1 = register_module("bn1", nn::BatchNorm2d(channels));
    conv2 = register_module("conv2", conv(channels, out, 3));
    bn2 = register_module("bn2", nn::BatchNorm2d(out));
  }
  downsample = shortcut.is_empty() ? shortcut : register_module("downsample", shortcut);
}

Tensor ResidualBlockImpl::forward(const Tensor& input) {
  Tensor x = bn2(conv2(bn1(conv1(input)).relu_()));
  if (conv3) x = bn3(conv3(x.relu_()));
  return x.add_(downsample ? downsample->forward(input) : input).relu_();
}

ResNetImpl::ResNetImpl(const ResNetOptions& options) : options(options) { reset(); }

void ResNetImpl::reset() {
  int64_t in_channels = 64;
  const auto layer = [&](size_t i) {
    const int64_t channels = int64_t{64} << i;
    nn::Sequential blocks;
    for (int64_t b = 0; b < options.blocks()[i]; ++b) {
      blocks->push_back(ResidualBlock(options, in_channels, channels, i > 0 && b == 0 ? 2 : 1));
      in_channels = channels * expansion(options);
    }
    return register_module("layer" + std::to_string(i + 1), blocks);
  };
  conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(3, 64, 7).stride(2).padding(3).bias(false)));
  bn1 = register_module("bn1", nn::BatchNorm2d(64));
  maxpool = register_module("maxpool", nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1)));
  layer1 = layer(0);
  layer2 = layer(1);
  layer3 = layer(2);
  layer4 = layer(3);
  avgpool = register_module("avgpool", nn::AdaptiveAvgPool2d(1));
  fc = register_module("fc", nn::Linear(in_channels, options.num_classes()));
  init_weights(*this);
  if (!options.zero_init_residual()) return;
  for (const auto& module : modules(/*include_self=*/false))
    if (auto* block = module->as<ResidualBlock>())
      nn::init::zeros_((block->bn3 ? block->bn3 : block->bn2)->weight);
}

Tensor ResNetImpl::forward(const Tensor& input) {
  Tensor x = maxpool(bn1(conv1(input)).relu_());
  x = layer4->forward(layer3->forward(layer2->forward(layer1->forward(x))));
  return fc(flatten(avgpool(x), 1));
}

namespace {

ResNet bottlenecks(ResNetOptions::Blocks blocks, int64_t num_classes, int64_t groups = 1,
                   int64_t width = 64) {
  return ResNet(ResNetOptions(ResidualKind::Bottleneck, blocks)
                    .num_classes(num_classes)
                    .groups(groups)
                    .width_per_group(width));
}
ResNet basic_blocks(ResNetOptions::Blocks blocks, int64_t num_classes) {
  return ResNet(ResNetOptions(ResidualKind::Basic, blocks).num_classes(num_classes));
}

}  // namespace

ResNet resnet18(int64_t num_classes) { return basic_blocks({2, 2, 2, 2}, num_classes); }
ResNet resnet34(int64_t num_classes) { return basic_blocks({3, 4, 6, 3}, num_classes); }
ResNet resnet50(int64_t num_classes) { return bottlenecks({3, 4, 6, 3}, num_classes); }
ResNet resnet101(int64_t num_classes) { return bottlenecks({3, 4, 23, 3}, num_classes); }
ResNet resnet152(int64_t num_classes) { return bottlenecks({3, 8, 36, 3}, num_classes); }
ResNet resnext50_32x4d(int64_t num_classes) { return bottlenecks({3, 4, 6, 3}, num_classes, 32, 4); }
ResNet resnext101_32x8d(int64_t num_classes) { return bottlenecks({3, 4, 23, 3}, num_classes, 32, 8); }
ResNet wide_resnet50_2(int64_t num_classes) { return bottlenecks({3, 4, 6, 3}, num_classes, 1, 128); }
ResNet wide_resnet101_2(int64_t num_classes) { return bottlenecks({3, 4, 23, 3}, num_classes, 1, 128); }

}  // namespace tapir::models
