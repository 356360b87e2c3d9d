// Matrix times vector, and times a few vectors, on one thread, compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/gemv.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/gemm_kernels.h"
#include "tapir/tensor/cpu/gemm_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {

inline constexpr int kDotRows = kManyRegisters ? 4 : 2;
inline constexpr int kDotColumns = 4;

/// Rows i to i + kRows by columns j to j + 4 of C.
template <class T, int kRows>
void dot_tile(const Product<T>& p, int64_t i, int64_t j) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>, G = kGroup<T>;
  constexpr int kSets = kRows == 1 ? 2 : 1;  // enough independent sums to hide latency
  const int64_t count = std::min<int64_t>(kDotColumns, p.n - j);
  const T* a[kRows];
  const T* b[kDotColumns];
  for (int r = 0; r < kRows; ++r) a[r] = p.a + (i + r) * p.a_row;
  // Columns past the last repeat it and are not written.
  for (int64_t c = 0; c < kDotColumns; ++c) b[c] = p.b + (j + std::min(c, count - 1)) * p.b_col;

  V<T> sum[kSets][kRows][kDotColumns];
#pragma GCC unroll 16
  for (int s = 0; s < kSets; ++s) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int c = 0; c < kDotColumns; ++c) sum[s][r][c] = hn::Zero(d);
    }
  }
  int64_t k = 0;
  for (; k + kSets * L <= p.k; k += kSets * L) {
#pragma GCC unroll 16
    for (int s = 0; s < kSets; ++s) {
      V<T> x[kDotColumns];
#pragma GCC unroll 16
      for (int c = 0; c < kDotColumns; ++c) x[c] = hn::LoadU(d, b[c] + k + s * L);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const V<T> y = hn::LoadU(d, a[r] + k + s * L);
#pragma GCC unroll 16
        for (int c = 0; c < kDotColumns; ++c) sum[s][r][c] = hn::MulAdd(x[c], y, sum[s][r][c]);
      }
    }
  }
  for (; k < p.k; k += L) {
    const int64_t left = std::min(L, p.k - k);
    V<T> x[kDotColumns];
#pragma GCC unroll 16
    for (int c = 0; c < kDotColumns; ++c) x[c] = load_partial(b[c] + k, left);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V<T> y = load_partial(a[r] + k, left);
#pragma GCC unroll 16
      for (int c = 0; c < kDotColumns; ++c) sum[0][r][c] = hn::MulAdd(x[c], y, sum[0][r][c]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    HWY_ALIGN T out[kDotColumns];
#pragma GCC unroll 16
    for (int g = 0; g < kDotColumns; g += G) {
      if constexpr (kSets == 2) {
#pragma GCC unroll 16
        for (int q = 0; q < G; ++q) sum[0][r][g + q] = hn::Add(sum[0][r][g + q], sum[1][r][g + q]);
      }
      V<T>* v = &sum[0][r][g];
      transpose_blocks(v);
      V<T> total = v[0];
      if constexpr (G >= 2) total = hn::Add(total, v[1]);
      if constexpr (G == 4) total = hn::Add(total, hn::Add(v[2], v[3]));
      // Lane q of each block holds a part of the sum of column g + q.
      HWY_ALIGN T parts[L];
      hn::Store(total, d, parts);
      const hn::FixedTag<T, static_cast<size_t>(G)> dg;
      auto all = hn::Load(dg, parts);
      for (int64_t l = G; l < L; l += G) all = hn::Add(all, hn::Load(dg, parts + l));
      hn::Store(all, dg, out + g);
    }
    T* const c = p.c + (i + r) * p.c_row + j * p.c_col;
    for (int64_t q = 0; q < count; ++q) {
      T x = p.alpha * out[q];
      if (p.bias != nullptr) x += p.bias[(i + r) * p.bias_row + (j + q) * p.bias_col];
      c[q * p.c_col] = p.beta == T(0) ? x : p.beta * c[q * p.c_col] + x;
    }
  }
}

template <class T>
void dot(const Product<T>& p) {
  for (int64_t j = 0; j < p.n; j += kDotColumns) {
    int64_t i = 0;
    if constexpr (kDotRows == 4) {
      for (; i + 4 <= p.m; i += 4) dot_tile<T, 4>(p, i, j);
      if (i + 3 == p.m) {
        dot_tile<T, 3>(p, i, j);
        continue;
      }
    }
    for (; i + 2 <= p.m; i += 2) dot_tile<T, 2>(p, i, j);
    if (i < p.m) dot_tile<T, 1>(p, i, j);
  }
}

/// c[0, n) += sum over kRows rows of B, the row's weight times the row; `first` starts from beta C + bias.
template <class T, int kRows>
HWY_INLINE void axpy_rows(const Product<T>& p, int64_t k, bool first) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  V<T> x[kRows];
  const T* const b = p.b + k * p.b_row;
  const int64_t step = p.b_row;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) x[r] = hn::Set(d, p.alpha * p.a[(k + r) * p.a_col]);
  const auto start = [&](int64_t j, int64_t count) HWY_ATTR {
    if (!first) return load_partial(p.c + j, count);
    V<T> y = p.bias != nullptr ? load_partial(p.bias + j, count) : hn::Zero(d);
    if (p.beta != T(0)) y = hn::MulAdd(hn::Set(d, p.beta), load_partial(p.c + j, count), y);
    return y;
  };
  int64_t j = 0;
  for (; j + L <= p.n; j += L) {
    V<T> y = first ? start(j, L) : hn::LoadU(d, p.c + j);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) y = hn::MulAdd(x[r], hn::LoadU(d, b + r * step + j), y);
    hn::StoreU(y, d, p.c + j);
  }
  if (j < p.n) {
    const int64_t count = p.n - j;
    V<T> y = start(j, count);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) y = hn::MulAdd(x[r], load_partial(b + r * step + j, count), y);
    store_partial(y, p.c + j, count);
  }
}

template <class T>
void axpy(const Product<T>& whole) {
  constexpr int64_t kBlock = 4096;  // the part of C in use stays in the first-level cache
  for (int64_t j = 0; j < whole.n; j += kBlock) {
    Product<T> p = whole;
    p.n = std::min(kBlock, whole.n - j);
    p.b += j;
    p.c += j;
    if (p.bias != nullptr) p.bias += j;
    int64_t k = 0;
    for (; k + 8 <= p.k; k += 8) axpy_rows<T, 8>(p, k, k == 0);
    for (; k + 2 <= p.k; k += 2) axpy_rows<T, 2>(p, k, k == 0);
    if (k < p.k) axpy_rows<T, 1>(p, k, k == 0);
  }
}

template <class T>
VectorKernels<T> make_kernels() {
  return {&dot<T>, &axpy<T>, kDotRows};
}
VectorKernels<float> make_kernels_float() { return make_kernels<float>(); }
VectorKernels<double> make_kernels_double() { return make_kernels<double>(); }

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu::detail {

HWY_EXPORT(make_kernels_float);
HWY_EXPORT(make_kernels_double);

template <>
const VectorKernels<float>& vector_kernels<float>() {
  static const VectorKernels<float> kernels = HWY_DYNAMIC_DISPATCH(make_kernels_float)();
  return kernels;
}
template <>
const VectorKernels<double>& vector_kernels<double>() {
  static const VectorKernels<double> kernels = HWY_DYNAMIC_DISPATCH(make_kernels_double)();
  return kernels;
}

}  // namespace tapir::cpu::detail
#endif
