// Norms of vectors and matrices, PyTorch's torch.linalg.norm family. `dtype`: what x is cast to first. All
// throw DTypeError for integers, and ValueError for an order that there is not.
#pragma once

#include <optional>
#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir::linalg {

/// (sum |x|^ord)^(1 / ord) over `dim`, an empty list meaning all; inf: max |x|, -inf: min |x|, 0: the number
/// of elements that are not 0.
TAPIR_API Tensor vector_norm(const Tensor& x, const Scalar& ord = 2, OptionalIntArrayRef dim = std::nullopt,
                             bool keepdim = false, std::optional<DType> dtype = std::nullopt);
/// Of the matrices in the two dimensions `dim`: 1 and -1, the largest and smallest sum of magnitudes of a
/// column; inf and -inf, of a row; 2 and -2, the largest and smallest singular value.
TAPIR_API Tensor matrix_norm(const Tensor& x, const Scalar& ord, IntArrayRef dim = {-2, -1},
                             bool keepdim = false, std::optional<DType> dtype = std::nullopt);
/// "fro": the square root of the sum of squares; "nuc": the sum of the singular values.
TAPIR_API Tensor matrix_norm(const Tensor& x, std::string_view ord = "fro", IntArrayRef dim = {-2, -1},
                             bool keepdim = false, std::optional<DType> dtype = std::nullopt);
/// Without ord the 2-norm over `dim` or over all elements. With ord that of the vectors along one dimension,
/// or of the matrices in two; without dim, x must be a vector or a matrix.
TAPIR_API Tensor norm(const Tensor& x, const std::optional<Scalar>& ord = std::nullopt,
                      OptionalIntArrayRef dim = std::nullopt, bool keepdim = false,
                      std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor norm(const Tensor& x, std::string_view ord, OptionalIntArrayRef dim = std::nullopt,
                      bool keepdim = false, std::optional<DType> dtype = std::nullopt);
inline Tensor matrix_norm(const Tensor& x, const char* ord, IntArrayRef dim = {-2, -1}, bool keepdim = false,
                          std::optional<DType> dtype = std::nullopt) {
  return matrix_norm(x, std::string_view(ord), dim, keepdim, dtype);
}
inline Tensor norm(const Tensor& x, const char* ord, OptionalIntArrayRef dim = std::nullopt,
                   bool keepdim = false, std::optional<DType> dtype = std::nullopt) {
  return norm(x, std::string_view(ord), dim, keepdim, dtype);
}

}  // namespace tapir::linalg
