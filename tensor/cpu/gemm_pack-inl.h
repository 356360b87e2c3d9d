// Packing of panels for the matrix product; included once per instruction set.
#if defined(TAPIR_CPU_GEMM_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_GEMM_PACK_INL_H_
#undef TAPIR_CPU_GEMM_PACK_INL_H_
#else
#define TAPIR_CPU_GEMM_PACK_INL_H_
#endif

#include <algorithm>

#include "tapir/tensor/cpu/gemm_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {

/// One vector whose 128-bit block b comes from `rows[b] + at`.
template <class T>
HWY_INLINE V<T> load_blocks(const T* const* rows, int64_t at) {
  const Tag<T> d;
  V<T> v = hn::LoadDup128(d, rows[0] + at);
  for (int64_t b = 1; b < kLanes<T> / kGroup<T>; ++b) {
    const auto before = hn::FirstN(d, static_cast<size_t>(b * kGroup<T>));
    v = hn::IfThenElse(before, v, hn::LoadDup128(d, rows[b] + at));
  }
  return v;
}

/// dst[k * width + i] = src[i * stride + k]: `count <= width` lines that are contiguous along k become a
/// panel. The rest of a panel's row is left undefined, but only within the vector that holds the last of the
/// `count`.
template <class T>
void pack_across(const T* src, int64_t stride, int64_t count, int64_t depth, T* dst, int64_t width) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>, G = kGroup<T>;
  for (int64_t i = 0; i < count; i += L) {
    // Lines past the last repeat it: nobody reads those lanes.
    const T* rows[G][L / G];
    for (int64_t r = 0; r < L; ++r) rows[r % G][r / G] = src + std::min(i + r, count - 1) * stride;
    const int64_t lanes = std::min(L, width - i);
    T* out = dst + i;
    int64_t k = 0;
    for (; k + G <= depth; k += G) {
      V<T> v[G];
      for (int64_t r = 0; r < G; ++r) v[r] = load_blocks(rows[r], k);
      transpose_blocks(v);
      for (int64_t q = 0; q < G; ++q, out += width) {
        if (lanes == L) {
          hn::StoreU(v[q], d, out);
        } else {
          store_partial(v[q], out, lanes);
        }
      }
    }
    for (; k < depth; ++k, out += width) {
      for (int64_t r = 0; r < std::min(L, count - i); ++r) out[r] = rows[r % G][r / G][k];
    }
  }
}

/// dst[k * width + i] = src[k * stride + i], i < count; zeros up to `width`.
template <class T>
void pack_along(const T* src, int64_t stride, int64_t count, int64_t depth, T* dst, int64_t width) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  for (int64_t k = 0; k < depth; ++k, src += stride, dst += width) {
    int64_t i = 0;
    for (; i + L <= count; i += L) hn::StoreU(hn::LoadU(d, src + i), d, dst + i);
    if (i < count) {
      const V<T> v = load_partial(src + i, count - i);
      if (i + L <= width) {
        hn::StoreU(v, d, dst + i);
      } else {
        store_partial(v, dst + i, width - i);
      }
    }
  }
}

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
