// One transformer encoder layer, 8 sequences of 128 steps, 256 features, 8 heads, a feed-forward layer of
// 1024: forward and backward to the weights and the input.
#include <torch/torch.h>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  for (const double dropout : {0.0, 0.1})
    suite.add(dropout > 0 ? "transformer/dropout" : "transformer/plain", [dropout] {
      torch::manual_seed(1);
      torch::nn::TransformerEncoderLayer layer(
          torch::nn::TransformerEncoderLayerOptions(256, 8).dim_feedforward(1024).dropout(dropout));
      auto x = torch::randn({128, 8, 256}).set_requires_grad(true), g = torch::randn({128, 8, 256});
      return [=]() mutable {
        layer->zero_grad();
        x.mutable_grad() = torch::Tensor();
        layer->forward(x).backward(g);
        return x.grad();
      };
    });
  return suite.run();
}
