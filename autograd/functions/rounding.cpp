#include "tapir/autograd/functions/rounding.h"

#include <cmath>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

using namespace nodes;

Tensor frac(const Tensor& x) {
  return unary<Saves::kNothing>(Pointwise::frac, "FracBackward", x, [](const Tensor& g) { return g; });
}

namespace {
struct RoundBackward final : NodeOf<1> {
  const char* type_name() const override { return "RoundBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, zero_gradient(g[0])); }
};
}  // namespace

Tensor round(const Tensor& x, int64_t decimals) {
  const Scalar power(std::pow(10.0, static_cast<double>(std::abs(decimals))));
  Tensor y = raw::unary(Pointwise::round_decimals, x, {power, Scalar(decimals < 0 ? 1.0 : 0.0)});
  if (recording(x)) record<RoundBackward>(TAPIR_HERE, y, x);
  return y;
}
Tensor& round_out(Tensor& out, const Tensor& x, int64_t decimals) {
  return detail::assign_out(out, "round", {x}, [&] { return round(x, decimals); });
}

namespace {
constexpr auto zero_gradient_2 = [](const Tensor& g, const Tensor&, const Tensor&) {
  return zero_gradient(g);
};
constexpr auto pass_gradient = [](const Tensor& g, const Tensor&, const Tensor&) { return g; };
}  // namespace

Tensor floor_divide(const Tensor& a, const Tensor& b) {
  return binary<kReadsNone, kReadsNone>(Pointwise::floor_divide, "FloorDivideBackward", a, b, zero_gradient_2,
                                        zero_gradient_2);
}
Tensor remainder(const Tensor& a, const Tensor& b) {
  return binary<kReadsNone, kReadsBoth>(
      Pointwise::remainder, "RemainderBackward", a, b, pass_gradient,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return neg(mul(g, floor_divide(u, v))); });
}
Tensor fmod(const Tensor& a, const Tensor& b) {
  return binary<kReadsNone, kReadsBoth>(
      Pointwise::fmod, "FmodBackward", a, b, pass_gradient,
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return neg(mul(g, div(u, v, "trunc"))); });
}

namespace {

enum class Mode { kTrue, kTrunc, kFloor };
Mode mode_of(std::optional<std::string_view> text) {
  if (!text) return Mode::kTrue;
  if (*text == "trunc") return Mode::kTrunc;
  TAPIR_CHECK_AS(ValueError, *text == "floor",
                 "div: rounding_mode is \"{}\", expected \"trunc\" or \"floor\"", *text);
  return Mode::kFloor;
}
Tensor div_trunc(const Tensor& a, const Tensor& b) {
  return binary<kReadsNone, kReadsNone>(Pointwise::div_trunc, "DivBackward", a, b, zero_gradient_2,
                                        zero_gradient_2);
}

}  // namespace

Tensor div(const Tensor& a, const Tensor& b, std::optional<std::string_view> rounding_mode) {
  CallSite site(TAPIR_HERE);
  const Mode mode = mode_of(rounding_mode);
  return mode == Mode::kTrue ? div(a, b) : mode == Mode::kTrunc ? div_trunc(a, b) : floor_divide(a, b);
}
Tensor div(const Tensor& a, const Scalar& b, std::optional<std::string_view> rounding_mode) {
  CallSite site(TAPIR_HERE);
  switch (mode_of(rounding_mode)) {
    case Mode::kTrue:
      return div(a, b);
    case Mode::kTrunc:
      return detail::binary_scalar(a, b, Pointwise::div_trunc, &div_trunc);
    case Mode::kFloor:
      break;
  }
  return floor_divide(a, b);
}
Tensor& remainder_out(Tensor& out, const Scalar& a, const Tensor& b) {
  return detail::assign_out(out, "remainder", {b}, [&] { return remainder(a, b); });
}
Tensor& div_out(Tensor& out, const Tensor& a, const Tensor& b,
                std::optional<std::string_view> rounding_mode) {
  return detail::assign_out(out, "div", {a, b}, [&] { return div(a, b, rounding_mode); });
}

Tensor nextafter(const Tensor& a, const Tensor& b) {
  return binary<kReadsNone, kReadsNone>(
      Pointwise::nextafter, "NextafterBackward", a, b,
      [](const Tensor&, const Tensor&, const Tensor&) -> Tensor { refuse_derivative("nextafter", "input"); },
      [](const Tensor&, const Tensor&, const Tensor&) -> Tensor { refuse_derivative("nextafter", "other"); });
}

Tensor Tensor::round(int64_t decimals) const {
  CallSite site(TAPIR_HERE);
  return tapir::round(*this, decimals);
}
Tensor& Tensor::round_(int64_t decimals) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "round_", [&](const Tensor& x) { return tapir::round(x, decimals); });
  return self();
}
#define TAPIR_DIV(Number)                                                                                \
  Tensor Tensor::div(const Number& other, std::optional<std::string_view> mode) const {                  \
    CallSite site(TAPIR_HERE);                                                                           \
    return tapir::div(*this, other, mode);                                                               \
  }                                                                                                      \
  Tensor Tensor::divide(const Number& other, std::optional<std::string_view> mode) const {               \
    CallSite site(TAPIR_HERE);                                                                           \
    return tapir::div(*this, other, mode);                                                               \
  }                                                                                                      \
  Tensor& Tensor::div_(const Number& other, std::optional<std::string_view> mode) const {                \
    CallSite site(TAPIR_HERE);                                                                           \
    detail::assign_inplace(self(), "div_", [&](const Tensor& x) { return tapir::div(x, other, mode); }); \
    return self();                                                                                       \
  }
#define TAPIR_DIVIDE(Number)                                                                 \
  Tensor& Tensor::divide_(const Number& other, std::optional<std::string_view> mode) const { \
    CallSite site(TAPIR_HERE);                                                               \
    return div_(other, mode);                                                                \
  }
TAPIR_DIVIDE(Tensor)
TAPIR_DIVIDE(Scalar)
#undef TAPIR_DIVIDE
TAPIR_DIV(Tensor)
TAPIR_DIV(Scalar)
#undef TAPIR_DIV

}  // namespace tapir
