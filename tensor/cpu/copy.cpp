// Copies between layouts and dtypes, filling, and reading one element.
#include <algorithm>

#include "tapir/tensor/cpu/convert.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/strided.h"

namespace tapir::cpu {

namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kGrainBytes = 128 * 1024;  // of output, below which another thread does not pay
constexpr int64_t kTile = 32;                // of transposes: 32 rows of 32 elements, at most 8 KiB each side

int64_t grain_of(size_t item) { return kGrainBytes / static_cast<int64_t>(item); }

void copy_bytes(std::byte* dst, const std::byte* src, int64_t bytes) {
  if (bytes <= kGrainBytes) {
    std::memcpy(dst, src, static_cast<size_t>(bytes));
    return;
  }
  parallel_for(0, bytes, kGrainBytes, [&](int64_t begin, int64_t end) {
    std::memcpy(dst + begin, src + begin, static_cast<size_t>(end - begin));
  });
}

// dst[i * dst_stride + j] = src[j * src_stride + i] for a rows x columns block of dst, tile by tile, so that
// both sides are read and written in whole cache lines.
template <class U>
void transpose(int64_t rows, int64_t columns, const U* src, int64_t src_stride, U* dst, int64_t dst_stride) {
  U tile[kTile][kTile];
  for (int64_t i0 = 0; i0 < rows; i0 += kTile) {
    const int64_t m = std::min(kTile, rows - i0);
    for (int64_t j0 = 0; j0 < columns; j0 += kTile) {
      const int64_t n = std::min(kTile, columns - j0);
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) tile[i][j] = src[(j0 + j) * src_stride + i0 + i];
      for (int64_t i = 0; i < m; ++i)
        std::memcpy(dst + (i0 + i) * dst_stride + j0, tile[i], static_cast<size_t>(n) * sizeof(U));
    }
  }
}

// The dimension in which the source is contiguous while the destination's last dimension is not: the pair is
// a transpose. -1 where there is none.
int transposed_dim(const CopyArgs& a) {
  const int last = a.ndim - 1;
  if (a.dst_strides[last] != 1 || a.src_strides[last] == 1 || a.src_strides[last] == 0) return -1;
  for (int d = 0; d < last; ++d)
    if (a.src_strides[d] == 1 && a.sizes[d] >= 8 && a.sizes[last] >= 8) return d;
  return -1;
}

template <class U>
void copy_transposed(const CopyArgs& a, int dim) {
  const int last = a.ndim - 1;
  const int64_t rows = a.sizes[dim], columns = a.sizes[last];
  // the other dimensions, outermost first, then strips of rows
  int64_t sizes[kMaxDims], dst_strides[kMaxDims], src_strides[kMaxDims];
  int n = 0;
  for (int d = 0; d < last; ++d) {
    if (d == dim) continue;
    sizes[n] = a.sizes[d];
    dst_strides[n] = a.dst_strides[d];
    src_strides[n++] = a.src_strides[d];
  }
  const int64_t strips = (rows + kTile - 1) / kTile;
  sizes[n] = strips;
  dst_strides[n] = a.dst_strides[dim] * kTile;
  src_strides[n++] = kTile;
  const int64_t total = a.numel / (rows * columns) * strips;
  const int64_t grain = std::max<int64_t>(1, grain_of(sizeof(U)) / (kTile * columns));
  parallel_for(0, total, grain, [&](int64_t begin, int64_t end) {
    int64_t index[kMaxDims];
    for (int64_t k = begin; k < end; ++k) {
      unravel(k, n, sizes, index);
      transpose(std::min(kTile, rows - index[n - 1] * kTile), columns,
                static_cast<const U*>(a.src) + offset_of(n, index, src_strides), a.src_strides[last],
                static_cast<U*>(a.dst) + offset_of(n, index, dst_strides), a.dst_strides[dim]);
    }
  });
}

// Elements [begin, end) of the iteration, row by row.
template <class U>
void copy_rows(const CopyArgs& a, int64_t begin, int64_t end) {
  const int last = a.ndim - 1;
  int64_t index[kMaxDims];
  unravel(begin, a.ndim, a.sizes, index);
  const U* src = static_cast<const U*>(a.src) + offset_of(a.ndim, index, a.src_strides);
  for_row_pieces(a.ndim, a.sizes, a.dst_strides, index, end - begin, [&](int64_t offset, int64_t m) {
    copy_run(m, src, a.src_strides[last], static_cast<U*>(a.dst) + offset, a.dst_strides[last]);
    // the source's place in the next row
    src -= index[last] * a.src_strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      src += a.src_strides[d];
      if (++index[d] < a.sizes[d]) break;
      src -= a.sizes[d] * a.src_strides[d];
      index[d] = 0;
    }
  });
}

void copy_converting(const CopyArgs& a) {
  const Conversion convert = conversion(a.src_dtype, a.dst_dtype);
  const size_t src_item = item_size(a.src_dtype), dst_item = item_size(a.dst_dtype);
  const bool src_dense = is_dense(a.ndim, a.sizes, a.src_strides);
  const bool dst_dense = is_dense(a.ndim, a.sizes, a.dst_strides);
  const auto* src = static_cast<const std::byte*>(a.src);
  auto* dst = static_cast<std::byte*>(a.dst);
  parallel_for(0, a.numel, grain_of(std::max(src_item, dst_item)), [&](int64_t begin, int64_t end) {
    alignas(64) std::byte gathered[kBlock * 8];
    alignas(64) std::byte converted[kBlock * 8];
    int64_t index[kMaxDims];
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t n = std::min(kBlock, end - i);
      if (!src_dense || !dst_dense) unravel(i, a.ndim, a.sizes, index);
      const std::byte* from = src + i * static_cast<int64_t>(src_item);
      if (!src_dense) {
        gather_block(src_item, src, a.ndim, a.sizes, a.src_strides, index, n, gathered);
        from = gathered;
      }
      std::byte* to = dst_dense ? dst + i * static_cast<int64_t>(dst_item) : converted;
      convert(n, from, to);
      if (!dst_dense) scatter_block(dst_item, dst, a.ndim, a.sizes, a.dst_strides, index, n, converted);
    }
  });
}

}  // namespace

void copy(const CopyArgs& args) {
  if (args.numel == 0) return;
  if (args.src_dtype != args.dst_dtype) return copy_converting(args);
  const size_t item = item_size(args.dst_dtype);
  if (is_dense(args.ndim, args.sizes, args.src_strides) && is_dense(args.ndim, args.sizes, args.dst_strides))
    return copy_bytes(static_cast<std::byte*>(args.dst), static_cast<const std::byte*>(args.src),
                      args.numel * static_cast<int64_t>(item));
  visit_item(item, [&](auto unit) {
    using U = decltype(unit);
    if (const int dim = transposed_dim(args); dim >= 0) return copy_transposed<U>(args, dim);
    if (args.numel <= 4096) return copy_rows<U>(args, 0, args.numel);
    parallel_for(0, args.numel, grain_of(sizeof(U)) / 2,
                 [&](int64_t begin, int64_t end) { copy_rows<U>(args, begin, end); });
  });
}

void fill(void* data, DType dtype, int64_t n, KernelScalar value) {
  const DType kind = is_floating_point(dtype) ? (dtype == kFloat64 ? kFloat64 : kFloat32)
                     : dtype == kBool         ? kBool
                                              : kInt64;
  KernelValue v = kernel_value(value, kind);
  if (kind != dtype) {
    KernelValue stored;
    conversion(kind, dtype)(1, &v, &stored);
    v = stored;
  }
  visit_item(item_size(dtype), [&](auto unit) {
    using U = decltype(unit);
    U bits;
    std::memcpy(&bits, &v, sizeof(U));
    U* out = static_cast<U*>(data);
    const bool zero = bits == 0;
    const auto write = [&](int64_t begin, int64_t end) {
      if (zero) {
        std::memset(out + begin, 0, static_cast<size_t>(end - begin) * sizeof(U));
      } else {
        std::fill(out + begin, out + end, bits);
      }
    };
    if (n <= 4096) {
      if (n > 0) write(0, n);
    } else {
      parallel_for(0, n, grain_of(sizeof(U)), write);
    }
  });
}

KernelScalar read(const void* data, DType dtype) {
  KernelScalar s;
  if (dtype == kFloat64) {
    s.real = *static_cast<const double*>(data);
  } else {
    conversion(dtype, kFloat64)(1, data, &s.real);
  }
  if (dtype == kInt64) {
    s.integer = *static_cast<const int64_t*>(data);
  } else {
    conversion(dtype, kInt64)(1, data, &s.integer);
  }
  return s;
}

}  // namespace tapir::cpu
