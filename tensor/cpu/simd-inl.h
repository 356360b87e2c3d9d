// Vec<T>, a SIMD vector with operators, and the functors of pointwise.def over it; included once per
// instruction set.
#if defined(TAPIR_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_SIMD_INL_H_
#undef TAPIR_CPU_SIMD_INL_H_
#else
#define TAPIR_CPU_SIMD_INL_H_
#endif

#include <cmath>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct Mask {
  hn::Mask<hn::ScalableTag<T>> raw;
};

template <class T>
struct Vec {
  using D = hn::ScalableTag<T>;
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));
  hn::Vec<D> raw;

  Vec() = default;
  HWY_INLINE explicit Vec(hn::Vec<D> v) : raw(v) {}
  /// Every lane c.
  HWY_INLINE explicit Vec(T c) : raw(hn::Set(D(), c)) {}
  template <class U>
  requires(!std::is_same_v<U, T> && std::is_arithmetic_v<U>) HWY_INLINE explicit Vec(U c)
      : raw(hn::Set(D(), static_cast<T>(c))) {}

  static HWY_INLINE Vec load(const T* p) { return Vec(hn::LoadU(D(), p)); }
  HWY_INLINE void store(T* p) const { hn::StoreU(raw, D(), p); }

  /// Masked loads and stores that touch no more than the lanes they name.
  static constexpr bool kMasks = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2;
  /// The first n < kLanes lanes, zero in the others.
  static HWY_INLINE Vec load_first(const T* p, int64_t n) {
    if constexpr (kMasks) {
      return Vec(hn::MaskedLoad(hn::FirstN(D(), static_cast<size_t>(n)), D(), p));
    } else {
      HWY_ALIGN T lanes[kLanes] = {};
      for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
      return Vec(hn::Load(D(), lanes));
    }
  }
  HWY_INLINE void store_first(T* p, int64_t n) const {
    if constexpr (kMasks) {
      hn::BlendedStore(raw, hn::FirstN(D(), static_cast<size_t>(n)), D(), p);
    } else {
      HWY_ALIGN T lanes[kLanes];
      hn::Store(raw, D(), lanes);
      for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
    }
  }
};

// Targets without a fused multiply-add take the C library's functions lane by lane.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
inline constexpr bool kFused = false;
#else
inline constexpr bool kFused = true;
#endif

template <class T>
HWY_NOINLINE void each_lane(T (*f)(T), T* x) {
  for (int64_t i = 0; i < Vec<T>::kLanes; ++i) x[i] = f(x[i]);
}
template <class T>
HWY_INLINE Vec<T> each_lane(T (*f)(T), Vec<T> x) {
  HWY_ALIGN T lanes[Vec<T>::kLanes];
  x.store(lanes);
  each_lane(f, lanes);
  return Vec<T>::load(lanes);
}

#define TAPIR_VEC    \
  template <class T> \
  HWY_INLINE
TAPIR_VEC Vec<T> operator+(Vec<T> a, Vec<T> b) { return Vec<T>(hn::Add(a.raw, b.raw)); }
TAPIR_VEC Vec<T> operator-(Vec<T> a, Vec<T> b) { return Vec<T>(hn::Sub(a.raw, b.raw)); }
TAPIR_VEC Vec<T> operator*(Vec<T> a, Vec<T> b) { return Vec<T>(hn::Mul(a.raw, b.raw)); }
TAPIR_VEC Vec<T> operator/(Vec<T> a, Vec<T> b) { return Vec<T>(hn::Div(a.raw, b.raw)); }
TAPIR_VEC Vec<T> operator-(Vec<T> a) { return Vec<T>(hn::Neg(a.raw)); }
TAPIR_VEC Mask<T> operator==(Vec<T> a, Vec<T> b) { return {hn::Eq(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator!=(Vec<T> a, Vec<T> b) {
  return {hn::Not(hn::Eq(a.raw, b.raw))};  // Highway 1.0's Ne is false for NaN on x86
}
TAPIR_VEC Mask<T> operator<(Vec<T> a, Vec<T> b) { return {hn::Lt(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator<=(Vec<T> a, Vec<T> b) { return {hn::Le(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator>(Vec<T> a, Vec<T> b) { return {hn::Gt(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator>=(Vec<T> a, Vec<T> b) { return {hn::Ge(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator&&(Mask<T> a, Mask<T> b) { return {hn::And(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator||(Mask<T> a, Mask<T> b) { return {hn::Or(a.raw, b.raw)}; }
TAPIR_VEC Mask<T> operator!(Mask<T> a) { return {hn::Not(a.raw)}; }
TAPIR_VEC Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) { return Vec<T>(hn::IfThenElse(m.raw, a.raw, b.raw)); }
TAPIR_VEC Mask<T> is_nan(Vec<T> a) { return {hn::IsNaN(a.raw)}; }
TAPIR_VEC Vec<T> abs(Vec<T> a) { return Vec<T>(hn::Abs(a.raw)); }
TAPIR_VEC Mask<T> is_inf(Vec<T> a) { return abs(a) == Vec<T>(HUGE_VAL); }
TAPIR_VEC Vec<T> copy_sign(Vec<T> magnitude, Vec<T> sign) {
  return Vec<T>(hn::CopySign(magnitude.raw, sign.raw));
}
TAPIR_VEC Mask<T> sign_bit(Vec<T> a) { return copy_sign(Vec<T>(1), a) < Vec<T>(0); }
TAPIR_VEC Mask<T> operator!=(Mask<T> a, Mask<T> b) { return {hn::Xor(a.raw, b.raw)}; }
TAPIR_VEC Vec<T> floor(Vec<T> a) {
  if constexpr (!kFused) return each_lane<T>(std::floor, a);  // Highway's scalar forms lose the sign of zeros
  return Vec<T>(hn::Floor(a.raw));
}
TAPIR_VEC Vec<T> ceil(Vec<T> a) {
  if constexpr (!kFused) return each_lane<T>(std::ceil, a);  // Highway's scalar forms lose the sign of zeros
  return Vec<T>(hn::Ceil(a.raw));
}
TAPIR_VEC Vec<T> round(Vec<T> a) { return Vec<T>(hn::Round(a.raw)); }
TAPIR_VEC Vec<T> trunc(Vec<T> a) {
  if constexpr (!kFused) return each_lane<T>(std::trunc, a);  // Highway's scalar forms lose the sign of zeros
  return Vec<T>(hn::Trunc(a.raw));
}
/// a / b without its fraction.
TAPIR_VEC Vec<T> quotient(Vec<T> a, Vec<T> b) { return trunc(a / b); }
TAPIR_VEC Vec<T> sqrt(Vec<T> a) { return Vec<T>(hn::Sqrt(a.raw)); }
/// a * b + c, fused where the machine can.
TAPIR_VEC Vec<T> mul_add(Vec<T> a, Vec<T> b, Vec<T> c) { return Vec<T>(hn::MulAdd(a.raw, b.raw, c.raw)); }
/// c - a * b
TAPIR_VEC Vec<T> neg_mul_add(Vec<T> a, Vec<T> b, Vec<T> c) {
  return Vec<T>(hn::NegMulAdd(a.raw, b.raw, c.raw));
}

/// Writes 0 or 1 for each of the first n <= kLanes lanes.
TAPIR_VEC void store_bools(Mask<T> m, uint8_t* p, int64_t n) {
#if HWY_TARGET == HWY_SCALAR
  if (n) *p = m.raw.bits ? 1 : 0;
#else
  using D = typename Vec<T>::D;
  const hn::RebindToUnsigned<D> du;
  const auto ones = hn::BitCast(du, hn::IfThenElseZero(m.raw, hn::BitCast(D(), hn::Set(du, 1))));
  const hn::Rebind<uint8_t, D> d8;
  const auto bytes = hn::TruncateTo(d8, ones);
  if (n == Vec<T>::kLanes) {
    hn::StoreU(bytes, d8, p);
  } else {
    HWY_ALIGN uint8_t lanes[Vec<T>::kLanes];
    hn::Store(bytes, d8, lanes);
    for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
#endif
}
/// True where a byte of the first n <= kLanes is not 0.
TAPIR_VEC Mask<T> load_bools(const uint8_t* p, int64_t n, T) {
  using D = typename Vec<T>::D;
  constexpr int64_t kLanes = Vec<T>::kLanes;
#if HWY_TARGET != HWY_SCALAR
  if (n == kLanes) {
    const hn::Rebind<uint8_t, D> d8;
    const hn::Rebind<uint32_t, D> d32;
    const hn::RebindToUnsigned<D> du;
    const auto wide = hn::PromoteTo(d32, hn::LoadU(d8, p));
    if constexpr (sizeof(T) == 4) {
      return {hn::RebindMask(D(), hn::Not(hn::Eq(wide, hn::Zero(du))))};
    } else {
      return {hn::RebindMask(D(), hn::Not(hn::Eq(hn::PromoteTo(du, wide), hn::Zero(du))))};
    }
  }
#endif
  HWY_ALIGN T lanes[kLanes];
  for (int64_t i = 0; i < kLanes; ++i) lanes[i] = i < n && p[i] ? T(1) : T(0);
  return {hn::Not(hn::Eq(hn::Load(D(), lanes), hn::Zero(D())))};
}
#undef TAPIR_VEC

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
