#include "tapir/models/alexnet.h"

#include "tapir/autograd/functions/view.h"
#include "tapir/nn/activation.h"
#include "tapir/nn/conv.h"
#include "tapir/nn/dropout.h"
#include "tapir/nn/linear.h"

namespace tapir::models {

AlexNetImpl::AlexNetImpl(const AlexNetOptions& options) : options(options) { reset(); }

void AlexNetImpl::reset() {
  using nn::Conv2d, nn::Conv2dOptions, nn::Linear, nn::ReLU, nn::ReLUOptions;
  const auto relu = [] { return ReLU(ReLUOptions(true)); };
  const auto pool = [] { return nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2)); };
  nn::Sequential f, c;
  f->push_back(Conv2d(Conv2dOptions(3, 64, 11).stride(4).padding(2)));
  f->push_back(relu());
  f->push_back(pool());
  f->push_back(Conv2d(Conv2dOptions(64, 192, 5).padding(2)));
  f->push_back(relu());
  f->push_back(pool());
  f->push_back(Conv2d(Conv2dOptions(192, 384, 3).padding(1)));
  f->push_back(relu());
  f->push_back(Conv2d(Conv2dOptions(384, 256, 3).padding(1)));
  f->push_back(relu());
  f->push_back(Conv2d(Conv2dOptions(256, 256, 3).padding(1)));
  f->push_back(relu());
  f->push_back(pool());
  c->push_back(nn::Dropout(options.dropout()));
  c->push_back(Linear(256 * 6 * 6, 4096));
  c->push_back(relu());
  c->push_back(nn::Dropout(options.dropout()));
  c->push_back(Linear(4096, 4096));
  c->push_back(relu());
  c->push_back(Linear(4096, options.num_classes()));
  features = register_module("features", f);
  avgpool = register_module("avgpool", nn::AdaptiveAvgPool2d(6));
  classifier = register_module("classifier", c);
}

Tensor AlexNetImpl::forward(const Tensor& input) {
  return classifier->forward(flatten(avgpool->forward(features->forward(input)), 1));
}

AlexNet alexnet(int64_t num_classes) { return AlexNet(AlexNetOptions(num_classes)); }

}  // namespace tapir::models
