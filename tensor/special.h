// Special functions of doubles, for the host and CUDA code; functors.h gives them to the kernels of both
// number types.
//
// The methods are the classical ones (Abramowitz and Stegun; DLMF): power series with positive terms,
// recurrences, asymptotic series and Euler-Maclaurin sums. The relative error against values to 20 digits
// (tests/test_special.cpp) is below 2e-15, but for these: ndtr and log_ndtr round x / sqrt(2), which costs
// x^2 ulp, and next to their zeros at negative x lgamma and digamma are exact to an absolute 1e-15.
#pragma once

#include <cmath>
#include <cstdint>

#include "tapir/tensor/macros.h"

namespace tapir::special_functions {

inline constexpr double kPi = 3.141592653589793;
inline constexpr double kSqrtHalf = 0.7071067811865476;
inline constexpr double kTwoOverSqrtPi = 1.1283791670955126;

TAPIR_HD double horner(double, double c) { return c; }
/// c + c1 x + c2 x^2 + ...
template <class... C>
TAPIR_HD double horner(double x, double c, C... higher) {
  return c + x * horner(x, higher...);
}

/// log|Gamma(x)|; infinite at 0, -1, -2, ...
TAPIR_HD double lgamma(double x) {
#if defined(__CUDA_ARCH__) || !defined(__GLIBC__)
  return ::lgamma(x);
#else
  int sign;  // the plain form writes a global
  return ::lgamma_r(x, &sign);
#endif
}

/// tan(pi x) and sin(pi x), from the exact distance to the nearest integer.
TAPIR_HD double tan_pi(double x) { return ::tan(kPi * (x - ::rint(x))); }
TAPIR_HD double sin_pi(double x) {
  const double n = ::rint(x), s = ::sin(kPi * (x - n));
  return ::fmod(n, 2.0) == 0 ? s : -s;
}

/// d/dx log Gamma(x). -inf at 0, inf at -0, NaN at -1, -2, ... and -inf.
TAPIR_HD double digamma(double x) {
  if (x == 0) return ::copysign(static_cast<double>(HUGE_VAL), -x);
  double result = 0;
  if (x < 0) {  // reflection
    if (x == ::floor(x)) return NAN;
    result = -kPi / tan_pi(x);
    x = 1 - x;
  }
  constexpr double kRoot = 1.4616321449683622, kRootLow = 9.549995429965697e-17;
  if (result == 0 && ::fabs(x - kRoot) < 0.25) {
    const double t = (x - kRoot) - kRootLow;
    return t * horner(t, 0.9676722454476212, -0.4427631689835921, 0.2584997609556687, -0.16394270544241848,
                      0.10782405068533203, -0.0721995612524203, 0.04880428892148331, -0.03316112699106676,
                      0.022597600809565983, -0.015424733542520136, 0.010540400158698822,
                      -0.007205633011980552, 0.004896699525178498, -0.003349242556708889,
                      0.0025946399833986456, -0.0017749087396869436);
  }
  while (x < 10) {
    result -= 1 / x;
    x += 1;
  }
  if (x > 1e17) return result + ::log(x);
  const double z = 1 / (x * x);  // Bernoulli numbers over 2k
  return result + ::log(x) - 0.5 / x -
         z * horner(z, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12);
}

/// d/dx digamma(x). Infinite at 0, -1, -2, ...
TAPIR_HD double trigamma(double x) {
  double result = 0, sign = 1;
  if (x <= 0) {  // reflection
    if (x == ::floor(x)) return HUGE_VAL;
    const double s = sin_pi(x);
    result = -kPi * kPi / (s * s);
    sign = -1;
    x = 1 - x;
  }
  while (x < 10) {
    result += 1 / (x * x);
    x += 1;
  }
  const double z = 1 / (x * x);  // Bernoulli numbers
  return sign *
         (result + 1 / x + 0.5 * z +
          z / x * horner(z, 1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6));
}

/// The sum of (q + k)^-x over k = 0, 1, ..., x > 1, by Euler and Maclaurin; q is no pole.
TAPIR_HD double hurwitz_sum(double x, double q) {
  double sum = 0, a = q;
  for (int k = 0; k < 12 || a <= 9; ++k, a += 1) {
    const double term = ::pow(a, -x);
    sum += term;
    if (a > 0 && term <= sum * 1e-17) return sum;
  }
  // the tail from a on; coefficients are Bernoulli numbers over (2k)!
  constexpr double c[] = {0.08333333333333333,    -0.001388888888888889,   3.306878306878307e-05,
                          -8.267195767195768e-07, 2.08767569878681e-08,    -5.284190138687493e-10,
                          1.3382536530684679e-11, -3.3896802963225827e-13, 8.586062056277845e-15,
                          -2.174868698558062e-16, 5.5090028283602295e-18,  -1.3954464685812522e-19};
  const double power = ::pow(a, -x);
  sum += a * power / (x - 1) + 0.5 * power;
  double factor = x * power / a;
  for (int k = 0; k < 12; ++k) {
    const double term = c[k] * factor;
    sum += term;
    if (::fabs(term) < ::fabs(sum) * 1e-17) break;
    factor *= (x + 2 * k + 1) / a * ((x + 2 * k + 2) / a);
  }
  return sum;
}

/// Hurwitz's zeta function, that sum. NaN for x < 1, and for a negative q where x is not an integer; infinite
/// at the poles.
TAPIR_HD double zeta(double x, double q) {
  if (x == 1) return HUGE_VAL;
  if (!(x > 1) || q != q) return NAN;
  if (q <= 0) {
    if (q == ::floor(q)) return HUGE_VAL;
    if (x != ::floor(x)) return NAN;
  }
  if (q >= -30) return hurwitz_sum(x, q);
  // The sum over all integers depends on the fraction of q only.
  const double f = q - ::floor(q), rest = hurwitz_sum(x, 1 - f) - hurwitz_sum(x, 1 - q);
  return hurwitz_sum(x, f) + (::fmod(x, 2.0) == 0 ? rest : -rest);
}

/// n-th derivative of digamma, n = 0, 1, 2, ...
TAPIR_HD double polygamma(double n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  const double value = ::exp(lgamma(n + 1)) * zeta(n + 1, x);
  return ::fmod(n, 2.0) == 0 ? -value : value;
}

/// The x with erf(x) = y, from y and the exact rest = 1 - |y|: Winitzki's approximation, then three of
/// Halley's steps, which each triple the digits.
TAPIR_HD double inverse_erf(double y, double rest) {
  if (!(rest >= 0)) return NAN;
  if (rest == 0) return ::copysign(static_cast<double>(HUGE_VAL), y);
  const double a = ::fabs(y);
  if (a < 1e-9) return y / kTwoOverSqrtPi;
  constexpr double kA = 0.147;
  const double l = ::log(rest * (1 + a)), h = 2 / (kPi * kA) + l / 2;
  double x = ::sqrt(::sqrt(h * h - l / kA) - h);
  for (int i = 0; i < 3; ++i) {
    const double excess = a < 0.5 ? ::erf(x) - a : rest - ::erfc(x);
    const double u = excess / (kTwoOverSqrtPi * ::exp(-x * x));
    x -= u / (1 + x * u);
  }
  return ::copysign(x, y);
}
TAPIR_HD double erfinv(double y) { return inverse_erf(y, 1 - ::fabs(y)); }

/// exp(x^2) erfc(x)
TAPIR_HD double erfcx(double x) {
  if (x < -27) return HUGE_VAL;
  if (x > 25) {
    const double z = 1 / (x * x);
    return kTwoOverSqrtPi / 2 / x * horner(z, 1.0, -0.5, 0.75, -1.875, 6.5625, -29.53125, 162.421875);
  }
  const double square = x * x, low = ::fma(x, x, -square);
  return ::exp(square) * (1 + low) * ::erfc(x);
}

/// The normal distribution up to x, its logarithm, and its inverse.
TAPIR_HD double ndtr(double x) { return 0.5 * ::erfc(-x * kSqrtHalf); }
TAPIR_HD double log_ndtr(double x) {
  if (x < -1) return ::log(erfcx(-x * kSqrtHalf) / 2) - x * x / 2;
  return ::log1p(-::erfc(x * kSqrtHalf) / 2);
}
TAPIR_HD double ndtri(double p) { return inverse_erf(2 * p - 1, 2 * (p < 0.5 ? p : 1 - p)) / kSqrtHalf; }

/// exp(-|x|) I_n(x) for n = 0 or 1, without the sign: the power series in x^2 / 4, whose terms are positive,
/// or the asymptotic series in 1 / x, whose smallest term at x = 20 is below exp(-40).
template <int n>
TAPIR_HD double scaled_bessel_i(double x) {
  x = ::fabs(x);
  double sum = 1, term = 1;
  if (x < 20) {
    const double z = x * x / 4;
    for (int k = 1; k < 100 && term > sum * 1e-17; ++k) {
      term *= z / (k * (k + n));
      sum += term;
    }
    return ::exp(-x) * sum * (n == 0 ? 1 : x / 2);
  }
  for (int k = 1; k < 40 && ::fabs(term) > 1e-17; ++k) {
    term *= ((2.0 * k - 1) * (2.0 * k - 1) - 4 * n * n) / (8 * k * x);
    sum += term;
  }
  return sum / (2.5066282746310002 * ::sqrt(x));  // sqrt(2 pi x)
}
/// The modified Bessel functions of the first kind I_0 and I_1, and exp(-|x|) times them.
TAPIR_HD double i0e(double x) { return scaled_bessel_i<0>(x); }
TAPIR_HD double i1e(double x) { return x != x ? x : ::copysign(scaled_bessel_i<1>(x), x); }
TAPIR_HD double i0(double x) {
  const double e = ::exp(::fabs(x) / 2);  // in halves: e^x overflows before I_0 does
  return e < HUGE_VAL ? e * i0e(x) * e : e;
}
TAPIR_HD double i1(double x) {
  const double e = ::exp(::fabs(x) / 2);
  return e < HUGE_VAL ? e * i1e(x) * e : ::copysign(e, x);
}

}  // namespace tapir::special_functions
