// Products, variances and counts. `dim` lists the dimensions that go, an empty list meaning all; with
// `keepdim` they stay with size 1. A dimension out of range throws IndexError, one listed twice ValueError.
#pragma once

#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

/// Product, 1 of no elements; integers and bool give int64. The gradient is right where x has zeros too.
TAPIR_API Tensor prod(const Tensor& x, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false,
                      std::optional<DType> dtype = std::nullopt);

/// sum((x - mean)^2) / (n - correction); correction is 1 where left out, `unbiased` means 1 and else 0. NaN
/// of no elements, and where n = correction = 1. std is its root; the gradient of std is 0 where it is 0. A
/// number is a dimension: var(x, 0) is var(x, {0}).
/// Throws DTypeError for integers.
TAPIR_API Tensor var(const Tensor& x, bool unbiased);
TAPIR_API Tensor var(const Tensor& x, int dim);
TAPIR_API Tensor var(const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim = false);
TAPIR_API Tensor var(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                     std::optional<int64_t> correction = std::nullopt, bool keepdim = false);
TAPIR_API Tensor std(const Tensor& x, bool unbiased);
TAPIR_API Tensor std(const Tensor& x, int dim);
TAPIR_API Tensor std(const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim = false);
TAPIR_API Tensor std(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                     std::optional<int64_t> correction = std::nullopt, bool keepdim = false);
/// (variance, mean) and (standard deviation, mean).
TAPIR_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, bool unbiased);
TAPIR_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, int dim);
TAPIR_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, IntArrayRef dim, bool unbiased,
                                              bool keepdim = false);
TAPIR_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                                              std::optional<int64_t> correction = std::nullopt,
                                              bool keepdim = false);
TAPIR_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, bool unbiased);
TAPIR_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, int dim);
TAPIR_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, IntArrayRef dim, bool unbiased,
                                              bool keepdim = false);
TAPIR_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                                              std::optional<int64_t> correction = std::nullopt,
                                              bool keepdim = false);

/// How many elements are not 0; int64, no gradient.
TAPIR_API Tensor count_nonzero(const Tensor& x, IntArrayRef dim = {});
/// Sum (mean) of the elements that are not NaN; 0 (NaN) of none.
TAPIR_API Tensor nansum(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false,
                        std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor nanmean(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false,
                         std::optional<DType> dtype = std::nullopt);

}  // namespace tapir
