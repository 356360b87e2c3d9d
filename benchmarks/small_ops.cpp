// One op on a 4×4 tensor without gradient: the cost of a call.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto a = torch::randn({4, 4});
  const auto b = torch::randn({4, 4});
  suite.add("small_ops/add", [&] { return [a, b] { return a + b; }; });
  suite.add("small_ops/view", [&] { return [a] { return a.view({2, 8}); }; });
  return suite.run();
}
