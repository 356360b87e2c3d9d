// Two-dimensional convolutions, forward and backward: 3 x 3 over 64 channels, 1 x 1 from 256 to 1024, one
// channel to a group.
#include <torch/torch.h>

#include "bench.h"

namespace {

void add(bench::Suite& suite, const char* name, std::vector<int64_t> x_sizes, std::vector<int64_t> w_sizes,
         int64_t padding, int64_t groups) {
  suite.add(name, [=] {
    torch::manual_seed(1);
    auto x = torch::randn(x_sizes).set_requires_grad(true), w = torch::randn(w_sizes).set_requires_grad(true),
         b = torch::randn({w_sizes[0]}).set_requires_grad(true);
    auto g = torch::randn({x_sizes[0], w_sizes[0], x_sizes[2], x_sizes[3]});
    return [=]() mutable {
      for (auto* t : {&x, &w, &b}) t->mutable_grad() = torch::Tensor();
      torch::conv2d(x, w, b, 1, padding, 1, groups).backward(g);
      return w.grad();
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  add(suite, "conv/3x3", {16, 64, 56, 56}, {64, 64, 3, 3}, 1, 1);
  add(suite, "conv/1x1", {8, 256, 14, 14}, {1024, 256, 1, 1}, 0, 1);
  add(suite, "conv/depthwise", {8, 192, 28, 28}, {192, 1, 3, 3}, 1, 192);
  return suite.run();
}
