#include "tapir/autograd/functions/special.h"

#include <cmath>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

using namespace nodes;

namespace {
constexpr double kTwoOverSqrtPi = 1.1283791670955126, kSqrtTwoPi = 2.5066282746310002;
constexpr double kSqrtHalf = 0.7071067811865476;
}  // namespace

Tensor erfc(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::erfc, "ErfcBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(mul(g, Scalar(-kTwoOverSqrtPi)), exp(neg(mul(v, v))));
  });
}
Tensor erfinv(const Tensor& x) {
  return unary<Saves::kOutput>(Pointwise::erfinv, "ErfinvBackward", x, [](const Tensor& g, const Tensor& y) {
    return mul(mul(g, Scalar(1 / kTwoOverSqrtPi)), exp(mul(y, y)));
  });
}
Tensor lgamma(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::lgamma, "LgammaBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, digamma(v)); });
}
Tensor digamma(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::digamma, "DigammaBackward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, polygamma(1, v)); });
}
Tensor i0(const Tensor& x) {
  return unary<Saves::kInput>(Pointwise::i0, "I0Backward", x,
                              [](const Tensor& g, const Tensor& v) { return mul(g, special::i1(v)); });
}

namespace {
// d/dx P(a, x) = x^(a - 1) e^-x / Gamma(a)
Tensor gamma_density(const Tensor& a, const Tensor& x) {
  return exp(sub(sub(mul(sub(a, Scalar(1)), log(x)), x), lgamma(a)));
}
}  // namespace

Tensor igamma(const Tensor& a, const Tensor& x) {
  return binary<kReadsNone, kReadsBoth>(
      Pointwise::igamma, "IgammaBackward", a, x,
      [](const Tensor&, const Tensor&, const Tensor&) -> Tensor { refuse_derivative("igamma", "a"); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, gamma_density(u, v)); });
}
Tensor igammac(const Tensor& a, const Tensor& x) {
  return binary<kReadsNone, kReadsBoth>(
      Pointwise::igammac, "IgammacBackward", a, x,
      [](const Tensor&, const Tensor&, const Tensor&) -> Tensor { refuse_derivative("igammac", "a"); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return neg(mul(g, gamma_density(u, v))); });
}

namespace {
struct PolygammaBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "PolygammaBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, mul(g[0], polygamma(n + 1, saved(0)))); }
  int64_t n;
};
}  // namespace

Tensor polygamma(int64_t n, const Tensor& x) {
  TAPIR_CHECK_AS(ValueError, n >= 0, "polygamma: n is {}, expected a number >= 0", n);
  Tensor y = raw::unary(Pointwise::polygamma, x, Scalar(n));
  if (recording(x)) {
    auto* node = record<PolygammaBackward>(TAPIR_HERE, y, x);
    node->n = n;
    node->save(x);
  }
  return y;
}
Tensor& polygamma_out(Tensor& out, int64_t n, const Tensor& x) {
  return detail::assign_out(out, "polygamma", {x}, [&] { return polygamma(n, x); });
}
Tensor mvlgamma(const Tensor& x, int64_t p) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, p >= 1, "mvlgamma: p is {}, expected a number >= 1", p);
  Tensor y = lgamma(x);
  for (int64_t j = 1; j < p; ++j) y = add(y, lgamma(sub(x, Scalar(static_cast<double>(j) / 2))));
  const double pairs = static_cast<double>(p) * static_cast<double>(p - 1) / 4;
  return add(y, Scalar(pairs * std::log(M_PI)));
}
Tensor& mvlgamma_out(Tensor& out, const Tensor& x, int64_t p) {
  return detail::assign_out(out, "mvlgamma", {x}, [&] { return mvlgamma(x, p); });
}

namespace special {

// In the lambdas below, `tapir::` names keep the forms of namespace special apart.

Tensor i0e(const Tensor& x) {
  return nodes::unary<Saves::kInput>(Pointwise::i0e, "I0eBackward", x, [](const Tensor& g, const Tensor& v) {
    return mul(g, sub(i1e(v), mul(sign(v), i0e(v))));
  });
}
// i1(x) / x and i1e(x) / x tend to 1/2 at 0, where they are flat.
Tensor i1(const Tensor& x) {
  return nodes::unary<Saves::kInput>(Pointwise::i1, "I1Backward", x, [](const Tensor& g, const Tensor& v) {
    const Tensor zero = eq(v, Scalar(0)), safe = where(zero, Scalar(1), v);
    return mul(g, where(zero, Scalar(0.5), sub(i0(safe), div(i1(safe), safe))));
  });
}
Tensor i1e(const Tensor& x) {
  return nodes::unary<Saves::kInput>(Pointwise::i1e, "I1eBackward", x, [](const Tensor& g, const Tensor& v) {
    const Tensor zero = eq(v, Scalar(0)), safe = where(zero, Scalar(1), v);
    const Tensor slope = sub(i0e(safe), mul(i1e(safe), add(sign(safe), reciprocal(safe))));
    return mul(g, where(zero, Scalar(0.5), slope));
  });
}
Tensor entr(const Tensor& x) {
  return nodes::unary<Saves::kInput>(
      Pointwise::entr, "EntrBackward", x,
      [](const Tensor& g, const Tensor& v) { return mul(g, rsub(log(v), Scalar(-1))); });
}
Tensor erfcx(const Tensor& x) {
  return nodes::unary<Saves::kInput>(
      Pointwise::erfcx, "ErfcxBackward", x, [](const Tensor& g, const Tensor& v) {
        return mul(g, sub(mul(mul(v, Scalar(2)), erfcx(v)), Scalar(kTwoOverSqrtPi)));
      });
}
Tensor ndtr(const Tensor& x) {
  return nodes::unary<Saves::kInput>(
      Pointwise::ndtr, "NdtrBackward", x, [](const Tensor& g, const Tensor& v) {
        return mul(mul(g, Scalar(1 / kSqrtTwoPi)), exp(mul(mul(v, v), Scalar(-0.5))));
      });
}
Tensor ndtri(const Tensor& x) {
  return nodes::unary<Saves::kOutput>(
      Pointwise::ndtri, "NdtriBackward", x, [](const Tensor& g, const Tensor& y) {
        return mul(mul(g, Scalar(kSqrtTwoPi)), exp(mul(mul(y, y), Scalar(0.5))));
      });
}
Tensor log_ndtr(const Tensor& x) {
  return nodes::unary<Saves::kInput>(
      Pointwise::log_ndtr, "LogNdtrBackward", x, [](const Tensor& g, const Tensor& v) {
        return div(mul(g, Scalar(2 / kSqrtTwoPi)), erfcx(mul(v, Scalar(-kSqrtHalf))));
      });
}

Tensor xlog1py(const Tensor& a, const Tensor& b) {
  return nodes::binary<kReadsBoth, kReadsBoth>(
      Pointwise::xlog1py, "Xlog1pyBackward", a, b,
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        const Tensor flat = logical_and(eq(u, Scalar(0)), le(v, Scalar(-1)));
        return mul(g, where(flat, Scalar(0), tapir::log1p(where(flat, Scalar(0), v))));
      },
      [](const Tensor& g, const Tensor& u, const Tensor& v) { return mul(g, div(u, add(v, Scalar(1)))); });
}
Tensor zeta(const Tensor& x, const Tensor& q) {
  return nodes::binary<kReadsNone, kReadsBoth>(
      Pointwise::zeta, "ZetaBackward", x, q,
      [](const Tensor&, const Tensor&, const Tensor&) -> Tensor { refuse_derivative("zeta", "x"); },
      [](const Tensor& g, const Tensor& u, const Tensor& v) {
        return neg(mul(g, mul(u, zeta(add(u, Scalar(1)), v))));
      });
}

#define TAPIR_WITH_NUMBER(name)                                                                      \
  Tensor name(const Tensor& a, const Scalar& b) {                                                    \
    CallSite site(TAPIR_HERE);                                                                       \
    return detail::binary_scalar(a, b, Pointwise::name, static_cast<detail::BinaryFunction>(&name)); \
  }                                                                                                  \
  Tensor name(const Scalar& a, const Tensor& b) {                                                    \
    CallSite site(TAPIR_HERE);                                                                       \
    return detail::scalar_binary(a, b, Pointwise::name, static_cast<detail::BinaryFunction>(&name)); \
  }
TAPIR_WITH_NUMBER(xlog1py)
TAPIR_WITH_NUMBER(zeta)
#undef TAPIR_WITH_NUMBER

Tensor xlogy(const Tensor& a, const Scalar& b) {
  CallSite site(TAPIR_HERE);
  return tapir::xlogy(a, b);
}
Tensor xlogy(const Scalar& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return tapir::xlogy(a, b);
}

#define TAPIR_OTHER_NAME(alias, name, parameters, ...) \
  Tensor alias parameters {                            \
    CallSite site(TAPIR_HERE);                         \
    return tapir::name(__VA_ARGS__);                   \
  }
TAPIR_OTHER_NAME(gammaln, lgamma, (const Tensor& x), x)
TAPIR_OTHER_NAME(psi, digamma, (const Tensor& x), x)
TAPIR_OTHER_NAME(expit, sigmoid, (const Tensor& x), x)
TAPIR_OTHER_NAME(log1p, log1p, (const Tensor& x), x)
TAPIR_OTHER_NAME(expm1, expm1, (const Tensor& x), x)
TAPIR_OTHER_NAME(erf, erf, (const Tensor& x), x)
TAPIR_OTHER_NAME(log_softmax, log_softmax, (const Tensor& x, int64_t dim, std::optional<DType> dtype), x, dim,
                 dtype)
TAPIR_OTHER_NAME(softmax, softmax, (const Tensor& x, int64_t dim, std::optional<DType> dtype), x, dim, dtype)
TAPIR_OTHER_NAME(logsumexp, logsumexp, (const Tensor& x, IntArrayRef dim, bool keepdim), x, dim, keepdim)
#undef TAPIR_OTHER_NAME
Tensor round(const Tensor& x, int64_t decimals) {
  CallSite site(TAPIR_HERE);
  return decimals == 0 ? tapir::round(x) : tapir::round(x, decimals);
}

// --- out forms ---

#define TAPIR_SPECIAL_OUT(name, kernel)                                \
  Tensor& name##_out(Tensor& out, const Tensor& x) {                   \
    return detail::pointwise_out(out, Pointwise::kernel, x, Tensor()); \
  }
TAPIR_SPECIAL_OUTS(TAPIR_SPECIAL_OUT)
#undef TAPIR_SPECIAL_OUT
#define TAPIR_SPECIAL_OUT(name)                                                      \
  Tensor& name##_out(Tensor& out, const Tensor& a, const Tensor& b) {                \
    return detail::pointwise_out(out, Pointwise::name, a, b);                        \
  }                                                                                  \
  Tensor& name##_out(Tensor& out, const Tensor& a, const Scalar& b) {                \
    return detail::pointwise_out(out, Pointwise::name, a, b);                        \
  }                                                                                  \
  Tensor& name##_out(Tensor& out, const Scalar& a, const Tensor& b) {                \
    return detail::assign_out(out, #name, {b}, [&] { return special::name(a, b); }); \
  }
TAPIR_SPECIAL_OUT(xlogy)
TAPIR_SPECIAL_OUT(xlog1py)
TAPIR_SPECIAL_OUT(zeta)
#undef TAPIR_SPECIAL_OUT
Tensor& gammainc_out(Tensor& out, const Tensor& a, const Tensor& x) { return igamma_out(out, a, x); }
Tensor& gammaincc_out(Tensor& out, const Tensor& a, const Tensor& x) { return igammac_out(out, a, x); }
Tensor& round_out(Tensor& out, const Tensor& x, int64_t decimals) {
  return decimals == 0 ? tapir::round_out(out, x) : tapir::round_out(out, x, decimals);
}
Tensor& logit_out(Tensor& out, const Tensor& x, std::optional<double> eps) {
  return tapir::logit_out(out, x, eps);
}
Tensor& multigammaln_out(Tensor& out, const Tensor& x, int64_t p) { return mvlgamma_out(out, x, p); }
Tensor& logsumexp_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool keepdim) {
  return detail::assign_out(out, "logsumexp", {x}, [&] { return tapir::logsumexp(x, dim, keepdim); });
}

}  // namespace special

// --- methods ---

#define TAPIR_INTEGER_METHOD(name, call)                                              \
  Tensor Tensor::name(int64_t n) const {                                              \
    CallSite site(TAPIR_HERE);                                                        \
    const Tensor& x = *this;                                                          \
    return call;                                                                      \
  }                                                                                   \
  Tensor& Tensor::name##_(int64_t n) const {                                          \
    CallSite site(TAPIR_HERE);                                                        \
    detail::assign_inplace(self(), #name "_", [&](const Tensor& x) { return call; }); \
    return self();                                                                    \
  }
TAPIR_INTEGER_METHOD(polygamma, tapir::polygamma(n, x))
TAPIR_INTEGER_METHOD(mvlgamma, tapir::mvlgamma(x, n))
#undef TAPIR_INTEGER_METHOD

}  // namespace tapir
