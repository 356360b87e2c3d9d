// Native control flow in a model: a loop whose length depends on the data, a branch on a value, a recursion
// over a tree. Each gradient is checked against a closed form or central differences.
#include <memory>

#include "support/nn_oracle.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/tapir.h"

using namespace tapir;
using nn_oracle::wave;

namespace {

// d(loss)/d(parameters) by central differences in float64, against backward.
template <class Loss>
void check_gradients(const std::vector<Tensor>& parameters, Loss loss) {
  const auto grads = autograd::grad({loss()}, parameters);
  NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (size_t k = 0; k < parameters.size(); ++k) {
    auto* value = parameters[k].data_ptr<double>();
    const auto grad = values::of(grads[k]);
    for (size_t i = 0; i < grad.size(); ++i) {
      const double x = value[i];
      value[i] = x + kStep;
      const double above = loss().template item<double>();
      value[i] = x - kStep;
      const double below = loss().template item<double>();
      value[i] = x;
      CHECK(grad[i] == Approx((above - below) / (2 * kStep)).epsilon(1e-6).margin(1e-8));
    }
  }
}

Tensor total(const Tensor& x, double phase) { return x.flatten().dot(wave({x.numel()}, phase)); }

struct Tree {
  std::unique_ptr<Tree> left, right;
  Tensor leaf;
};
std::unique_ptr<Tree> grow(int depth, double phase) {
  auto t = std::make_unique<Tree>();
  if (depth == 0 || (depth == 1 && phase > 3)) {
    t->leaf = wave({2}, phase);
  } else {
    t->left = grow(depth - 1, phase + 1);
    t->right = grow(depth - 1, phase + 2);
  }
  return t;
}

// h(leaf) = leaf, h(node) = tanh(W [h(left), h(right)] + b)
struct TreeNetImpl : nn::Module {
  TreeNetImpl() : join(register_module("join", nn::Linear(4, 2))) {}
  Tensor forward(const Tree& t) {
    if (!t.left) return t.leaf;
    return tanh(join(cat({forward(*t.left), forward(*t.right)})));
  }
  nn::Linear join;
};
TAPIR_MODULE(TreeNet);

// Steps an LSTM cell until the state says stop.
struct PonderImpl : nn::Module {
  PonderImpl() : cell(register_module("cell", nn::LSTMCell(2, 3))) {}
  Tensor forward(const Tensor& x) {
    Tensor h = zeros({1, 3}, kFloat64), c = h;
    steps = 0;
    do {
      std::tie(h, c) = cell(x, std::make_tuple(h, c));
      ++steps;
    } while (steps < 20 && h.square().flatten().dot(ones({3}, kFloat64)).item<double>() < 0.02);
    return h;
  }
  nn::LSTMCell cell;
  int steps = 0;
};
TAPIR_MODULE(Ponder);

}  // namespace

TEST_CASE("A loop whose length depends on the data") {
  // x doubles until it exceeds 100: y = 2^n x, and dy/dx = 2^n.
  for (const double start : {3.0, 0.7, 150.0}) {
    const Tensor x = tensor(start, kFloat64).requires_grad_();
    Tensor y = x;
    int n = 0;
    while (y.item<double>() < 100) {
      y = y * 2;
      ++n;
    }
    y.backward();
    CHECK(y.item<double>() == std::ldexp(start, n));
    CHECK((n == 0 ? 1 : x.grad().item<double>()) == std::ldexp(1, n));
  }
}

TEST_CASE("A recurrent module that decides when to stop") {
  Ponder ponder;
  ponder->to(kFloat64);
  int k = 0;
  {
    NoGradGuard no_grad;
    for (Tensor& p : ponder->parameters()) p.copy_(wave(p.sizes(), 0.7 * k++));
  }
  for (const double phase : {0.5, 2.5}) {
    const Tensor x = wave({1, 2}, phase) * 0.3;
    ponder(x);
    const int steps = ponder->steps;
    CHECK(steps >= 1);
    check_gradients(ponder->parameters(), [&] {
      Tensor loss = total(ponder(x), 1);
      REQUIRE(ponder->steps == steps);
      return loss;
    });
  }
}

TEST_CASE("A branch on a value") {
  // f(x) = x^2 where the sum is positive, else 3x.
  const auto f = [](const Tensor& x) {
    if (x.dot(ones_like(x)).item<double>() > 0) return x * x;
    return x * 3;
  };
  for (const double sign : {1.0, -1.0}) {
    const Tensor x = (wave({4}, 0.2) * sign).requires_grad_();
    const Tensor up = wave({4}, 2);
    f(x).backward(up);
    const auto g = values::of(x.grad()), v = values::of(x.detach()), u = values::of(up);
    for (size_t i = 0; i < 4; ++i) CHECK(g[i] == Approx(u[i] * (sign > 0 ? 2 * v[i] : 3)).epsilon(1e-14));
  }
}

TEST_CASE("A recursion over a tree") {
  TreeNet net;
  net->to(kFloat64);
  int k = 0;
  {
    NoGradGuard no_grad;
    for (Tensor& p : net->parameters()) p.copy_(wave(p.sizes(), 0.7 * k++));
  }
  for (const int depth : {1, 3, 5}) {
    const auto tree = grow(depth, 0.3);
    check_gradients(net->parameters(), [&] { return total(net(*tree), 1); });
  }
}
