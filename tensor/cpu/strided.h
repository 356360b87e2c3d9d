// Walking strided operands block by block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tapir/tensor/array_ref.h"

namespace tapir::cpu {

/// True where the strides are those of a row-major array of these sizes.
inline bool is_dense(int ndim, const int64_t* sizes, const int64_t* strides) {
  int64_t expected = 1;
  for (int d = ndim; d-- > 0;) {
    if (sizes[d] != 1 && strides[d] != expected) return false;
    expected *= sizes[d];
  }
  return true;
}

/// The index of element `linear` of a row-major iteration over `sizes`.
inline void unravel(int64_t linear, int ndim, const int64_t* sizes, int64_t* index) {
  for (int d = ndim - 1; d > 0; --d) {
    if (linear == 0) {
      index[d] = 0;
    } else {
      index[d] = linear % sizes[d];
      linear /= sizes[d];
    }
  }
  index[0] = linear;
}

inline int64_t offset_of(int ndim, const int64_t* index, const int64_t* strides) {
  int64_t offset = 0;
  for (int d = 0; d < ndim; ++d) offset += index[d] * strides[d];
  return offset;
}

/// Calls f(offset in elements, count) for the pieces of rows (runs along the last dimension) that `n`
/// elements from `start` on consist of.
template <class F>
inline void for_row_pieces(int ndim, const int64_t* sizes, const int64_t* strides, const int64_t* start,
                           int64_t n, F&& f) {
  const int last = ndim - 1;
  int64_t index[kMaxDims];
  for (int d = 0; d < ndim; ++d) index[d] = start[d];
  int64_t offset = offset_of(ndim, index, strides);
  while (true) {
    const int64_t m = std::min(n, sizes[last] - index[last]);
    f(offset, m);
    n -= m;
    if (n == 0) return;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < sizes[d]) break;
      offset -= sizes[d] * strides[d];
      index[d] = 0;
    }
  }
}

/// Copies n items between two strided runs.
template <class U>
inline void copy_run(int64_t n, const U* src, int64_t src_stride, U* dst, int64_t dst_stride) {
  if (dst_stride == 1 && src_stride == 1) {
    if (n < 16) {
      for (int64_t i = 0; i < n; ++i) dst[i] = src[i];
    } else {
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(U));
    }
  } else if (dst_stride == 1 && src_stride == 0) {
    const U value = *src;
    for (int64_t i = 0; i < n; ++i) dst[i] = value;
  } else if (dst_stride == 1) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i * src_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_stride] = src[i * src_stride];
  }
}

/// Calls f(U{}) with an unsigned integer of `item` bytes.
template <class F>
inline void visit_item(size_t item, F&& f) {
  switch (item) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

/// dst[i] = the element i of the n elements from `start` on.
void gather_block(size_t item, const void* base, int ndim, const int64_t* sizes, const int64_t* strides,
                  const int64_t* start, int64_t n, void* dst);
/// The reverse.
void scatter_block(size_t item, void* base, int ndim, const int64_t* sizes, const int64_t* strides,
                   const int64_t* start, int64_t n, const void* src);

}  // namespace tapir::cpu
