// Copies, casts and moves between devices, without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// dst = src, broadcast to dst's sizes and cast to its dtype, across devices too. Counts as a change of dst
/// by `op`. Throws ShapeError where src does not broadcast to dst or dst shows elements more than once.
TAPIR_API void copy_into(const Tensor& dst, const Tensor& src, const char* op = "copy_");

/// A copy with the same dtype; dense tensors keep their strides, others become row-major.
TAPIR_API Tensor clone(const Tensor& x);
/// A row-major copy.
TAPIR_API Tensor clone_contiguous(const Tensor& x);
/// x itself where it is row-major, else a row-major copy.
TAPIR_API Tensor contiguous(const Tensor& x);
/// A copy in another dtype or on another device; x itself where nothing changes.
TAPIR_API Tensor cast(const Tensor& x, DType dtype);
TAPIR_API Tensor to_device(const Tensor& x, Device device);

/// Every element of dst = value. Counts as a change made by `op`.
/// Throws ValueError where an integer dtype (not bool) does not hold the value; fractions are cut off.
TAPIR_API void check_fits(const char* op, const Scalar& value, DType dtype);
TAPIR_API void fill(const Tensor& dst, const Scalar& value, const char* op = "fill_");

/// The value of a tensor with one element. Throws ShapeError for any other count.
TAPIR_API Scalar item(const Tensor& x);

/// Marks dst as changed by `op` (a string literal).
inline void mark_changed(const Tensor& dst, const char* op) {
  if (!dst.impl()->untracked) dst.impl()->storage->bump_version(op);
}

}  // namespace tapir::raw
