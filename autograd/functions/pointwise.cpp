#include "tapir/autograd/functions/pointwise.h"

#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/sum_to.h"

namespace tapir {

namespace {

enum class Saves { kNothing, kInput, kOutput };

// One input. `F` is a captureless lambda (g, saved) -> gradient; a lambda that returns nothing means zero.
template <Saves kSaves, class F>
struct UnaryBackward final : NodeOf<1, kSaves == Saves::kNothing ? 0 : 1> {
  explicit UnaryBackward(const char* n) : name_(n) {}
  const char* name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    if constexpr (kSaves == Saves::kNothing)
      sink.set(0, F{}(g[0]));
    else
      sink.set(0, F{}(g[0], this->saved(0)));
  }
  const char* name_;
};

template <Saves kSaves, class F>
TAPIR_ALWAYS_INLINE Tensor unary(Pointwise op, const char* name, const Tensor& x, F) {
  Tensor y = raw::unary(op, x);
  if (recording(x)) {
    auto* node = new UnaryBackward<kSaves, F>(name);
    node->set_edge(0, x);
    node->set_call_site(TAPIR_HERE);
    if constexpr (kSaves == Saves::kInput) node->save_input(0, x);
    if constexpr (kSaves == Saves::kOutput) node->save_output(0, y);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

// Which inputs a gradient formula of two reads.
enum Reads { kReadsNone = 0, kReadsA = 1, kReadsB = 2, kReadsBoth = 3 };

// Two inputs. A and B are lambdas (g, a, b) -> gradient of a and of b. Only what the gradients that are
// wanted read is saved, so that the rest may be freed, or changed in place; the lambdas get undefined tensors
// for it.
template <Reads kForA, Reads kForB, class A, class B>
struct BinaryBackward final : NodeOf<2, 2> {
  explicit BinaryBackward(const char* n) : name_(n) {}
  const char* name() const override { return name_; }
  static int reads(bool wants_a, bool wants_b) { return (wants_a ? kForA : 0) | (wants_b ? kForB : 0); }
  void backward(Grads g, GradSink& sink) override {
    const bool wants_a = sink.wants(0), wants_b = sink.wants(1);
    const int read = reads(wants_a, wants_b);
    const Tensor a = read & kReadsA ? saved(0) : Tensor(), b = read & kReadsB ? saved(1) : Tensor();
    if (wants_a) sink.set(0, A{}(g[0], a, b));
    if (wants_b) sink.set(1, B{}(g[0], a, b));
  }
  const char* name_;
};

template <Reads kForA, Reads kForB, class A, class B>
TAPIR_ALWAYS_INLINE Tensor binary(Pointwise op, const char* name, const Tensor& a, const Tensor& b, A, B) {
  Tensor y = raw::binary(op, a, b);
  if (recording(a, b)) {
    auto* node = new BinaryBackward<kForA, kForB, A, B>(name);
    node->set_edge(0, a);
    node->set_edge(1, b);
    node->set_call_site(TAPIR_HERE);
    const int read = node->reads(node->edges()[0].is_valid(), node->edges()[1].is_valid());
    if (read & kReadsA) node->save_input(0, a);
    if (read & kReadsB) node->save_input(1, b);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

// The derivative is zero wherever it exists: recorded, as in PyTorch, with a gradient of zeros.
constexpr auto zero_gradient = [](const Tensor& g) { return raw::zeros(g.sizes(), g.dtype(), g.device()); };

TAPIR_COLD void refuse_bool(const char* op) {
  throw_error<DTypeError>("{}: not defined for bool; use logical_not or a cast with to(dtype)", op);
}

}  // namespace

// --- one tensor ---

Tensor neg(const Tensor& x) {
  if (TAPIR_UNLIKELY(x.dtype() == kBool)) refuse_bool("neg");
  return unary<Saves::kNothing>(Pointwise::neg, "NegBackward", x, [](const Tensor& g) { return neg(g); });
}
Tensor abs(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::abs, "AbsBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, sign(v)); });
}
Tensor sign(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::sign, "SignBackward", x, zero_gradient);
}
Tensor square(const Tensor& x) {
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

struct AddBackward final : NodeOf<2> {
  const char* name() const override { return "AddBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, alpha == 1 ? g[0] : mul(g[0], Scalar(alpha)));
    sink.set(0, std::move(g[0]));
  }
  double alpha;
};
struct AddScalarBackward final : NodeOf<1> {
  const char* name() const override { return "AddBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, std::move(g[0])); }
};
struct MulBackward final : NodeOf<2, 2> {
  const char* name() const override { return "MulBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, mul(g[0], saved(1)));
    if (sink.wants(1)) sink.set(1, mul(g[0], saved(0)));
  }
};
struct MulScalarBackward final : NodeOf<1> {
  const char* name() const override { return "MulBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, mul(g[0], factor)); }
  Scalar factor;
};
struct PowScalarBackward final : NodeOf<1, 1> {
  const char* name() const override { return "PowBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const double e = exponent.to_double();
    if (e == 0) return sink.set(0, zero_gradient(g[0]));
    sink.set(0, mul(g[0], mul(pow(saved(0), Scalar(e - 1)), exponent)));
  }
  Scalar exponent;
};

Scalar alpha_of(const Scalar& alpha, DType dtype, const char* op) {
  TAPIR_CHECK_AS(DTypeError, !alpha.isFloatingPoint() || is_floating_point(dtype),
                 "{}: alpha is a floating-point number, but the result is {}; give an integer", op, dtype);
  return alpha;
}

void refuse_bool_sub(DType a, DType b) {
  if (TAPIR_UNLIKELY(a == kBool || b == kBool)) refuse_bool("sub");
}

TAPIR_ALWAYS_INLINE Tensor add_scaled(const Tensor& a, const Tensor& b, const Scalar& alpha, const char* op) {
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) alpha_of(alpha, raw::result_type({a, b}), op);
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
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) alpha_of(alpha, raw::result_type({a, b}), "add");
  Tensor y = raw::binary(Pointwise::add, a, b, alpha);
  if (recording(a)) record<AddScalarBackward>(TAPIR_HERE, y, a);
  return y;
}
Tensor sub(const Tensor& a, const Scalar& b, const Scalar& alpha) {
  refuse_bool_sub(a.dtype(), b.type());
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) alpha_of(alpha, raw::result_type({a, b}), "sub");
  Tensor y = raw::binary(Pointwise::add, a, b, -alpha);
  if (recording(a)) record<AddScalarBackward>(TAPIR_HERE, y, a);
  return y;
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
#undef TAPIR_COMPARISON

// --- with a number ---

namespace {
void check_power(const Tensor& x, const Scalar& b) {
  TAPIR_CHECK_AS(ValueError, is_floating_point(x.dtype()) || b.isFloatingPoint() || b.to_int64() >= 0,
                 "pow: {} to the negative integer power {}; cast to a floating-point dtype first", x.dtype(),
                 b.to_int64());
}
}  // namespace

Tensor detail::binary_scalar(const Tensor& x, const Scalar& b, Pointwise op) {
  const void* site = TAPIR_HERE;
  if (op == Pointwise::div) {
    Tensor y = raw::binary(op, x, b);
    if (recording(x)) record<MulScalarBackward>(site, y, x)->factor = Scalar(1 / b.to_double());
    return y;
  }
  if (op == Pointwise::pow) {
    check_power(x, b);
    Tensor y = raw::binary(op, x, b);
    if (recording(x)) {
      auto* node = record<PowScalarBackward>(site, y, x);
      node->exponent = b;
      node->save(x);
    }
    return y;
  }
  Tensor y = raw::binary(op, x, b);
  if (!recording(x) || y.dtype() == kBool) return y;
  if (op == Pointwise::mul) {
    record<MulScalarBackward>(site, y, x)->factor = b;
    return y;
  }
  CallSite scope(site);
  const Tensor other = raw::full({}, b, x.dtype(), x.device());
  return op == Pointwise::maximum ? maximum(x, other) : minimum(x, other);
}

// --- three tensors and parameters ---

namespace {

struct ClampBackward final : NodeOf<1, 1> {
  const char* name() const override { return "ClampBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, clamp_backward(g[0], saved(0), low, high)); }
  Scalar low, high;
};
// Linear in g, and flat in x wherever it has a derivative.
struct ClampBackwardBackward final : NodeOf<2, 1> {
  const char* name() const override { return "ClampBackwardBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, clamp_backward(g[0], saved(0), low, high));
    if (sink.wants(1)) sink.set(1, zero_gradient(g[0]));
  }
  Scalar low, high;
};

struct WhereBackward final : NodeOf<2, 1> {
  const char* name() const override { return "WhereBackward"; }
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

Tensor clamp_backward(const Tensor& g, const Tensor& x, const Scalar& low, const Scalar& high) {
  Tensor y = raw::binary(Pointwise::clamp_backward, g, x, {low, high});
  if (recording(g, x)) {
    auto* node = record<ClampBackwardBackward>(TAPIR_HERE, y, g, x);
    node->low = low;
    node->high = high;
    if (requires_grad(g)) node->save_input(0, x);
  }
  return y;
}

Tensor clamp(const Tensor& x, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  TAPIR_CHECK_AS(ValueError, min || max, "clamp: neither min nor max was given; give at least one");
  const bool real =
      is_floating_point(x.dtype()) || (min && min->isFloatingPoint()) || (max && max->isFloatingPoint());
  const Scalar low = min ? *min : real ? Scalar(-INFINITY) : Scalar(INT64_MIN);
  const Scalar high = max ? *max : real ? Scalar(INFINITY) : Scalar(INT64_MAX);
  const bool cast = !is_floating_point(x.dtype()) && real;
  Tensor y = raw::unary(Pointwise::clamp, cast ? raw::cast(x, get_default_dtype()) : x, {low, high});
  if (recording(x)) {
    auto* node = record<ClampBackward>(TAPIR_HERE, y, x);
    node->low = low;
    node->high = high;
    node->save(x);
  }
  return y;
}
Tensor clamp_min(const Tensor& x, const Scalar& min) {
  CallSite site(TAPIR_HERE);
  return clamp(x, min);
}
Tensor clamp_max(const Tensor& x, const Scalar& max) {
  CallSite site(TAPIR_HERE);
  return clamp(x, std::nullopt, max);
}

Tensor where(const Tensor& c, const Tensor& a, const Tensor& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Scalar& a, const Tensor& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Tensor& a, const Scalar& b) { return where_of(c, a, b, TAPIR_HERE); }
Tensor where(const Tensor& c, const Scalar& a, const Scalar& b) { return where_of(c, a, b, TAPIR_HERE); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(DTypeError, mask.dtype() == kBool,
                 "masked_fill: the mask is {}, expected bool; compare it first", mask.dtype());
  TAPIR_CHECK_AS(DTypeError, can_cast(value.type(), x.dtype()) || x.dtype() == kBool,
                 "masked_fill: the value {} does not fit {}", value.to_double(), x.dtype());
  const Tensor filled = raw::full({}, value, x.dtype(), x.device());
  return where(mask, filled, x);
}

namespace {
struct LerpBackward final : NodeOf<2> {
  const char* name() const override { return "LerpBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, mul(g[0], Scalar(1 - weight)));
    if (sink.wants(1)) sink.set(1, mul(g[0], Scalar(weight)));
  }
  double weight;
};
struct AddcmulBackward final : NodeOf<3, 2> {
  const char* name() const override { return "AddcmulBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, mul(g[0], mul(saved(1), value)));
    if (sink.wants(2)) sink.set(2, mul(g[0], mul(saved(0), value)));
    sink.set(0, std::move(g[0]));
  }
  Scalar value;
};
struct AddcdivBackward final : NodeOf<3, 2> {
  const char* name() const override { return "AddcdivBackward"; }
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
  const char* name() const override { return "SumToSizeBackward"; }
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

// --- in place ---

namespace {

// A tensor with the values and the history that x has now, for an op that will be recorded and needs them
// later.
Tensor frozen(const Tensor& x) {
  Tensor old = raw::clone(x);
  const Edge edge = gradient_edge(x);
  old.impl()->autograd = edge.function;
  old.impl()->output_nr = edge.input_nr;
  return old;
}

// Gives x the value and the history of y, which was computed from frozen(x).
void take_over(const Tensor& x, const Tensor& y, const char* op) {
  TAPIR_CHECK_AS(ShapeError, y.sizes() == x.sizes(),
                 "{}: the result has sizes {}, but the tensor to change has {}", op, y.sizes(), x.sizes());
  TAPIR_CHECK_AS(
      DTypeError, can_cast(y.dtype(), x.dtype()),
      "{}: the result is {}, which cannot be stored in a tensor of {}; use the form that makes a new tensor",
      op, y.dtype(), x.dtype());
  const Tensor z = y.dtype() == x.dtype() ? y : to(y, x.dtype());
  raw::copy_into(x, z, op);
  const Edge edge = gradient_edge(z);
  if (edge.is_valid())
    rebase_history(x, edge.function, edge.input_nr);
  else if (recording(x))
    cut_history(x, TAPIR_HERE);
}

}  // namespace

void detail::assign_inplace(const Tensor& x, const char* op, const std::function<Tensor(const Tensor&)>& f) {
  CallSite site(TAPIR_HERE);
  check_inplace(x, op);
  raw::check_writable(x, op);
  const Tensor old = recording(x) ? frozen(x) : x;
  take_over(x, f(old), op);
}

void detail::unary_inplace(const Tensor& x, Pointwise op, UnaryFunction f) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  if (!recording(x)) return raw::pointwise_into(op, x, {x});
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  take_over(x, f(frozen(x)), name);
}

void detail::binary_inplace(const Tensor& x, const Tensor& b, Pointwise op, BinaryFunction f) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  if (!recording(x, b)) return raw::pointwise_into(op, x, {x, b});
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  const Tensor old = frozen(x);
  take_over(x, f(old, b.is_same(x) ? old : b), name);
}

void detail::binary_inplace(const Tensor& x, const Scalar& b, Pointwise op) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  if (!recording(x)) {
    if (op == Pointwise::pow) check_power(x, b);
    return raw::pointwise_into(op, x, {x, b});
  }
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  take_over(x, binary_scalar(frozen(x), b, op), name);
}

// add_ saves nothing, so that it needs no copy of the old value.
void detail::add_inplace(const Tensor& x, const Tensor& b, const Scalar& alpha) {
  check_inplace(x, "add_");
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) alpha_of(alpha, raw::result_type({x, b}), "add_");
  if (!recording(x, b)) return raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  auto* add_node = new AddBackward;
  Ref<Node> node = Ref<Node>::adopt(add_node);
  add_node->set_edge(0, x);
  add_node->set_edge(1, b);
  add_node->alpha = alpha.to_double();
  add_node->set_call_site(TAPIR_HERE);
  add_node->describe_output(0, x);
  raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  rebase_history(x, std::move(node));
}

void detail::add_inplace(const Tensor& x, const Scalar& b, const Scalar& alpha) {
  check_inplace(x, "add_");
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) alpha_of(alpha, raw::result_type({x, b}), "add_");
  raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  // The derivative is one: the history stays as it is.
}

Tensor& detail::pointwise_out(Tensor& out, Pointwise op, const Tensor& a, const Tensor& b) {
  const char* name = pointwise_info(op).name;
  TAPIR_CHECK_AS(
      AutogradError, !recording(out, a, b),
      "{}_out: an argument requires a gradient, and out forms are not recorded; use {}(...), or NoGradGuard",
      name, name);
  const Dims sizes = b.defined() ? broadcast_sizes(a.sizes(), b.sizes(), name) : Dims(a.sizes());
  if (!out.defined() || (out.numel() == 0 && !(out.layout_of().sizes == sizes)))
    out = Tensor::empty(
        sizes,
        out.defined() ? out.dtype() : (b.defined() ? raw::binary(op, a, b) : raw::unary(op, a)).dtype(),
        a.device());
  if (b.defined())
    raw::pointwise_into(op, out, {a, b});
  else
    raw::pointwise_into(op, out, {a});
  return out;
}

}  // namespace tapir
