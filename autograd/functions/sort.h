// Sorting, selecting, counting and looking up. NaN counts as larger than every number; equal values keep
// their order. A dimension out of range throws IndexError. Gradients go to the elements that were chosen.
#pragma once

#include <string_view>
#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

/// (values, indices): x sorted along `dim`, and where each value was (int64). The sort is always stable.
TAPIR_API std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim = -1, bool descending = false);
TAPIR_API std::tuple<Tensor, Tensor> sort(const Tensor& x, std::optional<bool> stable, int64_t dim = -1,
                                          bool descending = false);
/// The indices alone.
TAPIR_API Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
TAPIR_API Tensor argsort(const Tensor& x, bool stable, int64_t dim, bool descending);
/// The values sorted along dimension 0.
TAPIR_API Tensor msort(const Tensor& x);
/// (values, indices): the k largest (smallest) elements along `dim`, in order unless `sorted` is false.
/// Throws ValueError for k outside [0, size].
TAPIR_API std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true,
                                          bool sorted = true);
/// (value, index): the k-th smallest element along `dim`, k counted from 1. Throws ValueError for others.
TAPIR_API std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim = -1,
                                              bool keepdim = false);
/// (value, index): the lower median along `dim`; NaN where there is one. nanmedian leaves NaN out.
TAPIR_API std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API std::tuple<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim = false);
/// (value, index): the most frequent element along `dim`, the smallest of several, and its last place.
TAPIR_API std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);
/// The value below which the share q (of [0, 1], a number or a vector) of the elements along `dim` lies, or
/// of all without one; between two elements as `interpolation` says: "linear", "lower", "higher", "midpoint"
/// or "nearest". With a vector its dimension comes first. NaN where there is one; nanquantile leaves NaN out.
TAPIR_API Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim = std::nullopt,
                          bool keepdim = false, std::string_view interpolation = "linear");
TAPIR_API Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                          bool keepdim = false, std::string_view interpolation = "linear");
TAPIR_API Tensor nanquantile(const Tensor& x, double q, std::optional<int64_t> dim = std::nullopt,
                             bool keepdim = false, std::string_view interpolation = "linear");
TAPIR_API Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                             bool keepdim = false, std::string_view interpolation = "linear");

// --- distinct values; the results have no gradient ---

/// (values, inverse, counts): the distinct elements in ascending order (whatever `sorted` says); the place of
/// each element of x among them, with the sizes of x, and how often each occurs, where asked for (else
/// empty).
TAPIR_API std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& x, bool sorted = true,
                                                      bool return_inverse = false,
                                                      bool return_counts = false);
/// The same for the slices along `dim`, in lexicographic order.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> unique_dim(const Tensor& x, int64_t dim, bool sorted = true,
                                                        bool return_inverse = false,
                                                        bool return_counts = false);
/// The same, one for each run of equal elements (slices along `dim`, where given).
TAPIR_API std::tuple<Tensor, Tensor, Tensor> unique_consecutive(const Tensor& x, bool return_inverse = false,
                                                                bool return_counts = false,
                                                                std::optional<int64_t> dim = std::nullopt);

// --- counting and looking up; no gradient ---

/// counts[v] = how often v occurs in x, a vector of integers >= 0, or the sum of its weights; at least
/// `minlength` long.
TAPIR_API Tensor bincount(const Tensor& x, const std::optional<Tensor>& weights = std::nullopt,
                          int64_t minlength = 0);
/// Counts in `bins` bins of equal width from min to max, both included (where both are equal: the range of
/// x), in the dtype of x. Throws ValueError where the range is not finite.
TAPIR_API Tensor histc(const Tensor& x, int64_t bins = 100, const Scalar& min = 0, const Scalar& max = 0);
/// Where each value would go into the innermost rows of `sorted`, which ascend: before equal ones (or side
/// "left"), or after them (`right`, or side "right"). One row serves all values. `sorter`: the order of rows
/// that are not sorted.
TAPIR_API Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool out_int32 = false,
                              bool right = false, std::optional<std::string_view> side = std::nullopt,
                              const std::optional<Tensor>& sorter = std::nullopt);
TAPIR_API Tensor searchsorted(const Tensor& sorted, const Scalar& value, bool out_int32 = false,
                              bool right = false, std::optional<std::string_view> side = std::nullopt,
                              const std::optional<Tensor>& sorter = std::nullopt);
/// searchsorted(boundaries, values) for boundaries of one dimension.
TAPIR_API Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool out_int32 = false,
                           bool right = false);
TAPIR_API Tensor bucketize(const Scalar& value, const Tensor& boundaries, bool out_int32 = false,
                           bool right = false);

}  // namespace tapir
