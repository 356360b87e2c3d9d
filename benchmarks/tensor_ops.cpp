// Sorting, selecting, gathering and reducing: ops on a million numbers.
#include <torch/torch.h>

#include <tuple>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  torch::NoGradGuard no_grad;
  constexpr int64_t kMany = 1000000;

  suite.add("tensor_ops/sort", [=] {
    torch::manual_seed(1);
    auto x = torch::randn({kMany});
    return [=] { return std::get<0>(torch::sort(x)); };
  });
  suite.add("tensor_ops/topk", [=] {
    torch::manual_seed(1);
    auto x = torch::randn({kMany});
    return [=] { return std::get<0>(torch::topk(x, 100)); };
  });
  suite.add("tensor_ops/gather", [=] {
    torch::manual_seed(1);
    auto x = torch::randn({kMany});
    auto index = torch::randint(kMany, {kMany}, torch::kInt64);
    return [=] { return torch::gather(x, 0, index); };
  });
  suite.add("tensor_ops/scatter_add", [=] {
    torch::manual_seed(1);
    auto x = torch::zeros({kMany}), src = torch::randn({kMany});
    auto index = torch::randint(kMany, {kMany}, torch::kInt64);
    return [=] { return torch::scatter_add(x, 0, index, src); };
  });
  for (int64_t dim : {0, 1})
    suite.add("tensor_ops/sum_dim" + std::to_string(dim), [=] {
      torch::manual_seed(1);
      auto x = torch::randn({1000, 1000});
      return [=] { return x.sum(dim); };
    });
  return suite.run();
}
