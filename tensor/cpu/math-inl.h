// Elementary functions of Vec<float> and Vec<double>, and the functors of pointwise.def over them; included
// once per instruction set.
//
// Each reduces its argument to a small interval, where a polynomial follows the function (interpolation at
// Chebyshev nodes in 60 digits, relative error below half an ulp), and puts the result together so that one
// rounding dominates. The largest errors that tests/test_functors.cpp sees: tanh 2.5 ulp, sigmoid 2.2,
// expm1 1.7, sin and cos in double 1.5, every other function 1.1.
#if defined(TAPIR_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_MATH_INL_H_
#undef TAPIR_CPU_MATH_INL_H_
#else
#define TAPIR_CPU_MATH_INL_H_
#endif

#include <cmath>
#include <limits>

#include "tapir/tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

// Minimum and maximum that keep a NaN in `x`.
template <class T>
HWY_INLINE Vec<T> at_most(Vec<T> x, T limit) {
  return Vec<T>(hn::Min(Vec<T>(limit).raw, x.raw));
}
template <class T>
HWY_INLINE Vec<T> at_least(Vec<T> x, T limit) {
  return Vec<T>(hn::Max(Vec<T>(limit).raw, x.raw));
}

// c + c1 x + c2 x^2 + ...
template <class T>
HWY_INLINE Vec<T> polynomial(Vec<T>, T c) {
  return Vec<T>(c);
}
template <class T, class... C>
HWY_INLINE Vec<T> polynomial(Vec<T> x, T c, C... higher) {
  return mul_add(polynomial<T>(x, static_cast<T>(higher)...), x, Vec<T>(c));
}

template <class T>
struct Real;
template <>
struct Real<float> {
  using Bits = uint32_t;
  static constexpr int kMantissa = 23;
  static constexpr float kShifter =
      12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  static constexpr Bits kOne = 0x3f800000u, kRootHalf = 0x3f3504f3u;
  static constexpr float kLog2Hi = 0.693145752f, kLog2Lo = 1.42860677e-06f;  // hi: 15 bits, n * hi is exact
  static constexpr float kExpMin = -104, kExpMax = 89, kExpm1Min = -20, kTanhMax = 10;
};
template <>
struct Real<double> {
  using Bits = uint64_t;
  static constexpr int kMantissa = 52;
  static constexpr double kShifter = 6755399441055744.0;
  static constexpr Bits kOne = 0x3ff0000000000000u, kRootHalf = 0x3fe6a09e667f3bcdu;
  static constexpr double kLog2Hi = 0.6931471803691238, kLog2Lo = 1.9082149292705877e-10;
  static constexpr double kExpMin = -746, kExpMax = 710, kExpm1Min = -40, kTanhMax = 20;
};

// (exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2
HWY_INLINE Vec<float> exp_tail(Vec<float> r) {
  return polynomial<float>(r, 0.5f, 0.166665703f, 0.041666545f, 0.00836438034f, 0.00139276846f);
}
HWY_INLINE Vec<double> exp_tail(Vec<double> r) {
  return polynomial<double>(r, 0.5, 0.16666666666666669, 0.041666666666616864, 0.008333333333329503,
                            0.0013888888920770123, 0.00019841269865788537, 2.4801515879478315e-05,
                            2.7557264294679126e-06, 2.762261407861969e-07, 2.5102327723609146e-08);
}

// x = n log(2) + r. `shifted` holds n in its low bits.
template <class T>
struct ExpReduced {
  Vec<T> shifted, n, r;
  HWY_INLINE explicit ExpReduced(Vec<T> x) {
    const Vec<T> shifter(Real<T>::kShifter);
    shifted = mul_add(x, Vec<T>(1.4426950408889634), shifter);
    n = shifted - shifter;
    r = neg_mul_add(n, Vec<T>(Real<T>::kLog2Lo), neg_mul_add(n, Vec<T>(Real<T>::kLog2Hi), x));
  }
};
// 2^n for the n in the low bits of `shifted`; 2^n must be a normal number.
template <class T>
HWY_INLINE Vec<T> power_of_two(Vec<T> shifted) {
  const hn::ScalableTag<typename Real<T>::Bits> du;
  const auto bits = hn::ShiftLeft<Real<T>::kMantissa>(hn::BitCast(du, shifted.raw));
  return Vec<T>(hn::BitCast(typename Vec<T>::D(), hn::Add(bits, hn::Set(du, Real<T>::kOne))));
}
// p * 2^n, rounded once, also where 2^n overflows or is denormal.
#if HWY_TARGET == HWY_AVX3
HWY_INLINE Vec<float> scale(Vec<float> p, Vec<float> n) {
  return Vec<float>(hn::Vec<Vec<float>::D>{_mm512_scalef_ps(p.raw.raw, n.raw.raw)});
}
HWY_INLINE Vec<double> scale(Vec<double> p, Vec<double> n) {
  return Vec<double>(hn::Vec<Vec<double>::D>{_mm512_scalef_pd(p.raw.raw, n.raw.raw)});
}
#else
template <class T>
HWY_INLINE Vec<T> scale(Vec<T> p, Vec<T> n) {
  const Vec<T> shifter(Real<T>::kShifter);
  const Vec<T> half = mul_add(n, Vec<T>(0.5), shifter);
  const Vec<T> rest = n - (half - shifter) + shifter;
  return p * power_of_two(half) * power_of_two(rest);
}
#endif

template <class T>
HWY_INLINE Vec<T> exp(Vec<T> x) {
  if constexpr (!kFused) return each_lane<T>(std::exp, x);
  const ExpReduced<T> e(at_least(at_most(x, Real<T>::kExpMax), Real<T>::kExpMin));
  const Vec<T> p = mul_add(e.r * e.r, exp_tail(e.r), e.r) + Vec<T>(1);
  return scale(p, e.n);
}

// exp(x) - 1 for x whose 2^n is a normal number
template <class T>
HWY_INLINE Vec<T> expm1_small(Vec<T> x) {
  const ExpReduced<T> e(x);
  const Vec<T> p = mul_add(e.r * e.r, exp_tail(e.r), e.r);  // exp(r) - 1
  const Vec<T> s = power_of_two(e.shifted);
  return mul_add(s, p, s - Vec<T>(1));
}
template <class T>
HWY_INLINE Vec<T> expm1(Vec<T> x) {
  if constexpr (!kFused) return each_lane<T>(std::expm1, x);
  const ExpReduced<T> e(at_least(at_most(x, Real<T>::kExpMax), Real<T>::kExpm1Min));
  const Vec<T> p = mul_add(e.r * e.r, exp_tail(e.r), e.r);
  const Vec<T> half = power_of_two(e.shifted - Vec<T>(1));  // 2^n itself may overflow
  const Vec<T> y = mul_add(half, p, half - Vec<T>(0.5));
  return copy_sign(y + y, x);
}

template <class T>
HWY_INLINE Vec<T> tanh(Vec<T> x) {
  if constexpr (!kFused) return each_lane<T>(std::tanh, x);
  const Vec<T> t = expm1_small(Vec<T>(-2) * at_most(abs(x), Real<T>::kTanhMax));
  return copy_sign(t / (t + Vec<T>(2)), x);
}

template <class T>
HWY_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> z = exp(-abs(x));
  return select(x < Vec<T>(0), z, Vec<T>(1)) / (Vec<T>(1) + z);
}

// log(1 + f) - f + f^2 / 2 over f^3, for 1 + f in [sqrt(1/2), sqrt(2)]
HWY_INLINE Vec<float> log_core(Vec<float> f, Vec<float> n, Vec<float> low) {
  const Vec<float> q =
      polynomial<float>(f, 0.333333313f, -0.24999997f, 0.200007305f, -0.166678503f, 0.142485514f,
                        -0.124240376f, 0.116890714f, -0.114945464f, 0.0698070228f);
  const Vec<float> z = f * f;
  Vec<float> y = mul_add(f * z, q, low);
  y = neg_mul_add(z, Vec<float>(0.5f), y);
  return mul_add(n, Vec<float>(Real<float>::kLog2Hi), f + y);
}
// With s = f / (2 + f), log(1 + f) = 2 atanh(s) = f - s (f - s^2 R(s^2)).
HWY_INLINE Vec<double> log_core(Vec<double> f, Vec<double> n, Vec<double> low) {
  const Vec<double> s = f / (Vec<double>(2) + f);
  const Vec<double> z = s * s;
  const Vec<double> r =
      polynomial<double>(z, 0.6666666666666666, 0.4000000000000094, 0.2857142857076445, 0.2222222240054776,
                         0.181817947008978, 0.15386290534658992, 0.13267418596474884, 0.1310072138350349);
  const Vec<double> y = neg_mul_add(s, neg_mul_add(z, r, f), low);
  return mul_add(n, Vec<double>(Real<double>::kLog2Hi), f + y);
}

// n log(2) + log(1 + f) in base 2 or 10; 1 + f as above. The products with n are exact or small.
template <int kBase>
HWY_INLINE Vec<double> log_based(Vec<double> f, Vec<double> n) {
  using V = Vec<double>;
  constexpr double kFactor = kBase == 2 ? 1.4426950408889634 : 0.4342944819032518;
  constexpr double kFactorLow = kBase == 2 ? 2.0355273740931033e-17 : 1.098319650216765e-17;
  const V l = log_core(f, V(0), V(0));
  if constexpr (kBase == 2) return mul_add(l, V(kFactor), mul_add(l, V(kFactorLow), n));
  const V low = mul_add(n, V(1.1451100898021838e-10), l * V(kFactorLow));
  return mul_add(l, V(kFactor), mul_add(n, V(0.3010299955494702), low));
}

// log(x + low), where |low| is at most half an ulp of x; x may be anything. kBase 0 is e; others are for
// double, without low.
template <class T, bool kHasLow, int kBase = 0>
HWY_INLINE Vec<T> log_sum(Vec<T> x, Vec<T> low) {
  using D = typename Vec<T>::D;
  const hn::ScalableTag<typename Real<T>::Bits> du;
  constexpr int kMantissa = Real<T>::kMantissa;
  constexpr T kMin = std::numeric_limits<T>::min(), kInf = std::numeric_limits<T>::infinity();
  const Mask<T> denormal = x < Vec<T>(kMin);
  const Vec<T> grown = kHasLow ? x : select(denormal, x * Vec<T>(uint64_t{1} << kMantissa), x);
  // x = 2^n m, m in [sqrt(1/2), sqrt(2))
  const auto root = hn::Set(du, Real<T>::kRootHalf);
  const auto above = hn::Sub(hn::BitCast(du, grown.raw), root);
  const auto mantissa = hn::And(above, hn::Set(du, (typename Real<T>::Bits{1} << kMantissa) - 1));
  const Vec<T> m(hn::BitCast(D(), hn::Add(mantissa, root)));
  // the exponent as a number: its biased bits in the low bits of the shifter
  const auto exponent = hn::ShiftRight<kMantissa>(hn::Add(above, hn::Set(du, Real<T>::kOne)));
  const auto shifted = hn::Add(exponent, hn::BitCast(du, Vec<T>(Real<T>::kShifter).raw));
  constexpr T kBias = static_cast<T>(Real<T>::kOne >> kMantissa);
  Vec<T> n = Vec<T>(hn::BitCast(D(), shifted)) - Vec<T>(Real<T>::kShifter + kBias);
  if constexpr (!kHasLow) n = select(denormal, n - Vec<T>(kMantissa), n);
  Vec<T> rest = n * Vec<T>(Real<T>::kLog2Lo), y;
  if constexpr (kHasLow) rest = rest + low / x;
  if constexpr (kBase == 0) {
    y = log_core(m - Vec<T>(1), n, rest);
  } else {
    y = log_based<kBase>(m - Vec<T>(1), n);
  }
  const Vec<T> special = select(x == Vec<T>(0), Vec<T>(-kInf),
                                select(x < Vec<T>(0), Vec<T>(std::numeric_limits<T>::quiet_NaN()), x));
  return select(x > Vec<T>(0) && x < Vec<T>(kInf), y, special);
}

template <class T>
HWY_INLINE Vec<T> log(Vec<T> x) {
  if constexpr (!kFused) return each_lane<T>(std::log, x);
  return log_sum<T, false>(x, x);
}
template <class T>
HWY_INLINE Vec<T> log1p(Vec<T> x) {
  if constexpr (!kFused) return each_lane<T>(std::log1p, x);
  const Vec<T> one(1), u = one + x;
  const Vec<T> low = select(abs(x) < one, x - (u - one), one - (u - x));
  return copy_sign(log_sum<T, true>(u, low), x);
}

// sin and cos of r + n pi / 2 from r in [-pi/4, pi/4]. The polynomials are of float's or double's precision.
template <class T>
HWY_INLINE Vec<double> sin_tail(Vec<double> z) {  // (sin(r) - r) / r^3, z = r^2
  if constexpr (sizeof(T) == 4)
    return polynomial<double>(z, -0.16666666663832763, 0.008333331865959415, -0.00019840082012765537,
                              2.7249314054698804e-06);
  return polynomial<double>(z, -0.16666666666666666, 0.008333333333330925, -0.00019841269836722418,
                            2.755731608381636e-06, -2.5051127944014188e-08, 1.5917848524808262e-10);
}
template <class T>
HWY_INLINE Vec<double> cos_tail(Vec<double> z) {  // (cos(r) - 1 + r^2 / 2) / r^4
  if constexpr (sizeof(T) == 4)
    return polynomial<double>(z, 0.0416666666643024, -0.0013888887663714619, 2.4800596435621998e-05,
                              -2.7300448619488353e-07);
  return polynomial<double>(z, 0.041666666666666664, -0.0013888888888887382, 2.480158729874307e-05,
                            -2.7557317260008837e-07, 2.0876143827993133e-09, -1.1382456778061306e-11);
}
// x = r + n pi / 2, |x| < kTrigMax; the low bits of `quarters` count the quarter turns n.
inline constexpr double kTrigMax = 1073741824.0;  // 2^30
template <class T>
struct TrigReduced {
  Vec<double> quarters, s, c;  // sin(r), cos(r)
  HWY_INLINE explicit TrigReduced(Vec<double> x) {
    const Vec<double> shifter(Real<double>::kShifter);
    quarters = mul_add(x, Vec<double>(0.6366197723675814), shifter);
    const Vec<double> n = quarters - shifter;
    Vec<double> r = neg_mul_add(n, Vec<double>(1.5707963267948966), x);
    r = neg_mul_add(n, Vec<double>(6.123233995736766e-17), r);
    if constexpr (sizeof(T) == 8) r = neg_mul_add(n, Vec<double>(-1.4973849048591698e-33), r);
    const Vec<double> z = r * r;
    s = mul_add(r * z, sin_tail<T>(z), r);
    c = mul_add(z * z, cos_tail<T>(z), neg_mul_add(z, Vec<double>(0.5), Vec<double>(1)));
  }
};
// kQuarter turns sin into cos.
template <class T, int kQuarter>
HWY_INLINE Vec<double> sin_reduced(Vec<double> x) {
  const hn::ScalableTag<uint64_t> du;
  const hn::ScalableTag<double> d;
  const TrigReduced<T> t(x);
  const auto quarter = hn::Add(hn::BitCast(du, t.quarters.raw), hn::Set(du, kQuarter));
  const auto odd = hn::TestBit(quarter, hn::Set(du, 1));
  const auto value = hn::BitCast(du, hn::IfThenElse(hn::RebindMask(d, odd), t.c.raw, t.s.raw));
  const auto sign = hn::ShiftLeft<62>(hn::And(quarter, hn::Set(du, 2)));
  return Vec<double>(hn::BitCast(d, hn::Xor(value, sign)));
}

#if HWY_TARGET != HWY_SCALAR
// f(double(x)) rounded to float, for functions whose float form is simplest in double.
template <class F>
HWY_INLINE Vec<float> through_double(Vec<float> x, F f) {
  const hn::ScalableTag<float> d;
  const hn::Half<decltype(d)> dh;
  const hn::ScalableTag<double> dd;
  const Vec<double> low = f(Vec<double>(hn::PromoteTo(dd, hn::LowerHalf(dh, x.raw))));
  const Vec<double> high = f(Vec<double>(hn::PromoteTo(dd, hn::UpperHalf(dh, x.raw))));
  return Vec<float>(hn::Combine(d, hn::DemoteTo(dh, high.raw), hn::DemoteTo(dh, low.raw)));
}
#endif

template <class T, int kQuarter>
HWY_INLINE Vec<T> sin_or_cos(Vec<T> x) {
  T (*const function)(T) = kQuarter ? static_cast<T (*)(T)>(std::cos) : static_cast<T (*)(T)>(std::sin);
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kFused) {
    if (HWY_LIKELY(hn::AllTrue(typename Vec<T>::D(), (abs(x) < Vec<T>(kTrigMax)).raw))) {
      const auto reduced = [](Vec<double> y) HWY_ATTR { return sin_reduced<T, kQuarter>(y); };
      Vec<T> y;
      if constexpr (sizeof(T) == 4) {
        y = through_double(x, reduced);
      } else {
        y = reduced(x);
      }
      return kQuarter ? y : select(x == Vec<T>(0), x, y);  // sin(-0) is -0
    }
  }
#endif
  return each_lane<T>(function, x);
}
template <class T>
HWY_INLINE Vec<T> sin(Vec<T> x) {
  return sin_or_cos<T, 0>(x);
}
template <class T>
HWY_INLINE Vec<T> cos(Vec<T> x) {
  return sin_or_cos<T, 1>(x);
}

HWY_INLINE Vec<double> erf(Vec<double> x) { return each_lane<double>(std::erf, x); }
HWY_INLINE Vec<float> erf(Vec<float> x) {
  if constexpr (!kFused) return each_lane<float>(std::erf, x);
  const Vec<float> a = at_most(abs(x), 4.0f);
  const Vec<float> small =
      mul_add(a,
              polynomial<float>(a * a, 0.128379166f, -0.37612626f, 0.112835944f, -0.0268542115f,
                                0.00518908724f, -0.00080168643f, 7.87587487e-05f),
              a);
  const Vec<float> log_rest =  // log(erfc(a)), for a in [1, 4]
      polynomial<float>(a, 0.00032013806f, -1.13023341f, -0.631826043f, -0.110080086f, 0.0264211353f,
                        -0.0047595962f, 0.00059680565f, -4.60580413e-05f, 1.6371514e-06f);
  const Vec<float> large = -expm1_small(log_rest);
  return copy_sign(select(a < Vec<float>(1), small, large), x);
}

HWY_INLINE Vec<double> pow(Vec<double> x, Vec<double> y) {
  HWY_ALIGN double a[Vec<double>::kLanes], b[Vec<double>::kLanes];
  x.store(a);
  y.store(b);
  for (int64_t i = 0; i < Vec<double>::kLanes; ++i) a[i] = std::pow(a[i], b[i]);
  return Vec<double>::load(a);
}
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
HWY_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) {
  HWY_ALIGN float a[Vec<float>::kLanes], b[Vec<float>::kLanes];
  x.store(a);
  y.store(b);
  for (int64_t i = 0; i < Vec<float>::kLanes; ++i) a[i] = std::pow(a[i], b[i]);
  return Vec<float>::load(a);
}
#else
// exp(y log|x|) in double, with the sign and the exceptions of C's pow.
HWY_INLINE Vec<double> pow_of_floats(Vec<double> x, Vec<double> y) {
  using V = Vec<double>;
  const V a = abs(x), one(1), zero(0), infinity(HUGE_VAL);
  const Mask<double> y_integer = round(y) == y;
  const Mask<double> y_odd = y_integer && round(y * V(0.5)) != y * V(0.5);
  const Mask<double> is_one = x == one || y == zero || (a == one && abs(y) == infinity);
  const V power = exp(select(is_one, zero, y * log(a)));
  const Mask<double> negative = copy_sign(one, x) < zero;
  const V result = select(negative && y_odd, -power, power);
  const Mask<double> undefined = x < zero && x > -infinity && !y_integer;
  return select(undefined, V(std::numeric_limits<double>::quiet_NaN()), result);
}
HWY_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) {
  const hn::ScalableTag<float> d;
  const hn::Half<decltype(d)> dh;
  const hn::ScalableTag<double> dd;
  const auto low = pow_of_floats(Vec<double>(hn::PromoteTo(dd, hn::LowerHalf(dh, x.raw))),
                                 Vec<double>(hn::PromoteTo(dd, hn::LowerHalf(dh, y.raw))));
  const auto high = pow_of_floats(Vec<double>(hn::PromoteTo(dd, hn::UpperHalf(dh, x.raw))),
                                  Vec<double>(hn::PromoteTo(dd, hn::UpperHalf(dh, y.raw))));
  return Vec<float>(hn::Combine(d, hn::DemoteTo(dh, high.raw), hn::DemoteTo(dh, low.raw)));
}
#endif

namespace functors {
#define TAPIR_FN HWY_INLINE
#include "tapir/tensor/functors.def"
#undef TAPIR_FN
}  // namespace functors

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
