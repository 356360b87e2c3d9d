// Square matrix products in float32.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  torch::NoGradGuard no_grad;
  for (int64_t n : {64, 256, 1024}) {
    suite.add("mm/n" + std::to_string(n), [=] {
      torch::manual_seed(1);
      auto a = torch::randn({n, n}), b = torch::randn({n, n});
      return [=] { return torch::mm(a, b); };
    });
  }
  return suite.run();
}
