// Picking, scattering and joining by index, without gradient.
#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// The slices of x along `dim` that `index` (int64 or int32, one dimension or none) names, in its order.
/// Throws IndexError for an index outside [0, x.size(dim)).
TAPIR_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// Rows of weight (count, d) for indices of any sizes: index.sizes() + (d).
TAPIR_API Tensor embedding(const Tensor& weight, const Tensor& index);
/// dst[.., index[i], ..] += src[.., i, ..] along `dim`, in ascending i. Rows with index `skip` are left out.
/// Counts as a change of dst.
TAPIR_API void add_rows(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src,
                        int64_t skip = -1, const char* op = "index_add");

/// dst[to[i]] += factor[i] * src[from[i]] of the rows of two-dimensional tensors of one dtype, in ascending
/// i. `to` and `from` are int64 of n elements, already checked to be in range; factor (n), or undefined
/// for 1. Counts as a change of dst.
TAPIR_API void add_picked_rows(const Tensor& dst, const Tensor& to, const Tensor& src, const Tensor& from,
                               const Tensor& factor, const char* op);
/// (n): the products of rows a[a_index[i]] and b[b_index[i]], indices as above.
TAPIR_API Tensor dot_rows(const Tensor& a, const Tensor& a_index, const Tensor& b, const Tensor& b_index,
                          const char* op);

/// out[..i..] = x[..index[..i..]..]: x and index have the same number of dimensions, index is nowhere larger
/// than x but along `dim`. The result has the sizes of index.
TAPIR_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
/// The tensors side by side along `dim`; other sizes agree, dtypes promote. Tensors of sizes [0] are left
/// out.
TAPIR_API Tensor cat(TensorList tensors, int64_t dim);
/// The tensors, all of the same sizes, side by side along a new dimension.
TAPIR_API Tensor stack(TensorList tensors, int64_t dim);

/// Row-major positions of the elements that are not zero, one row each: (count, x.dim()).
TAPIR_API Tensor nonzero(const Tensor& x);

/// Advanced indexing: indices[d] picks along dimension d where defined: int64 indices, negative ones from the
/// end, that broadcast with one another, or a bool mask over as many dimensions as it has. The indexed
/// dimensions give way to the broadcast sizes of the indices, in their place where they are neighbours, else
/// in front. A plan holds what index() and index_put() need to know of them, so that backward need not work
/// it out again.
struct IndexPlan {
  Dims permutation;                       ///< of x, with the indexed dimensions together
  Dims sizes;                             ///< of the result
  Tensor rows;                            ///< (n) int64: which of the `count` rows
  int64_t outer = 1, count = 1, row = 1;  ///< of the permuted x
};
/// Throws IndexError for an index out of range, too many indices, a mask of other sizes, or an index that is
/// neither an integer nor a bool tensor.
TAPIR_API IndexPlan plan_index(IntArrayRef sizes, const std::vector<Tensor>& indices);
TAPIR_API Tensor index(const Tensor& x, const IndexPlan& plan);
/// dst[indices] = values, or += with `accumulate`; values broadcast to plan.sizes. Of several values for one
/// place the last stays. Counts as a change of dst.
TAPIR_API void index_put(const Tensor& dst, const IndexPlan& plan, const Tensor& values, bool accumulate);

}  // namespace tapir::raw
