// Per-target helpers of the matrix product; included once per instruction set.
#if defined(TAPIR_CPU_GEMM_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_GEMM_SIMD_INL_H_
#undef TAPIR_CPU_GEMM_SIMD_INL_H_
#else
#define TAPIR_CPU_GEMM_SIMD_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<Tag<T>>;

template <class T>
inline constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));
/// Elements per 128-bit block, within which the shuffles below work; 1 without SIMD.
template <class T>
inline constexpr int64_t kGroup = kLanes<T> < 16 / static_cast<int64_t>(sizeof(T)) ? 1 : 16 / sizeof(T);
/// Masked loads and stores touch only the lanes they name.
inline constexpr bool kMasks = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2;
inline constexpr bool kManyRegisters = (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) || HWY_ARCH_ARM_A64;

/// The first `count` lanes from memory (no more is read), zero in the others.
template <class T>
HWY_INLINE V<T> load_partial(const T* p, int64_t count) {
  const Tag<T> d;
  if constexpr (kMasks) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
  } else {
    HWY_ALIGN T lanes[kLanes<T>] = {};
    for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
    return hn::Load(d, lanes);
  }
}

template <class T>
HWY_INLINE void store_partial(V<T> v, T* p, int64_t count) {
  const Tag<T> d;
  if constexpr (kMasks) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
  } else {
    HWY_ALIGN T lanes[kLanes<T>];
    hn::Store(v, d, lanes);
    for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
  }
}

/// Transposes within each 128-bit block: `r[q]` becomes element q of every `r`.
#if HWY_TARGET == HWY_SCALAR
template <class Vector>
HWY_INLINE void transpose_blocks(Vector*) {}
#else
HWY_INLINE void transpose_blocks(V<float>* r) {
  const Tag<float> d;
  const hn::RepartitionToWide<Tag<float>> dw;
  const auto t0 = hn::BitCast(dw, hn::InterleaveLower(d, r[0], r[1]));
  const auto t1 = hn::BitCast(dw, hn::InterleaveLower(d, r[2], r[3]));
  const auto t2 = hn::BitCast(dw, hn::InterleaveUpper(d, r[0], r[1]));
  const auto t3 = hn::BitCast(dw, hn::InterleaveUpper(d, r[2], r[3]));
  r[0] = hn::BitCast(d, hn::InterleaveLower(dw, t0, t1));
  r[1] = hn::BitCast(d, hn::InterleaveUpper(dw, t0, t1));
  r[2] = hn::BitCast(d, hn::InterleaveLower(dw, t2, t3));
  r[3] = hn::BitCast(d, hn::InterleaveUpper(dw, t2, t3));
}

HWY_INLINE void transpose_blocks(V<double>* r) {
  const Tag<double> d;
  const auto t = hn::InterleaveLower(d, r[0], r[1]);
  r[1] = hn::InterleaveUpper(d, r[0], r[1]);
  r[0] = t;
}
#endif

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
