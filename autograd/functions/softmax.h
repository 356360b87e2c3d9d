// Softmax.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// exp(x) / sum(exp(x)) along `dim`, computed without overflow. A row with NaN or +inf, or of -inf only,
/// gives NaN. With `dtype`, x is cast to it first. Throws DTypeError for integers without dtype, IndexError
/// for dim.
TAPIR_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// Its logarithm, x - logsumexp(x), which loses no small probability.
TAPIR_API Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::softmax(int64_t dim, std::optional<DType> dtype) const {
  return tapir::softmax(*this, dim, dtype);
}
TAPIR_METHOD Tensor Tensor::log_softmax(int64_t dim, std::optional<DType> dtype) const {
  return tapir::log_softmax(*this, dim, dtype);
}
#undef TAPIR_METHOD

}  // namespace tapir
