// Checkpoints: gradients as without them, from less memory.
#include "support/tensors.h"

using namespace tapir;
using autograd::checkpoint;
using autograd::variable_list;

namespace {

Tensor block(const Tensor& x, const Tensor& w) { return (x.mm(w).tanh() * x).exp() - 1; }

}  // namespace

TEST_CASE("values and gradients of arguments and of captured weights are those without a checkpoint") {
  const Tensor w = random_f64({3, 3}, -1, 1, true), x = random_f64({2, 3}, -1, 1, true),
               g = random_f64({2, 3});
  const Tensor h = x * 2;
  const variable_list expected = autograd::grad({block(h, w) * h}, {x, w}, {g}, true);
  int calls = 0;
  Tensor y = checkpoint(
      [&](const Tensor& in) {
        ++calls;
        return block(in, w);
      },
      h);
  CHECK(calls == 1);
  CHECK(y.grad_fn()->name() == "CheckpointBackward");
  CHECK_SAME(y.detach(), block(h, w).detach());
  Tensor z = y * h;
  z.backward(g, true);
  CHECK(calls == 2);
  CHECK_CLOSE(x.grad(), expected[0], 1e-15);
  CHECK_CLOSE(w.grad(), expected[1], 1e-15);
  // Some of the inputs, and the graph once more.
  CHECK_CLOSE(autograd::grad({z}, {w}, {g}, true)[0], expected[1], 1e-15);
  CHECK_CLOSE(autograd::grad({z}, {x}, {g})[0], expected[0], 1e-15);
  CHECK(calls == 4);
  CHECK(contains(message_of<AutogradError>([&] { y.backward(g); }), "freed"));
}

TEST_CASE("first and second derivatives by gradcheck") {
  // The functions run again later: what they capture, they hold.
  const Tensor w = random_f64({3, 3}, -1, 1, true), x = random_f64({2, 3}, -1, 1, true);
  const auto f = [](const variable_list& v) {
    return checkpoint([m = v[1]](const Tensor& in) { return block(in, m); }, v[0] * 1.5) * v[0];
  };
  CHECK(autograd::gradcheck(f, {x, w}));
  CHECK(autograd::gradgradcheck(f, {x, w}));
  const auto nested = [](const variable_list& v) {
    return checkpoint(
        [m = v[1]](const Tensor& a) {
          return checkpoint([m](const Tensor& b) { return block(b, m); }, a.sin()) * a;
        },
        v[0]);
  };
  CHECK(autograd::gradcheck(nested, {x, w}));
  CHECK(autograd::gradgradcheck(nested, {x, w}));
}

TEST_CASE("several arguments and results, of which some are no tensors or have no gradient") {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), c = f64({5, 6});
  const auto f = [](const Tensor& p, const std::vector<Tensor>& list, double factor,
                    const std::optional<Tensor>& extra) {
    return std::make_tuple(p * list[0] * factor, std::vector<Tensor>{list[1] * 2, p > 1},
                           extra ? *extra * p : p, 7);
  };
  auto [y, list, z, seven] = checkpoint(f, a, std::vector<Tensor>{b, c}, 0.5, std::optional<Tensor>(b));
  CHECK(seven == 7);
  CHECK_SAME(list[1], tensor({false, true}));
  CHECK_FALSE(list[0].requires_grad());
  CHECK_SAME(list[0], f64({10, 12}));
  autograd::backward({y, z}, {f64({1, 1}), f64({10, 10})});
  CHECK_SAME(a.grad(), f64({1.5 + 30, 2 + 40}));
  CHECK_SAME(b.grad(), f64({0.5 + 10, 1 + 20}));
}

TEST_CASE("a result that is an argument, and one that nothing uses") {
  const Tensor a = leaf({1, 2});
  auto [same, unused, y] = checkpoint([](const Tensor& x) { return std::make_tuple(x, x * 5, x * x); }, a);
  CHECK(same.is_same(a));
  y.backward(f64({1, 1}));
  CHECK_SAME(a.grad(), f64({2, 4}));
  CHECK(unused.requires_grad());
}

TEST_CASE("without an argument that requires a gradient, captured weights still get theirs") {
  const Tensor w = leaf({2, 3}), x = f64({5, 7});
  checkpoint([&](const Tensor& in) { return in * w; }, x).backward(f64({1, 1}));
  CHECK_SAME(w.grad(), f64({5, 7}));
  CHECK_FALSE(checkpoint([](const Tensor& in) { return in * 2; }, x).requires_grad());
  NoGradGuard no_grad;
  CHECK_FALSE(checkpoint([&](const Tensor& in) { return in * w; }, x).requires_grad());
}

TEST_CASE("captured tensors that depend on each other, and on an argument") {
  const Tensor x = leaf({1.5, -0.5});
  const auto run = [&](bool checkpointed) {
    const Tensor h = x.sin(), k = h * x;
    const auto f = [&](const Tensor& in) { return in * h + k * x + h; };
    const Tensor y = checkpointed ? checkpoint(f, k) : f(k);
    return autograd::grad({y * k}, {x}, {f64({1, 3})})[0];
  };
  CHECK_CLOSE(run(true), run(false), 1e-15);
}

TEST_CASE("the second run draws the random numbers of the first, and the stream goes on") {
  const Tensor x = ones({50}, TensorOptions(kFloat64).requires_grad(true));
  const auto f = [](const Tensor& in) { return dropout(in, 0.5, true) * in; };
  manual_seed(5);
  Tensor y = checkpoint(f, x);
  const Tensor after = rand({3});
  y.sum().backward();
  const Tensor later = rand({3});
  manual_seed(5);
  Tensor plain = f(x);
  CHECK_SAME(y.detach(), plain.detach());
  CHECK_SAME(after, rand({3}));
  CHECK_SAME(later, rand({3}));
  CHECK_SAME(x.grad(), autograd::grad({plain.sum()}, {x})[0]);
  // As one asks for:
  autograd::CheckpointOptions options;
  options.preserve_rng_state = false;
  manual_seed(5);
  Tensor free = checkpoint(options, f, x);
  x.mutable_grad().reset();
  free.sum().backward();
  CHECK_FALSE(x.grad().equal(plain.detach() * 2));
}

TEST_CASE("hooks on tensors outside run once, and those inside once per backward") {
  const Tensor w = leaf({2, 3});
  Tensor h = w * 1;
  int outside = 0, inside = 0, leaf_hook = 0;
  h.register_hook([&](const Tensor& g) {
    ++outside;
    return g * 2;
  });
  w.register_hook([&](const Tensor&) { ++leaf_hook; });
  Tensor y = checkpoint(
      [&](const Tensor& in) {
        Tensor m = in * w;
        m.register_hook([&](const Tensor&) { ++inside; });
        return m * 1;
      },
      h);
  y.backward(f64({1, 1}));
  CHECK(outside == 1);
  CHECK(inside == 1);
  CHECK(leaf_hook == 1);
  CHECK_SAME(w.grad(), f64({2 + 4, 3 + 6}));
}

TEST_CASE("an argument that was changed in place since is told of") {
  const Tensor w = leaf({2, 3});
  Tensor h = w * 1, y = checkpoint([](const Tensor&in) { return in + 1; }, h);
  h.mul_(2);
  CHECK(contains(message_of<AutogradError>([&] { y.backward(f64({1, 1})); }), "changed in place by mul_"));
}

TEST_CASE("a function that does something else the second time is told of") {
  const Tensor w = leaf({2, 3}), v = leaf({1, 1});
  int run = 0;
  Tensor y = checkpoint([&](const Tensor& in) { return ++run == 1 ? in * w : in * v; }, f64({1, 1}));
  CHECK(contains(message_of<AutogradError>([&] { y.backward(f64({1, 1})); }), "depends on a tensor"));
  run = 0;
  Tensor z = checkpoint([&](const Tensor& in) { return ++run == 1 ? in * w : (in * w).sum(); }, f64({1, 1}));
  CHECK(contains(message_of<AutogradError>([&] { z.backward(f64({1, 1})); }), "another result"));
}

TEST_CASE("an exception of the function passes through, in the first run and in the second") {
  const Tensor w = leaf({2, 3});
  CHECK_THROWS_AS(checkpoint([](const Tensor&) -> Tensor { throw std::runtime_error("first"); }, w),
                  std::runtime_error);
  int run = 0;
  Tensor y = checkpoint(
      [&](const Tensor& in) {
        if (++run == 2) throw ValueError("second");
        return dropout(in, 0.5, true) * 2;
      },
      w);
  manual_seed(9);
  const Tensor expected = rand({2});
  manual_seed(9);
  const std::string message = message_of<ValueError>([&] { y.backward(f64({1, 1}), true); });
  CHECK(contains(message, "second"));
  CHECK(contains(message, "CheckpointBackward"));
  CHECK(contains(message, "test_checkpoint.cpp"));
  CHECK_SAME(rand({2}), expected);
  CHECK((w * 1).grad_fn()->sequence() < uint64_t{1} << 60);
  y.backward(f64({1, 1}));  // the graph is usable
  CHECK(w.grad().defined());
}

TEST_CASE("results that share memory are not changed in place; others are") {
  const Tensor a = leaf({1, 2});
  auto y = checkpoint([](const Tensor& x) { return x * 2; }, a);
  y.add_(1).mul_(a);
  y.backward(f64({1, 1}));
  CHECK_SAME(a.grad(), f64({5, 9}));  // (2 a + 1) a
  auto [whole, part] = checkpoint(
      [](const Tensor& x) {
        Tensor w = x * 2;
        return std::make_tuple(w, w[0]);
      },
      a);
  CHECK(contains(message_of<AutogradError>([&] { Tensor(part).add_(1); }), "clone()"));
  CHECK_THROWS_AS(Tensor(whole).add_(1), AutogradError);
  Tensor view = checkpoint([](const Tensor& x) { return x.view({2, 1}); }, a * 1);
  CHECK_THROWS_AS(view.add_(1), AutogradError);
}

TEST_CASE("a weight that is made when it is first needed gets its gradient") {
  Tensor w;
  const Tensor x = f64({5, 7});
  Tensor y = checkpoint(
      [&](const Tensor& in) {
        if (!w.defined()) w = leaf({1, 1});
        return in * w;
      },
      x);
  y.backward(f64({1, 1}));
  CHECK_SAME(w.grad(), f64({5, 7}));
}

TEST_CASE("a deep chain needs a fraction of the memory") {
  constexpr int kBlocks = 16, kOps = 16;
  const Tensor x = ones({1 << 16}, requires_grad());  // 256 KB
  const auto part = [](const Tensor& in) {
    Tensor y = in;
    for (int i = 0; i < kOps; ++i) y = y.sin();
    return y;
  };
  const auto peak = [&](bool checkpointed) {
    x.mutable_grad().reset();
    const size_t before = memory_stats().allocated_bytes;
    Tensor y = x;
    for (int b = 0; b < kBlocks; ++b) y = checkpointed ? checkpoint(part, y) : part(y);
    y.backward(ones_like(y));
    return double(memory_stats().peak_allocated_bytes - before) / double(x.nbytes());
  };
  const double with = peak(true);  // first: the peak is that since the start
  const Tensor grad = x.grad().clone();
  const double without = peak(false);
  CHECK_SAME(grad, x.grad());
  CHECK(without > kBlocks * kOps);
  CHECK(with < kBlocks + kOps + 8);
}

TEST_CASE("a chain of functions in segments") {
  const Tensor w = random_f64({4, 4}, -0.5, 0.5, true), x = random_f64({2, 4}, -1, 1, true),
               g = random_f64({2, 4});
  std::vector<std::function<Tensor(const Tensor&)>> layers;
  for (int i = 0; i < 7; ++i) layers.emplace_back([&](const Tensor& in) { return in.mm(w).tanh(); });
  Tensor plain = x;
  for (const auto& f : layers) plain = f(plain);
  const variable_list expected = autograd::grad({plain}, {x, w}, {g});
  for (const int64_t segments : {1, 2, 3, 7}) {
    const Tensor y = autograd::checkpoint_sequential(layers, segments, x);
    const variable_list got = autograd::grad({y}, {x, w}, {g});
    CHECK_CLOSE(got[0], expected[0], 1e-14);
    CHECK_CLOSE(got[1], expected[1], 1e-14);
  }
  CHECK_THROWS_AS(autograd::checkpoint_sequential(layers, 8, x), ValueError);
  CHECK_THROWS_AS(autograd::checkpoint_sequential(layers, 0, x), ValueError);
}

TEST_CASE("a checkpointed recurrent loop, with gathered gradients on both sides") {
  manual_seed(2);
  nn::LSTMCell cell(3, 4);
  const Tensor xs = randn({6, 2, 3});
  const auto loss = [&](bool checkpointed) {
    auto state = std::make_tuple(zeros({2, 4}), zeros({2, 4}));
    const auto step = [&](const Tensor& x, const std::tuple<Tensor, Tensor>& s) { return cell(x, s); };
    for (int64_t t = 0; t < 6; ++t)
      state = checkpointed && t % 2 ? checkpoint(step, xs[t], state) : step(xs[t], state);
    return std::get<0>(state).square().sum();
  };
  const auto params = cell->parameters();
  const variable_list expected = autograd::grad({loss(false)}, params),
                      got = autograd::grad({loss(true)}, params);
  for (size_t i = 0; i < params.size(); ++i)
    CHECK_CLOSE(got[i], expected[i], 1e-5);  // float32, another order
  loss(true).backward();
  for (size_t i = 0; i < params.size(); ++i) CHECK_CLOSE(params[i].grad(), expected[i], 1e-5);
}
