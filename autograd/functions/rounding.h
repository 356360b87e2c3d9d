// Division with rounding, its remainders, and rounding itself. What is said at the head of pointwise.h holds
// here too. An integer divided by zero throws ValueError; a floating-point number gives inf or NaN.
#pragma once

#include <optional>
#include <string_view>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// x - trunc(x), for floating-point tensors; derivative 1
TAPIR_API Tensor frac(const Tensor& x);
/// The nearest multiple of 10^-decimals, halves to even, for floating-point tensors; derivative 0
TAPIR_API Tensor round(const Tensor& x, int64_t decimals);
inline Tensor& round_(Tensor& x, int64_t decimals) { return x.round_(decimals); }
TAPIR_API Tensor& round_out(Tensor& out, const Tensor& x, int64_t decimals);

/// floor(a / b); derivative 0
TAPIR_API Tensor floor_divide(const Tensor& a, const Tensor& b);
/// a - b * floor(a / b), with the sign of b as Python's %. With respect to b the derivative is -floor(a / b).
TAPIR_API Tensor remainder(const Tensor& a, const Tensor& b);
TAPIR_API Tensor& remainder_out(Tensor& out, const Scalar& a, const Tensor& b);
/// a - b * trunc(a / b), with the sign of a as C's fmod. With respect to b the derivative is -trunc(a / b).
TAPIR_API Tensor fmod(const Tensor& a, const Tensor& b);
/// a / b; with "floor" floor_divide, with "trunc" cut to an integer: these keep integer dtypes and have
/// derivative 0. Throws ValueError for another mode.
TAPIR_API Tensor div(const Tensor& a, const Tensor& b, std::optional<std::string_view> rounding_mode);
TAPIR_API Tensor div(const Tensor& a, const Scalar& b, std::optional<std::string_view> rounding_mode);
TAPIR_API Tensor& div_out(Tensor& out, const Tensor& a, const Tensor& b,
                          std::optional<std::string_view> rounding_mode);
inline Tensor divide(const Tensor& a, const Tensor& b, std::optional<std::string_view> rounding_mode) {
  return div(a, b, rounding_mode);
}
inline Tensor divide(const Tensor& a, const Scalar& b, std::optional<std::string_view> rounding_mode) {
  return div(a, b, rounding_mode);
}

/// The next number of the dtype (float32 or float64) after a in the direction of b. Its derivative is
/// refused.
TAPIR_API Tensor nextafter(const Tensor& a, const Tensor& b);

inline Tensor& divide_out(Tensor& out, const Tensor& a, const Tensor& b,
                          std::optional<std::string_view> rounding_mode) {
  return div_out(out, a, b, rounding_mode);
}

}  // namespace tapir
