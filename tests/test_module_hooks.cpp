// Hooks of modules.
#include "support/tensors.h"

using namespace tapir;
using nn::TensorVector;

namespace {

struct PairImpl : nn::Cloneable<PairImpl> {
  void reset() override {}
  std::tuple<Tensor, Tensor> forward(const Tensor& a, double factor, const std::optional<Tensor>& b) {
    return {a * factor, b ? a * *b : a};
  }
};
TAPIR_MODULE(Pair);

}  // namespace

TEST_CASE("forward hooks see and may replace what goes in and out") {
  nn::Linear fc(nn::LinearOptions(2, 2).bias(false));
  fc->weight.set_data(eye(2));
  const Tensor x = tensor({{1.f, 2.f}});
  std::string order;
  const unsigned pre = fc->register_forward_pre_hook([&](nn::Module& m, const TensorVector& in) {
    order += "pre ";
    CHECK(m.as<nn::Linear>() == fc.get());
    return TensorVector{in[0] * 10};
  });
  fc->register_forward_hook([&](nn::Module&, const TensorVector& in, const TensorVector& out) {
    order += "forward ";
    CHECK_SAME(in[0], x * 10);
    CHECK_SAME(out[0].detach(), x * 10);
  });
  const unsigned replacing = fc->register_forward_hook(
      [&](nn::Module&, const TensorVector&, const TensorVector& out) { return out[0] + 1; });
  CHECK_SAME(fc(x).detach(), x * 10 + 1);
  CHECK(order == "pre forward ");
  CHECK(fc->remove_hook(replacing));
  CHECK_FALSE(fc->remove_hook(replacing));
  CHECK(fc->remove_hook(pre));
  CHECK_SAME(fc->forward(x).detach(), x);  // forward() itself calls none
  CHECK(order == "pre forward ");
}

TEST_CASE("hooks of modules inside Sequential and AnyModule run") {
  nn::Linear a(2, 2), b(2, 2);
  int calls = 0;
  a->register_forward_hook([&](nn::Module&, const TensorVector&, const TensorVector&) { ++calls; });
  nn::Sequential net(a, nn::ReLU(), b);
  net(randn({1, 2}));
  nn::AnyModule any(a);
  any.forward(randn({1, 2}));
  CHECK(calls == 2);
}

TEST_CASE("tensors are found in optionals and tuples; other arguments pass") {
  Pair pair;
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  std::vector<size_t> counts;
  pair->register_forward_pre_hook([&](nn::Module&, const TensorVector& in) { counts.push_back(in.size()); });
  pair->register_forward_hook([&](nn::Module&, const TensorVector&, const TensorVector& out) {
    counts.push_back(out.size());
    return TensorVector{out[0], out[1] * 2};
  });
  auto [x, y] = pair(a, 3.0, std::optional<Tensor>(b));
  CHECK_SAME(x.detach(), f64({3, 6}));
  CHECK_SAME(y.detach(), f64({6, 16}));
  pair(a, 3.0, std::nullopt);
  CHECK(counts == std::vector<size_t>{2, 2, 1, 2});
  pair->register_forward_hook(
      [](nn::Module&, const TensorVector&, const TensorVector&) { return TensorVector(3); });
  CHECK(contains(message_of<ValueError>([&] { pair(a, 3.0, std::nullopt); }), "3 tensors, expected 2"));
}

TEST_CASE("full backward hooks see the gradients on both sides, and may replace them") {
  Pair pair;
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  std::string order;
  pair->register_full_backward_pre_hook([&](nn::Module&, const TensorVector& out) {
    order += "pre ";
    CHECK_SAME(out[0], f64({1, 1}));
    return TensorVector{out[0] * 10, out[1]};
  });
  pair->register_full_backward_hook([&](nn::Module& m, const TensorVector& in, const TensorVector& out) {
    order += "full ";
    CHECK(&m == pair.get());
    CHECK_SAME(out[0], f64({10, 10}));
    CHECK_SAME(in[0], f64({30 + 6, 30 + 8}));
    CHECK_SAME(in[1], f64({2, 4}));
    return TensorVector{in[0] * -1, in[1]};
  });
  auto [x, y] = pair(a, 3.0, std::optional<Tensor>(b));
  (x + y * 2).backward(f64({1, 1}));
  CHECK(order == "pre full ");
  CHECK_SAME(a.grad(), f64({-36, -38}));
  CHECK_SAME(b.grad(), f64({2, 4}));
  CHECK(contains(message_of<AutogradError>([&] { Tensor(x).add_(1); }), "clone()"));
}

TEST_CASE("where no input requires a gradient, the hook runs with the gradients of the outputs") {
  nn::Linear fc(2, 1);
  int calls = 0;
  fc->register_full_backward_hook([&](nn::Module&, const TensorVector& in, const TensorVector& out) {
    ++calls;
    CHECK(in.size() == 1);
    CHECK_FALSE(in[0].defined());
    CHECK_SAME(out[0], tensor({{1.f}}));
  });
  fc(ones({1, 2})).sum().backward();
  CHECK(calls == 1);
  CHECK_SAME(fc->weight.grad(), tensor({{1.f, 1.f}}));
  NoGradGuard no_grad;
  fc(ones({1, 2}));
  CHECK(calls == 1);
}

TEST_CASE("backward hooks and second derivatives") {
  nn::Tanh act;
  act->register_full_backward_hook(
      [](nn::Module&, const TensorVector& in, const TensorVector&) { return TensorVector{in[0] * in[0]}; });
  const Tensor x = leaf({0.3});
  const Tensor g = autograd::grad({act(x * 1)}, {x}, {}, true, true)[0];
  const double t = std::tanh(0.3), s = 1 - t * t;
  CHECK_CLOSE(g.detach(), f64({s * s}), 1e-14);
  // The second backward passes the module too, and the hook squares its gradient again.
  const double second = 2 * s * (-2 * t * s);
  CHECK_CLOSE(autograd::grad({g}, {x})[0], f64({second * second}), 1e-14);
}

TEST_CASE("a clone has hooks of its own, and backward may outlive the module") {
  int calls = 0;
  Tensor y;
  const Tensor x = leaf({1, 2});
  {
    Pair pair;
    const unsigned handle =
        pair->register_full_backward_hook([&](nn::Module& m, const TensorVector&, const TensorVector&) {
          calls += m.name().empty() ? 100 : 1;
        });
    Pair copy(std::dynamic_pointer_cast<PairImpl>(pair->clone()));
    pair->remove_hook(handle);
    y = std::get<0>(copy(x, 2.0, std::nullopt));
    std::get<0>(pair(x, 2.0, std::nullopt)).sum().backward();
    CHECK(calls == 0);
  }
  y.sum().backward();
  CHECK(calls == 1);
}
