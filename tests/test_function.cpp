// User-defined functions.
#include "support/tensors.h"

using namespace tapir;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

struct Cube : autograd::Function<Cube> {
  static Tensor forward(AutogradContext* ctx, Tensor x, double factor) {
    ctx->save_for_backward({x});
    ctx->saved_data["factor"] = factor;
    ctx->saved_data["name"] = "cube";
    return x * x * x * factor;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor x = ctx->get_saved_variables()[0];
    CHECK(ctx->saved_data["name"].toStringRef() == "cube");
    return {grads[0] * x * x * (3 * ctx->saved_data["factor"].toDouble()), Tensor()};
  }
};

// exp whose backward reads its output
struct Exp : autograd::Function<Exp> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    Tensor y = x.exp();
    ctx->save_for_backward({y});
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {grads[0] * ctx->get_saved_variables()[0]};
  }
};

struct SumAndProduct : autograd::Function<SumAndProduct> {
  static variable_list forward(AutogradContext* ctx, variable_list xs, bool materialize) {
    ctx->save_for_backward(xs);
    ctx->set_materialize_grads(materialize);
    Tensor larger = xs[0] > xs[1], size = xs[0].detach() * 0 + double(xs.size());
    ctx->mark_non_differentiable({size});
    return {xs[0] + xs[1], xs[0] * xs[1], larger, size};
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list xs = ctx->get_saved_variables();
    if (!grads[0].defined()) return {grads[1] * xs[1], grads[1] * xs[0], {}};
    if (!grads[1].defined()) return {grads[0], grads[0], {}};
    return {grads[0] + grads[1] * xs[1], grads[0] + grads[1] * xs[0], Tensor()};
  }
};

struct Reverse : autograd::Function<Reverse> {
  static Tensor forward(AutogradContext*, Tensor x) { return x; }
  static variable_list backward(AutogradContext*, variable_list grads) { return {-grads[0]}; }
};

struct DoubleInPlace : autograd::Function<DoubleInPlace> {
  static Tensor forward(AutogradContext* ctx, Tensor x) {
    ctx->mark_dirty({x});
    x.mul_(2);
    return x;
  }
  static variable_list backward(AutogradContext*, variable_list grads) { return {grads[0] * 2}; }
};

struct Wrong : autograd::Function<Wrong> {
  static Tensor forward(AutogradContext* ctx, Tensor x, int64_t how, Tensor y) {
    ctx->saved_data["how"] = how;
    return x + y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    switch (ctx->saved_data["how"].toInt()) {
      case 0:
        return {g[0]};
      case 1:
        return {g[0], g[0], g[0]};
      case 2:
        return {ones({7}, kFloat64), Tensor(), g[0]};
      case 3:
        return {g[0], Tensor(), g[0], Tensor(), Tensor()};
      default:
        throw ValueError("mine");
    }
  }
};

struct Selective : autograd::Function<Selective> {
  static Tensor forward(AutogradContext*, Tensor a, double, Tensor b) { return a * b; }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    needs[0] = ctx->needs_input_grad(0);
    needs[1] = ctx->needs_input_grad(1);
    CHECK_THROWS_AS(ctx->needs_input_grad(2), IndexError);
    return {g[0], Tensor(), Tensor()};
  }
  static inline bool needs[2];
};

}  // namespace

TEST_CASE("a function with a backward of one's own") {
  const Tensor x = leaf({1, -2});
  const int line = __LINE__ + 1;
  Tensor y = Cube::apply(x, 2.0);
  CHECK_SAME(y.detach(), f64({2, -16}));
  CHECK(contains(y.grad_fn()->name(), "Cube"));
  CHECK(contains(describe_call_site(y.grad_fn()->call_site()), "test_function.cpp:" + std::to_string(line)));
  y.backward(f64({1, 10}));
  CHECK_SAME(x.grad(), f64({6, 240}));
  const std::string freed = message_of<AutogradError>([&] { y.backward(f64({1, 1})); });
  CHECK(contains(freed, "Cube"));
  CHECK(contains(freed, "retain_graph"));
  CHECK_FALSE(Cube::apply(x.detach(), 2.0).requires_grad());
  NoGradGuard no_grad;
  CHECK_FALSE(Cube::apply(x, 2.0).requires_grad());
}

TEST_CASE("a backward of differentiable ops is differentiated again") {
  const Tensor x = random_f64({2, 3}, -1, 1, true);
  CHECK(autograd::gradcheck([](const variable_list& v) { return Cube::apply(v[0], 0.5); }, {x}));
  CHECK(autograd::gradgradcheck([](const variable_list& v) { return Cube::apply(v[0], 0.5); }, {x}));
  CHECK(autograd::gradcheck([](const variable_list& v) { return Exp::apply(v[0]); }, {x}));
  CHECK(autograd::gradgradcheck([](const variable_list& v) { return Exp::apply(v[0]); }, {x}));
}

TEST_CASE("lists of inputs and outputs, some without gradient") {
  for (const bool materialize : {true, false}) {
    const Tensor a = leaf({1, 2}), b = leaf({3, -4});
    const variable_list y = SumAndProduct::apply(variable_list{a, b}, materialize);
    REQUIRE(y.size() == 4);
    CHECK(y[0].requires_grad());
    CHECK_FALSE(y[2].requires_grad());
    CHECK_FALSE(y[3].requires_grad());
    CHECK_SAME(y[2], tensor({false, true}));
    y[1].backward(f64({1, 1}), true);
    CHECK_SAME(a.grad(), f64({3, -4}));
    y[0].backward(f64({10, 10}), true);
    CHECK_SAME(b.grad(), f64({11, 12}));
    CHECK(autograd::gradcheck(
        [&](const variable_list& v) {
          return SumAndProduct::apply(variable_list{v[0], v[1]}, materialize);
        },
        {a, b}));
  }
}

TEST_CASE("saved tensors are checked for changes") {
  const Tensor x = leaf({1, 2});
  Tensor z = x * 1, y = Cube::apply(z, 1.0);
  z.add_(1);
  const std::string message = message_of<AutogradError>([&] { y.backward(f64({1, 1})); });
  CHECK(contains(message, "Cube"));
  CHECK(contains(message, "add_"));
  Tensor e = Exp::apply(x);
  e.zero_();
  CHECK_THROWS_AS(e.backward(f64({1, 1})), AutogradError);
}

TEST_CASE("an input that is returned as it is gets the function's gradient") {
  const Tensor x = leaf({1, 2});
  Tensor y = Reverse::apply(x);
  CHECK_FALSE(y.is_same(x));
  CHECK(x.is_leaf());
  (y * 3).backward(f64({1, 1}));
  CHECK_SAME(x.grad(), f64({-3, -3}));
  CHECK(contains(message_of<AutogradError>([&] { y.mul_(2); }), "clone()"));
  CHECK_THROWS_AS(y[0].mul_(2), AutogradError);
  CHECK_SAME(x.detach(), f64({1, 2}));
}

TEST_CASE("an input that is changed in place") {
  const Tensor x = leaf({1, 2});
  Tensor h = x * 1;
  const uint32_t version = h._version();
  Tensor y = DoubleInPlace::apply(h);
  CHECK(y.is_same(h));
  CHECK(h._version() > version);
  CHECK_SAME(h.detach(), f64({2, 4}));
  (h * h).backward(f64({1, 1}));
  CHECK_SAME(x.grad(), f64({8, 16}));
  Tensor part = x * 1;
  DoubleInPlace::apply(part[1]);
  x.mutable_grad().reset();
  (part * 1).backward(f64({1, 1}));
  CHECK_SAME(x.grad(), f64({1, 2}));
  CHECK_THROWS_AS(DoubleInPlace::apply(x), AutogradError);
}

TEST_CASE("gradients that do not fit forward are refused") {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4}), g = f64({1, 1});
  const auto message = [&](int64_t how) {
    return message_of<Error>([&] { Wrong::apply(x, how, y).backward(g); });
  };
  CHECK(contains(message(0), "1 gradients, but forward was called with 3"));
  CHECK(contains(message(1), "argument 1"));
  CHECK(contains(message(2), "[7]"));
  CHECK(contains(message(2), "Wrong"));
  CHECK(message(3) == "");
  CHECK(contains(message(4), "mine"));
  CHECK(contains(message(4), "test_function.cpp"));
}

TEST_CASE("backward may ask which gradients are wanted") {
  const Tensor a = leaf({1, 2}), b = f64({3, 4}), c = leaf({3, 4});
  Selective::apply(a, 1.0, b).backward(f64({1, 1}));
  CHECK(Selective::needs[0]);
  CHECK_FALSE(Selective::needs[1]);
  Tensor y = Selective::apply(a, 1.0, c);
  autograd::grad({y}, {c}, {f64({1, 1})}, true, false, true);
  CHECK_FALSE(Selective::needs[0]);
  CHECK(Selective::needs[1]);
}

TEST_CASE("saved data is of the kind that was put in") {
  IValue v(int64_t{3});
  CHECK(v.toInt() == 3);
  CHECK(v.toDouble() == 3);
  CHECK_THROWS_AS(v.toTensor(), ValueError);
  CHECK(contains(message_of<ValueError>([&] { v.toBool(); }), "an integer"));
  v = true;
  CHECK(v.toBool());
  v = std::vector<int64_t>{1, 2};
  CHECK(v.toIntVector().size() == 2);
  v = f64({1});
  CHECK(v.isTensor());
  CHECK(IValue().isNone());
}

TEST_CASE("an op whose gradient is undefined") {
  const Tensor x = leaf({1, 2});
  const Tensor y = autograd::UndefinedGrad().apply({x * 2})[0];
  CHECK(y.requires_grad());
  CHECK_SAME(y.detach(), f64({2, 4}));
  y.backward(f64({1, 1}));
  CHECK_FALSE(x.grad().defined());
}
