// Picking by index, and joining. Indices are int64 (int32 is taken too); one out of range throws IndexError
// before anything is computed or changed. Sizes that do not fit throw ShapeError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// The tensors side by side along `dim`; their other sizes agree, dtypes promote. Tensors of sizes [0] are
/// left out.
TAPIR_API Tensor cat(TensorList tensors, int64_t dim = 0);
/// The tensors, all of the same sizes, side by side along a new dimension.
TAPIR_API Tensor stack(TensorList tensors, int64_t dim = 0);
/// x repeated repeats[d] times along each dimension; repeats may be longer than x.dim(), never shorter.
TAPIR_API Tensor repeat(const Tensor& x, IntArrayRef repeats);

/// The slices of x along `dim` that `index`, one-dimensional, names. Indices lie in [0, x.size(dim)).
TAPIR_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// y[i][j] = x[index[i][j]][j] for dim 0, likewise for others: index has the dimensions of x, and is nowhere
/// larger but along `dim`. The result has the sizes of index.
TAPIR_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, bool sparse_grad = false);
/// Rows of weight (count, d) for indices of any sizes: indices.sizes() + (d). Row `padding_idx` gets no
/// gradient (-1: every row does). With `scale_grad_by_freq` a row's gradient is divided by how often
/// `indices` names the row. With `sparse` a leaf `weight` keeps its gradient by rows: see row_gradient.h.
TAPIR_API Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx = -1,
                           bool scale_grad_by_freq = false, bool sparse = false);
/// Scales those of the rows of weight named by `indices` whose norm of order `norm_type` exceeds max_norm
/// down to it, in place and without gradient: row *= max_norm / (norm + 1e-7).
TAPIR_API void embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm,
                                 double norm_type);

/// x[indices] as in Python. Integers, slices, None and Ellipsis give a view. Tensors of integers (negative
/// ones count from the end) broadcast with one another, bool tensors pick where they are true; with either
/// the result is a copy. Throws IndexError.
TAPIR_API Tensor index(const Tensor& x, ArrayRef<TensorIndex> indices);
/// x[indices] = values in place, values broadcast; `accumulate` adds, also where a place is named several
/// times. Without it the last of several values for one place stays. Throws as index() does, DTypeError where
/// the dtypes differ, and AutogradError for a leaf that requires a gradient while recording.
TAPIR_API void index_put_(const Tensor& x, ArrayRef<TensorIndex> indices, const Tensor& values,
                          bool accumulate = false);
TAPIR_API void index_put_(const Tensor& x, ArrayRef<TensorIndex> indices, const Scalar& value);

/// A copy of x with x[indices] = values.
TAPIR_API Tensor index_put(const Tensor& x, ArrayRef<TensorIndex> indices, const Tensor& values,
                           bool accumulate = false);

namespace detail {
/// Records y = gather(x, dim, index), however it was computed, where x is recorded.
TAPIR_API void record_gather(const Tensor& y, const Tensor& x, int64_t dim, const Tensor& index,
                             const void* site);
}  // namespace detail

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::index_select(int64_t dim, const Tensor& index) const {
  return tapir::index_select(*this, dim, index);
}
TAPIR_METHOD Tensor Tensor::gather(int64_t dim, const Tensor& index, bool) const {
  return tapir::gather(*this, dim, index);
}
TAPIR_METHOD Tensor Tensor::repeat(IntArrayRef repeats) const { return tapir::repeat(*this, repeats); }
TAPIR_METHOD Tensor Tensor::index(ArrayRef<TensorIndex> indices) const {
  return tapir::index(*this, indices);
}
TAPIR_METHOD Tensor Tensor::index(std::initializer_list<TensorIndex> indices) const {
  return tapir::index(*this, indices);
}
TAPIR_METHOD Tensor& Tensor::index_put_(ArrayRef<TensorIndex> indices, const Tensor& values,
                                        bool accumulate) const {
  tapir::index_put_(self(), indices, values, accumulate);
  return self();
}
TAPIR_METHOD Tensor& Tensor::index_put_(ArrayRef<TensorIndex> indices, const Scalar& value) const {
  tapir::index_put_(self(), indices, value);
  return self();
}
TAPIR_METHOD Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices, const Tensor& values,
                                        bool accumulate) const {
  tapir::index_put_(self(), indices, values, accumulate);
  return self();
}
TAPIR_METHOD Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices,
                                        const Scalar& value) const {
  tapir::index_put_(self(), indices, value);
  return self();
}
#undef TAPIR_METHOD

}  // namespace tapir
