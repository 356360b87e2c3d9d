// Blocked matrix product on one thread, compiled once per instruction set.

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
// The loops are Goto's: a panel of B, `kDepth` by a tile's width, stays in the first-level cache while the
// tiles of a block of A pass over it; that block, `kDepth` by about `kBlockRows`, stays in the second level.
// Operands are copied into panels only where the copy is used often enough, or where the kernel could not
// read them in place.
inline constexpr int64_t kDepth = 320;
inline constexpr int64_t kBlockRows = 168;
inline constexpr int64_t kBlockColumns = 1024;
inline constexpr int64_t kPackAColumns = 128;  // A is packed where C has more columns than this
inline constexpr int64_t kPackBRows = 32;      // B is packed where C has more rows than this

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
void block(const Product<T>& p) {
  constexpr int64_t L = kLanes<T>;
  const bool transposed = p.c_col != 1;
  const int64_t most_rows = transposed ? kTileRows / kGroup<T> * kGroup<T> : kTileRows;
  const int64_t row_blocks = divide_up(p.m, kBlockRows);
  int64_t tile_rows = divide_up(divide_up(p.m, row_blocks), most_rows);  // tiles per block ...
  tile_rows = divide_up(divide_up(p.m, row_blocks), tile_rows);          // ... of about equal height
  if (transposed) tile_rows = divide_up(tile_rows, kGroup<T>) * kGroup<T>;
  const int64_t block_rows = divide_up(divide_up(p.m, row_blocks), tile_rows) * tile_rows;

  const int64_t depth = divide_up(p.k, divide_up(p.k, kDepth * 4 / static_cast<int64_t>(sizeof(T))));
  const bool pack_a = p.n > kPackAColumns;
  const bool pack_b = p.b_col != 1 || p.m > kPackBRows;
  const bool wide = !pack_b && p.m <= kWideRows;
  const bool keep_b = p.m > block_rows;  // packed panels of B serve several blocks of A
  const int64_t block_columns = std::min(p.n, kBlockColumns);

  const int64_t a_size = pack_a ? divide_up(block_rows * depth + L, L) * L : 0;
  const int64_t b_size = depth * (keep_b ? divide_up(block_columns, L) * L : 2 * L);
  T* const packed_a = static_cast<T*>(scratch((a_size + b_size) * static_cast<int64_t>(sizeof(T))));
  T* const packed_b = packed_a + a_size;

  Tile<T> t;
  t.alpha = p.alpha;
  t.c_row = p.c_row;
  t.c_col = p.c_col;
  for (int64_t j0 = 0; j0 < p.n; j0 += kBlockColumns) {
    const int64_t j1 = std::min(p.n, j0 + kBlockColumns);
    for (int64_t k0 = 0; k0 < p.k; k0 += depth) {
      t.k = std::min(depth, p.k - k0);
      t.beta = k0 == 0 ? p.beta : T(1);
      const T* const bias = k0 == 0 ? p.bias : nullptr;
      for (int64_t i0 = 0; i0 < p.m; i0 += block_rows) {
        const int64_t i1 = std::min(p.m, i0 + block_rows);
        if (pack_a) {
          for (int64_t i = i0; i < i1; i += tile_rows) {
            const int64_t rows = std::min(tile_rows, i1 - i);
            T* const panel = packed_a + (i - i0) * t.k;
            const T* const from = p.a + i * p.a_row + k0 * p.a_col;
            if (p.a_row == 1) {
              pack_along(from, p.a_col, rows, t.k, panel, rows);
            } else {
              pack_across(from, p.a_row, rows, t.k, panel, rows);
            }
          }
        }
        for (int64_t j = j0, width; j < j1; j += width) {
          // The columns of this panel and the vectors that hold them.
          const int64_t left = j1 - j;
          const int64_t vectors = wide && left >= 4 * L ? 4 : left > L ? 2 : 1;
          width = std::min(left, vectors * L);
          const T* const from = p.b + k0 * p.b_row + j * p.b_col;
          if (pack_b || width < vectors * L) {
            T* const panel = packed_b + (keep_b ? (j - j0) * t.k : 0);
            if (!keep_b || i0 == 0) {
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
          for (int64_t i = i0; i < i1; i += tile_rows) {
            const int64_t rows = std::min(tile_rows, i1 - i);
            t.c = p.c + i * p.c_row + j * p.c_col;
            t.bias = bias == nullptr ? nullptr : bias + (transposed ? i : j);
            if (pack_a) {
              t.a = packed_a + (i - i0) * t.k;
              t.a_k = rows;
              tile_for<T, false>(rows, vectors)(t);
            } else {
              t.a = p.a + i * p.a_row + k0 * p.a_col;
              t.a_row = p.a_row;
              t.a_k = p.a_col;
              (p.a_row == 1 ? tile_for<T, false> : tile_for<T, true>)(rows, vectors)(t);
            }
          }
        }
      }
    }
  }
}

template <class T>
BlockKernel<T> make_kernel() {
  return {&block<T>, kLanes<T>, kTileRows, 2 * kLanes<T>};
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
