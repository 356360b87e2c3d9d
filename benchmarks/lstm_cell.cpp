// An LSTM cell in a loop of 32 steps, a linear layer and a cross-entropy at each step, one update by Adam.
#include <torch/torch.h>

#include <memory>
#include <tuple>
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
    auto c = torch::zeros_like(h);
    auto total = torch::zeros({});
    for (size_t t = 0; t < inputs.size(); ++t) {
      std::tie(h, c) = cell(inputs[t], std::make_tuple(h, c));
      total = total + torch::nn::functional::cross_entropy(out(h), targets[t]);
    }
    return total;
  }

  torch::nn::LSTMCell cell;
  torch::nn::Linear out;
};

auto make_case(int64_t batch, int64_t hidden) {
  torch::manual_seed(1);
  auto net = std::make_shared<Net>(hidden);
  auto adam = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(1e-3));
  std::vector<torch::Tensor> inputs, targets;
  for (int64_t t = 0; t < kSteps; ++t) {
    inputs.push_back(torch::randn({batch, hidden}));
    targets.push_back(torch::randint(kClasses, {batch}, torch::kLong));
  }
  return [=] {
    adam->zero_grad();
    auto loss = net->loss(inputs, targets);
    loss.backward();
    adam->step();
    return loss;
  };
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  for (int64_t batch : {1, 32}) {
    for (int64_t hidden : {32, 128, 512}) {
      suite.add("lstm_cell/B" + std::to_string(batch) + "_H" + std::to_string(hidden),
                [=] { return make_case(batch, hidden); });
    }
  }
  return suite.run();
}
