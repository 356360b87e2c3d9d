#include "tapir/models/vgg.h"

#include <algorithm>
#include <array>

#include "tapir/autograd/functions/view.h"
#include "tapir/models/init.h"
#include "tapir/nn/activation.h"
#include "tapir/nn/batch_norm.h"
#include "tapir/nn/conv.h"
#include "tapir/nn/dropout.h"
#include "tapir/nn/linear.h"

namespace tapir::models {

VggImpl::VggImpl(const VggOptions& options) : options(options) { reset(); }

void VggImpl::reset() {
  const auto relu = [] { return nn::ReLU(nn::ReLUOptions(true)); };
  nn::Sequential f, c;
  int64_t channels = 3;
  for (const int64_t next : options.channels()) {
    if (next == VggOptions::kPool) {
      f->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(2).stride(2)));
      continue;
    }
    f->push_back(nn::Conv2d(nn::Conv2dOptions(channels, next, 3).padding(1)));
    if (options.batch_norm()) f->push_back(nn::BatchNorm2d(next));
    f->push_back(relu());
    channels = next;
  }
  c->push_back(nn::Linear(channels * 7 * 7, 4096));
  c->push_back(relu());
  c->push_back(nn::Dropout(options.dropout()));
  c->push_back(nn::Linear(4096, 4096));
  c->push_back(relu());
  c->push_back(nn::Dropout(options.dropout()));
  c->push_back(nn::Linear(4096, options.num_classes()));
  features = register_module("features", f);
  avgpool = register_module("avgpool", nn::AdaptiveAvgPool2d(7));
  classifier = register_module("classifier", c);
  init_weights(*this, 0.01);
}

Tensor VggImpl::forward(const Tensor& input) {
  return classifier->forward(flatten(avgpool->forward(features->forward(input)), 1));
}

namespace {

// Groups of convolutions with 64, 128, 256, 512 and 512 channels, each followed by a pool.
Vgg vgg(std::array<int, 5> convolutions, bool batch_norm, int64_t num_classes) {
  std::vector<int64_t> channels;
  for (size_t group = 0; group < 5; ++group) {
    channels.insert(channels.end(), static_cast<size_t>(convolutions[group]),
                    std::min<int64_t>(64 << group, 512));
    channels.push_back(VggOptions::kPool);
  }
  return Vgg(VggOptions(std::move(channels)).batch_norm(batch_norm).num_classes(num_classes));
}

}  // namespace

Vgg vgg11(int64_t num_classes) { return vgg({1, 1, 2, 2, 2}, false, num_classes); }
Vgg vgg11_bn(int64_t num_classes) { return vgg({1, 1, 2, 2, 2}, true, num_classes); }
Vgg vgg13(int64_t num_classes) { return vgg({2, 2, 2, 2, 2}, false, num_classes); }
Vgg vgg13_bn(int64_t num_classes) { return vgg({2, 2, 2, 2, 2}, true, num_classes); }
Vgg vgg16(int64_t num_classes) { return vgg({2, 2, 3, 3, 3}, false, num_classes); }
Vgg vgg16_bn(int64_t num_classes) { return vgg({2, 2, 3, 3, 3}, true, num_classes); }
Vgg vgg19(int64_t num_classes) { return vgg({2, 2, 4, 4, 4}, false, num_classes); }
Vgg vgg19_bn(int64_t num_classes) { return vgg({2, 2, 4, 4, 4}, true, num_classes); }

}  // namespace tapir::models
