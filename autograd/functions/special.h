// Special functions, under PyTorch's names: those of namespace tapir here, those of torch.special in
// tapir::special. What is said at the head of pointwise.h holds here too: integers become the default dtype.
// The relative error in float64 is below 2e-15 away from zeros of the function (tensor/special.h says how
// they are computed).
#pragma once

#include "tapir/autograd/functions/elementary.h"

namespace tapir {

TAPIR_API Tensor erfc(const Tensor& x);     ///< 1 - erf(x), exact for large x
TAPIR_API Tensor erfinv(const Tensor& x);   ///< the y with erf(y) = x; NaN outside [-1, 1]
TAPIR_API Tensor lgamma(const Tensor& x);   ///< log|Gamma(x)|; infinite at 0, -1, -2, ...
TAPIR_API Tensor digamma(const Tensor& x);  ///< derivative of lgamma; -inf at 0, NaN at -1, -2, ...
TAPIR_API Tensor i0(const Tensor& x);       ///< modified Bessel function of the first kind of order 0
/// P(a, x), the integral of t^(a - 1) e^-t from 0 to x over that to infinity, and Q = 1 - P; NaN for negative
/// a or x. The derivative with respect to a is refused.
TAPIR_API Tensor igamma(const Tensor& a, const Tensor& x);
TAPIR_API Tensor igammac(const Tensor& a, const Tensor& x);
/// n-th derivative of digamma, n >= 0; for n > 1 NaN at negative x is not avoided at poles, which are
/// infinite. Throws ValueError for a negative n.
TAPIR_API Tensor polygamma(int64_t n, const Tensor& x);
TAPIR_API Tensor& polygamma_out(Tensor& out, int64_t n, const Tensor& x);
/// log of the multivariate gamma function of dimension p: p (p - 1) / 4 log(pi) + sum of lgamma(x - j / 2), j
/// < p. Throws ValueError for p < 1.
TAPIR_API Tensor mvlgamma(const Tensor& x, int64_t p);
TAPIR_API Tensor& mvlgamma_out(Tensor& out, const Tensor& x, int64_t p);

namespace special {

TAPIR_API Tensor i0e(const Tensor& x);       ///< e^-|x| i0(x)
TAPIR_API Tensor i1(const Tensor& x);        ///< modified Bessel function of the first kind of order 1
TAPIR_API Tensor i1e(const Tensor& x);       ///< e^-|x| i1(x)
TAPIR_API Tensor entr(const Tensor& x);      ///< -x log(x); 0 at 0, -inf below
TAPIR_API Tensor erfcx(const Tensor& x);     ///< e^(x^2) erfc(x)
TAPIR_API Tensor ndtr(const Tensor& x);      ///< the standard normal distribution up to x
TAPIR_API Tensor ndtri(const Tensor& x);     ///< the inverse of ndtr; NaN outside [0, 1]
TAPIR_API Tensor log_ndtr(const Tensor& x);  ///< log(ndtr(x)), exact for negative x
/// a log(1 + b); 0 where a is 0, unless b is NaN
TAPIR_API Tensor xlog1py(const Tensor& a, const Tensor& b);
TAPIR_API Tensor xlog1py(const Tensor& a, const Scalar& b);
TAPIR_API Tensor xlog1py(const Scalar& a, const Tensor& b);
/// Hurwitz's zeta function, the sum of (q + k)^-x over k = 0, 1, ...; its derivative with respect to x is
/// refused
TAPIR_API Tensor zeta(const Tensor& x, const Tensor& q);
TAPIR_API Tensor zeta(const Tensor& x, const Scalar& q);
TAPIR_API Tensor zeta(const Scalar& x, const Tensor& q);

// Ops of namespace tapir by their names in torch.special.
TAPIR_API Tensor gammaln(const Tensor& x);  ///< lgamma
TAPIR_API Tensor psi(const Tensor& x);      ///< digamma
TAPIR_API Tensor expit(const Tensor& x);    ///< sigmoid
TAPIR_API Tensor log1p(const Tensor& x);
TAPIR_API Tensor expm1(const Tensor& x);
TAPIR_API Tensor erf(const Tensor& x);
TAPIR_API Tensor round(const Tensor& x, int64_t decimals = 0);
TAPIR_API Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim = false);
inline Tensor logit(const Tensor& x, std::optional<double> eps = std::nullopt) {
  return tapir::logit(x, eps);
}
inline Tensor multigammaln(const Tensor& x, int64_t p) { return mvlgamma(x, p); }
inline Tensor xlogy(const Tensor& a, const Tensor& b) { return tapir::xlogy(a, b); }
TAPIR_API Tensor xlogy(const Tensor& a, const Scalar& b);
TAPIR_API Tensor xlogy(const Scalar& a, const Tensor& b);
inline Tensor gammainc(const Tensor& a, const Tensor& x) { return igamma(a, x); }
inline Tensor gammaincc(const Tensor& a, const Tensor& x) { return igammac(a, x); }
using tapir::digamma;
using tapir::erfc;
using tapir::erfinv;
using tapir::exp2;
using tapir::i0;
using tapir::polygamma;
using tapir::sinc;

// Out forms: those of kernels of one tensor (name, kernel), of two tensors or a tensor and a number, others.
#define TAPIR_SPECIAL_OUTS(row)                                                                              \
  row(i0, i0) row(i0e, i0e) row(i1, i1) row(i1e, i1e) row(entr, entr) row(erfcx, erfcx) row(ndtr, ndtr)      \
      row(ndtri, ndtri) row(log_ndtr, log_ndtr) row(gammaln, lgamma) row(digamma, digamma) row(psi, digamma) \
          row(expit, sigmoid) row(log1p, log1p) row(expm1, expm1) row(exp2, exp2) row(erf, erf)              \
              row(erfc, erfc) row(erfinv, erfinv) row(sinc, sinc)
#define TAPIR_SPECIAL_OUT(name, kernel) TAPIR_API Tensor& name##_out(Tensor& out, const Tensor& x);
TAPIR_SPECIAL_OUTS(TAPIR_SPECIAL_OUT)
#undef TAPIR_SPECIAL_OUT
#define TAPIR_SPECIAL_OUT(name)                                                \
  TAPIR_API Tensor& name##_out(Tensor& out, const Tensor& a, const Tensor& b); \
  TAPIR_API Tensor& name##_out(Tensor& out, const Tensor& a, const Scalar& b); \
  TAPIR_API Tensor& name##_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_SPECIAL_OUT(xlogy)
TAPIR_SPECIAL_OUT(xlog1py)
TAPIR_SPECIAL_OUT(zeta)
#undef TAPIR_SPECIAL_OUT
TAPIR_API Tensor& gammainc_out(Tensor& out, const Tensor& a, const Tensor& x);
TAPIR_API Tensor& gammaincc_out(Tensor& out, const Tensor& a, const Tensor& x);
TAPIR_API Tensor& round_out(Tensor& out, const Tensor& x, int64_t decimals = 0);
TAPIR_API Tensor& logit_out(Tensor& out, const Tensor& x, std::optional<double> eps = std::nullopt);
TAPIR_API Tensor& multigammaln_out(Tensor& out, const Tensor& x, int64_t p);
TAPIR_API Tensor& logsumexp_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool keepdim = false);
using tapir::polygamma_out;

}  // namespace special
}  // namespace tapir
