// Layout: sizes, strides and offset as a pure value, and the arithmetic of views on it.
#pragma once

#include "tapir/tensor/array_ref.h"

namespace tapir {

/// How a strided tensor lies in its storage: element (i0, i1, ...) is at offset + sum of i_d * strides[d], in
/// elements. Every function here is pure; errors name `op`, the view that was asked for.
struct Layout {
  Dims sizes;
  Dims strides;
  int64_t offset = 0;
  int64_t numel = 1;
  bool contiguous = true;  ///< row-major without gaps (dimensions of size 1 may have any stride)

  Layout() = default;
  /// Contiguous with the given sizes. Throws ShapeError for a negative size or an element count past int64.
  TAPIR_API static Layout of(IntArrayRef sizes);
  /// Any strides; computes numel and contiguous. Throws ShapeError where sizes and strides differ in length
  /// or a size is negative.
  TAPIR_API static Layout strided(IntArrayRef sizes, IntArrayRef strides, int64_t offset);

  int64_t dim() const { return static_cast<int64_t>(sizes.size()); }
  /// The dimension counted from the end where negative. Throws IndexError out of [-dim, dim); a tensor
  /// without dimensions takes 0 and -1.
  TAPIR_API int64_t wrap_dim(int64_t d, const char* op) const;
  /// The same, but a tensor without dimensions takes none.
  TAPIR_API int64_t own_dim(int64_t d, const char* op) const;

  TAPIR_API Layout transpose(int64_t d0, int64_t d1, const char* op = "transpose") const;
  TAPIR_API Layout permute(IntArrayRef dims) const;
  TAPIR_API Layout unsqueeze(int64_t d) const;  ///< d in [-dim - 1, dim]
  TAPIR_API Layout squeeze() const;
  TAPIR_API Layout squeeze(int64_t d) const;
  TAPIR_API Layout select(int64_t d, int64_t index) const;
  /// Elements start, start + step, ... below end, clamped as Python slices are. Throws ValueError for step
  /// < 1.
  TAPIR_API Layout slice(int64_t d, int64_t start, int64_t end, int64_t step) const;
  /// Like slice, but throws IndexError where [start, start + length) does not lie within the dimension.
  TAPIR_API Layout narrow(int64_t d, int64_t start, int64_t length) const;
  /// Broadcasts to `sizes` (-1 keeps a size).
  TAPIR_API Layout expand(IntArrayRef sizes) const;
  /// The same elements under other sizes (one may be -1) without a copy; `possible` is false where the
  /// strides do not allow that. Throws ShapeError where the element counts differ.
  TAPIR_API Layout view(IntArrayRef sizes, bool& possible, const char* op = "view") const;

  /// Memory that it spans, in elements past offset (0 when empty): the largest index plus one.
  TAPIR_API int64_t extent() const;
  /// True where no two elements share memory, by a sufficient test on the sorted strides.
  TAPIR_API bool non_overlapping() const;
  /// True where it is non-overlapping without gaps in some order of the dimensions.
  TAPIR_API bool dense() const;
};

/// The sizes that `a` and `b` broadcast to. Throws ShapeError naming `op`.
TAPIR_API Dims broadcast_sizes(IntArrayRef a, IntArrayRef b, const char* op);
/// True where `from` broadcasts to `to`.
TAPIR_API bool is_expandable_to(IntArrayRef from, IntArrayRef to);
/// Sizes with the one -1 replaced so that they hold `numel` elements. Throws ShapeError.
TAPIR_API Dims infer_size(IntArrayRef sizes, int64_t numel, const char* op);
/// Product of sizes.
TAPIR_API int64_t count(IntArrayRef sizes);

}  // namespace tapir
