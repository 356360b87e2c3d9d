// Reductions without gradient, over any dimensions of any strided tensor. `dims` lists the dimensions to
// reduce, negative ones counted from the end; an empty list means all of them. With `keepdim` they stay with
// size 1. All throw IndexError for a dimension out of range and ValueError for one listed twice.
#pragma once

#include <optional>
#include <utility>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// Sum of the elements, 0 of none. dtype: that of x, int64 for integers and bool; or the one given, in which
/// the sum is then formed. Floats are summed in a blocked order, half types in float.
TAPIR_API Tensor sum(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false,
                     std::optional<DType> dtype = std::nullopt);
/// Product of the elements, 1 of none; dtypes as for sum.
TAPIR_API Tensor prod(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false,
                      std::optional<DType> dtype = std::nullopt);
/// (variance, mean): the sum of squared deviations from the mean / (count - correction), its root where
/// `root`. Throws DTypeError for integers.
TAPIR_API std::pair<Tensor, Tensor> variance(const Tensor& x, IntArrayRef dims, double correction,
                                             bool keepdim, bool root, bool with_mean, const char* op);
/// sum / count, NaN of none. Throws DTypeError for integers without a floating `dtype`.
TAPIR_API Tensor mean(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false,
                      std::optional<DType> dtype = std::nullopt);
/// Largest and smallest element; NaN where one is NaN. Throws ShapeError where there is no element to choose
/// from.
TAPIR_API Tensor max(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false);
TAPIR_API Tensor min(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false);
/// The same along one dimension, with the index (int64) of the first such element.
TAPIR_API std::pair<Tensor, Tensor> max_with_index(const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API std::pair<Tensor, Tensor> min_with_index(const Tensor& x, int64_t dim, bool keepdim = false);
/// Index (int64) of the first largest or smallest element along `dim`, or in row-major order of all elements.
TAPIR_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
TAPIR_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
/// log(sum(exp(x))) without overflow, -inf of none; integers become the default dtype.
TAPIR_API Tensor logsumexp(const Tensor& x, IntArrayRef dims, bool keepdim = false);
/// sqrt(sum(x^2)). Throws DTypeError for integers.
TAPIR_API Tensor norm2(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false);
/// Whether all (any) elements are not zero: bool, uint8 for uint8 as in PyTorch. True (false) of none.
TAPIR_API Tensor all(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false);
TAPIR_API Tensor any(const Tensor& x, IntArrayRef dims = {}, bool keepdim = false);

/// Number of elements that are reduced into one.
TAPIR_API int64_t reduced_count(const Tensor& x, IntArrayRef dims, const char* op);
/// The sizes of x reduced over dims.
TAPIR_API Dims reduced_sizes(const Tensor& x, IntArrayRef dims, bool keepdim, const char* op);

}  // namespace tapir::raw
