// SIMD helpers of the kernels that walk rows of float or double (reduce, softmax, loss): included once per
// instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE of its own.
#if defined(TAPIR_CPU_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_ROWS_INL_H_
#undef TAPIR_CPU_ROWS_INL_H_
#else
#define TAPIR_CPU_ROWS_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;
template <class T>
inline constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));
/// Masked loads and stores touch only the lanes they name.
inline constexpr bool kMasks = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2;
template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();

template <class T>
HWY_INLINE V<T> splat(T value) {
  return hn::Set(Tag<T>(), value);
}
/// The first `count` < kLanes values at p, no more is read; `fill` in the other lanes.
template <class T>
HWY_INLINE V<T> load_first(const T* p, int64_t count, T fill) {
  const Tag<T> d;
  if constexpr (kMasks) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(count));
    return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), hn::Set(d, fill));
  } else {
    HWY_ALIGN T lanes[kLanes<T>];
    for (int64_t i = 0; i < kLanes<T>; ++i) lanes[i] = i < count ? p[i] : fill;
    return hn::Load(d, lanes);
  }
}
template <class T>
HWY_INLINE void store_first(V<T> v, T* p, int64_t count) {
  const Tag<T> d;
  if constexpr (kMasks) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
  } else {
    HWY_ALIGN T lanes[kLanes<T>];
    hn::Store(v, d, lanes);
    for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
  }
}

template <class T>
HWY_INLINE T sum_lanes(V<T> v) {
  return hn::GetLane(hn::SumOfLanes(Tag<T>(), v));
}

/// The larger (smaller) of two, NaN where one is NaN: the hardware's max gives its second operand then.
template <class T, bool kMin>
HWY_INLINE V<T> extreme(V<T> a, V<T> b) {
  return hn::IfThenElse(hn::IsNaN(a), a, kMin ? hn::Min(a, b) : hn::Max(a, b));
}
template <class T, bool kMin>
HWY_INLINE T extreme_lanes(V<T> v) {
  const Tag<T> d;
  if (HWY_UNLIKELY(!hn::AllFalse(d, hn::IsNaN(v)))) return std::numeric_limits<T>::quiet_NaN();
  return hn::GetLane(kMin ? hn::MinOfLanes(d, v) : hn::MaxOfLanes(d, v));
}

/// exp(x) for x <= 0 and NaN, to about one unit in the last place.
template <class T>
HWY_INLINE V<T> exp_of_negative(V<T> x) {
  const Tag<T> d;
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

/// Folds a row into one vector: step(accumulator, values, index of the first) over all of it, four
/// accumulators at a time to hide latency, brought together by join. Lanes past the end hold `neutral`.
template <class T, class Step, class Join>
HWY_INLINE V<T> fold_row(const T* p, int64_t n, T neutral, V<T> init, Step step, Join join) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  V<T> a0 = init;
  int64_t i = 0;
  if (n >= 4 * L) {
    V<T> a1 = init, a2 = init, a3 = init;
    for (; i + 4 * L <= n; i += 4 * L) {
      a0 = step(a0, hn::LoadU(d, p + i), i);
      a1 = step(a1, hn::LoadU(d, p + i + L), i + L);
      a2 = step(a2, hn::LoadU(d, p + i + 2 * L), i + 2 * L);
      a3 = step(a3, hn::LoadU(d, p + i + 3 * L), i + 3 * L);
    }
    a0 = join(join(a0, a1), join(a2, a3));
  }
  for (; i + L <= n; i += L) a0 = step(a0, hn::LoadU(d, p + i), i);
  if (i < n) a0 = step(a0, load_first(p + i, n - i, neutral), i);
  return a0;
}

/// The largest (smallest) of n > 0 values, NaN where one is NaN.
template <class T, bool kMin>
HWY_INLINE T row_extreme(const T* p, int64_t n) {
  const T neutral = kMin ? kInf<T> : -kInf<T>;
  return extreme_lanes<T, kMin>(fold_row(
      p, n, neutral, splat(neutral), [](V<T> a, V<T> x, int64_t) { return extreme<T, kMin>(a, x); },
      [](V<T> a, V<T> b) { return extreme<T, kMin>(a, b); }));
}

/// Sum of exp(x - shift), where no x exceeds shift.
template <class T>
HWY_INLINE T row_sum_exp(const T* p, int64_t n, T shift) {
  const V<T> s = splat(shift);
  return sum_lanes<T>(fold_row(
      p, n, -kInf<T>, splat(T(0)),
      [s](V<T> a, V<T> x, int64_t) { return hn::Add(a, exp_of_negative<T>(hn::Sub(x, s))); },
      [](V<T> a, V<T> b) { return hn::Add(a, b); }));
}

/// Sum of f(0), ..., f(n - 1), in blocks, whose sums lose less than one long sum.
template <class T, class F>
HWY_INLINE V<T> sum_in_blocks(int64_t n, F f) {
  V<T> sum = splat(T(0));
  for (int64_t r = 0; r < n;) {
    const int64_t end = r + 32 < n ? r + 32 : n;
    V<T> part = f(r);
    while (++r < end) part = hn::Add(part, f(r));
    sum = hn::Add(sum, part);
  }
  return sum;
}

/// Calls f(vector of x, i) and stores its result at y[i...], for all n values of a row.
template <class T, class F>
HWY_INLINE void map_row(const T* x, T* y, int64_t n, F f) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i < n) store_first(f(load_first(x + i, n - i, T(0))), y + i, n - i);
}
template <class T, class F>
HWY_INLINE void map_row(const T* x0, const T* x1, T* y, int64_t n, F f) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) hn::StoreU(f(hn::LoadU(d, x0 + i), hn::LoadU(d, x1 + i)), d, y + i);
  if (i < n) store_first(f(load_first(x0 + i, n - i, T(0)), load_first(x1 + i, n - i, T(0))), y + i, n - i);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
