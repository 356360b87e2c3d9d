// The functors of pointwise.def for plain numbers: float, double and Int, on the host and in CUDA code. The
// formulas are in functors.def.
#pragma once

#include <cmath>
#include <cstdint>

#include "tapir/tensor/incomplete_gamma.h"
#include "tapir/tensor/macros.h"
#include "tapir/tensor/special.h"

namespace tapir::functors {

/// An int64 whose arithmetic wraps.
struct Int {
  int64_t v;
  TAPIR_HD Int() : v(0) {}
  TAPIR_HD explicit Int(int64_t value) : v(value) {}
  TAPIR_HD explicit operator int64_t() const { return v; }
  TAPIR_HD static Int wrap(uint64_t value) { return Int(static_cast<int64_t>(value)); }
  TAPIR_HD uint64_t u() const { return static_cast<uint64_t>(v); }
};
TAPIR_HD Int operator+(Int a, Int b) { return Int::wrap(a.u() + b.u()); }
TAPIR_HD Int operator-(Int a, Int b) { return Int::wrap(a.u() - b.u()); }
TAPIR_HD Int operator*(Int a, Int b) { return Int::wrap(a.u() * b.u()); }
TAPIR_HD Int operator-(Int a) { return Int::wrap(0 - a.u()); }
TAPIR_HD bool operator==(Int a, Int b) { return a.v == b.v; }
TAPIR_HD bool operator!=(Int a, Int b) { return a.v != b.v; }
TAPIR_HD bool operator<(Int a, Int b) { return a.v < b.v; }
TAPIR_HD bool operator<=(Int a, Int b) { return a.v <= b.v; }
TAPIR_HD bool operator>(Int a, Int b) { return a.v > b.v; }
TAPIR_HD bool operator>=(Int a, Int b) { return a.v >= b.v; }
TAPIR_HD Int operator~(Int a) { return Int::wrap(~a.u()); }
TAPIR_HD Int operator&(Int a, Int b) { return Int::wrap(a.u() & b.u()); }
TAPIR_HD Int operator|(Int a, Int b) { return Int::wrap(a.u() | b.u()); }
TAPIR_HD Int operator^(Int a, Int b) { return Int::wrap(a.u() ^ b.u()); }
/// Shifts by 64 bits and more, or by a negative count, move every bit out.
TAPIR_HD Int operator<<(Int a, Int b) { return Int::wrap(b.u() < 64 ? a.u() << b.u() : 0); }
TAPIR_HD Int operator>>(Int a, Int b) { return Int(a.v >> (b.u() < 64 ? b.v : 63)); }

template <class T>
TAPIR_HD T select(bool condition, T a, T b) {
  return condition ? a : b;
}

#define TAPIR_NUMBER_FUNCTION(name, std_name)               \
  TAPIR_HD float name(float x) { return ::std_name##f(x); } \
  TAPIR_HD double name(double x) { return ::std_name(x); }
TAPIR_NUMBER_FUNCTION(abs, fabs)
TAPIR_NUMBER_FUNCTION(floor, floor)
TAPIR_NUMBER_FUNCTION(ceil, ceil)
TAPIR_NUMBER_FUNCTION(round, rint)  // half to even: the rounding mode is never changed
TAPIR_NUMBER_FUNCTION(trunc, trunc)
TAPIR_NUMBER_FUNCTION(exp, exp)
TAPIR_NUMBER_FUNCTION(expm1, expm1)
TAPIR_NUMBER_FUNCTION(log, log)
TAPIR_NUMBER_FUNCTION(log1p, log1p)
TAPIR_NUMBER_FUNCTION(sqrt, sqrt)
TAPIR_NUMBER_FUNCTION(sin, sin)
TAPIR_NUMBER_FUNCTION(cos, cos)
TAPIR_NUMBER_FUNCTION(tanh, tanh)
TAPIR_NUMBER_FUNCTION(erf, erf)
TAPIR_NUMBER_FUNCTION(exp2, exp2)
TAPIR_NUMBER_FUNCTION(log2, log2)
TAPIR_NUMBER_FUNCTION(log10, log10)
TAPIR_NUMBER_FUNCTION(sinh, sinh)
TAPIR_NUMBER_FUNCTION(cosh, cosh)
TAPIR_NUMBER_FUNCTION(tan, tan)
TAPIR_NUMBER_FUNCTION(asin, asin)
TAPIR_NUMBER_FUNCTION(acos, acos)
TAPIR_NUMBER_FUNCTION(atan, atan)
TAPIR_NUMBER_FUNCTION(asinh, asinh)
TAPIR_NUMBER_FUNCTION(acosh, acosh)
TAPIR_NUMBER_FUNCTION(atanh, atanh)
TAPIR_NUMBER_FUNCTION(erfc, erfc)
#undef TAPIR_NUMBER_FUNCTION
#define TAPIR_NUMBER_FUNCTION_2(name, std_name)                         \
  TAPIR_HD float name(float a, float b) { return ::std_name##f(a, b); } \
  TAPIR_HD double name(double a, double b) { return ::std_name(a, b); }
TAPIR_NUMBER_FUNCTION_2(fmod, fmod)
TAPIR_NUMBER_FUNCTION_2(atan2, atan2)
TAPIR_NUMBER_FUNCTION_2(hypot, hypot)
TAPIR_NUMBER_FUNCTION_2(next_after, nextafter)
TAPIR_NUMBER_FUNCTION_2(copy_sign, copysign)
#undef TAPIR_NUMBER_FUNCTION_2
// The special functions are computed in double.
#define TAPIR_SPECIAL_FUNCTION(name)                                            \
  TAPIR_HD float name(float x) {                                                \
    return static_cast<float>(special_functions::name(static_cast<double>(x))); \
  }                                                                             \
  TAPIR_HD double name(double x) { return special_functions::name(x); }
TAPIR_SPECIAL_FUNCTION(erfinv)
TAPIR_SPECIAL_FUNCTION(erfcx)
TAPIR_SPECIAL_FUNCTION(ndtr)
TAPIR_SPECIAL_FUNCTION(ndtri)
TAPIR_SPECIAL_FUNCTION(log_ndtr)
TAPIR_SPECIAL_FUNCTION(lgamma)
TAPIR_SPECIAL_FUNCTION(digamma)
TAPIR_SPECIAL_FUNCTION(i0)
TAPIR_SPECIAL_FUNCTION(i0e)
TAPIR_SPECIAL_FUNCTION(i1)
TAPIR_SPECIAL_FUNCTION(i1e)
#undef TAPIR_SPECIAL_FUNCTION
#define TAPIR_SPECIAL_FUNCTION_2(name)                                                                  \
  TAPIR_HD float name(float a, float b) {                                                               \
    return static_cast<float>(special_functions::name(static_cast<double>(a), static_cast<double>(b))); \
  }                                                                                                     \
  TAPIR_HD double name(double a, double b) { return special_functions::name(a, b); }
TAPIR_SPECIAL_FUNCTION_2(zeta)
TAPIR_SPECIAL_FUNCTION_2(igamma)
TAPIR_SPECIAL_FUNCTION_2(igammac)
TAPIR_SPECIAL_FUNCTION_2(polygamma)
#undef TAPIR_SPECIAL_FUNCTION_2
TAPIR_HD float pow(float x, float y) { return ::powf(x, y); }
TAPIR_HD double pow(double x, double y) { return ::pow(x, y); }
TAPIR_HD bool is_nan(float x) { return x != x; }
TAPIR_HD bool is_nan(double x) { return x != x; }
TAPIR_HD bool is_inf(float x) { return abs(x) == HUGE_VALF; }
TAPIR_HD bool is_inf(double x) { return abs(x) == HUGE_VAL; }
/// 1 / (1 + exp(-x)), also where exp(-x) would overflow.
template <class T>
TAPIR_HD T sigmoid(T x) {
  const T z = exp(-abs(x));
  return (x < T(0) ? z : T(1)) / (T(1) + z);
}

TAPIR_HD bool sign_bit(float x) { return copy_sign(1.0f, x) < 0; }
TAPIR_HD bool sign_bit(double x) { return copy_sign(1.0, x) < 0; }
/// a / b without its fraction.
template <class T>
TAPIR_HD T quotient(T a, T b) {
  return trunc(a / b);
}
/// a - b floor(a / b), exactly, with the sign of b.
template <class T>
TAPIR_HD T remainder(T a, T b) {
  const T r = fmod(a, b);
  return r != T(0) && (b < T(0)) != (r < T(0)) ? r + b : r;
}
/// floor(a / b), where a - remainder(a, b) is divided, so that both agree; a / b where b is 0.
template <class T>
TAPIR_HD T floor_divide(T a, T b) {
  if (b == T(0)) return a / b;
  const T r = fmod(a, b);
  T q = (a - r) / b;
  if (r != T(0) && (b < T(0)) != (r < T(0))) q = q - T(1);
  if (q == T(0)) return copy_sign(T(0), a / b);
  const T f = floor(q);
  return q - f > T(0.5) ? f + T(1) : f;
}

TAPIR_HD Int abs(Int x) { return x.v < 0 ? -x : x; }
TAPIR_HD Int floor(Int x) { return x; }
TAPIR_HD Int ceil(Int x) { return x; }
TAPIR_HD Int round(Int x) { return x; }
TAPIR_HD Int trunc(Int x) { return x; }
TAPIR_HD bool sign_bit(Int x) { return x.v < 0; }
// Division by zero is refused before the kernel; here it gives 0, and the most negative number by -1 itself.
TAPIR_HD Int quotient(Int a, Int b) { return b.v == 0 ? Int(0) : b.v == -1 ? -a : Int(a.v / b.v); }
TAPIR_HD Int fmod(Int a, Int b) { return b.v == 0 || b.v == -1 ? Int(0) : Int(a.v % b.v); }
TAPIR_HD Int remainder(Int a, Int b) {
  const Int r = fmod(a, b);
  return r.v != 0 && (b.v < 0) != (r.v < 0) ? r + b : r;
}
TAPIR_HD Int floor_divide(Int a, Int b) {
  const Int q = quotient(a, b);
  return b.v != 0 && q * b != a && (a.v < 0) != (b.v < 0) ? q - Int(1) : q;
}
/// The greatest common divisor, not negative; gcd(0, 0) is 0.
TAPIR_HD Int gcd(Int a, Int b) {
  uint64_t x = abs(a).u(), y = abs(b).u();
  while (y != 0) {
    const uint64_t r = x % y;
    x = y;
    y = r;
  }
  return Int::wrap(x);
}
/// The least common multiple, not negative; 0 where either is 0.
TAPIR_HD Int lcm(Int a, Int b) {
  const Int g = gcd(a, b);
  return g.v == 0 ? Int(0) : abs(Int::wrap(abs(a).u() / g.u()) * b);
}
TAPIR_HD bool is_nan(Int) { return false; }
TAPIR_HD bool is_inf(Int) { return false; }
/// x to the power of y, wrapping. A negative power is the quotient 1 / x^-y cut to an integer; 0 where x is
/// 0.
TAPIR_HD Int pow(Int x, Int y) {
  if (y.v < 0) {
    if (x.v == 1) return x;
    if (x.v == -1) return (y.u() & 1) ? x : -x;
    return Int(0);
  }
  Int result(1);
  for (uint64_t n = y.u(); n; n >>= 1) {
    if (n & 1) result = result * x;
    x = x * x;
  }
  return result;
}

#define TAPIR_FN TAPIR_HD
#include "tapir/tensor/functors.def"
#undef TAPIR_FN

}  // namespace tapir::functors
