// A recurrent model in the style of libtorch's tutorials, with `using namespace torch`: cells in a loop of
// data-dependent length, indexing, a function with its own derivative, hooks, detached state, a namespace of
// libtorch's reopened.
#include <torch/torch.h>

#include <tuple>
#include <vector>

using namespace torch;
using namespace torch::indexing;

namespace torch {
struct Straight : autograd::Function<Straight> {
  static Tensor forward(autograd::AutogradContext* ctx, Tensor x, double scale) {
    ctx->save_for_backward({x});
    ctx->saved_data["scale"] = scale;
    return x.sign() * scale;
  }
  static autograd::variable_list backward(autograd::AutogradContext* ctx, autograd::variable_list grads) {
    auto x = ctx->get_saved_variables()[0];
    return {grads[0] * ctx->saved_data["scale"].toDouble() * (x.abs() < 1).to(x.dtype()), Tensor()};
  }
};
}  // namespace torch

struct Model : nn::Module {
  explicit Model(int64_t hidden)
      : embedding(nn::EmbeddingOptions(10, hidden)),
        cell(nn::LSTMCellOptions(hidden, hidden)),
        out(hidden, 10) {
    register_module("embedding", embedding);
    register_module("cell", cell);
    register_module("out", out);
    for (auto& p : parameters()) nn::init::uniform_(p, -0.1, 0.1);
  }

  Tensor loss(const Tensor& symbols) {  // (T)
    auto h = torch::zeros({1, cell->options.hidden_size()});
    auto c = torch::zeros_like(h);
    std::vector<Tensor> logits;
    for (int64_t t = 0; t + 1 < symbols.size(0); ++t) {
      std::tie(h, c) = cell(embedding(symbols.index({Slice(t, t + 1)})), std::make_tuple(h, c));
      logits.push_back(out(h));
    }
    return nn::functional::cross_entropy(torch::cat(logits), symbols.index({Slice(1, None)}));
  }

  nn::Embedding embedding;
  nn::LSTMCell cell;
  nn::Linear out;
};

int main() {
  manual_seed(0);
  Model model(16);
  optim::SGD sgd(model.parameters(), optim::SGDOptions(0.5).momentum(0.9));
  double first = 0, last = 0;
  for (int step = 0; step < 60; ++step) {
    auto symbols = torch::arange(0, 5 + step % 5, kLong);
    sgd.zero_grad();
    auto loss = model.loss(symbols);
    loss.backward();
    nn::utils::clip_grad_norm_(model.parameters(), 1.0);
    sgd.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  std::cout << "loss " << first << " to " << last << std::endl;
  TORCH_CHECK(last < 0.5 * first, "it did not learn");

  auto x = torch::tensor({-2.0f, 0.5f, 0.25f}, requires_grad());
  unsigned calls = 0;
  x.register_hook([&](Tensor) { ++calls; });
  Straight::apply(x, 3.0).sum().backward();
  TORCH_CHECK(x.grad().equal(torch::tensor({0.0f, 3.0f, 3.0f})), "got ", x.grad());
  TORCH_CHECK(calls == 1);

  nn::Sequential net(nn::Linear(4, 8), nn::Tanh(), nn::Linear(8, 1));
  auto a = torch::randn({5, 4}, TensorOptions().dtype(kFloat32).requires_grad(true));
  auto grads = autograd::grad({net->forward(a).sum()}, {a});
  TORCH_CHECK(grads[0].sizes() == a.sizes());
  std::cout << net << "\n" << at::arange(4).view({2, 2}) << std::endl;
  return 0;
}
