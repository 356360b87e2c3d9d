// Softmax without gradient.
#pragma once

#include <optional>

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// exp(x) / sum(exp(x)) along `dim`, with log its logarithm, computed without overflow. A row with NaN or
/// +inf, or of -inf only, gives NaN. With `dtype`, x is cast to it first. Throws DTypeError for integers
/// without dtype, IndexError for dim.
TAPIR_API Tensor softmax(const Tensor& x, int64_t dim, bool log, std::optional<DType> dtype = std::nullopt);
/// The gradient of the input, for the gradient g of the result y.
///   softmax: y * (g - sum(g * y));  log: g - exp(y) * sum(g)
TAPIR_API Tensor softmax_backward(const Tensor& g, const Tensor& y, int64_t dim, bool log);

}  // namespace tapir::raw
