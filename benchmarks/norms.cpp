// Layer norm over 256 features of 1024 rows, and cross-entropy over 10,000 classes of 128 rows: forward and
// backward.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("norms/layer_norm", [] {
    torch::manual_seed(1);
    torch::nn::LayerNorm norm(torch::nn::LayerNormOptions({256}));
    auto x = torch::randn({1024, 256}).set_requires_grad(true), g = torch::randn({1024, 256});
    return [=]() mutable {
      norm->zero_grad();
      x.mutable_grad() = torch::Tensor();
      norm->forward(x).backward(g);
      return x.grad();
    };
  });
  suite.add("norms/cross_entropy", [] {
    torch::manual_seed(1);
    auto x = torch::randn({128, 10000}).set_requires_grad(true);
    auto target = torch::randint(10000, {128}, torch::kLong);
    return [=]() mutable {
      x.mutable_grad() = torch::Tensor();
      auto loss = torch::nn::functional::cross_entropy(x, target);
      loss.backward();
      return loss;
    };
  });
  return suite.run();
}
