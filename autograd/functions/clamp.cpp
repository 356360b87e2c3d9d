#include "tapir/autograd/functions/clamp.h"

#include <cfloat>
#include <cmath>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

using namespace nodes;

namespace {

struct ClampBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "ClampBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, clamp_backward(g[0], saved(0), low, high)); }
  Scalar low, high;
};
// Linear in g, and flat in x wherever it has a derivative.
struct ClampBackwardBackward final : NodeOf<2, 1> {
  const char* type_name() const override { return "ClampBackwardBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, clamp_backward(g[0], saved(0), low, high));
    if (sink.wants(1)) sink.set(1, zero_gradient(g[0]));
  }
  Scalar low, high;
};

// The bound that is taken, if any, gets the gradient; the upper one wins over the lower one. Saves x, min,
// max.
struct ClampTensorBackward final : NodeOf<3, 3> {
  const char* type_name() const override { return "ClampBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = saved(0), low = has_low ? saved(1) : Tensor(), high = has_high ? saved(2) : Tensor();
    const auto pass = [&](const Tensor& mask) { return where(mask, g[0], Scalar(0)); };
    if (sink.wants(0)) {
      const Tensor above = has_low ? ge(x, low) : Tensor(), below = has_high ? le(x, high) : Tensor();
      sink.set(0, pass(!has_low ? below : !has_high ? above : logical_and(above, below)));
    }
    if (sink.wants(1)) {
      const Tensor taken = lt(x, low);
      sink.set(1, pass(has_high ? logical_and(taken, lt(low, high)) : taken));
    }
    if (sink.wants(2)) {
      const Tensor taken = gt(x, high);
      sink.set(2, pass(has_low ? logical_or(taken, lt(high, low)) : taken));
    }
  }
  bool has_low, has_high;
};

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
  // The bounds take part in promotion.
  const bool number = (min && !min->isBoolean()) || (max && !max->isBoolean());
  const DType dtype = !is_floating_point(x.dtype()) && real ? get_default_dtype()
                      : x.dtype() == kBool && number        ? kInt64
                                                            : x.dtype();
  Tensor y = raw::unary(Pointwise::clamp, dtype == x.dtype() ? x : raw::cast(x, dtype), {low, high});
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

Tensor clamp(const Tensor& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
  TAPIR_CHECK_AS(ValueError, min || max, "clamp: neither min nor max was given; give at least one");
  Tensor y = min ? raw::binary(Pointwise::maximum, x, *min) : x;
  if (max) y = raw::binary(Pointwise::minimum, y, *max);
  const Tensor none, &low = min ? *min : none, &high = max ? *max : none;
  if (recording(x, low, high)) {
    auto* node = record<ClampTensorBackward>(TAPIR_HERE, y, x, low, high);
    node->has_low = low.defined();
    node->has_high = high.defined();
    node->save_input(0, x);
    if (low.defined()) node->save_input(1, low);
    if (high.defined()) node->save_input(2, high);
  }
  return y;
}
Tensor clamp_min(const Tensor& x, const Tensor& min) {
  CallSite site(TAPIR_HERE);
  return clamp(x, std::optional<Tensor>(min));
}
Tensor clamp_max(const Tensor& x, const Tensor& max) {
  CallSite site(TAPIR_HERE);
  return clamp(x, std::optional<Tensor>(), max);
}
Tensor& clamp_out(Tensor& out, const Tensor& x, const std::optional<Scalar>& min,
                  const std::optional<Scalar>& max) {
  return detail::assign_out(out, "clamp", {x}, [&] { return clamp(x, min, max); });
}
Tensor& clamp_out(Tensor& out, const Tensor& x, const std::optional<Tensor>& min,
                  const std::optional<Tensor>& max) {
  return detail::assign_out(out, "clamp", {x, min.value_or(Tensor()), max.value_or(Tensor())},
                            [&] { return clamp(x, min, max); });
}
#define TAPIR_CLAMP_OUT(Bound)                                                    \
  Tensor& clamp_min_out(Tensor& out, const Tensor& x, const Bound& min) {         \
    return clamp_out(out, x, std::optional<Bound>(min));                          \
  }                                                                               \
  Tensor& clamp_max_out(Tensor& out, const Tensor& x, const Bound& max) {         \
    return clamp_out(out, x, std::optional<Bound>(), std::optional<Bound>(max));  \
  }                                                                               \
  Tensor& clip_out(Tensor& out, const Tensor& x, const std::optional<Bound>& min, \
                   const std::optional<Bound>& max) {                             \
    return clamp_out(out, x, min, max);                                           \
  }
TAPIR_CLAMP_OUT(Scalar)
TAPIR_CLAMP_OUT(Tensor)
#undef TAPIR_CLAMP_OUT

namespace {
constexpr auto chosen = [](const Tensor& g, const Tensor& mask) { return where(mask, g, Scalar(0)); };
constexpr auto not_chosen = [](const Tensor& g, const Tensor& mask) { return where(mask, Scalar(0), g); };
}  // namespace

Tensor fmax(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::fmax, "FmaxBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return chosen(g, logical_or(ge(u, v), isnan(v)));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return not_chosen(g, logical_or(ge(u, v), isnan(v)));
      });
}
Tensor fmin(const Tensor& a, const Tensor& b) {
  return binary<kReadsBoth, kReadsBoth>(
      Pointwise::fmin, "FminBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return chosen(g, logical_or(le(u, v), isnan(v)));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return not_chosen(g, logical_or(le(u, v), isnan(v)));
      });
}

Tensor heaviside(const Tensor& x, const Tensor& values) {
  return binary<kReadsNone, kReadsA>(
      Pointwise::heaviside, "HeavisideBackward", x, values,
      [](const Tensor& g, const Tensor&, const Tensor&) { return zero_gradient(g); },
      [](const Tensor& g, const Tensor& u, const Tensor&) { return chosen(g, eq(u, Scalar(0))); });
}

namespace {
struct ThresholdBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "ThresholdBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, not_chosen(g[0], le(saved(0), threshold))); }
  Scalar threshold;
};
struct NanToNumBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "NanToNumBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, chosen(g[0], isfinite(saved(0)))); }
};
double largest_of(DType d) {
  return d == kFloat64 ? DBL_MAX : d == kFloat32 ? FLT_MAX : d == kFloat16 ? 65504.0 : 0x1.fep127;
}
}  // namespace

Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value) {
  Tensor y = raw::unary(Pointwise::threshold, x, {threshold, value});
  if (recording(x)) {
    auto* node = record<ThresholdBackward>(TAPIR_HERE, y, x);
    node->threshold = threshold;
    node->save(x);
  }
  return y;
}
Tensor& threshold_(Tensor& x, const Scalar& threshold, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(x, "threshold_",
                         [&](const Tensor& v) { return tapir::threshold(v, threshold, value); });
  return x;
}
Tensor& threshold_out(Tensor& out, const Tensor& x, const Scalar& threshold, const Scalar& value) {
  return detail::assign_out(out, "threshold", {x}, [&] { return tapir::threshold(x, threshold, value); });
}

Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!is_floating_point(x.dtype())) return raw::clone(x);
  const double largest = largest_of(x.dtype());
  const auto replace = [](const Tensor& v, const Tensor& mask, double by) {
    return raw::ternary(Pointwise::where, mask, Scalar(by), v);
  };
  Tensor y = replace(x, raw::unary(Pointwise::isnan, x), nan.value_or(0));
  y = replace(y, raw::unary(Pointwise::isposinf, x), posinf.value_or(largest));
  y = replace(y, raw::unary(Pointwise::isneginf, x), neginf.value_or(-largest));
  if (recording(x)) record<NanToNumBackward>(TAPIR_HERE, y, x)->save(x);
  return y;
}
Tensor& nan_to_num_out(Tensor& out, const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                       std::optional<double> neginf) {
  return detail::assign_out(out, "nan_to_num", {x}, [&] { return nan_to_num(x, nan, posinf, neginf); });
}

// --- methods ---

Tensor Tensor::clamp(std::nullopt_t, const std::optional<Scalar>& max) const {
  CallSite site(TAPIR_HERE);
  return clamp(std::optional<Scalar>(), max);
}
Tensor& Tensor::clamp_(std::nullopt_t, const std::optional<Scalar>& max) const {
  CallSite site(TAPIR_HERE);
  return clamp_(std::optional<Scalar>(), max);
}

#define TAPIR_CLAMP(Bound, name)                                                                           \
  Tensor Tensor::name(const std::optional<Bound>& min, const std::optional<Bound>& max) const {            \
    CallSite site(TAPIR_HERE);                                                                             \
    return tapir::clamp(*this, min, max);                                                                  \
  }                                                                                                        \
  Tensor& Tensor::name##_(const std::optional<Bound>& min, const std::optional<Bound>& max) const {        \
    CallSite site(TAPIR_HERE);                                                                             \
    detail::assign_inplace(self(), #name "_", [&](const Tensor& x) { return tapir::clamp(x, min, max); }); \
    return self();                                                                                         \
  }
TAPIR_CLAMP(Scalar, clamp)
TAPIR_CLAMP(Tensor, clamp)
TAPIR_CLAMP(Scalar, clip)
TAPIR_CLAMP(Tensor, clip)
#undef TAPIR_CLAMP
#define TAPIR_CLAMP(Bound, name)                                                                       \
  Tensor Tensor::name(const Bound& bound) const {                                                      \
    CallSite site(TAPIR_HERE);                                                                         \
    return tapir::name(*this, bound);                                                                  \
  }                                                                                                    \
  Tensor& Tensor::name##_(const Bound& bound) const {                                                  \
    CallSite site(TAPIR_HERE);                                                                         \
    detail::assign_inplace(self(), #name "_", [&](const Tensor& x) { return tapir::name(x, bound); }); \
    return self();                                                                                     \
  }
TAPIR_CLAMP(Scalar, clamp_min)
TAPIR_CLAMP(Tensor, clamp_min)
TAPIR_CLAMP(Scalar, clamp_max)
TAPIR_CLAMP(Tensor, clamp_max)
#undef TAPIR_CLAMP

Tensor Tensor::nan_to_num(std::optional<double> nan, std::optional<double> posinf,
                          std::optional<double> neginf) const {
  CallSite site(TAPIR_HERE);
  return tapir::nan_to_num(*this, nan, posinf, neginf);
}
Tensor& Tensor::nan_to_num_(std::optional<double> nan, std::optional<double> posinf,
                            std::optional<double> neginf) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "nan_to_num_",
                         [&](const Tensor& x) { return tapir::nan_to_num(x, nan, posinf, neginf); });
  return self();
}

}  // namespace tapir
