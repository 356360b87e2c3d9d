#include "tapir/autograd/functions/pointwise.h"

#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/sum_to.h"

namespace tapir {

using namespace nodes;

namespace {

TAPIR_COLD void refuse_bool(const char* op) {
  throw_error<DTypeError>("{}: not defined for bool; use logical_not or a cast with to(dtype)", op);
}

}  // namespace

// --- one tensor ---

Tensor neg(const Tensor& x) {
  if (TAPIR_UNLIKELY(x.dtype() == kBool)) refuse_bool("neg");
  return unary<Saves::kNothing>(Pointwise::neg, "NegBackward", x, [](const Tensor& g) { return neg(g); });
}
Tensor positive(const Tensor& x) {
  if (TAPIR_UNLIKELY(x.dtype() == kBool)) refuse_bool("positive");
  return x;
}
Tensor abs(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::abs, "AbsBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, sign(v)); });
}
Tensor sign(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::sign, "SignBackward", x, zero_gradient);
}
Tensor square(const Tensor& x) {
  if (x.dtype() == kBool)
    return raw::cast(x, kInt64);  // a power, and so of integers; 0 and 1 are their own squares
  return unary<Saves::kInput>(Pointwise::square, "SquareBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, mul(v, Scalar(2))); });
}
Tensor relu(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::relu, "ReluBackward", x,
                               [](const Tensor& g, const Tensor& y) { return relu_backward(g, y); });
}
Tensor floor(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::floor, "FloorBackward", x, zero_gradient);
}
Tensor ceil(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::ceil, "CeilBackward", x, zero_gradient);
}
Tensor round(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::round, "RoundBackward", x, zero_gradient);
}
Tensor trunc(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::trunc, "TruncBackward", x, zero_gradient);
}
Tensor exp(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::exp, "ExpBackward", x,
                               [](const Tensor& g, const Tensor& y) { return mul(g, y); });
}
Tensor expm1(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::expm1, "Expm1Backward", x,
                               [](const Tensor& g, const Tensor& y) { return mul(g, add(y, Scalar(1))); });
}
Tensor log(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::log, "LogBackward", x,
                              [](const Tensor& g, const Tensor& v) { return div(g, v); });
}
Tensor log1p(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::log1p, "Log1pBackward", x,
                              [](const Tensor& g, const Tensor& v) { return div(g, add(v, Scalar(1))); });
}
Tensor sqrt(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::sqrt, "SqrtBackward", x,
                               [](const Tensor& g, const Tensor& y) { return div(g, mul(y, Scalar(2))); });
}
Tensor rsqrt(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::rsqrt, "RsqrtBackward", x, [](const Tensor& g, const Tensor& y) {
    return mul(mul(g, Scalar(-0.5)), pow(y, Scalar(3)));
  });
}
Tensor reciprocal(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::reciprocal, "ReciprocalBackward", x,
                               [](const Tensor& g, const Tensor& y) { return neg(mul(g, mul(y, y))); });
}
Tensor sin(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::sin, "SinBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, cos(v)); });
}
Tensor cos(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::cos, "CosBackward", x,
                              [](const Tensor& g, const Tensor& v) { return neg(mul(g, sin(v))); });
}
Tensor tanh(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::tanh, "TanhBackward", x,
                               [](const Tensor& g, const Tensor& y) { return tanh_backward(g, y); });
}
Tensor sigmoid(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::sigmoid, "SigmoidBackward", x,
                               [](const Tensor& g, const Tensor& y) { return sigmoid_backward(g, y); });
}
Tensor erf(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::erf, "ErfBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(mul(g, Scalar(2 / std::sqrt(M_PI))), exp(neg(mul(v, v))));
  });
}
Tensor isnan(const Tensor& x) { return raw::unary(Pointwise::isnan, x); }
Tensor isinf(const Tensor& x) { return raw::unary(Pointwise::isinf, x); }
Tensor isfinite(const Tensor& x) { return raw::unary(Pointwise::isfinite, x); }
Tensor logical_not(const Tensor& x) { return raw::unary(Pointwise::logical_not, x); }

// --- the backward formulas that are kernels ---

Tensor tanh_backward(const Tensor& g, const Tensor& y) {
  return binary<kReadsB, kReadsBoth>(
      Pointwise::tanh_backward, "TanhBackwardBackward", g, y,
      [](const Tensor& gg, const Tensor&, const Tensor& v) { return tanh_backward(gg, v); },
      [](const Tensor& gg, const Tensor& u, const Tensor& v) { return mul(gg, mul(mul(v, Scalar(-2)), u)); });
}
Tensor sigmoid_backward(const Tensor& g, const Tensor& y) {
  return binary<kReadsB, kReadsBoth>(
      Pointwise::sigmoid_backward, "SigmoidBackwardBackward", g, y,
      [](const Tensor& gg, const Tensor&, const Tensor& v) { return sigmoid_backward(gg, v); },
      [](const Tensor& gg, const Tensor& u, const Tensor& v) {
        return mul(mul(gg, u), add(mul(v, Scalar(-2)), Scalar(1)));
      });
}
Tensor relu_backward(const Tensor& g, const Tensor& y) {
  return binary<kReadsB, kReadsNone>(
      Pointwise::relu_backward, "ReluBackwardBackward", g, y,
      [](const Tensor& gg, const Tensor&, const Tensor& v) { return relu_backward(gg, v); },
      [](const Tensor& gg, const Tensor&, const Tensor&) { return zero_gradient(gg); });
}

// --- sums and products ---

namespace {

struct AddScalarBackward final : NodeOf<1> {
  const char* type_name() const override { return "AddBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, std::move(g[0])); }
};
struct MulBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "MulBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, mul(g[0], saved(1)));
    if (sink.wants(1)) sink.set(1, mul(g[0], saved(0)));
  }
};
struct MulScalarBackward final : NodeOf<1> {
  const char* type_name() const override { return "MulBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, mul(g[0], factor)); }
  Scalar factor;
};
struct PowScalarBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "PowBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const double e = exponent.to_double();
    if (e == 0) return sink.set(0, zero_gradient(g[0]));
    sink.set(0, mul(g[0], mul(pow(saved(0), Scalar(e - 1)), exponent)));
  }
  Scalar exponent;
};

void refuse_bool_sub(DType a, DType b) {
  if (TAPIR_UNLIKELY(a == kBool || b == kBool)) refuse_bool("sub");
}

TAPIR_ALWAYS_INLINE Tensor add_scaled(const Tensor& a, const Tensor& b, const Scalar& alpha, const char* op) {
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) check_alpha(alpha, raw::result_type({a, b}), op);
  Tensor y = raw::binary(Pointwise::add, a, b, alpha);
  if (recording(a, b)) record<AddBackward>(TAPIR_HERE, y, a, b)->alpha = alpha.to_double();
  return y;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha) { return add_scaled(a, b, alpha, "add"); }
Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  refuse_bool_sub(a.dtype(), b.dtype());
  return add_scaled(a, b, -alpha, "sub");
}
Tensor add(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) check_alpha(alpha, raw::result_type({a, b}), "add");
  Tensor y = raw::binary(Pointwise::add, a, b, alpha);
  if (recording(a)) record<AddScalarBackward>(TAPIR_HERE, y, a);
  return y;
}
Tensor sub(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  refuse_bool_sub(a.dtype(), b.type());
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) check_alpha(alpha, raw::result_type({a, b}), "sub");
  Tensor y = raw::binary(Pointwise::add, a, b, -alpha);
  if (recording(a)) record<AddScalarBackward>(TAPIR_HERE, y, a);
  return y;
}
Tensor rsub(const Tensor& a, const Tensor& b, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  return sub(b, a, alpha);
}
Tensor rsub(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  refuse_bool_sub(a.dtype(), b.type());
  return add(mul(a, -alpha), b);
}
Tensor mul(const Tensor& a, const Tensor& b) {
  Tensor y = raw::binary(Pointwise::mul, a, b);
  if (recording(a, b)) {
    auto* node = record<MulBackward>(TAPIR_HERE, y, a, b);
    if (requires_grad(b)) node->save_input(0, a);
    if (requires_grad(a)) node->save_input(1, b);
  }
  return y;
}
Tensor div(const Tensor& a, const Tensor& b) {
  return binary<kReadsB, kReadsBoth>(
      Pointwise::div, "DivBackward", a, b,
      [](const Tensor& g, const Tensor&, const Tensor& v) { return div(g, v); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return neg(mul(g, div(div(u, v), v))); });
}
Tensor pow(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::pow, "PowBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return where(eq(v, Scalar(0)), Scalar(0), mul(g, mul(v, pow(u, sub(v, Scalar(1))))));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        // 0^v with v >= 0 is flat in v
        const Tensor flat = logical_and(eq(u, Scalar(0)), ge(v, Scalar(0)));
        return where(flat, Scalar(0), mul(g, mul(pow(u, v), log(u))));
      });
}
Tensor pow(const Scalar& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  const DType dtype = raw::result_type({a, b});
  return pow(raw::full({}, a, dtype, b.device()), b);
}

namespace {
// The gradient goes to the chosen input, half to each at a tie; where one is NaN, each gets all of it.
Tensor share_gradient(const Tensor& g, const Tensor& mine, const Tensor& other, const Tensor& loses) {
  const Tensor half = mul(g, Scalar(0.5));
  return where(eq(mine, other), half, where(loses, Scalar(0), g));
}
}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::maximum, "MaximumBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return share_gradient(g, u, v, lt(u, v)); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return share_gradient(g, v, u, lt(v, u)); });
}
Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::minimum, "MinimumBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return share_gradient(g, u, v, gt(u, v)); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return share_gradient(g, v, u, gt(v, u)); });
}

#define TAPIR_COMPARISON(name) \
  Tensor name(const Tensor& a, const Tensor& b) { return raw::binary(Pointwise::name, a, b); }
TAPIR_COMPARISON(eq)
TAPIR_COMPARISON(ne)
TAPIR_COMPARISON(lt)
TAPIR_COMPARISON(le)
TAPIR_COMPARISON(gt)
TAPIR_COMPARISON(ge)
TAPIR_COMPARISON(logical_and)
TAPIR_COMPARISON(logical_or)
TAPIR_COMPARISON(logical_xor)
#undef TAPIR_COMPARISON

// --- with a number ---

Tensor detail::binary_scalar(const Tensor& x, const Scalar& b, Pointwise op, BinaryFunction f) {
  const void* site = TAPIR_HERE;
  const bool records = recording(x);
  if (records && op != Pointwise::mul && op != Pointwise::div && op != Pointwise::pow) {
    CallSite scope(site);
    return f(x, raw::full({}, b, x.dtype(), x.device()));
  }
  Tensor y = raw::binary(op, x, b);
  if (!records) return y;
  if (op == Pointwise::pow) {
    auto* node = record<PowScalarBackward>(site, y, x);
    node->exponent = b;
    node->save(x);
  } else {
    record<MulScalarBackward>(site, y, x)->factor = op == Pointwise::mul ? b : Scalar(1 / b.to_double());
  }
  return y;
}

Tensor detail::scalar_binary(const Scalar& a, const Tensor& x, Pointwise op, BinaryFunction f) {
  if (!recording(x)) return raw::binary(op, a, x);
  CallSite scope(TAPIR_HERE);
  return f(raw::full({}, a, raw::result_type({a, x}), x.device()), x);
}

// --- three tensors and parameters ---

namespace {

struct WhereBackward final : NodeOf<2, 1> {
  const char* type_name() const override { return "WhereBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor condition = saved(0);
    if (sink.wants(0)) sink.set(0, where(condition, g[0], Scalar(0)));
    if (sink.wants(1)) sink.set(1, where(condition, Scalar(0), g[0]));
  }
};

// a and b may be numbers, given as undefined tensors for the graph.
Tensor where_of(const Tensor& condition, raw::Operand a, raw::Operand b, const void* site) {
  Tensor y = raw::ternary(Pointwise::where, condition, a, b);
  const Tensor none;
  const Tensor &ta = a.tensor ? *a.tensor : none, &tb = b.tensor ? *b.tensor : none;
  if (recording(ta, tb)) record<WhereBackward>(site, y, ta, tb)->save(condition);
  return y;
}

}  // namespace

Tensor where(const Tensor& c, const Tensor& a, const Tensor& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Scalar& a, const Tensor& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Tensor& a, const Scalar& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Scalar& a, const Scalar& b) { return where_of(c, a, b, TAPIR_HERE); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(DTypeError, mask.dtype() == kBool || mask.dtype() == kUInt8,
                 "masked_fill: the mask is {}, expected bool; compare it first", mask.dtype());
  const Tensor filled = raw::full({}, value, x.dtype(), x.device());
  broadcast_sizes(x.sizes(), mask.sizes(), "masked_fill");
  return where(mask.dtype() == kBool ? mask : raw::cast(mask, kBool), filled, x);
}

namespace {
struct LerpBackward final : NodeOf<2> {
  const char* type_name() const override { return "LerpBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, mul(g[0], Scalar(1 - weight)));
    if (sink.wants(1)) sink.set(1, mul(g[0], Scalar(weight)));
  }
  double weight;
};
struct LerpTensorBackward final : NodeOf<3, 3> {
  const char* type_name() const override { return "LerpBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor weight = saved(2);
    if (sink.wants(0)) sink.set(0, mul(g[0], rsub(weight, Scalar(1))));
    if (sink.wants(1)) sink.set(1, mul(g[0], weight));
    if (sink.wants(2)) sink.set(2, mul(g[0], sub(saved(1), saved(0))));
  }
};
struct AddcmulBackward final : NodeOf<3, 2> {
  const char* type_name() const override { return "AddcmulBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, mul(g[0], mul(saved(1), value)));
    if (sink.wants(2)) sink.set(2, mul(g[0], mul(saved(0), value)));
    sink.set(0, std::move(g[0]));
  }
  Scalar value;
};
struct AddcdivBackward final : NodeOf<3, 2> {
  const char* type_name() const override { return "AddcdivBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor b = saved(1);
    if (sink.wants(1)) sink.set(1, mul(g[0], div(raw::full({}, value, b.dtype(), b.device()), b)));
    if (sink.wants(2)) sink.set(2, mul(mul(g[0], div(div(saved(0), b), b)), -value));
    sink.set(0, std::move(g[0]));
  }
  Scalar value;
};
}  // namespace

Tensor lerp(const Tensor& start, const Tensor& end, const Scalar& weight) {
  TAPIR_CHECK_AS(DTypeError, start.dtype() == end.dtype(),
                 "lerp: start is {} and end is {}; cast one with to(dtype)", start.dtype(), end.dtype());
  Tensor y = raw::binary(Pointwise::lerp, start, end, weight);
  if (recording(start, end)) record<LerpBackward>(TAPIR_HERE, y, start, end)->weight = weight.to_double();
  return y;
}
Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight) {
  TAPIR_CHECK_AS(DTypeError, start.dtype() == end.dtype() && start.dtype() == weight.dtype(),
                 "lerp: start is {}, end {} and weight {}; cast them to one dtype with to(dtype)",
                 start.dtype(), end.dtype(), weight.dtype());
  Tensor y = raw::ternary(Pointwise::lerp_tensor, start, end, weight);
  if (recording(start, end, weight)) {
    auto* node = record<LerpTensorBackward>(TAPIR_HERE, y, start, end, weight);
    if (requires_grad(weight)) {
      node->save_input(0, start);
      node->save_input(1, end);
    }
    node->save_input(2, weight);
  }
  return y;
}
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  Tensor y = raw::ternary(Pointwise::addcmul, x, a, b, value);
  if (recording(x, a, b)) {
    auto* node = record<AddcmulBackward>(TAPIR_HERE, y, x, a, b);
    node->value = value;
    if (requires_grad(b)) node->save_input(0, a);
    if (requires_grad(a)) node->save_input(1, b);
  }
  return y;
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  Tensor y = raw::ternary(Pointwise::addcdiv, x, a, b, value);
  if (recording(x, a, b)) {
    auto* node = record<AddcdivBackward>(TAPIR_HERE, y, x, a, b);
    node->value = value;
    if (requires_grad(b)) node->save_input(0, a);
    if (requires_grad(a) || requires_grad(b)) node->save_input(1, b);
  }
  return y;
}

namespace {
struct SumToSizeBackward final : NodeOf<1> {
  const char* type_name() const override { return "SumToSizeBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, expand(g[0], sizes)); }
  Dims sizes;
};
}  // namespace

Tensor sum_to_size(const Tensor& x, IntArrayRef sizes) {
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(sizes, x.sizes()),
                 "sum_to_size: sizes {} do not broadcast to {}", sizes, x.sizes());
  Tensor y = raw::sum_to(x, sizes);
  if (recording(x)) {
    if (y.is_same(x)) return x;
    record<SumToSizeBackward>(TAPIR_HERE, y, x)->sizes = x.layout_of().sizes;
  }
  return y;
}

}  // namespace tapir
