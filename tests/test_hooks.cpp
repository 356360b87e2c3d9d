// Hooks on gradients, and gradients that are retained.
#include "support/tensors.h"

using namespace tapir;

TEST_CASE("hooks see the whole gradient, in the order in which they were added, and may replace it") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 2;
  std::string order;
  y.register_hook([&](const Tensor& g) {
    order += "first ";
    CHECK_SAME(g, f64({5, 7}));  // both uses of y
    return g * 10;
  });
  y.register_hook([&](Tensor g) {
    order += "second ";
    CHECK_SAME(g, f64({50, 70}));
  });
  (y * f64({2, 3}) + y * f64({3, 4})).backward(f64({1, 1}));
  CHECK(order == "first second ");
  CHECK_SAME(a.grad(), f64({100, 140}));
}

TEST_CASE("a hook on a leaf sees what is added to its gradient") {
  const Tensor a = leaf({1, 2});
  int calls = 0;
  const unsigned handle = a.register_hook([&](const Tensor& g) {
    ++calls;
    return g * -1;
  });
  ((a * 2) + (a * 3)).backward(f64({1, 1}));
  CHECK(calls == 1);
  CHECK_SAME(a.grad(), f64({-5, -5}));
  CHECK_SAME(autograd::grad({a * 2}, {a}, {f64({1, 1})})[0], f64({-2, -2}));
  a.remove_hook(handle);
  (a * 2).backward(f64({1, 1}));
  CHECK(calls == 2);
  CHECK_SAME(a.grad(), f64({-3, -3}));
}

TEST_CASE("a hook that throws leaves the graph usable") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * a;
  const unsigned handle = y.register_hook([](const Tensor&) { throw std::runtime_error("stop"); });
  Tensor z = y * y;
  CHECK_THROWS_WITH(z.backward(f64({1, 1}), true), "stop");
  CHECK_FALSE(a.grad().defined());
  y.remove_hook(handle);
  z.backward(f64({1, 1}));
  CHECK_SAME(a.grad(), f64({4, 32}));
  CHECK(GradMode::is_enabled());
}

TEST_CASE("a hook that returns something that does not fit is refused") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 2;
  y.register_hook([](const Tensor&) { return f64({1, 2, 3}); });
  const std::string message = message_of<ShapeError>([&] { (y * 1).backward(f64({1, 1})); });
  CHECK(contains(message, "hook"));
  CHECK(contains(message, "[3]"));
  CHECK(contains(message, "[2]"));
  Tensor z = a * 2;
  z.register_hook([](const Tensor& g) { return g.to(kFloat32); });
  CHECK_THROWS_AS(z.backward(f64({1, 1})), DTypeError);
  CHECK_THROWS_AS(f64({1}).register_hook([](const Tensor& g) { return g; }), AutogradError);
}

TEST_CASE("with create_graph, what a hook does is differentiated too") {
  const Tensor a = leaf({3});
  Tensor y = a * a;
  y.register_hook([&](const Tensor& g) { return g * a; });
  const Tensor g = autograd::grad({y * 1}, {a}, {}, true, true)[0];  // 2 a * a
  CHECK_SAME(g.detach(), f64({18}));
  CHECK_SAME(autograd::grad({g}, {a})[0], f64({12}));
}

TEST_CASE("a result retains its gradient where it is told to") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 3;
  CHECK_FALSE(y.retains_grad());
  y.retain_grad();
  y.retain_grad();
  CHECK(y.retains_grad());
  CHECK(std::string(y.grad_fn()->name()) == "MulBackward");
  (y * y).backward(f64({1, 1}), true);
  CHECK_SAME(y.grad(), f64({6, 12}));
  CHECK_SAME(a.grad(), f64({18, 36}));
  (y * 2).backward(f64({1, 1}));
  CHECK_SAME(y.grad(), f64({8, 14}));  // it accumulates
  CHECK_THROWS_AS(f64({1}).retain_grad(), AutogradError);
  a.retain_grad();  // a leaf does anyway
  CHECK(a.is_leaf());
}

TEST_CASE("the retained gradient is the one that the hooks left") {
  const Tensor a = leaf({1});
  Tensor y = a * 3;
  y.retain_grad();
  y.register_hook([](const Tensor& g) { return g * 100; });
  (y * 2).backward();
  CHECK_SAME(y.grad(), f64({200}));
  CHECK_SAME(a.grad(), f64({600}));
}

TEST_CASE("after an in-place change, the retained gradient is that of the new value") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 3;
  y.retain_grad();
  y.mul_(10);
  CHECK(y.retains_grad());
  (y * y).backward(f64({1, 1}));
  CHECK_SAME(y.grad(), f64({60, 120}));
  CHECK_SAME(a.grad(), f64({1800, 3600}));
  Tensor base = a * 1, v = base[1];
  v.retain_grad();
  v.mul_(4);
  (v * v).backward();
  CHECK_SAME(v.grad(), tensor(16.0, kFloat64));
  CHECK_SAME(a.grad(), f64({1800, 3600 + 64}));
}

TEST_CASE("hooks may be removed while they run") {
  const Tensor a = leaf({1});
  Tensor y = a * 2;
  unsigned handle = 0;
  int calls = 0;
  handle = y.register_hook([&](const Tensor&) {
    ++calls;
    y.remove_hook(handle);
  });
  (y * 1).backward({}, true);
  (y * 1).backward({}, true);
  CHECK(calls == 1);
}
