// Pointwise ops on arrays larger than the cache, and bare loops over memory that is already mapped as their
// limit.
#include <torch/torch.h>

#include <vector>

#include "bare_loops.h"
#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  torch::NoGradGuard no_grad;
  constexpr int64_t kAdd = int64_t{1} << 24;
  constexpr int64_t kExp = int64_t{1} << 22;

  suite.add("big_pointwise/add", [=] {
    torch::manual_seed(1);
    auto a = torch::randn({kAdd}), b = torch::randn({kAdd});
    return [=] { return a + b; };
  });
  suite.add("big_pointwise/exp", [=] {
    torch::manual_seed(1);
    auto a = torch::randn({kExp});
    return [=] { return torch::exp(a); };
  });
  for (int threads : {1, 2}) {
    const std::string suffix = "_bare_" + std::to_string(threads);
    suite.add("big_pointwise/add" + suffix, [=] {
      std::vector<float> a(kAdd, 0.5f), b(kAdd, 0.25f), out(kAdd);
      return [=]() mutable { return bench::bare_add(a.data(), b.data(), out.data(), kAdd, threads); };
    });
    suite.add("big_pointwise/exp" + suffix, [=] {
      std::vector<float> a(kExp), out(kExp);
      for (int64_t i = 0; i < kExp; ++i) a[i] = static_cast<float>(i % 1024) / 256 - 2;
      return [=]() mutable { return bench::bare_exp(a.data(), out.data(), kExp, threads); };
    });
  }
  return suite.run();
}
