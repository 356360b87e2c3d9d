// Backward: leaves, graphs kept and freed, higher derivatives, and several threads.
#include <thread>

#include "support/tensors.h"

using namespace tapir;

TEST_CASE("gradients accumulate in leaves") {
  const Tensor a = leaf({1, 2, 3}), b = leaf({4, 5, 6}), g = f64({0.5, -1, 2});
  Tensor y = a * b + a;
  CHECK(a.is_leaf());
  CHECK_FALSE(y.is_leaf());
  CHECK(y.requires_grad());
  CHECK(y.grad_fn()->name() == "AddBackward");
  CHECK_FALSE(a.grad().defined());
  y.backward(g);
  CHECK_SAME(a.grad(), g * (b.detach() + 1));
  CHECK_SAME(b.grad(), g * a.detach());
  (a * 2).backward(g);
  CHECK_SAME(a.grad(), g * (b.detach() + 3));
  CHECK_FALSE(y.grad().defined());
  CHECK_FALSE(a.grad().requires_grad());
}

TEST_CASE("a loss of one element needs no gradient argument; another does") {
  const Tensor a = leaf({3});
  (a * a).backward();
  CHECK_SAME(a.grad(), f64({6}));
  const Tensor b = leaf({1, 2});
  CHECK(contains(message_of<ShapeError>([&] { (b * 2).backward(); }), "[2]"));
  CHECK(contains(message_of<ShapeError>([&] { (b * 2).backward(f64({1, 2, 3})); }), "[3]"));
  CHECK_THROWS_AS(f64({1}).backward(), AutogradError);
  CHECK_FALSE(b.grad().defined());
}

TEST_CASE("a tensor that is used often gets the sum, whatever the order") {
  const Tensor x = random_f64({3, 2}, -1, 1, true), g = random_f64({3, 2});
  Tensor h = x;
  for (int i = 0; i < 5; ++i) h = h * 0.5 + x * h.detach();
  Tensor y = h + x.exp() + x.t().contiguous().t() * x;
  y.backward(g);
  // The same by one use at a time.
  const Tensor once = autograd::grad({x * x + x.exp()}, {x}, {g})[0];
  Tensor slope = ones({3, 2}, kFloat64), value = x.detach();
  for (int i = 0; i < 5; ++i) {
    slope = slope * 0.5 + value;
    value = value * 0.5 + x.detach() * value;
  }
  CHECK_CLOSE(x.grad(), once + g * slope, 1e-14);
}

TEST_CASE("the first gradient is not shared with the caller's or another leaf's") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  Tensor g = f64({1, 1});
  (a + b).backward(g);
  a.mutable_grad().mul_(10);
  g.zero_();
  CHECK_SAME(a.grad(), f64({10, 10}));
  CHECK_SAME(b.grad(), f64({1, 1}));
  CHECK(a.grad().is_contiguous());
}

TEST_CASE("a leaf's gradient may be assigned and dropped") {
  const Tensor a = leaf({1, 2});
  a.mutable_grad() = f64({5, 5});
  (a * 3).backward(f64({1, 2}));
  CHECK_SAME(a.grad(), f64({8, 11}));
  a.mutable_grad().reset();
  (a * 3).backward(f64({1, 2}));
  CHECK_SAME(a.grad(), f64({3, 6}));
  a.mutable_grad() = f64({5, 5, 5});
  CHECK_THROWS_AS((a * 3).backward(f64({1, 2})), ShapeError);
  CHECK_THROWS_AS((a * 3).mutable_grad(), AutogradError);
}

TEST_CASE("a graph is freed by backward, unless it is retained") {
  const Tensor a = leaf({2}), b = leaf({3});
  Tensor y = a * b;
  y.backward({}, true);
  y.backward();
  CHECK_SAME(a.grad(), f64({6}));
  const std::string message = message_of<AutogradError>([&] { y.backward(); });
  CHECK(contains(message, "MulBackward"));
  CHECK(contains(message, "freed"));
  CHECK(contains(message, "retain_graph"));
  CHECK_SAME(a.grad(), f64({6}));
  Tensor z = a + b;  // nothing is saved: PyTorch lets it run again too
  z.backward();
  z.backward();
  CHECK_SAME(a.grad(), f64({8}));
}

TEST_CASE("grad returns gradients and leaves grad() alone") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), unused = leaf({0, 0});
  Tensor y = a * a * b;
  const auto g = autograd::grad({y}, {a, y, b}, {f64({1, 10})}, true);
  CHECK_SAME(g[0], f64({6, 160}));
  CHECK_SAME(g[1], f64({1, 10}));
  CHECK_SAME(g[2], f64({1, 40}));
  CHECK_FALSE(a.grad().defined());
  CHECK_THROWS_AS(autograd::grad({y}, {unused}, {f64({1, 1})}, true), AutogradError);
  CHECK_FALSE(autograd::grad({y}, {unused}, {f64({1, 1})}, true, false, true)[0].defined());
  CHECK_THROWS_AS(autograd::grad({y}, {f64({1, 2})}, {f64({1, 1})}, true), AutogradError);
  // With respect to a result on the way, the part behind it is not run.
  Tensor m = a * 2, n = m * b;
  bool reached = false;
  m.grad_fn()->add_hook(0, [&](const Tensor&) {
    reached = true;
    return Tensor();
  });
  CHECK_SAME(autograd::grad({n}, {b}, {f64({1, 1})}, true)[0], f64({2, 4}));
  CHECK_FALSE(reached);
}

TEST_CASE("several roots, and one among the inputs of another") {
  const Tensor a = leaf({2, 3});
  Tensor y = a * 4, z = y * a;
  autograd::backward({z, y, z}, {f64({1, 1}), f64({10, 0}), f64({0, 2})});
  // z: 8 a, weights 1 and 3; y: 4, weights 10 and 0
  CHECK_SAME(a.grad(), f64({16 + 40, 72}));
  CHECK_THROWS_AS(autograd::backward({a * 1, a * 2}, {f64({1, 1})}), ValueError);
}

TEST_CASE("backward into some inputs only") {
  const Tensor a = leaf({2}), b = leaf({5});
  Tensor y = a * b, z = y * y;
  const std::vector<Tensor> only{a};
  z.backward({}, true, false, TensorList(only));
  CHECK_SAME(a.grad(), f64({100}));
  CHECK_FALSE(b.grad().defined());
  autograd::backward({z}, {}, true, false, {y});
  CHECK_SAME(y.grad(), f64({20}));
  CHECK_SAME(a.grad(), f64({100}));
}

TEST_CASE("higher derivatives") {
  const Tensor x = leaf({0.5, -1.5});
  Tensor y = x.pow(4).mul(x.exp());
  Tensor g = ones({2}, kFloat64);
  const Tensor v = x.detach(), e = v.exp();
  for (int n = 1; n <= 4; ++n) {
    y = autograd::grad({y}, {x}, {g}, true, true)[0];
    // d^n (x^4 e^x) = sum_k C(n, k) (x^4)^(k) e^x
    const double c[4][5] = {{1, 1, 0, 0, 0}, {1, 2, 1, 0, 0}, {1, 3, 3, 1, 0}, {1, 4, 6, 4, 1}};
    Tensor expected = v.pow(4) * c[n - 1][0] + v.pow(3) * 4 * c[n - 1][1] + v.square() * 12 * c[n - 1][2] +
                      v * 24 * c[n - 1][3] + 24 * c[n - 1][4];
    CHECK_CLOSE(y.detach(), expected * e, 1e-13);
  }
  // create_graph with backward(): the gradient itself has a history.
  const Tensor a = leaf({3});
  (a * a * a).backward({}, {}, true);
  CHECK(a.grad().requires_grad());
  const Tensor first = a.grad();
  a.mutable_grad().reset();
  first.backward();
  CHECK_SAME(a.grad(), f64({18}));
  a.mutable_grad().reset();
}

TEST_CASE("nothing is recorded under NoGradGuard") {
  const Tensor a = leaf({1, 2});
  {
    NoGradGuard no_grad;
    CHECK_FALSE((a * 2).requires_grad());
    {
      AutoGradMode on(true);
      CHECK((a * 2).requires_grad());
    }
    CHECK_FALSE(GradMode::is_enabled());
  }
  CHECK(GradMode::is_enabled());
  CHECK_FALSE(a.detach().requires_grad());
  CHECK((a * a.detach()).requires_grad());
}

TEST_CASE("only floating-point tensors have gradients") {
  CHECK_THROWS_AS(tensor({1, 2}).requires_grad_(), DTypeError);
  CHECK_THROWS_AS(zeros({2}, TensorOptions(kInt32).requires_grad(true)), DTypeError);
  const Tensor a = leaf({1.5, -2});
  CHECK_FALSE((a > 0).requires_grad());
  CHECK_FALSE(a.to(kInt64).requires_grad());
  CHECK_THROWS_AS((a * 2).requires_grad_(false), AutogradError);
}

TEST_CASE("a gradient is cast to the dtype of what it belongs to") {
  const Tensor a = tensor({1.f, 2.f}, TensorOptions(kFloat32).requires_grad(true));
  const Tensor h = tensor({1.f, 3.f}, TensorOptions(kFloat16).requires_grad(true));
  Tensor y = a.to(kFloat64) * h.to(kFloat32) * f64({0.5, 2});
  CHECK(y.dtype() == kFloat64);
  y.backward(f64({1, 1}));
  CHECK_SAME(a.grad(), tensor({0.5f, 6.f}, kFloat32));
  CHECK_SAME(h.grad(), tensor({0.5f, 4.f}, kFloat16));
}

TEST_CASE("threads run backward on graphs of their own over shared leaves") {
  const Tensor w = ones({64}, TensorOptions(kFloat64).requires_grad(true));
  constexpr int kThreads = 4, kRounds = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) ((w * double(t + 1)) * 2).backward(ones({64}, kFloat64));
    });
  for (auto& t : threads) t.join();
  CHECK_SAME(w.grad(), full({64}, 2.0 * kRounds * (1 + 2 + 3 + 4), kFloat64));
}

TEST_CASE("threads run backward on one graph") {
  const Tensor w = random_f64({32}, 0.5, 1, true);
  Tensor trunk = w;
  for (int i = 0; i < 50; ++i) trunk = (trunk * w).tanh();
  const Tensor g = random_f64({32});
  const Tensor expected = autograd::grad({trunk}, {w}, {g}, true)[0];
  constexpr int kThreads = 4, kRounds = 20;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        Tensor loss = trunk * 2;
        const Tensor got = autograd::grad({loss}, {w}, {g}, true)[0];
        if (!difference(got, expected * 2, 1e-14).empty()) ++wrong;
        loss.backward(g, true);
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
  CHECK_CLOSE(w.grad(), expected * (2.0 * kThreads * kRounds), 1e-11);
}

TEST_CASE("threads that free one graph: one runs it, the others are told") {
  for (int round = 0; round < 50; ++round) {
    const Tensor w = random_f64({8}, 0.5, 1, true);
    Tensor trunk = w;
    for (int i = 0; i < 20; ++i) trunk = (trunk * w).tanh();
    std::atomic<int> done{0}, told{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&] {
        try {
          (trunk * 2).backward(ones({8}, kFloat64));
          ++done;
        } catch (const AutogradError&) {
          ++told;
        }
      });
    for (auto& t : threads) t.join();
    CHECK(done == 1);
    CHECK(told == 2);
  }
}

TEST_CASE("a backward inside a backward") {
  const Tensor a = leaf({2}), b = leaf({5});
  SECTION("over another graph with the same leaf") {
    Tensor y = a * b;
    y.register_hook([&](const Tensor& g) {
      AutoGradMode on(true);
      (a * a).backward();
      return g * 3;
    });
    (y * 2).backward();
    CHECK_SAME(a.grad(), f64({4 + 30}));
    CHECK_SAME(b.grad(), f64({12}));
  }
  SECTION("over the same graph") {
    Tensor y = a * b, z = y * y;
    int depth = 0;
    y.register_hook([&](const Tensor& g) {
      if (++depth == 1) z.backward({}, true);
      return g;
    });
    z.backward({}, true);
    CHECK(depth == 2);
    CHECK_SAME(a.grad(), f64({200}));
    CHECK_SAME(b.grad(), f64({80}));
  }
}

TEST_CASE("a leaf that is frozen after the forward gets no gradient") {
  Tensor x = leaf({1, 2}), w = leaf({{1, 2}, {3, 4}});
  int accumulated = 0;
  const Tensor y = (x * 2).sum(), z = matmul(ones({3, 2}, kFloat64), w.t()).sum();
  w.register_post_accumulate_grad_hook([&](const Tensor&) { ++accumulated; });
  x.requires_grad_(false);
  w.requires_grad_(false);
  y.backward({}, true);
  z.backward({}, true);
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  CHECK(accumulated == 0);
  x.requires_grad_(true);
  y.backward();
  CHECK_SAME(x.grad(), f64({2, 2}));

  // Also where the gradient waits as a product, or adds to one.
  Tensor weight = leaf({{1, 2}, {3, 4}});
  const Tensor rows = ones({3, 2}, kFloat64);
  const auto loss = [&] { return linear(rows, weight).sum(); };
  loss().backward();
  const Tensor before = weight.grad().clone(), late = loss();
  weight.requires_grad_(false);
  late.backward();
  CHECK_SAME(weight.grad(), before);
}
