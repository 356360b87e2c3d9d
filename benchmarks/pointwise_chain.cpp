// A chain of 100 pointwise ops on a 4×4 tensor, forward and backward: what one small recorded op costs.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("pointwise_chain", [] {
    torch::manual_seed(1);
    auto x = torch::randn({4, 4}).requires_grad_();
    const auto scale = torch::rand({4, 4}) + 4;  // keeps the gradient away from zero and from denormals
    const auto shift = torch::randn({4, 4});
    const auto upstream = torch::randn({4, 4});
    return [=]() mutable {
      x.mutable_grad().reset();
      auto h = x;
      for (int i = 0; i < 25; ++i) h = torch::tanh(torch::sigmoid(h * scale) + shift);
      h.backward(upstream);
      return x.grad();
    };
  });
  return suite.run();
}
