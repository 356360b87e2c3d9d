// Bounds, choices between two numbers, and replacement of some numbers. What is said at the head of
// pointwise.h holds here too.
#pragma once

#include <optional>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// min(max(x, min), max); a bound may be left out, not both. The gradient passes where min <= x <= max.
TAPIR_API Tensor clamp(const Tensor& x, const std::optional<Scalar>& min,
                       const std::optional<Scalar>& max = std::nullopt);
inline Tensor clamp(const Tensor& x, std::nullopt_t, const std::optional<Scalar>& max = std::nullopt) {
  return clamp(x, std::optional<Scalar>(), max);
}
/// The same with bounds for each element, which broadcast. A bound that is taken gets the gradient.
TAPIR_API Tensor clamp(const Tensor& x, const std::optional<Tensor>& min,
                       const std::optional<Tensor>& max = std::nullopt);
/// max(x, min)
TAPIR_API Tensor clamp_min(const Tensor& x, const Scalar& min);
TAPIR_API Tensor clamp_min(const Tensor& x, const Tensor& min);
/// min(x, max)
TAPIR_API Tensor clamp_max(const Tensor& x, const Scalar& max);
TAPIR_API Tensor clamp_max(const Tensor& x, const Tensor& max);
TAPIR_API Tensor& clamp_out(Tensor& out, const Tensor& x, const std::optional<Scalar>& min,
                            const std::optional<Scalar>& max = std::nullopt);
TAPIR_API Tensor& clamp_out(Tensor& out, const Tensor& x, const std::optional<Tensor>& min,
                            const std::optional<Tensor>& max = std::nullopt);
TAPIR_API Tensor& clamp_min_out(Tensor& out, const Tensor& x, const Scalar& min);
TAPIR_API Tensor& clamp_min_out(Tensor& out, const Tensor& x, const Tensor& min);
TAPIR_API Tensor& clamp_max_out(Tensor& out, const Tensor& x, const Scalar& max);
TAPIR_API Tensor& clamp_max_out(Tensor& out, const Tensor& x, const Tensor& max);
TAPIR_API Tensor& clip_out(Tensor& out, const Tensor& x, const std::optional<Scalar>& min,
                           const std::optional<Scalar>& max = std::nullopt);
TAPIR_API Tensor& clip_out(Tensor& out, const Tensor& x, const std::optional<Tensor>& min,
                           const std::optional<Tensor>& max = std::nullopt);
/// g where low <= x <= high, else 0; differentiable, the backward of clamp
TAPIR_API Tensor clamp_backward(const Tensor& g, const Tensor& x, const Scalar& low, const Scalar& high);
/// clamp by another name
inline Tensor clip(const Tensor& x, const std::optional<Scalar>& min,
                   const std::optional<Scalar>& max = std::nullopt) {
  return clamp(x, min, max);
}
inline Tensor clip(const Tensor& x, const std::optional<Tensor>& min,
                   const std::optional<Tensor>& max = std::nullopt) {
  return clamp(x, min, max);
}
inline Tensor& clamp_(Tensor& x, const std::optional<Scalar>& min,
                      const std::optional<Scalar>& max = std::nullopt) {
  return x.clamp_(min, max);
}

inline Tensor& clamp_(Tensor& x, const std::optional<Tensor>& min,
                      const std::optional<Tensor>& max = std::nullopt) {
  return x.clamp_(min, max);
}
inline Tensor& clip_(Tensor& x, const std::optional<Scalar>& min,
                     const std::optional<Scalar>& max = std::nullopt) {
  return x.clamp_(min, max);
}
inline Tensor& clip_(Tensor& x, const std::optional<Tensor>& min,
                     const std::optional<Tensor>& max = std::nullopt) {
  return x.clamp_(min, max);
}
inline Tensor& clamp_min_(Tensor& x, const Scalar& min) { return x.clamp_min_(min); }
inline Tensor& clamp_min_(Tensor& x, const Tensor& min) { return x.clamp_min_(min); }
inline Tensor& clamp_max_(Tensor& x, const Scalar& max) { return x.clamp_max_(max); }
inline Tensor& clamp_max_(Tensor& x, const Tensor& max) { return x.clamp_max_(max); }

/// The larger; the number where one is NaN. At a tie the gradient goes to a.
TAPIR_API Tensor fmax(const Tensor& a, const Tensor& b);
/// The smaller; the number where one is NaN. At a tie the gradient goes to a.
TAPIR_API Tensor fmin(const Tensor& a, const Tensor& b);

/// 0 where x < 0, values where x = 0, 1 where x > 0; both of one dtype. Only `values` has a derivative other
/// than 0.
TAPIR_API Tensor heaviside(const Tensor& x, const Tensor& values);

/// `value` where x <= threshold, else x; the gradient passes in the second case
TAPIR_API Tensor threshold(const Tensor& x, const Scalar& threshold, const Scalar& value);
TAPIR_API Tensor& threshold_(Tensor& x, const Scalar& threshold, const Scalar& value);
TAPIR_API Tensor& threshold_out(Tensor& out, const Tensor& x, const Scalar& threshold, const Scalar& value);

/// x with NaN, inf and -inf replaced: by default by 0, the largest and the lowest number of the dtype. The
/// gradient passes where x is finite.
TAPIR_API Tensor nan_to_num(const Tensor& x, std::optional<double> nan = std::nullopt,
                            std::optional<double> posinf = std::nullopt,
                            std::optional<double> neginf = std::nullopt);
inline Tensor& nan_to_num_(Tensor& x, std::optional<double> nan = std::nullopt,
                           std::optional<double> posinf = std::nullopt,
                           std::optional<double> neginf = std::nullopt) {
  return x.nan_to_num_(nan, posinf, neginf);
}
TAPIR_API Tensor& nan_to_num_out(Tensor& out, const Tensor& x, std::optional<double> nan = std::nullopt,
                                 std::optional<double> posinf = std::nullopt,
                                 std::optional<double> neginf = std::nullopt);

}  // namespace tapir
