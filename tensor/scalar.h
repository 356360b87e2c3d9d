// A single number with its kind: floating, integer or bool.
#pragma once

#include <concepts>
#include <cstdint>

#include "tapir/tensor/dtype.h"

namespace tapir {

/// A C++ number as an operand. Its kind takes part in type promotion as PyTorch's Python scalars do: a
/// floating scalar turns an integer tensor into the default dtype, and leaves a float16 tensor float16.
class Scalar {
 public:
  constexpr Scalar() : Scalar(int64_t{0}) {}
  constexpr Scalar(bool v) : integer_(v), real_(v), kind_(kBool) {}  // NOLINT
  template <std::integral I>
  requires(!std::same_as<I, bool>) constexpr Scalar(I v)
      : integer_(static_cast<int64_t>(v)), real_(static_cast<double>(v)), kind_(kInt64) {}  // NOLINT
  template <std::floating_point F>
  constexpr Scalar(F v) : integer_(0), real_(static_cast<double>(v)), kind_(kFloat64) {}  // NOLINT
  Scalar(Half v) : Scalar(static_cast<float>(v)) {}                                       // NOLINT
  Scalar(BFloat16 v) : Scalar(static_cast<float>(v)) {}                                   // NOLINT

  /// kBool, kInt64 or kFloat64.
  constexpr DType type() const { return kind_; }
  constexpr bool isFloatingPoint() const { return kind_ == kFloat64; }
  constexpr bool isIntegral(bool include_bool = false) const {
    return kind_ == kInt64 || (include_bool && kind_ == kBool);
  }
  constexpr bool isBoolean() const { return kind_ == kBool; }

  constexpr double to_double() const { return real_; }
  /// The value cut to an integer. A floating value outside int64 gives the nearest int64, NaN gives 0.
  constexpr int64_t to_int64() const {
    if (kind_ != kFloat64) return integer_;
    if (real_ != real_) return 0;
    if (real_ >= 9223372036854775807.0) return INT64_MAX;
    if (real_ <= -9223372036854775808.0) return INT64_MIN;
    return static_cast<int64_t>(real_);
  }
  template <class T>
  T to() const {
    if constexpr (std::same_as<T, bool>) {
      return real_ != 0.0;
    } else if constexpr (std::integral<T>) {
      return static_cast<T>(to_int64());
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(real_);
    } else {
      return T(static_cast<float>(real_));
    }
  }
  float toFloat() const { return to<float>(); }
  double toDouble() const { return real_; }
  int toInt() const { return to<int>(); }
  int64_t toLong() const { return to_int64(); }
  bool toBool() const { return to<bool>(); }
  Scalar operator-() const { return isFloatingPoint() ? Scalar(-real_) : Scalar(-integer_); }

 private:
  int64_t integer_;
  double real_;
  DType kind_;
};

}  // namespace tapir
