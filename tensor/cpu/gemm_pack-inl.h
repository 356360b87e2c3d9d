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

/// dst[k * width + i] = src[i * stride + k]: `count <= width` lines that are contiguous along k become a
/// panel. The rest of a panel's row is left undefined, but only within the vector that holds the last of the
/// `count`.
template <class T>
void pack_across(const T* src, int64_t stride, int64_t count, int64_t depth, T* dst, int64_t width) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>, G = kGroup<T>, kBlocks = L / G;
  hn::Mask<Tag<T>> mask[kBlocks];
  for (int64_t b = 1; b < kBlocks; ++b)
    mask[b] = hn::Ge(hn::Iota(d, T(0)), hn::Set(d, static_cast<T>(b * G)));
  for (int64_t i = 0; i < count; i += L, src += L * stride, dst += L) {
    const int64_t lines = std::min(L, count - i), lanes = std::min(L, width - i);
    int64_t k = 0;
    T* out = dst;
    // A vector's 128-bit block b comes from line b * G + r; lines past the last repeat it, for lanes that
    // nobody reads.
    const auto turn = [&](const auto& line) HWY_ATTR {
      for (; k + G <= depth; k += G) {
        V<T> v[G];
#pragma GCC unroll 4
        for (int64_t r = 0; r < G; ++r) {
          v[r] = hn::LoadDup128(d, line(0, r));
#pragma GCC unroll 4
          for (int64_t b = 1; b < kBlocks; ++b) {
            v[r] = hn::IfThenElse(mask[b], hn::LoadDup128(d, line(b, r)), v[r]);
          }
        }
        transpose_blocks(v);
#pragma GCC unroll 4
        for (int64_t q = 0; q < G; ++q, out += width) {
          if (lanes == L) {
            hn::StoreU(v[q], d, out);
          } else {
            store_partial(v[q], out, lanes);
          }
        }
      }
    };
    if (lines % G == 0) {
      const T* start[kBlocks];
      for (int64_t b = 0; b < kBlocks; ++b) start[b] = src + std::min(b * G, lines - G) * stride;
      turn([&](int64_t b, int64_t r) HWY_ATTR { return start[b] + r * stride + k; });
    } else {
      turn([&](int64_t b, int64_t r) HWY_ATTR { return src + std::min(b * G + r, lines - 1) * stride + k; });
    }
    for (; k < depth; ++k, out += width) {
      for (int64_t r = 0; r < lines; ++r) out[r] = src[r * stride + k];
    }
  }
}

/// dst[k * width + i] = src[k * stride + i], i < count; zeros up to `width`, which exceeds count by less than
/// a vector.
template <class T>
void pack_along(const T* src, int64_t stride, int64_t count, int64_t depth, T* dst, int64_t width) {
  constexpr int64_t L = kLanes<T>;
  const Tag<T> d;
  const int64_t whole = count / L * L;
  const int64_t last = std::min(L, width - whole);  // lanes to write
  for (int64_t k = 0; k < depth; ++k, src += stride, dst += width) {
    for (int64_t i = 0; i < whole; i += L) hn::StoreU(hn::LoadU(d, src + i), d, dst + i);
    if (whole == count) continue;
    const V<T> v = load_partial(src + whole, count - whole);
    if (last == L) {
      hn::StoreU(v, d, dst + whole);
    } else {
      store_partial(v, dst + whole, last);
    }
  }
}

/// `panels` panels of `kVectors` vectors each at once, panel after panel in dst: reads whole lines of src,
/// which the processor foresees, instead of a short piece of each.
template <class T, int kVectors>
void pack_panels(const T* src, int64_t stride, int64_t panels, int64_t depth, T* dst) {
  constexpr int64_t kWidth = kVectors * kLanes<T>;
  const Tag<T> d;
  for (int64_t k = 0; k < depth; ++k, src += stride, dst += kWidth) {
    const T* from = src;
    T* to = dst;
    for (int64_t p = 0; p < panels; ++p, from += kWidth, to += depth * kWidth) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < kWidth; v += kLanes<T>) hn::StoreU(hn::LoadU(d, from + v), d, to + v);
    }
  }
}

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
