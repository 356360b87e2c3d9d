// Sorting, selecting and running reductions along one dimension, without gradient. Results are row-major.
// NaN counts as larger than every number. A dimension out of range throws IndexError.
#pragma once

#include <utility>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// The first k values in order along `dim` and their places (int64), equal values in their old order; k = -1:
/// all. Without `in_order` the k values come in any order. Throws ValueError for k outside [0, size].
TAPIR_API std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending, const char* op,
                                         int64_t k = -1, bool in_order = true);
/// The k-th smallest (from 0) along `dim` and its place; that dimension gets size 1. See SelectArgs.
TAPIR_API std::pair<Tensor, Tensor> select_kth(const Tensor& x, int64_t dim, int64_t k, bool nan_wins,
                                               bool skip_nan, const char* op);
/// out[i] = x[0] op ... op x[i] along `dim`, in the dtype of x; for Max and Min with places (int64).
TAPIR_API std::pair<Tensor, Tensor> scan(Scan op, const Tensor& x, int64_t dim, const char* name);

/// Of a one-dimensional x: its distinct values, in ascending order or, `consecutive`, one per run of equal
/// ones; where each element went, and how often each occurs. NaN differs from itself.
struct Distinct {
  Tensor values, inverse, counts;
};
TAPIR_API Distinct distinct(const Tensor& x, bool consecutive);
/// The same for the slices of x along `dim`, in lexicographic order.
TAPIR_API Distinct distinct_slices(const Tensor& x, int64_t dim, bool consecutive);

/// counts[v] = how often v occurs in x, a vector of non-negative integers, or the sum of its weights where
/// `weights` is defined; at least `minlength` long.
TAPIR_API Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength);
/// Counts of the values of x in `bins` bins of equal width from min to max, both included; where both are
/// equal the range of x is taken. Others and NaN are left out.
TAPIR_API Tensor histc(const Tensor& x, int64_t bins, double min, double max);
/// Where each value would be inserted into the innermost rows of `sorted` so that they stay sorted: before
/// equal ones, or after them with `right`. `sorter` gives the order of rows that are not sorted.
TAPIR_API Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool out_int32, bool right,
                              const Tensor& sorter, const char* op);

}  // namespace tapir::raw
