// A graph that is never run backward is freed with its tensors, also where in-place ops put the history of a
// tensor behind a node that had saved it.
#include <thread>

#include "support/tensors.h"

using namespace tapir;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

constexpr int64_t kSize = 4096;  // elements: counted by the allocator

Tensor big(bool requires_grad = false) { return rand({kSize}, kFloat64).set_requires_grad(requires_grad); }

template <class F>
void check_freed(const char* what, F program) {
  INFO(what);
  program();
  const size_t before = memory_stats().allocated_bytes;
  for (int i = 0; i < 3; ++i) program();
  CHECK(memory_stats().allocated_bytes == before);
}

// exp(x) + x, which saves its input, its output and something of its own.
struct ExpPlus : autograd::Function<ExpPlus> {
  static Tensor forward(AutogradContext* ctx, Tensor x) {
    const Tensor e = x.exp(), y = e + x;
    ctx->save_for_backward({x, y, e});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {grads[0] * (ctx->get_saved_variables()[2] + 1)};
  }
};
struct DoubleInPlace : autograd::Function<DoubleInPlace> {
  static Tensor forward(AutogradContext* ctx, Tensor x) {
    ctx->mark_dirty({x});
    x.mul_(2);
    ctx->save_for_backward({x});
    return x;
  }
  static variable_list backward(AutogradContext*, variable_list grads) { return {grads[0] * 2}; }
};

}  // namespace

TEST_CASE("what an op saved does not outlive a later change of it in place") {
  const Tensor a = big(true);
  check_freed("a result", [&] {
    Tensor x = a * 2, y = x * x;
    x.add_(y);
  });
  check_freed("the last to go is the result", [&] {
    Tensor x = a * 2, y = x * x;
    x.add_(y);
    x = Tensor();
  });
  check_freed("a leaf without gradient", [&] {
    Tensor x = big(), y = x * a;
    x.add_(y);
  });
  check_freed("several times", [&] {
    Tensor h = big();
    for (int i = 0; i < 5; ++i) h.add_((h * a).tanh());
  });
  check_freed("an op that reads its own old value", [&] {
    Tensor x = a * 2;
    x.mul_(x.sigmoid());
    x.mul_(x);
    x.sigmoid_().add_(x.tanh());
    x.copy_(x * x);
    x.zero_();
  });
  check_freed("by index and mask", [&] {
    Tensor x = a * 2, y = x * x;
    x.index_put_({indexing::Slice(0, 10)}, y.narrow(0, 0, 10));
    x.masked_fill_(y > 1, 0);
    x.index_add_(0, tensor({3}), (x * x).narrow(0, 3, 1));
  });
}

TEST_CASE("the same holds for views and their bases") {
  const Tensor a = big(true);
  check_freed("a view was saved, the base changes", [&] {
    Tensor x = a * 2, v = x.view({64, 64}), y = v * v;
    x.add_(y.view({-1}));
  });
  check_freed("the base was saved, a view changes", [&] {
    Tensor x = a * 2, y = x * x;
    x.narrow(0, 0, 100).add_(y.narrow(0, 0, 100));
  });
  check_freed("a view was saved, another one changes", [&] {
    Tensor x = a * 2, v = x.view({64, 64}), y = v * v;
    v[1].mul_(y[2]);
    v.t().sigmoid_();
  });
  check_freed("only a view of the base is left", [&] {
    Tensor x = a * 2, v = x.view({64, 64}), y = x * x;
    x.add_(y);
    x = y = Tensor();
    CHECK(v.requires_grad());
  });
  check_freed("a gradient is kept", [&] {
    Tensor x = a * 2, y = x * x;
    x.retain_grad();
    x.add_(y);
  });
}

TEST_CASE("the same holds for functions of the user's") {
  const Tensor a = big(true);
  check_freed("its output is dropped", [&] { ExpPlus::apply(a * 2); });
  check_freed("its input and output change", [&] {
    Tensor x = a * 2, y = ExpPlus::apply(x);
    x.add_(y);
    y.add_(x);
  });
  check_freed("it changes its input", [&] {
    Tensor x = a * 2;
    Tensor y = x * x;
    x.mul_(y);
    DoubleInPlace::apply(x).add_(y);
  });
}

TEST_CASE("a change in place after a backward that keeps the graph leaves nothing either") {
  const Tensor a = big(true), c = big();
  check_freed("retain_graph", [&] {
    Tensor x = a * 2, y = x * c;  // saves x, which only a gradient of c would read
    x.add_(y);
    x.sum().backward({}, true);
    x.sum().backward({}, true);
  });
}

TEST_CASE("a tensor keeps its history as long as anyone may read it") {
  const Tensor a = leaf({0.5, 2}), c = f64({3, 4});
  Tensor x = a * 2, y = x * c;
  x.add_(y);  // 2 (1 + c) a; the product has saved the old x
  Tensor same = x, z = x * x;
  x = y = Tensor();
  CHECK(same.grad_fn() != nullptr);
  same = Tensor();
  // z has saved the new x, and differentiates through it twice.
  const Tensor g = autograd::grad({z.sum()}, {a}, {}, true, true)[0], k = 2 * (1 + c);
  CHECK_CLOSE(g.detach(), 2 * k * k * a.detach(), 1e-15);
  const Tensor second = autograd::grad({g.sum()}, {a})[0];
  CHECK_CLOSE(second, 2 * k * k, 1e-15);
}

TEST_CASE("what was saved before a change still says so") {
  const Tensor a = leaf({0.5, 2});
  Tensor x = a * 2, y = x * x;
  x.add_(y);
  x = Tensor();
  CHECK_THROWS_AS(y.sum().backward(), AutogradError);
}

TEST_CASE("a graph may be made, changed and freed by different threads") {
  const Tensor a = big(true), c = big();
  check_freed("on three threads", [&] {
    Tensor x, y;
    std::thread([&] {
      x = a * 2;
      y = x * c;
    }).join();
    x.add_(y);
    std::thread([t = std::move(y)]() mutable { t = Tensor(); }).join();
    const Tensor g = autograd::grad({x.sum()}, {a})[0];
    CHECK(g.allclose(2 * (1 + c)));
  });
}
