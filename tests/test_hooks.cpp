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
  CHECK(y.grad_fn()->name() == "MulBackward");
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

TEST_CASE("the gradients that a base and its views retain go along with a change of the other") {
  const Tensor weights = f64({1, 2, 3});
  const Tensor a = leaf({1, 1, 1});
  Tensor y = a * 2;
  y.retain_grad();
  y.select(0, 0).mul_(5);
  CHECK(y.retains_grad());
  (y * weights).sum().backward();
  CHECK_SAME(y.grad(), weights);
  CHECK_SAME(a.grad(), f64({10, 4, 6}));

  Tensor base = a * 2, view = base.narrow(0, 0, 2);
  base.retain_grad();
  view.retain_grad();
  base.mul_(5);
  CHECK(view.retains_grad());
  (view * weights.narrow(0, 0, 2)).sum().backward();
  CHECK_SAME(view.grad(), f64({1, 2}));
  CHECK_SAME(base.grad(), f64({1, 2, 0}));

  // Both at once, and through another view.
  Tensor both = a * 2, part = both.narrow(0, 0, 2);
  both.retain_grad();
  part.retain_grad();
  both.narrow(0, 1, 2).mul_(5);
  part.mul_(3);
  (both * weights + part.sum()).sum().backward();
  CHECK_SAME(part.grad(), f64({3, 3}));
  CHECK_SAME(both.grad(), f64({4, 5, 3}));
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

TEST_CASE("a hook that removes itself does not keep the next from being called") {
  const Tensor a = leaf({1});
  Tensor y = a * 2;
  std::string called;
  unsigned first = 0;
  first = y.register_hook([&](const Tensor&) {
    called += "first ";
    y.remove_hook(first);
  });
  y.register_hook([&](const Tensor&) { called += "second "; });
  (y * 1).backward({}, true);
  (y * 1).backward({}, true);
  CHECK(called == "first second second ");
}

TEST_CASE("a hook stays with the value that it was registered for") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 3;
  const unsigned before = y.register_hook([](const Tensor& g) { CHECK_SAME(g, f64({10, 20})); });
  y.mul_(10);
  int after = 0;
  y.register_hook([&](const Tensor& g) {
    CHECK_SAME(g, f64({1, 2}));
    ++after;
  });
  y.remove_hook(before);  // of another value: passed over
  y.backward(f64({1, 2}));
  CHECK(after == 1);
  CHECK_SAME(a.grad(), f64({30, 60}));
}

TEST_CASE("hooks of nodes run around their backward, tensors' hooks before") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  Tensor y = a * b;
  std::string order;
  y.grad_fn()->register_prehook([&](const std::vector<Tensor>& grads) -> std::vector<Tensor> {
    order += "pre ";
    CHECK_SAME(grads[0], f64({10, 10}));
    return {grads[0] * 2};
  });
  y.register_hook([&](const Tensor& g) {
    order += "tensor ";
    return g * 10;
  });
  const unsigned post =
      y.grad_fn()->register_hook([&](const std::vector<Tensor>& to, const std::vector<Tensor>& from) {
        order += "post ";
        CHECK_SAME(from[0], f64({20, 20}));
        CHECK_SAME(to[0], f64({60, 80}));
        CHECK_SAME(to[1], f64({20, 40}));
        return std::vector<Tensor>{Tensor(), to[1] * -1};
      });
  y.backward(f64({1, 1}), true);
  CHECK(order == "tensor pre post ");
  CHECK_SAME(a.grad(), f64({60, 80}));
  CHECK_SAME(b.grad(), f64({-20, -40}));
  y.grad_fn()->remove_hook(post);
  order.clear();
  y.backward(f64({1, 1}), true);
  CHECK(order == "tensor pre ");
  // A node that is not run calls no hook of its own; the tensor's hook runs, and grad() gives what it
  // returns.
  order.clear();
  CHECK_SAME(autograd::grad({y}, {y}, {f64({1, 1})}, true)[0], f64({10, 10}));
  CHECK(order == "tensor ");
}

TEST_CASE("a node with a post-hook gets whole gradients, also where they are gathered otherwise") {
  const Tensor w = random_f64({3, 2}, -1, 1, true), x = random_f64({4, 2}), g = random_f64({4, 3});
  const auto run = [&](bool hooked) {
    w.mutable_grad().reset();
    Tensor sum;
    int calls = 0;
    for (int t = 0; t < 3; ++t) {
      const Tensor h = nn::functional::linear(x * double(t + 1), w);
      if (hooked)
        h.grad_fn()->register_hook([&calls](const std::vector<Tensor>& to, const std::vector<Tensor>&) {
          for (const Tensor& grad : to)
            if (grad.defined())
              CHECK((grad.sizes() == IntArrayRef({3, 2}) || grad.sizes() == IntArrayRef({4, 2})));
          ++calls;
        });
      sum = sum.defined() ? sum + h : h;
    }
    sum.backward(g);
    if (hooked) CHECK(calls == 3);
    return w.grad();
  };
  CHECK_CLOSE(run(true), run(false).clone(), 1e-14);
}

TEST_CASE("hooks as objects, as libtorch has them") {
  struct Twice : autograd::FunctionPreHook {
    std::vector<Tensor> operator()(const std::vector<Tensor>& g) override { return {g[0] * 2}; }
  };
  struct Negate : autograd::FunctionPostHook {
    std::vector<Tensor> operator()(const std::vector<Tensor>& to, const std::vector<Tensor>&) override {
      return {to[0] * -1};
    }
  };
  const Tensor a = leaf({5});
  Tensor y = a.exp().log();
  y.grad_fn()->add_pre_hook(std::make_unique<Twice>());
  const uintptr_t key = y.grad_fn()->add_post_hook(std::make_unique<Negate>());
  y.backward(f64({1}), true);
  CHECK_CLOSE(a.grad(), f64({-2}), 1e-15);
  CHECK(y.grad_fn()->del_post_hook(key));
  CHECK_FALSE(y.grad_fn()->del_post_hook(key));
  y.backward(f64({1}), true);
  CHECK_CLOSE(a.grad(), f64({0}), 1e-15);
}

TEST_CASE("what a node's hook returns must fit") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 2;
  y.grad_fn()->register_hook([](const std::vector<Tensor>&, const std::vector<Tensor>&) {
    return std::vector<Tensor>{f64({1, 2, 3}), Tensor()};
  });
  CHECK(contains(message_of<Error>([&] { y.backward(f64({1, 1}), true); }), "post-hook of MulBackward"));
  Tensor z = a * 2;
  z.grad_fn()->register_prehook([](const std::vector<Tensor>&) { return std::vector<Tensor>(3); });
  CHECK(contains(message_of<ValueError>([&] { z.backward(f64({1, 1}), true); }), "3 gradients, expected 1"));
}

TEST_CASE("a hook after accumulation sees the gradient in its place, and may use it up") {
  Tensor w = leaf({1, 2});
  int calls = 0;
  const unsigned handle = w.register_post_accumulate_grad_hook([&](const Tensor& p) {
    ++calls;
    CHECK(p.grad().is_same(w.grad()));
    CHECK(p.is_leaf());
    NoGradGuard no_grad;
    Tensor values = p;
    values.sub_(p.grad(), 0.5);
    p.mutable_grad().reset();
  });
  ((w * 2) + (w * 4)).backward(f64({1, 1}));
  CHECK(calls == 1);
  CHECK_FALSE(w.grad().defined());
  CHECK_SAME(w.detach(), f64({-2, -1}));
  CHECK(w._version() == 1);
  autograd::grad({w * 2}, {w}, {f64({1, 1})});  // nothing accumulates
  CHECK(calls == 1);
  w.set_data(f64({7, 7}));
  (w * 2).backward(f64({1, 1}));
  CHECK_SAME(w.detach(), f64({6, 6}));
  w.set_data(f64({7, 7, 7}));
  (w * 2).backward(f64({1, 1, 1}));
  CHECK_SAME(w.detach(), f64({6, 6, 6}));
  w.remove_hook(handle);
  (w * 2).backward(f64({1, 1, 1}));
  CHECK(calls == 3);
  CHECK_SAME(w.grad(), f64({2, 2, 2}));
  CHECK_THROWS_AS((w * 1).register_post_accumulate_grad_hook([](const Tensor&) {}), AutogradError);
  CHECK_THROWS_AS(f64({1}).register_post_accumulate_grad_hook([](const Tensor&) {}), AutogradError);
}

TEST_CASE("the hooks of a leaf's own node run where it accumulates") {
  const Tensor w = leaf({1, 2});
  std::string order;
  Tensor y = w * 3;
  const Ref<Node> node = y.grad_fn()->next_edge(0).function;
  node->register_hook([&](const std::vector<Tensor>& to, const std::vector<Tensor>& from) {
    order += "post ";
    CHECK(to.empty());
    CHECK_SAME(from[0], f64({6, 6}));
    CHECK_SAME(w.grad(), f64({6, 6}));
  });
  node->register_prehook([&](const std::vector<Tensor>& grads) {
    order += "pre ";
    return std::vector<Tensor>{grads[0] * 2};
  });
  y.backward(f64({1, 1}), true);
  CHECK(order == "pre post ");
  CHECK_SAME(autograd::grad({y}, {w}, {f64({1, 1})})[0], f64({3, 3}));
  CHECK(order == "pre post ");
}
