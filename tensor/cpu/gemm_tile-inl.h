// The innermost kernel of the matrix product; included once per instruction set.
#if defined(TAPIR_CPU_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_GEMM_TILE_INL_H_
#undef TAPIR_CPU_GEMM_TILE_INL_H_
#else
#define TAPIR_CPU_GEMM_TILE_INL_H_
#endif

#include <array>
#include <utility>

#include "tapir/tensor/cpu/gemm_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {

// Note [Tiles]
//
// A tile of C, `rows` by `vectors` SIMD vectors, stays in registers while k runs: for each k one row of B is
// loaded as vectors and each element of a column of A is broadcast. With 32 registers 14 x 2 vectors use 28
// accumulators and need 16 loads for 28 multiply-adds; with 16 registers 6 x 2 use 12. Few rows get 4
// vectors, so that there are enough independent sums to hide the latency of the multiply-add.
inline constexpr int kTileRows = kManyRegisters ? 14 : 6;
inline constexpr int kWideRows = kManyRegisters ? 6 : 2;

template <class T>
struct Tile {
  const T* a;
  int64_t a_row, a_k;  // strides
  const T* b;
  int64_t b_k;
  int64_t k;
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
  if constexpr (kRowStride) {
    // Few pointers, three rows on each, or the registers do not suffice.
    const T* a[(kRows + 2) / 3];
    const int64_t step = t.a_row;
#pragma GCC unroll 16
    for (int i = 0; i < (kRows + 2) / 3; ++i) a[i] = t.a + 3 * i * step;
    for (int64_t k = 0; k < t.k; ++k, b += b_k) {
      V<T> x[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + v * L);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const V<T> y = hn::Set(d, a[i / 3][i % 3 * step + k]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(y, x[v], sum[i][v]);
      }
    }
  } else {
    const T* HWY_RESTRICT a = t.a;
    const int64_t a_k = t.a_k;
    for (int64_t k = 0; k < t.k; ++k, a += a_k, b += b_k) {
      V<T> x[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) x[v] = hn::LoadU(d, b + v * L);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const V<T> y = hn::Set(d, a[i]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(y, x[v], sum[i][v]);
      }
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
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    T* c = t.c + i * t.c_row;
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(blend(hn::MulAdd(alpha, sum[i][v], bias[v]), t.beta, c + v * L, L), d, c + v * L);
    }
  }
}

template <class T>
using TileFn = void (*)(const Tile<T>&);

template <class T, int kVectors, bool kRowStride, int... kRows>
constexpr auto tiles_of(std::integer_sequence<int, kRows...>) {
  return std::array<TileFn<T>, sizeof...(kRows)>{&tile<T, kRows + 1, kVectors, kRowStride>...};
}

/// The kernel for `rows` (1 to kTileRows; kWideRows where `vectors` is 4) by `vectors` (1, 2 or 4).
template <class T, bool kRowStride>
HWY_INLINE TileFn<T> tile_for(int64_t rows, int64_t vectors) {
  static constexpr auto one = tiles_of<T, 1, kRowStride>(std::make_integer_sequence<int, kTileRows>());
  static constexpr auto two = tiles_of<T, 2, kRowStride>(std::make_integer_sequence<int, kTileRows>());
  static constexpr auto four = tiles_of<T, 4, kRowStride>(std::make_integer_sequence<int, kWideRows>());
  const auto at = static_cast<size_t>(rows - 1);
  return vectors == 1 ? one[at] : vectors == 2 ? two[at] : four[at];
}

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
