// The regularised incomplete gamma functions of doubles, for the host and CUDA code; functors.h gives them to
// the kernels.
//
// Below x = a + 1 the power series, whose terms are positive; above it Legendre's continued fraction, by
// Lentz's method; for a beyond 1e7 the first terms of Temme's uniform expansion (Temme 1979; DLMF 8.7, 8.9,
// 8.12). The relative error is below 1e-12 where the result exceeds 1e-200.
#pragma once

#include "tapir/tensor/special.h"

namespace tapir::special_functions {

/// m - log(1 + m), which loses no digits at small m.
TAPIR_HD double excess_of_log(double m) {
  if (::fabs(m) > 0.5) return m - ::log1p(m);
  const double r = m / (2 + m), s = r * r;
  double sum = 0, power = 1;
  for (int k = 3; k < 40 && power > 1e-18; k += 2, power *= s) sum += power / k;
  return m * r - 2 * r * s * sum;
}

/// x^a e^-x / Gamma(a + 1)
TAPIR_HD double gamma_prefactor(double a, double x) {
  if (a < 10) return ::exp(a * ::log(x) - x - lgamma(a + 1));
  const double z = 1 / (a * a);
  const double stirling =
      horner(z, 1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156) / a;
  const double ratio = x / a, m = (x - a) / a;
  const double excess = ratio < 0.5 ? m - ::log(ratio) : excess_of_log(m);
  return ::exp(-a * excess - stirling) / ::sqrt(2 * kPi * a);
}

/// (P, Q)(a, x) for 0 < a, x < infinity: the one that is not small is 1 minus the other.
TAPIR_HD double incomplete_gamma(double a, double x, bool upper) {
  if (a > 1e7) {
    const double m = (x - a) / a, eta = ::copysign(::sqrt(2 * excess_of_log(m)), m);
    const double first = ::fabs(eta) < 1e-4 ? -1.0 / 3 + eta / 12 : 1 / m - 1 / eta;
    const double rest = ::exp(-a * eta * eta / 2) / ::sqrt(2 * kPi * a) * first;
    const double q = ::erfc(eta * ::sqrt(a / 2)) / 2, p = ::erfc(-eta * ::sqrt(a / 2)) / 2;
    return upper ? q + rest : p - rest;
  }
  if (upper && a < 1 && x <= 1.1) {  // 1 - x^a / Gamma(a + 1) (1 + sum), without the cancellation
    double sum = 0, term = 1;
    for (int n = 1; n < 60; ++n) {
      term *= -x / n;
      sum += term * a / (a + n);
    }
    const double log_factorial = a < 1e-3 ? a * horner(a, -0.5772156649015329, 0.8224670334241132,
                                                       -0.40068563438653143, 0.27058080842778454)
                                          : lgamma(a + 1);
    const double log_power = a * ::log(x) - log_factorial;
    return -::expm1(log_power) - ::exp(log_power) * sum;
  }
  const double prefactor = gamma_prefactor(a, x);
  if (x < a + 1) {
    double sum = 1, term = 1;
    for (int n = 1; n < 100000 && term > sum * 1e-17; ++n) {
      term *= x / (a + n);
      sum += term;
    }
    const double p = prefactor * sum;
    return upper ? 1 - p : p;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (int n = 1; n < 100000; ++n) {
    const double numerator = n * (a - n);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= c * d;
    if (::fabs(c * d - 1) < 1e-16) break;
  }
  const double q = prefactor * a * fraction;
  return upper ? q : 1 - q;
}

/// P(a, x) = 1 / Gamma(a) times the integral of t^(a - 1) e^-t from 0 to x, and Q = 1 - P.
TAPIR_HD double igamma(double a, double x) {
  if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0) || (a == HUGE_VAL && x == HUGE_VAL)) return NAN;
  if (a == 0 || x == HUGE_VAL) return 1;
  if (x == 0 || a == HUGE_VAL) return 0;
  return incomplete_gamma(a, x, false);
}
TAPIR_HD double igammac(double a, double x) {
  if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0) || (a == HUGE_VAL && x == HUGE_VAL)) return NAN;
  if (a == 0 || x == HUGE_VAL) return 0;
  if (x == 0 || a == HUGE_VAL) return 1;
  return incomplete_gamma(a, x, true);
}

}  // namespace tapir::special_functions
