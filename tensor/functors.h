// The functors of pointwise.def for plain numbers: float, double and Int, on the host and in CUDA code. The
// formulas are in functors.def.
#pragma once

#include <cmath>
#include <cstdint>

#include "tapir/tensor/macros.h"

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
#undef TAPIR_NUMBER_FUNCTION
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

TAPIR_HD Int abs(Int x) { return x.v < 0 ? -x : x; }
TAPIR_HD Int floor(Int x) { return x; }
TAPIR_HD Int ceil(Int x) { return x; }
TAPIR_HD Int round(Int x) { return x; }
TAPIR_HD Int trunc(Int x) { return x; }
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
