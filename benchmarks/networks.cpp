// Training steps of ResNet-18 and MobileNetV2 on 8 images of 224 x 224.
#include <torch/torch.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "bench.h"

namespace {

using torch::Tensor;
using torch::nn::BatchNorm2d, torch::nn::Conv2d, torch::nn::Conv2dOptions, torch::nn::Linear;

// A convolution without bias, its batch norm, and what may follow.
struct ConvNormImpl : torch::nn::Module {
  enum After { Nothing, Relu, Relu6 };
  ConvNormImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, After after, int64_t groups = 1)
      : conv(Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false)),
        norm(out),
        after(after) {
    register_module("conv", conv);
    register_module("norm", norm);
  }
  Tensor forward(const Tensor& x) {
    Tensor y = norm(conv(x));
    return after == Relu ? y.relu_() : after == Relu6 ? y.clamp_(0, 6) : y;
  }
  Conv2d conv;
  BatchNorm2d norm;
  After after;
};
TORCH_MODULE(ConvNorm);

struct Network : torch::nn::Module {
  virtual Tensor forward(Tensor x) = 0;
  // A chain of convolutions, with the input added to what comes out, or a convolution of it, or nothing.
  struct Block {
    std::vector<ConvNorm> convs;
    ConvNorm shortcut{nullptr};
    bool adds_input = false, relu = false;
    Tensor operator()(const Tensor& x) const {
      Tensor y = x;
      for (ConvNorm conv : convs) y = conv(y);
      if (!shortcut.is_empty()) y.add_(ConvNorm(shortcut)(x));
      if (adds_input) y = y + x;
      return relu ? y.relu_() : y;
    }
  };
  void add(Block block) {
    for (const ConvNorm& conv : block.convs) register_module(next_name(), conv);
    if (!block.shortcut.is_empty()) register_module(next_name(), block.shortcut);
    blocks.push_back(std::move(block));
  }
  std::string next_name() { return "conv" + std::to_string(count++); }
  std::vector<Block> blocks;
  int count = 0;
};

struct ResNet18 : Network {
  ResNet18() {
    add({{ConvNorm(3, 64, 7, 2, ConvNormImpl::Relu)}});
    int64_t in = 64;
    for (const int64_t out : {64, 64, 128, 128, 256, 256, 512, 512}) {
      Block block{{ConvNorm(in, out, 3, out / in, ConvNormImpl::Relu),
                   ConvNorm(out, out, 3, 1, ConvNormImpl::Nothing)}};
      if (in == out)
        block.adds_input = true;
      else
        block.shortcut = ConvNorm(in, out, 1, 2, ConvNormImpl::Nothing);
      block.relu = true;
      add(std::move(block));
      in = out;
    }
    register_module("fc", fc);
  }
  Tensor forward(Tensor x) override {
    x = torch::max_pool2d(blocks[0](x), {3, 3}, {2, 2}, {1, 1});
    for (size_t i = 1; i < blocks.size(); ++i) x = blocks[i](x);
    return fc(x.mean({2, 3}));
  }
  Linear fc{512, 1000};
};

struct MobileNetV2 : Network {
  MobileNetV2() {
    add({{ConvNorm(3, 32, 3, 2, ConvNormImpl::Relu6)}});
    int64_t in = 32;
    const int64_t stages[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    for (const auto& [expansion, out, count, first_stride] : stages)
      for (int64_t i = 0; i < count; ++i) {
        const int64_t stride = i == 0 ? first_stride : 1, hidden = in * expansion;
        Block block;
        if (expansion != 1) block.convs.emplace_back(in, hidden, 1, 1, ConvNormImpl::Relu6);
        block.convs.emplace_back(hidden, hidden, 3, stride, ConvNormImpl::Relu6, hidden);
        block.convs.emplace_back(hidden, out, 1, 1, ConvNormImpl::Nothing);
        block.adds_input = stride == 1 && in == out;
        add(std::move(block));
        in = out;
      }
    add({{ConvNorm(in, 1280, 1, 1, ConvNormImpl::Relu6)}});
    register_module("fc", fc);
  }
  Tensor forward(Tensor x) override {
    for (const Block& block : blocks) x = block(x);
    return fc(x.mean({2, 3}));
  }
  Linear fc{1280, 1000};
};

template <class Net>
void add(bench::Suite& suite, const char* name) {
  suite.add(name, [] {
    torch::manual_seed(1);
    auto net = std::make_shared<Net>();
    auto sgd =
        std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(1e-4).momentum(0.9));
    auto x = torch::randn({8, 3, 224, 224}), y = torch::randint(0, 1000, {8});
    return [=] {
      sgd->zero_grad();
      auto loss = torch::nn::functional::cross_entropy(net->forward(x), y);
      loss.backward();
      sgd->step();
      return loss.detach();
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  add<ResNet18>(suite, "networks/resnet18");
  add<MobileNetV2>(suite, "networks/mobilenet_v2");
  return suite.run();
}
