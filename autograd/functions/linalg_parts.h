// Triangles and diagonals of matrices, as the derivatives of linear algebra need them. Private.
#pragma once

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"

namespace tapir::linalg_parts {

/// The transpose of each matrix.
inline Tensor mT(const Tensor& x) { return transpose(x, -2, -1); }

/// j - i for the elements (i, j) of a matrix of x's, int64.
inline Tensor column_minus_row(const Tensor& x) {
  const auto options = TensorOptions(kInt64).device(x.device());
  return sub(arange(x.size(-1), options), unsqueeze(arange(x.size(-2), options), 1));
}
/// True off the diagonal.
inline Tensor off_diagonal(const Tensor& x) { return ne(column_minus_row(x), Scalar(0)); }
/// The columns of each matrix times the elements of s, and the rows.
inline Tensor scale_columns(const Tensor& x, const Tensor& s) { return mul(x, unsqueeze(s, -2)); }
inline Tensor scale_rows(const Tensor& x, const Tensor& s) { return mul(x, unsqueeze(s, -1)); }

/// The dimensions before the last two.
inline Dims batch_sizes(const Tensor& x) { return IntArrayRef(x.sizes().data(), x.sizes().size() - 2); }
/// x with its batch dimensions broadcast to `batch`.
inline Tensor expand_batch(const Tensor& x, const Dims& batch) {
  Dims sizes = batch;
  sizes.push_back(x.size(-2));
  sizes.push_back(x.size(-1));
  return x.sizes() == IntArrayRef(sizes) ? x : expand(x, sizes);
}

}  // namespace tapir::linalg_parts
