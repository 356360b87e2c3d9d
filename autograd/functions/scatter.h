// Writing by index or mask, and the ways to pick that go with it. Indices are int64 (int32 is taken too) in
// [0, size) unless said otherwise; one out of range throws IndexError before anything is computed or changed.
// Sizes that do not fit throw ShapeError, source tensors of another dtype DTypeError. Where several values go
// to one place they are taken in row-major order of the index, so that results are the same every time.
#pragma once

#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

// --- along one dimension, an index of as many dimensions as x, nowhere larger than x but along `dim` ---

/// x with x[index[i][j]][j] = src[i][j] for dim 0, likewise for others. The gradient of src is right where no
/// place is named twice.
TAPIR_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
TAPIR_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
/// The same with src added ("add") or multiplied ("multiply") onto what is there.
TAPIR_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                         std::string_view reduce);
TAPIR_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                         std::string_view reduce);
/// x with src added at the places that gather(x, dim, index) would read. Many are added up in parts first.
TAPIR_API Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
/// x with each place that the index names reduced with the values that go there: "sum", "prod", "mean",
/// "amax", "amin". Without `include_self` what was there does not count.
TAPIR_API Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                                std::string_view reduce, bool include_self = true);
/// gather where x and indices first broadcast to one another but along `dim`; without dim both are flattened.
TAPIR_API Tensor take_along_dim(const Tensor& x, const Tensor& indices,
                                std::optional<int64_t> dim = std::nullopt);

// --- whole slices, a one-dimensional index ---

/// x with alpha * source added: x[.., index[i], ..] += alpha * source[.., i, ..] along `dim`.
TAPIR_API Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                           const Scalar& alpha = 1);
/// x with x[.., index[i], ..] = source[.., i, ..] along `dim`.
TAPIR_API Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
/// x with x[.., index[i], ..] = value, a number or a tensor without dimensions; negative indices count from
/// the end.
TAPIR_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);
TAPIR_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);

// --- x as if it had one dimension, row-major; negative indices count from the end ---

/// x.flatten()[index], of the sizes of index.
TAPIR_API Tensor take(const Tensor& x, const Tensor& index);
/// x with x.flatten()[index] = source (or += with `accumulate`).
TAPIR_API Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);

// --- masks: bool tensors that broadcast with x ---

/// x with `value`, a tensor without dimensions, where mask holds.
TAPIR_API Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
/// The elements of x where mask holds, in row-major order: one dimension.
TAPIR_API Tensor masked_select(const Tensor& x, const Tensor& mask);
/// x with the places where mask holds filled with the elements of source, in row-major order.
TAPIR_API Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);

/// Row-major positions of the elements that are not zero, one row each: (count, x.dim()), int64.
TAPIR_API Tensor nonzero(const Tensor& x);
TAPIR_API Tensor argwhere(const Tensor& x);
/// The same as one vector per dimension, fit for index().
TAPIR_API std::vector<Tensor> nonzero_numpy(const Tensor& x);
/// nonzero_numpy(condition)
TAPIR_API std::vector<Tensor> where(const Tensor& condition);

}  // namespace tapir
