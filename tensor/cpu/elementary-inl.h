// The less common elementary functions of Vec<float> and Vec<double>; included once per instruction set.
// Floats are computed in double and rounded once. The polynomials are made as those of math-inl.h. The
// largest errors in double that tests/test_functors.cpp sees: tan 3.0 ulp, atan 2.2, sinh,
// acosh and atanh 2.0, the others 1.5.
#if defined(TAPIR_CPU_ELEMENTARY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_ELEMENTARY_INL_H_
#undef TAPIR_CPU_ELEMENTARY_INL_H_
#else
#define TAPIR_CPU_ELEMENTARY_INL_H_
#endif

#include "tapir/tensor/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

// In what follows T says how precise the result must be.

template <class T>
HWY_INLINE Vec<double> exp2_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V y = at_least(at_most(x, 1030.0), -1100.0), n = round(y);
  const V r = (y - n) * V(0.6931471805599453);
  return scale(mul_add(r * r, exp_tail(r), r) + V(1), n);
}
template <class T>
HWY_INLINE Vec<double> log2_in_double(Vec<double> x) {
  return log_sum<double, false, 2>(x, x);
}
template <class T>
HWY_INLINE Vec<double> log10_in_double(Vec<double> x) {
  return log_sum<double, false, 10>(x, x);
}

// exp(x) / 2 for x >= 0, also where exp(x) overflows.
HWY_INLINE Vec<double> half_exp(Vec<double> x) {
  const ExpReduced<double> e(at_most(x, 712.0));
  return scale(mul_add(e.r * e.r, exp_tail(e.r), e.r) + Vec<double>(1), e.n - Vec<double>(1));
}
template <class T>
HWY_INLINE Vec<double> cosh_in_double(Vec<double> x) {
  const Vec<double> h = half_exp(abs(x));
  return h + Vec<double>(0.25) / h;
}
template <class T>
HWY_INLINE Vec<double> sinh_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V a = abs(x), h = half_exp(a), t = expm1_small(at_most(a, 1.0));
  const V y = select(a < V(1), (t + t / (t + V(1))) * V(0.5), h - V(0.25) / h);
  return copy_sign(y, x);
}

// (atan(s) / s - 1) / s^2, z = s^2, |s| <= tan(pi / 8)
template <class T>
HWY_INLINE Vec<double> atan_tail(Vec<double> z) {
  if constexpr (sizeof(T) == 4)
    return polynomial<double>(z, -0.3333333160902393, 0.19999505867568435, -0.1426276828736559,
                              0.10731026485233337, -0.0641023854756228);
  return polynomial<double>(z, -0.3333333333333333, 0.19999999999994625, -0.14285714284481354,
                            0.11111111000512125, -0.09090903985088337, 0.07692169552474755,
                            -0.06664321264177807, 0.05856513298321132, -0.050769758261098086,
                            0.03898927985218631, -0.018882987965693);
}
// Above tan(pi / 8), the difference from pi / 4; above its inverse, from pi / 2.
template <class T>
HWY_INLINE Vec<double> atan_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V a = abs(x), zero(0), one(1);
  const Mask<double> middle = a > V(0.4142135623730950), large = a > V(2.414213562373095);
  const V s =
      select(large, -one, select(middle, a - one, a)) / select(large, a, select(middle, a + one, one));
  const V z = s * s, y = mul_add(s * z, atan_tail<T>(z), s);
  const V base = select(large, V(1.5707963267948966), select(middle, V(0.7853981633974483), zero));
  const V low = select(large, V(6.123233995736766e-17), select(middle, V(3.061616997868383e-17), zero));
  return copy_sign(base + (y + low), x);
}

// (asin(s) / s - 1) / s^2, z = s^2 <= 1/4
template <class T>
HWY_INLINE Vec<double> asin_tail(Vec<double> z) {
  if constexpr (sizeof(T) == 4)
    return polynomial<double>(z, 0.1666666633654049, 0.07500094761172901, 0.04459931916287114,
                              0.031101727829067168, 0.017143716819253568, 0.03370072632136513);
  return polynomial<double>(z, 0.1666666666666665, 0.07500000000020869, 0.04464285710323956,
                            0.030381947379559158, 0.022372047201808885, 0.01735526856395352,
                            0.013929545950485803, 0.011876344296279416, 0.0077986264075622334,
                            0.01604912458494932, -0.010773195325585556, 0.028187667142318098);
}
// For |x| > 1/2, asin(|x|) = pi / 2 - 2 asin(s) with s = sqrt((1 - |x|) / 2); otherwise s = |x|. asin(s) = s
// + rest.
template <class T>
struct AsinReduced {
  Mask<double> large;
  Vec<double> s, rest;
  HWY_INLINE explicit AsinReduced(Vec<double> x) {
    using V = Vec<double>;
    const V a = abs(x);
    large = a > V(0.5);
    const V z = select(large, (V(1) - a) * V(0.5), a * a);
    s = select(large, sqrt(z), a);
    rest = s * z * asin_tail<T>(z);
    // what the square root was rounded by
    rest = rest + select(large && s > V(0), neg_mul_add(s, s, z) / (s + s), V(0));
  }
};
template <class T>
HWY_INLINE Vec<double> asin_in_double(Vec<double> x) {
  using V = Vec<double>;
  const AsinReduced<T> r(x);
  const V two(2),
      large = V(1.5707963267948966) - mul_add(two, r.s, mul_add(two, r.rest, V(-6.123233995736766e-17)));
  return copy_sign(select(r.large, large, r.s + r.rest), x);
}
template <class T>
HWY_INLINE Vec<double> acos_in_double(Vec<double> x) {
  using V = Vec<double>;
  const AsinReduced<T> r(x);
  const V two(2), twice = mul_add(two, r.s, two * r.rest);
  const V rest_of_pi =
      V(3.141592653589793) - mul_add(two, r.s, mul_add(two, r.rest, V(-1.2246467991473532e-16)));
  const V small = V(1.5707963267948966) - (x + (copy_sign(r.rest, x) - V(6.123233995736766e-17)));
  return select(r.large, select(x > V(0), twice, rest_of_pi), small);
}

inline constexpr double kSquareIsAll = 268435456.0;  // 2^28: from here on x^2 + 1 rounds to x^2
template <class T>
HWY_INLINE Vec<double> asinh_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V a = abs(x), z = a * a, one(1);
  const Mask<double> large = a > V(kSquareIsAll);
  const V y = log1p(select(large, a - one, a + z / (one + sqrt(z + one))));
  return copy_sign(select(large, y + V(0.6931471805599453), y), x);
}
template <class T>
HWY_INLINE Vec<double> acosh_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V t = x - V(1);
  const Mask<double> large = x > V(kSquareIsAll);
  const V y = log1p(select(large, t, t + sqrt(mul_add(t, t, t + t))));
  const V defined = select(large, y + V(0.6931471805599453), y);
  return select(x < V(1), V(std::numeric_limits<double>::quiet_NaN()), defined);
}
template <class T>
HWY_INLINE Vec<double> atanh_in_double(Vec<double> x) {
  using V = Vec<double>;
  const V a = abs(x);
  return copy_sign(V(0.5) * log1p((a + a) / (V(1) - a)), x);
}

#define TAPIR_ELEMENTARY(name)                                                                 \
  template <class T>                                                                           \
  HWY_INLINE Vec<T> name(Vec<T> x) {                                                           \
    if constexpr (!kFused) {                                                                   \
      return each_lane<T>(std::name, x);                                                       \
    } else if constexpr (sizeof(T) == 4) {                                                     \
      return through_double(x, [](Vec<double> y) HWY_ATTR { return name##_in_double<T>(y); }); \
    } else {                                                                                   \
      return name##_in_double<T>(x);                                                           \
    }                                                                                          \
  }
TAPIR_ELEMENTARY(exp2)
TAPIR_ELEMENTARY(log2)
TAPIR_ELEMENTARY(log10)
TAPIR_ELEMENTARY(sinh)
TAPIR_ELEMENTARY(cosh)
TAPIR_ELEMENTARY(asin)
TAPIR_ELEMENTARY(acos)
TAPIR_ELEMENTARY(atan)
TAPIR_ELEMENTARY(asinh)
TAPIR_ELEMENTARY(acosh)
TAPIR_ELEMENTARY(atanh)
#undef TAPIR_ELEMENTARY

// sin(r) / cos(r), or minus the inverse after an odd number of quarter turns.
template <class T>
HWY_INLINE Vec<double> tan_reduced(Vec<double> x) {
  const hn::ScalableTag<uint64_t> du;
  const hn::ScalableTag<double> d;
  const TrigReduced<T> t(x);
  const Mask<double> odd{hn::RebindMask(d, hn::TestBit(hn::BitCast(du, t.quarters.raw), hn::Set(du, 1)))};
  return select(odd, -t.c, t.s) / select(odd, t.s, t.c);
}
template <class T>
HWY_INLINE Vec<T> tan(Vec<T> x) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kFused) {
    if (HWY_LIKELY(hn::AllTrue(typename Vec<T>::D(), (abs(x) < Vec<T>(kTrigMax)).raw))) {
      Vec<T> y;
      if constexpr (sizeof(T) == 4) {
        y = through_double(x, [](Vec<double> v) HWY_ATTR { return tan_reduced<T>(v); });
      } else {
        y = tan_reduced<T>(x);
      }
      return select(x == Vec<T>(0), x, y);  // tan(-0) is -0
    }
  }
#endif
  return each_lane<T>(std::tan, x);
}

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
