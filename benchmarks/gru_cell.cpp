// A GRU cell in a loop of 32 steps, a linear layer and a cross-entropy at each step, one update by Adam.
#include <torch/torch.h>

#include <memory>
#include <vector>

#include "bench.h"

namespace {

constexpr int64_t kSteps = 32;
constexpr int64_t kClasses = 10;

struct Net : torch::nn::Module {
  explicit Net(int64_t hidden) : cell(hidden, hidden), out(hidden, kClasses) {
    register_module("cell", cell);
    register_module("out", out);
  }

  torch::Tensor loss(const std::vector<torch::Tensor>& inputs, const std::vector<torch::Tensor>& targets) {
    auto h = torch::zeros_like(inputs[0]);
    auto total = torch::zeros({});
    for (size_t t = 0; t < inputs.size(); ++t) {
      h = cell(inputs[t], h);
      total = total + torch::nn::functional::cross_entropy(out(h), targets[t]);
    }
    return total;
  }

  torch::nn::GRUCell cell;
  torch::nn::Linear out;
};

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("gru_cell/B1_H64", [] {
    constexpr int64_t kHidden = 64;
    torch::manual_seed(1);
    auto net = std::make_shared<Net>(kHidden);
    auto adam = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(1e-3));
    std::vector<torch::Tensor> inputs, targets;
    for (int64_t t = 0; t < kSteps; ++t) {
      inputs.push_back(torch::randn({1, kHidden}));
      targets.push_back(torch::randint(kClasses, {1}, torch::kLong));
    }
    return [=] {
      adam->zero_grad();
      auto loss = net->loss(inputs, targets);
      loss.backward();
      adam->step();
      return loss;
    };
  });
  return suite.run();
}
