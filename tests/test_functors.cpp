// The values of the pointwise kernels: every SIMD function against the exact value, over the whole range.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/functors.h"
#include "tapir/tensor/kernels.h"

using namespace tapir;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::vector<T> apply(Pointwise op, const std::vector<T>& a, const std::vector<T>& b = {}) {
  std::vector<T> out(a.size());
  PointwiseArgs args{};
  args.op = op;
  args.compute = dtype_of<T>;
  args.inputs = b.empty() ? 1 : 2;
  args.contiguous = args.direct = true;
  args.numel = static_cast<int64_t>(a.size());
  args.operands[0] = {out.data(), dtype_of<T>, {}, {}};
  args.operands[1] = {const_cast<T*>(a.data()), dtype_of<T>, {}, {}};
  args.operands[2] = {const_cast<T*>(b.data()), dtype_of<T>, {}, {}};
  kernels(kCPU).pointwise(args);
  return out;
}

// Bit patterns drawn evenly, so that every exponent occurs, and numbers of everyday size.
template <class T>
std::vector<T> samples(size_t n) {
  std::mt19937_64 rng(11);
  std::vector<T> v = {T(0),
                      T(-0.0),
                      T(1),
                      T(-1),
                      T(0.5),
                      T(kInf),
                      T(-kInf),
                      T(kNan),
                      std::numeric_limits<T>::min(),
                      std::numeric_limits<T>::denorm_min(),
                      -std::numeric_limits<T>::denorm_min(),
                      std::numeric_limits<T>::max(),
                      std::numeric_limits<T>::lowest(),
                      std::numeric_limits<T>::epsilon()};
  std::normal_distribution<double> normal;
  while (v.size() < n) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    const Bits bits = static_cast<Bits>(rng());
    T x;
    std::memcpy(&x, &bits, sizeof(T));
    v.push_back(x);
    v.push_back(static_cast<T>(normal(rng)));
    v.push_back(static_cast<T>(normal(rng) * 20));
    v.push_back(static_cast<T>(normal(rng) * 0.01));
    v.push_back(static_cast<T>(1 + normal(rng) * 0.001));
    v.push_back(
        static_cast<T>(std::round(normal(rng) * 50) * 1.5707963267948966));  // near zeros of sin and cos
    v.push_back(static_cast<T>(normal(rng) * (sizeof(T) == 4 ? 100 : 800)));
  }
  return v;
}

// Distance between `got` and the exact value in units of the last place of T there.
template <class T>
long double ulps(T got, long double exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(exact)) return std::isnan(got) ? 0 : kInf;
  if (std::isinf(rounded) || std::isinf(got))
    return got == rounded || std::abs(exact) == kInf ? (got == rounded ? 0 : kInf)
           : std::abs(static_cast<long double>(got)) >= std::numeric_limits<T>::max() ? 1
                                                                                      : kInf;
  if (exact == 0) return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : kInf;
  int e;
  std::frexp(exact, &e);
  const int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  const long double ulp = std::ldexp(1.0L, std::max(e - std::numeric_limits<T>::digits, lowest));
  return std::abs(static_cast<long double>(got) - exact) / ulp;
}

struct Function {
  Pointwise op;
  long double (*exact)(long double);
  long double allowed = 2.5L;
};
const Function kFunctions[] = {
    {Pointwise::exp, std::exp},
    {Pointwise::expm1, std::expm1},
    {Pointwise::log, std::log},
    {Pointwise::log1p, std::log1p},
    {Pointwise::sqrt, std::sqrt},
    {Pointwise::rsqrt, [](long double x) { return 1 / std::sqrt(x); }},
    {Pointwise::reciprocal, [](long double x) { return 1 / x; }},
    {Pointwise::sin, std::sin},
    {Pointwise::cos, std::cos},
    {Pointwise::tanh, std::tanh},
    {Pointwise::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }},
    {Pointwise::erf, std::erf},
    {Pointwise::exp2, std::exp2},
    {Pointwise::log2, std::log2},
    {Pointwise::log10, std::log10},
    {Pointwise::sinh, std::sinh},
    {Pointwise::cosh, std::cosh},
    {Pointwise::tan, std::tan, 3.5L},
    {Pointwise::asin, std::asin},
    {Pointwise::acos, std::acos},
    {Pointwise::atan, std::atan},
    {Pointwise::asinh, std::asinh, 3.5L},
    {Pointwise::acosh, std::acosh, 3.5L},
    {Pointwise::atanh, std::atanh, 3.5L},
    {Pointwise::erfc, std::erfc, 4.0L},
    {Pointwise::neg, [](long double x) { return -x; }},
    {Pointwise::abs, std::fabs},
    {Pointwise::floor, std::floor},
    {Pointwise::ceil, std::ceil},
    {Pointwise::trunc, std::trunc},
    {Pointwise::round, std::nearbyint},
};

}  // namespace

TEMPLATE_TEST_CASE("every function of one number is within a few ulp of the exact value everywhere", "",
                   float, double) {
  using T = TestType;
  const std::vector<T> x = samples<T>(200000);
  for (const Function& f : kFunctions) {
    const std::vector<T> y = apply(f.op, x);
    long double worst = 0;
    T at = 0, got = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const long double d = ulps(y[i], f.exact(x[i]));
      if (d > worst) {
        worst = d;
        at = x[i];
        got = y[i];
      }
    }
    INFO(pointwise_info(f.op).name << "(" << at << ") = " << got << ", exactly " << f.exact(at));
    CHECK(worst <= f.allowed);
    if (std::getenv("TAPIR_SHOW_ULPS"))
      std::fprintf(stderr, "%-10s %s  %.2Lf ulp at %.9g\n", pointwise_info(f.op).name,
                   dtype_name(dtype_of<T>), worst, static_cast<double>(at));
  }
}

TEMPLATE_TEST_CASE("pow is within 2 ulp and follows C in every special case", "", float, double) {
  using T = TestType;
  std::vector<T> x = samples<T>(60000), y = x;
  std::shuffle(y.begin(), y.end(), std::mt19937_64(3));
  const T special[] = {T(0), T(-0.0), T(1),   T(-1),   T(kInf), T(-kInf), T(kNan),     T(2),   T(-2),
                       T(3), T(-3),   T(0.5), T(-0.5), T(1e6),  T(-1e6),  T(16777217), T(-7.5)};
  for (T a : special) {
    for (T b : special) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  const auto z = apply(Pointwise::pow, x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]));
    INFO("pow(" << x[i] << ", " << y[i] << ") = " << z[i] << ", exactly " << exact);
    REQUIRE(ulps(z[i], exact) <= 2);
  }
}
