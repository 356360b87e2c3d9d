#include "tapir/models/mobilenet.h"

#include <algorithm>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/models/init.h"
#include "tapir/nn/activation.h"
#include "tapir/nn/batch_norm.h"
#include "tapir/nn/conv.h"
#include "tapir/nn/dropout.h"
#include "tapir/nn/linear.h"

namespace tapir::models {
namespace {

nn::Conv2d conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t groups) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false));
}

nn::Sequential conv_norm_relu6(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
                               int64_t groups = 1) {
  return nn::Sequential(conv(in, out, kernel, stride, groups), nn::BatchNorm2d(out),
                        nn::ReLU6(nn::ReLU6Options(true)));
}

// The multiple of `divisor` nearest to `channels`, but not less than nine tenths of it.
int64_t rounded(double channels, int64_t divisor) {
  const int64_t half_up =
      static_cast<int64_t>(channels + static_cast<double>(divisor) / 2) / divisor * divisor;
  const int64_t nearest = std::max(divisor, half_up);
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + divisor : nearest;
}

}  // namespace

InvertedResidualImpl::InvertedResidualImpl(int64_t in_channels, int64_t out_channels, int64_t stride,
                                           int64_t expansion)
    : in_channels(in_channels), out_channels(out_channels), stride(stride), expansion(expansion) {
  reset();
}

void InvertedResidualImpl::reset() {
  const int64_t hidden = in_channels * expansion;
  nn::Sequential steps;
  if (expansion != 1) steps->push_back(conv_norm_relu6(in_channels, hidden, 1));
  steps->push_back(conv_norm_relu6(hidden, hidden, 3, stride, hidden));
  steps->push_back(models::conv(hidden, out_channels, 1, 1, 1));
  steps->push_back(nn::BatchNorm2d(out_channels));
  conv = register_module("conv", steps);
}

Tensor InvertedResidualImpl::forward(const Tensor& input) {
  const Tensor x = conv->forward(input);
  return stride == 1 && in_channels == out_channels ? input + x : x;
}

MobileNetV2Impl::MobileNetV2Impl(const MobileNetV2Options& options) : options(options) { reset(); }

void MobileNetV2Impl::reset() {
  const auto scaled = [&](int64_t channels) {
    return rounded(static_cast<double>(channels) * options.width_mult(), options.round_nearest());
  };
  struct Stage {
    int64_t expansion, channels, blocks, stride;
  };
  static constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                      {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  int64_t channels = scaled(32);
  nn::Sequential f;
  f->push_back(conv_norm_relu6(3, channels, 3, 2));
  for (const Stage& stage : kStages)
    for (int64_t b = 0; b < stage.blocks; ++b) {
      const int64_t next = scaled(stage.channels);
      f->push_back(InvertedResidual(channels, next, b == 0 ? stage.stride : 1, stage.expansion));
      channels = next;
    }
  const int64_t last = rounded(1280 * std::max(1.0, options.width_mult()), options.round_nearest());
  f->push_back(conv_norm_relu6(channels, last, 1));
  features = register_module("features", f);
  classifier = register_module(
      "classifier", nn::Sequential(nn::Dropout(options.dropout()), nn::Linear(last, options.num_classes())));
  init_weights(*this, 0.01);
}

Tensor MobileNetV2Impl::forward(const Tensor& input) {
  return classifier->forward(mean(features->forward(input), {2, 3}));
}

MobileNetV2 mobilenet_v2(int64_t num_classes) { return MobileNetV2(MobileNetV2Options(num_classes)); }

}  // namespace tapir::models
