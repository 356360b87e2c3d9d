// The fused nn::LSTM over 32 steps at batch 32, forward and backward.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  for (int64_t hidden : {128, 512}) {
    suite.add("lstm_layer/B32_H" + std::to_string(hidden), [=] {
      torch::manual_seed(1);
      torch::nn::LSTM lstm(hidden, hidden);
      auto x = torch::randn({32, 32, hidden});
      auto upstream = torch::randn({32, 32, hidden});
      return [=]() mutable {
        lstm->zero_grad();
        auto y = std::get<0>(lstm(x));
        y.backward(upstream);
        return y;
      };
    });
  }
  return suite.run();
}
