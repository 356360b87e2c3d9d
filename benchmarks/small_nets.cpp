// Training steps of two small networks: 64×1000×100×10 with SGD, 20×10×10×5 with Adam.
#include <torch/torch.h>

#include <memory>

#include "bench.h"

namespace {

template <class Optimizer, class Options>
auto make_case(int64_t batch, int64_t in, int64_t hidden, int64_t out, Options options) {
  torch::manual_seed(1);
  torch::nn::Sequential net(torch::nn::Linear(in, hidden), torch::nn::ReLU(), torch::nn::Linear(hidden, out));
  auto optimizer = std::make_shared<Optimizer>(net->parameters(), options);
  auto x = torch::randn({batch, in});
  auto y = torch::randn({batch, out});
  return [=]() mutable {
    optimizer->zero_grad();
    auto loss = torch::mse_loss(net->forward(x), y);
    loss.backward();
    optimizer->step();
    return loss;
  };
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("small_nets/64x1000x100x10_sgd",
            [] { return make_case<torch::optim::SGD>(64, 1000, 100, 10, torch::optim::SGDOptions(1e-2)); });
  suite.add("small_nets/20x10x10x5_adam",
            [] { return make_case<torch::optim::Adam>(20, 10, 10, 5, torch::optim::AdamOptions(1e-3)); });
  return suite.run();
}
