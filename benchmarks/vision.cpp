// What convolutional networks are made of besides convolutions, forward and backward, and a training step of
// the MNIST network of libtorch's examples.
#include <torch/torch.h>

#include <memory>

#include "bench.h"

namespace {

struct MnistNet : torch::nn::Module {
  MnistNet() : conv1(torch::nn::Conv2dOptions(1, 10, 5)), conv2(torch::nn::Conv2dOptions(10, 20, 5)) {
    register_module("conv1", conv1);
    register_module("conv2", conv2);
    register_module("drop", drop);
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(torch::max_pool2d(conv1(x), 2));
    x = torch::relu(torch::max_pool2d(drop(conv2(x)), 2)).view({-1, 320});
    x = torch::dropout(torch::relu(fc1(x)), 0.5, is_training());
    return torch::log_softmax(fc2(x), 1);
  }
  torch::nn::Conv2d conv1, conv2;
  torch::nn::Dropout2d drop;
  torch::nn::Linear fc1{320, 50}, fc2{50, 10};
};

template <class F>
void add(bench::Suite& suite, const char* name, std::vector<int64_t> sizes, F f) {
  suite.add(name, [=] {
    torch::manual_seed(1);
    auto x = torch::randn(sizes).set_requires_grad(true);
    auto g = torch::randn(f(x).sizes());
    return [=]() mutable {
      x.mutable_grad() = torch::Tensor();
      f(x).backward(g);
      return x.grad();
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  namespace F = torch::nn::functional;
  bench::Suite suite(argc, argv);
  const auto norm = std::make_shared<torch::nn::BatchNorm2dImpl>(torch::nn::BatchNorm2dOptions(64));
  add(suite, "vision/batch_norm", {16, 64, 56, 56}, [=](const torch::Tensor& x) { return norm->forward(x); });
  add(suite, "vision/max_pool", {16, 64, 56, 56}, [](const torch::Tensor& x) {
    return torch::max_pool2d(x, {3, 3}, {2, 2}, {1, 1});
  });
  add(suite, "vision/bilinear", {16, 64, 28, 28}, [](const torch::Tensor& x) {
    return F::interpolate(x, F::InterpolateFuncOptions()
                                 .size(std::vector<int64_t>{56, 56})
                                 .mode(torch::kBilinear)
                                 .align_corners(false));
  });
  suite.add("vision/mnist", [] {
    torch::manual_seed(1);
    auto net = std::make_shared<MnistNet>();
    auto sgd =
        std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(0.01).momentum(0.5));
    auto x = torch::randn({64, 1, 28, 28}), y = torch::randint(0, 10, {64});
    return [=] {
      sgd->zero_grad();
      auto loss = torch::nll_loss(net->forward(x), y);
      loss.backward();
      sgd->step();
      return loss.detach();
    };
  });
  return suite.run();
}
