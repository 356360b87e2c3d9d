// The innermost kernel of the matrix product; included once per instruction set.
#if defined(TAPIR_CPU_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_GEMM_TILE_INL_H_
#undef TAPIR_CPU_GEMM_TILE_INL_H_
#else
#define TAPIR_CPU_GEMM_TILE_INL_H_
#endif

#include <algorithm>
#include <array>
#include <utility>

#include "tapir/tensor/cpu/gemm_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {

// Note [Tiles]
//
// A tile of C, `rows` by `vectors` SIMD vectors, stays in registers while k runs: for each k one row of B is
// loaded as vectors and each element of a column of A is broadcast. With 32 registers 8 x 3 vectors use 24
// accumulators and need 11 loads for 24 multiply-adds; with 16 registers 6 x 2 use 12. Few rows get 4
// vectors, so that there are enough independent sums to hide the latency of the multiply-add.
//
// Every kAhead steps the kernel asks for memory it will need: rows of C, and the next rows of A where they
// come from far away, since the processor does not foresee walks across rows.
inline constexpr int kTileRows = kManyRegisters ? 8 : 6;
inline constexpr int kTileVectors = kManyRegisters ? 3 : 2;
inline constexpr int kWideRows = kManyRegisters ? 6 : 2;
inline constexpr int64_t kAhead = 8;

template <class T>
struct Tile {
  const T* a;
  int64_t a_row, a_k;  // strides
  const T* b;
  int64_t b_k;
  int64_t k;
  int64_t a_ahead;  // distance to what is prefetched, 0 for none
  T alpha, beta;
  T* c;
  int64_t c_row, c_col;
  const T* bias;
  int64_t columns;  // of C that exist; the tile may be wider
};

template <class T>
HWY_INLINE V<T> blend(V<T> sum, T beta, const T* c, int64_t count) {
  if (beta == T(0)) return sum;
  const V<T> old = count == kLanes<T> ? hn::LoadU(Tag<T>(), c) : load_partial(c, count);
  return hn::MulAdd(hn::Set(Tag<T>(), beta), old, sum);
}

/// Adds beta C and bias to a tile and writes it to C; `sums` is rows x width, already times alpha.
template <class T>
HWY_NOINLINE void finish_rows(const Tile<T>& t, const T* sums, int64_t rows, int64_t width) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  for (int64_t i = 0; i < rows; ++i, sums += width) {
    for (int64_t j = 0; j < t.columns; j += L) {
      const int64_t count = std::min(L, t.columns - j);
      V<T> v = hn::Load(d, sums + j);
      if (t.bias != nullptr) v = hn::Add(v, load_partial(t.bias + j, count));
      T* c = t.c + i * t.c_row + j;
      store_partial(blend(v, t.beta, c, count), c, count);
    }
  }
}

/// The same, C contiguous along its rows' index.
template <class T>
HWY_NOINLINE void finish_transposed(const Tile<T>& t, const T* sums, int64_t rows, int64_t width) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>, G = kGroup<T>;
  const hn::FixedTag<T, static_cast<size_t>(G)> dg;
  HWY_ALIGN T turned[G * L];
  int64_t i = 0;
  for (; i + G <= rows; i += G) {
    auto bias = hn::Zero(dg);
    if (t.bias != nullptr) bias = hn::LoadU(dg, t.bias + i);
    for (int64_t j = 0; j < t.columns; j += L) {
      V<T> v[G];
      for (int64_t r = 0; r < G; ++r) v[r] = hn::Load(d, sums + (i + r) * width + j);
      transpose_blocks(v);
      for (int64_t r = 0; r < G; ++r) hn::Store(v[r], d, turned + r * L);
      T* c = t.c + j * t.c_col + i;
      for (int64_t q = 0; q < std::min(L, t.columns - j); ++q, c += t.c_col) {
        auto x = hn::Add(hn::Load(dg, turned + q % G * L + q / G * G), bias);
        if (t.beta != T(0)) x = hn::MulAdd(hn::Set(dg, t.beta), hn::LoadU(dg, c), x);
        hn::StoreU(x, dg, c);
      }
    }
  }
  for (; i < rows; ++i) {
    const T bias = t.bias != nullptr ? t.bias[i] : T(0);
    for (int64_t j = 0; j < t.columns; ++j) {
      T& c = t.c[j * t.c_col + i];
      const T x = sums[i * width + j] + bias;
      c = t.beta == T(0) ? x : t.beta * c + x;
    }
  }
}

/// `kRowStride`: rows of A lie `a_row` apart and `a_k` is 1; otherwise `a_row` is 1.
template <class T, int kRows, int kVectors, bool kRowStride>
HWY_NOINLINE void tile(const Tile<T>& t) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  V<T> sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::Zero(d);
  }
  const T* HWY_RESTRICT b = t.b;
  const int64_t b_k = t.b_k;
  // Row i of A: where rows lie apart, few pointers, three rows on each, or the registers do not suffice.
  constexpr int kStarts = kRowStride ? (kRows + 2) / 3 : 1;
  const int64_t a_row = kRowStride ? t.a_row : 1, a_k = kRowStride ? 1 : t.a_k;
  const T* a[kStarts];
#pragma GCC unroll 16
  for (int i = 0; i < kStarts; ++i) a[i] = t.a + 3 * i * a_row;
  const auto row_of_a = [&](int i) HWY_ATTR { return kRowStride ? a[i / 3] + i % 3 * a_row : a[0] + i; };

  const T* c_ahead = t.c;
  int64_t c_rows = t.c_col == 1 ? kRows : 0;
  const int64_t c_rows_at_once = kRows * kAhead / t.k + 1;
  for (int64_t left = t.k; left > 0; left -= kAhead) {
    for (int64_t r = std::min(c_rows, c_rows_at_once); r > 0; --r, --c_rows, c_ahead += t.c_row) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) __builtin_prefetch(c_ahead + v * L, 1);
    }
    if (t.a_ahead != 0) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) __builtin_prefetch(row_of_a(i) + t.a_ahead);
    }
    for (int64_t q = std::min(left, kAhead); q > 0; --q) {
      V<T> x[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + v * L);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const V<T> y = hn::Set(d, *row_of_a(i));
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(y, x[v], sum[i][v]);
      }
      b += b_k;
#pragma GCC unroll 16
      for (int i = 0; i < kStarts; ++i) a[i] += a_k;
    }
  }
  const V<T> alpha = hn::Set(d, t.alpha);
  if (t.c_col != 1 || t.columns < kVectors * L) {
    HWY_ALIGN T sums[kRows * kVectors * L];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        hn::Store(hn::Mul(alpha, sum[i][v]), d, sums + (i * kVectors + v) * L);
      }
    }
    (t.c_col == 1 ? finish_rows<T> : finish_transposed<T>)(t, sums, kRows, kVectors * L);
    return;
  }
  V<T> bias[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    bias[v] = t.bias != nullptr ? hn::LoadU(d, t.bias + v * L) : hn::Zero(d);
  }
  T* c = t.c;
  if (t.beta == T(0)) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i, c += t.c_row) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) hn::StoreU(hn::MulAdd(alpha, sum[i][v], bias[v]), d, c + v * L);
    }
  } else {
    const V<T> beta = hn::Set(d, t.beta);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i, c += t.c_row) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        const V<T> old = hn::MulAdd(beta, hn::LoadU(d, c + v * L), bias[v]);
        hn::StoreU(hn::MulAdd(alpha, sum[i][v], old), d, c + v * L);
      }
    }
  }
}

template <class T>
using TileFn = void (*)(const Tile<T>&);

template <class T, int kVectors, bool kRowStride, int... kRows>
constexpr auto tiles_of(std::integer_sequence<int, kRows...>) {
  return std::array<TileFn<T>, sizeof...(kRows)>{&tile<T, kRows + 1, kVectors, kRowStride>...};
}

/// The kernel for `rows` (1 to kTileRows; kWideRows where `vectors` is 4) by `vectors` (1 to kTileVectors, or
/// 4).
template <class T, bool kRowStride>
HWY_INLINE TileFn<T> tile_for(int64_t rows, int64_t vectors) {
  static constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  static constexpr auto one = tiles_of<T, 1, kRowStride>(all);
  static constexpr auto two = tiles_of<T, 2, kRowStride>(all);
  static constexpr auto most = tiles_of<T, kTileVectors, kRowStride>(all);
  static constexpr auto wide = tiles_of<T, 4, kRowStride>(std::make_integer_sequence<int, kWideRows>());
  const auto at = static_cast<size_t>(rows - 1);
  return vectors == 1 ? one[at] : vectors == 2 ? two[at] : vectors == kTileVectors ? most[at] : wide[at];
}

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
