// A single number with its kind: floating, integer or bool.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>

#include "tapir/tensor/dtype.h"

namespace tapir {

class Scalar;
namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void scalar_overflow(const Scalar& value, size_t bits, const char* kind);
}  // namespace detail

/// A C++ number as an operand. Its kind takes part in type promotion as PyTorch's Python scalars do: a
/// floating scalar turns an integer tensor into the default dtype, and leaves a float16 tensor float16.
class Scalar {
 public:
  constexpr Scalar() : Scalar(int64_t{0}) {}
  template <std::same_as<bool> B>
  constexpr Scalar(B v) : integer_(v), real_(v), kind_(kBool) {}  // NOLINT: exactly bool, no pointer
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
  /// The value as a T, cut where T is an integer. Throws ValueError where T does not hold it: NaN, an
  /// infinity or too large a number for an integer type, too large a finite one for float. Of a negative
  /// integer an unsigned type takes the value modulo its range.
  template <class T>
  T to() const {
    if constexpr (std::integral<T> && !std::same_as<T, bool>) {
      if (!fits<T>()) [[unlikely]]
        detail::scalar_overflow(*this, sizeof(T) * 8, std::signed_integral<T> ? "int" : "uint");
    } else if constexpr (std::same_as<T, float>) {
      constexpr double kMost = std::numeric_limits<float>::max();
      if ((real_ > kMost || real_ < -kMost) && real_ - real_ == 0) [[unlikely]]
        detail::scalar_overflow(*this, 32, "float");
    }
    return cast<T>();
  }
  /// Whether the integer type T (not bool) holds the value, cut to an integer.
  template <class T>
  bool fits() const {
    using Limits = std::numeric_limits<T>;
    if (kind_ == kFloat64) {
      // 2^digits is exact as a double, where the greatest T itself may not be.
      const double above = 2.0 * static_cast<double>(T{1} << (Limits::digits - 1));
      return real_ < above && (std::signed_integral<T> ? real_ >= -above : real_ > -1);
    }
    if constexpr (std::signed_integral<T>) return integer_ >= Limits::min() && integer_ <= Limits::max();
    const uint64_t size =
        integer_ < 0 ? uint64_t{0} - static_cast<uint64_t>(integer_) : static_cast<uint64_t>(integer_);
    return size <= Limits::max();
  }
  /// The same without a check: integers are cut to the bits of T, or to the nearest int64 first.
  template <class T>
  T cast() const {
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
  int64_t toLong() const { return to<int64_t>(); }
  bool toBool() const { return to<bool>(); }
  Scalar operator-() const { return isFloatingPoint() ? Scalar(-real_) : Scalar(-integer_); }

 private:
  int64_t integer_;
  double real_;
  DType kind_;
};

}  // namespace tapir
