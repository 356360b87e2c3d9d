// Blocked matrix product on one thread, compiled once per instruction set.

#include <algorithm>

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/gemm_block.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "hwy/highway.h"
#include "tapir/tensor/cpu/gemm_kernels.h"
#include "tapir/tensor/cpu/gemm_pack-inl.h"
#include "tapir/tensor/cpu/gemm_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::detail::HWY_NAMESPACE {

// Note [Blocks]
//
// The loops are Goto's: a panel of B, `kDepth` by a tile's width, serves all tiles of a block of A, whose
// elements come from the second-level cache. Small operands are read in place: copying costs more than it
// saves until a block no longer fits that cache, except where the tile kernel could not read them (B
// contiguous along k, and the last columns, which do not fill a vector). docs/gemm.md has the measurements.
inline constexpr int64_t kDepth = 2048;         // bytes per row of a panel of A, likewise
inline constexpr int64_t kBlockRows = 168;      // of packed A
inline constexpr int64_t kBlockColumns = 1024;  // of packed B
inline constexpr int64_t kInPlace = 640 << 10;  // bytes of an operand that need no packing
inline constexpr int64_t kFarAway = 1 << 20;    // bytes of an operand that is read from beyond that cache

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

/// How a product is cut, and which operands are copied.
template <class T>
struct Plan {
  explicit Plan(const Product<T>& p) {
    constexpr int64_t kSize = sizeof(T), L = kLanes<T>, G = kGroup<T>;
    transposed = p.c_col != 1;
    depth = divide_up(p.k, divide_up(p.k * kSize, kDepth));
    const int64_t a_bytes = p.m * p.k * kSize, b_bytes = p.n * p.k * kSize;
    pack_a = p.n > 4 * L && a_bytes > kInPlace;
    pack_b = p.b_col != 1 || (p.m > 4 * kTileRows && b_bytes > kInPlace);
    a_ahead = !pack_a && p.a_row != 1 && p.n <= kTileVectors * L && a_bytes > kFarAway;
    const bool four = kTileVectors == 3 && p.n > 3 * L && p.n <= 4 * L;  // one wide panel instead of two of 2
    wide = !pack_b && (p.m <= kWideRows || (four && !transposed));
    const int64_t most = transposed ? kTileRows / G * G : wide ? kWideRows : kTileRows;
    const int64_t rows = pack_a ? divide_up(p.m, divide_up(p.m, kBlockRows)) : p.m;
    tile_rows = divide_up(rows, divide_up(rows, most));  // tiles of about equal height
    if (transposed || (pack_a && p.a_row != 1)) tile_rows = std::min(round_up(tile_rows, G), most);
    block_rows = round_up(rows, tile_rows);
    keep_b = pack_b && p.m > block_rows;
    block_columns = keep_b ? std::min(p.n, round_up(kBlockColumns, kTileVectors * L)) : p.n;
  }

  /// The vectors of a panel for the next of `left` columns: full panels, then whatever leaves the fewest
  /// narrow ones.
  int64_t vectors(int64_t left) const {
    constexpr int64_t L = kLanes<T>;
    if (wide && left >= 4 * L) return 4;
    if (kTileVectors == 3 && left > 3 * L && left <= 4 * L) return 2;
    return std::min<int64_t>(kTileVectors, divide_up(left, L));
  }

  bool transposed;
  bool pack_a, pack_b;
  bool a_ahead;  // A is prefetched
  bool wide;     // tiles of a few rows and 4 vectors
  bool keep_b;   // all panels of B at once, since several blocks of A use them; otherwise one at a time
  int64_t depth, tile_rows, block_rows, block_columns;
};

template <class T>
void pack_a_block(const Product<T>& p, const Plan<T>& plan, int64_t i0, int64_t i1, int64_t k0, int64_t depth,
                  T* packed) {
  for (int64_t i = i0; i < i1; i += plan.tile_rows, packed += plan.tile_rows * depth) {
    const int64_t rows = std::min(plan.tile_rows, i1 - i);
    const T* const from = p.a + i * p.a_row + k0 * p.a_col;
    if (p.a_row == 1) {
      pack_along(from, p.a_col, rows, depth, packed, rows);
    } else {
      pack_across(from, p.a_row, rows, depth, packed, rows);
    }
  }
}

template <class T>
void block(const Product<T>& p) {
  constexpr int64_t L = kLanes<T>, kFull = kTileVectors * L;
  const Plan<T> plan(p);
  const int64_t a_size = plan.pack_a ? round_up(plan.block_rows * plan.depth + L, L) : 0;
  const int64_t b_size = plan.depth * (plan.keep_b ? round_up(plan.block_columns, L) : kFull);
  T* const packed_a = static_cast<T*>(scratch((a_size + b_size) * static_cast<int64_t>(sizeof(T))));
  T* const packed_b = packed_a + a_size;
  const bool rows_apart = !plan.pack_a && p.a_row != 1;

  Tile<T> t;
  t.alpha = p.alpha;
  t.c_row = p.c_row;
  t.c_col = p.c_col;
  t.a_row = p.a_row;
  for (int64_t j0 = 0; j0 < p.n; j0 += plan.block_columns) {
    const int64_t j1 = std::min(p.n, j0 + plan.block_columns);
    for (int64_t k0 = 0; k0 < p.k; k0 += plan.depth) {
      t.k = std::min(plan.depth, p.k - k0);
      t.beta = k0 == 0 ? p.beta : T(1);
      const T* const bias = k0 == 0 ? p.bias : nullptr;
      int64_t packed_columns = 0;
      if (plan.keep_b && p.b_col == 1) {
        // All panels of full width, except those before which vectors() would choose another.
        const int64_t panels = std::max<int64_t>(0, (j1 - j0) / kFull - 1);
        pack_panels<T, kTileVectors>(p.b + k0 * p.b_row + j0, p.b_row, panels, t.k, packed_b);
        packed_columns = panels * kFull;
      }
      for (int64_t i0 = 0; i0 < p.m; i0 += plan.block_rows) {
        const int64_t i1 = std::min(p.m, i0 + plan.block_rows);
        if (plan.pack_a) pack_a_block(p, plan, i0, i1, k0, t.k, packed_a);
        for (int64_t j = j0, width; j < j1; j += width) {
          const int64_t vectors = plan.vectors(j1 - j);
          width = std::min(j1 - j, vectors * L);
          const T* const from = p.b + k0 * p.b_row + j * p.b_col;
          if (plan.pack_b || width < vectors * L) {
            T* const panel = packed_b + (plan.keep_b ? (j - j0) * t.k : 0);
            if (!plan.keep_b || (i0 == 0 && j - j0 >= packed_columns)) {
              if (p.b_col == 1) {
                pack_along(from, p.b_row, width, t.k, panel, vectors * L);
              } else {
                pack_across(from, p.b_col, width, t.k, panel, vectors * L);
              }
            }
            t.b = panel;
            t.b_k = vectors * L;
          } else {
            t.b = from;
            t.b_k = p.b_row;
          }
          t.columns = width;
          for (int64_t i = i0; i < i1; i += plan.tile_rows) {
            const int64_t rows = std::min(plan.tile_rows, i1 - i);
            t.c = p.c + i * p.c_row + j * p.c_col;
            t.bias = bias == nullptr ? nullptr : bias + (plan.transposed ? i : j);
            if (plan.pack_a) {
              t.a = packed_a + (i - i0) * t.k;
              t.a_k = rows;
            } else {
              t.a = p.a + i * p.a_row + k0 * p.a_col;
              t.a_k = p.a_col;
            }
            t.a_ahead = plan.a_ahead && i + rows < i1 ? rows * p.a_row : 0;
            (rows_apart ? tile_for<T, true> : tile_for<T, false>)(rows, vectors)(t);
          }
        }
      }
    }
  }
}

template <class T>
BlockKernel<T> make_kernel() {
  return {&block<T>, kLanes<T>, kTileRows, kTileVectors * kLanes<T>};
}
BlockKernel<float> make_kernel_float() { return make_kernel<float>(); }
BlockKernel<double> make_kernel_double() { return make_kernel<double>(); }

}  // namespace tapir::cpu::detail::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu::detail {

HWY_EXPORT(make_kernel_float);
HWY_EXPORT(make_kernel_double);

template <>
const BlockKernel<float>& block_kernel<float>() {
  static const BlockKernel<float> kernel = HWY_DYNAMIC_DISPATCH(make_kernel_float)();
  return kernel;
}
template <>
const BlockKernel<double>& block_kernel<double>() {
  static const BlockKernel<double> kernel = HWY_DYNAMIC_DISPATCH(make_kernel_double)();
  return kernel;
}

}  // namespace tapir::cpu::detail
#endif
