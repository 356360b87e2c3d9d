// gradcheck finds wrong derivatives, and only those.
#include "support/tensors.h"

using namespace tapir;
using autograd::AutogradContext;
using autograd::gradcheck;
using autograd::gradgradcheck;
using autograd::variable_list;

namespace {

enum class Fault {
  kNone,
  kScaled,
  kOneElement,
  kSmall,
  kContiguousOnly,
  kNotRepeatable,
  kSecond,
  kOtherOutput
};
Fault fault = Fault::kNone;
int calls = 0;

// x^2 (and x^3) with a backward that may be wrong
struct Powers : autograd::Function<Powers> {
  static variable_list forward(AutogradContext* ctx, Tensor x) {
    ctx->save_for_backward({x});
    ctx->set_materialize_grads(false);
    return {x * x, x * x * x};
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    Tensor x = ctx->get_saved_variables()[0];
    if (fault == Fault::kSecond) x = x.detach();
    Tensor sum = zeros_like(x);
    if (g[0].defined()) {
      Tensor part = g[0] * x * 2;
      if (fault == Fault::kContiguousOnly && !g[0].is_contiguous()) part = part * 2;
      if (fault == Fault::kScaled) part = part * 1.01;
      if (fault == Fault::kSmall) part = part * (1 + 1e-5);
      if (fault == Fault::kOneElement) part = part + f64({0, 0, 0.01});
      if (fault == Fault::kNotRepeatable && ++calls % 2) part = part * (1 + 1e-9);
      sum = sum + part;
    } else if (fault == Fault::kOtherOutput) {
      sum = sum + 1;
    }
    if (g[1].defined()) sum = sum + g[1] * x * x * 3;
    return {sum};
  }
};

bool passes(Fault f, bool second = false) {
  fault = f;
  const Tensor x = tensor({0.5, -0.75, 1.25}, TensorOptions(kFloat64).requires_grad(true));
  const auto fn = [](const variable_list& v) { return Powers::apply(v[0]); };
  const bool ok = second ? gradgradcheck(fn, {x}, {}, 1e-6, 1e-5, 1e-3, false)
                         : gradcheck(fn, {x}, 1e-6, 1e-5, 1e-3, false);
  fault = Fault::kNone;
  return ok;
}

}  // namespace

TEST_CASE("right derivatives pass, each kind of wrong one is found") {
  CHECK(passes(Fault::kNone));
  CHECK(passes(Fault::kNone, true));
  CHECK_FALSE(passes(Fault::kScaled));
  CHECK_FALSE(passes(Fault::kOneElement));
  CHECK_FALSE(passes(Fault::kContiguousOnly));
  CHECK_FALSE(passes(Fault::kNotRepeatable));
  CHECK_FALSE(passes(Fault::kOtherOutput));
  CHECK(passes(Fault::kSecond));
  CHECK_FALSE(passes(Fault::kSecond, true));
  CHECK(passes(Fault::kSmall));  // within rtol
}

TEST_CASE("the message shows the input, the indices and both values") {
  fault = Fault::kOneElement;
  const Tensor x = leaf({0.5, -0.75, 1.25});
  const std::string message = message_of<AutogradError>(
      [&] { gradcheck([](const variable_list& v) { return Powers::apply(v[0])[0]; }, {x}); });
  fault = Fault::kNone;
  INFO(message);
  // The direction is checked first; its message has no indices.
  CHECK(contains(message, "numeric"));
  CHECK(contains(message, "analytic"));
}

TEST_CASE("what cannot be checked is refused") {
  const auto square = [](const variable_list& v) { return v[0] * v[0]; };
  CHECK_THROWS_AS(gradcheck(square, {f64({1, 2})}), ValueError);
  CHECK_THROWS_AS(gradcheck(square, {ones({2}, requires_grad())}), DTypeError);
  CHECK_THROWS_AS(gradcheck([](const variable_list& v) { return (v[0] * v[0]).detach(); }, {leaf({1, 2})}),
                  AutogradError);
  CHECK(gradcheck([](const variable_list&) { return f64({1}); }, {leaf({1, 2})}));
}

TEST_CASE("inputs keep their values, strides and gradients") {
  const Tensor x = random_f64({3, 2}, -1, 1).t().set_requires_grad(true), y = random_f64({3}, -1, 1, true);
  const Tensor before = x.detach().clone();
  CHECK(gradcheck(
      [](const variable_list& v) {
        CHECK(v[0].stride(0) == 1);
        return variable_list{v[0] * v[1], v[0].sin()};
      },
      {x, y}));
  CHECK(gradgradcheck([](const variable_list& v) { return variable_list{v[0] * v[1], v[0].sin()}; }, {x, y}));
  CHECK_SAME(x.detach(), before);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a large Jacobian is checked along random directions") {
  const Tensor x = random_f64({100, 50}, 0.5, 1, true);
  CHECK(gradcheck([](const variable_list& v) { return v[0].log() * v[0].t().contiguous().t(); }, {x}));
}
