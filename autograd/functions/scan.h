// Running reductions along `dim`: element i of the result is that of elements 0 to i. A dimension out of
// range throws IndexError. With `dtype` x is cast first; integers and bool become int64 for sums and
// products.
#pragma once

#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

/// Running sum; floats are summed in double, half types in float.
TAPIR_API Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// Running product. The gradient is right where x has zeros too (then it takes time n^2).
TAPIR_API Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// (values, indices): the running largest (smallest) element and the last place where it was; NaN wins.
TAPIR_API std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim);
TAPIR_API std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim);
/// log of the running sum of exp(x), without overflow. Throws DTypeError for integers.
TAPIR_API Tensor logcumsumexp(const Tensor& x, int64_t dim);
/// n-th differences x[i + 1] - x[i] along `dim`, with prepend and append joined to x first.
TAPIR_API Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1,
                      const std::optional<Tensor>& prepend = std::nullopt,
                      const std::optional<Tensor>& append = std::nullopt);

}  // namespace tapir
