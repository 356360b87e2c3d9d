#include "tapir/autograd/functions/elementary.h"

#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

using namespace nodes;

namespace {
constexpr double kLn2 = 0.6931471805599453, kLn10 = 2.302585092994046, kPi = 3.141592653589793;

Tensor one_plus(const Tensor& x) { return add(x, Scalar(1)); }
Tensor one_minus(const Tensor& x) { return rsub(x, Scalar(1)); }
}  // namespace

Tensor exp2(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::exp2, "Exp2Backward", x,
                               [](const Tensor& g, const Tensor& y) { return mul(g, mul(y, Scalar(kLn2))); });
}
Tensor log2(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::log2, "Log2Backward", x,
                              [](const Tensor& g, const Tensor& v) { return div(g, mul(v, Scalar(kLn2))); });
}
Tensor log10(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::log10, "Log10Backward", x,
                              [](const Tensor& g, const Tensor& v) { return div(g, mul(v, Scalar(kLn10))); });
}
Tensor sinh(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::sinh, "SinhBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, cosh(v)); });
}
Tensor cosh(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::cosh, "CoshBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, sinh(v)); });
}
Tensor tan(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::tan, "TanBackward", x,
                               [](const Tensor& g, const Tensor& y) { return mul(g, one_plus(mul(y, y))); });
}
Tensor asin(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::asin, "AsinBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(g, rsqrt(mul(one_minus(v), one_plus(v))));
  });
}
Tensor acos(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::acos, "AcosBackward", x, [](const Tensor& g, const Tensor& v) {
    return neg(mul(g, rsqrt(mul(one_minus(v), one_plus(v)))));
  });
}
Tensor atan(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::atan, "AtanBackward", x,
                              [](const Tensor& g, const Tensor& v) { return div(g, one_plus(mul(v, v))); });
}
Tensor asinh(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::asinh, "AsinhBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(g, rsqrt(one_plus(mul(v, v))));
  });
}
Tensor acosh(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::acosh, "AcoshBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(g, rsqrt(mul(sub(v, Scalar(1)), one_plus(v))));
  });
}
Tensor atanh(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::atanh, "AtanhBackward", x, [](const Tensor& g, const Tensor& v) {
    return div(g, mul(one_minus(v), one_plus(v)));
  });
}
Tensor deg2rad(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::deg2rad, "Deg2radBackward", x,
                                [](const Tensor& g) { return deg2rad(g); });
}
Tensor rad2deg(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::rad2deg, "Rad2degBackward", x,
                                [](const Tensor& g) { return rad2deg(g); });
}
// (pi x cos(pi x) - sin(pi x)) / (pi x^2) cancels near 0; there the series in u = (pi x)^2 is taken, whose
// derivatives are right at 0 too.
Tensor sinc(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::sinc, "SincBackward", x, [](const Tensor& g, const Tensor& v) {
    const Tensor near = lt(abs(v), Scalar(0.125));
    const Tensor safe = where(near, Scalar(1), v), p = mul(safe, Scalar(kPi));
    const Tensor far = div(sub(mul(p, cos(p)), sin(p)), mul(p, safe));
    const Tensor u = square(mul(where(near, v, Scalar(0)), Scalar(kPi)));
    Tensor series = add(mul(u, Scalar(1.0 / 518918400)), Scalar(-1.0 / 3991680));
    for (double c : {1.0 / 45360, -1.0 / 840, 1.0 / 30, -1.0 / 3}) series = add(mul(series, u), Scalar(c));
    return mul(g, where(near, mul(mul(v, Scalar(kPi * kPi)), series), far));
  });
}

Tensor logit(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::logit, "LogitBackward", x, [](const Tensor& g, const Tensor& v) {
    const Tensor inside = logical_and(ge(v, Scalar(0)), le(v, Scalar(1)));
    return where(inside, div(g, mul(v, one_minus(v))), Scalar(NAN));
  });
}
Tensor logit(const Tensor& x, std::optional<double> eps) {
  CallSite site(TAPIR_HERE);
  return eps ? logit(clamp(x, Scalar(*eps), Scalar(1 - *eps))) : logit(x);
}
Tensor& logit_out(Tensor& out, const Tensor& x, std::optional<double> eps) {
  return detail::assign_out(out, "logit", {x}, [&] { return logit(x, eps); });
}

Tensor atan2(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::atan2, "Atan2Backward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return mul(g, div(v, add(mul(u, u), mul(v, v))));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return neg(mul(g, div(u, add(mul(u, u), mul(v, v)))));
      });
}
Tensor hypot(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::hypot, "HypotBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, div(u, hypot(u, v))); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, div(v, hypot(u, v))); });
}
Tensor copysign(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsNone>(
      Pointwise::copysign, "CopysignBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return mul(g, mul(sign(u), sign(copysign(u, v))));
      },
      [](const Tensor& g, const Tensor&, const Tensor&) { return zero_gradient(g); });
}
Tensor xlogy(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::xlogy, "XlogyBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        const Tensor flat = logical_and(eq(u, Scalar(0)), le(v, Scalar(0)));
        return mul(g, where(flat, Scalar(0), log(where(flat, Scalar(1), v))));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, div(u, v)); });
}
Tensor logaddexp(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::logaddexp, "LogaddexpBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, sigmoid(sub(u, v))); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, sigmoid(sub(v, u))); });
}
Tensor logaddexp2(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::logaddexp2, "Logaddexp2Backward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return mul(g, sigmoid(mul(sub(u, v), Scalar(kLn2))));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return mul(g, sigmoid(mul(sub(v, u), Scalar(kLn2))));
      });
}

Tensor ldexp(const Tensor& x, const Tensor& other) {
  CallSite site(TAPIR_HERE);
  return mul(x, pow(Scalar(2.0), other));
}
Tensor& ldexp_out(Tensor& out, const Tensor& x, const Tensor& other) {
  return detail::assign_out(out, "ldexp", {x, other}, [&] { return ldexp(x, other); });
}
Tensor float_power(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return pow(to(a, kFloat64), to(b, kFloat64));
}
Tensor float_power(const Tensor& a, const Scalar& b) {
  CallSite site(TAPIR_HERE);
  return pow(to(a, kFloat64), Scalar(b.to_double()));
}
Tensor float_power(const Scalar& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return pow(Scalar(a.to_double()), to(b, kFloat64));
}
Tensor& float_power_out(Tensor& out, const Tensor& a, const Tensor& b) {
  return detail::assign_out(out, "float_power", {a, b}, [&] { return float_power(a, b); });
}
Tensor& float_power_out(Tensor& out, const Tensor& a, const Scalar& b) {
  return detail::assign_out(out, "float_power", {a}, [&] { return float_power(a, b); });
}
Tensor& float_power_out(Tensor& out, const Scalar& a, const Tensor& b) {
  return detail::assign_out(out, "float_power", {b}, [&] { return float_power(a, b); });
}
Tensor& xlogy_out(Tensor& out, const Scalar& a, const Tensor& b) {
  return detail::assign_out(out, "xlogy", {b}, [&] { return xlogy(a, b); });
}
Tensor& angle_out(Tensor& out, const Tensor& x) {
  return detail::assign_out(out, "angle", {x}, [&] { return angle(x); });
}

// --- methods ---

Tensor Tensor::logit(std::optional<double> eps) const {
  CallSite site(TAPIR_HERE);
  return tapir::logit(*this, eps);
}
Tensor& Tensor::logit_(std::optional<double> eps) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "logit_", [&](const Tensor& x) { return tapir::logit(x, eps); });
  return self();
}
Tensor Tensor::ldexp(const Tensor& other) const {
  CallSite site(TAPIR_HERE);
  return tapir::ldexp(*this, other);
}
Tensor& Tensor::ldexp_(const Tensor& other) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "ldexp_", [&](const Tensor& x) { return tapir::ldexp(x, other); });
  return self();
}
namespace {
void check_double(const Tensor& x) {
  TAPIR_CHECK_AS(DTypeError, x.dtype() == kFloat64, "float_power_: the tensor is {}, expected float64",
                 x.dtype());
}
}  // namespace
#define TAPIR_FLOAT_POWER(Number)                                                             \
  Tensor Tensor::float_power(const Number& exponent) const {                                  \
    CallSite site(TAPIR_HERE);                                                                \
    return tapir::float_power(*this, exponent);                                               \
  }                                                                                           \
  Tensor& Tensor::float_power_(const Number& exponent) const {                                \
    CallSite site(TAPIR_HERE);                                                                \
    check_double(self());                                                                     \
    detail::assign_inplace(self(), "float_power_",                                            \
                           [&](const Tensor& x) { return tapir::float_power(x, exponent); }); \
    return self();                                                                            \
  }
TAPIR_FLOAT_POWER(Tensor)
TAPIR_FLOAT_POWER(Scalar)
#undef TAPIR_FLOAT_POWER

// --- parts of a number ---

namespace {
struct FrexpBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "FrexpBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, ldexp(g[0], neg(saved(0)))); }
};
struct AngleBackward final : NodeOf<1> {
  const char* type_name() const override { return "AngleBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, zero_gradient(g[0])); }
};
}  // namespace

std::tuple<Tensor, Tensor> frexp(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  auto [mantissa, exponent] = raw::frexp(x);
  if (recording(x)) record<FrexpBackward>(TAPIR_HERE, mantissa, x)->save(exponent);
  return {mantissa, exponent};
}
Tensor angle(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  const DType d = x.is_floating_point() ? x.dtype() : get_default_dtype();
  const Tensor in = raw::cast(x.detach(), d), pi = raw::full({}, M_PI, d, x.device());
  Tensor y;
  {
    NoGradGuard no_grad;
    y = where(isnan(in), in, where(lt(in, Scalar(0)), pi, Scalar(0)));
  }
  if (recording(x)) record<AngleBackward>(TAPIR_HERE, y, x);
  return y;
}
std::tuple<Tensor, Tensor> Tensor::frexp() const { return tapir::frexp(*this); }
Tensor Tensor::angle() const { return tapir::angle(*this); }

}  // namespace tapir
