// Derivatives of sampled functions by finite differences.
#pragma once

#include <concepts>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

/// The derivatives of the function whose samples x holds along each of `dim` (by default all): central
/// differences of second order inside, one-sided ones of first (edge_order 1) or second order (2) at the
/// ends. Differentiable.
///
/// `spacing` is the distance of the samples, one number for all dimensions or one for each (1 where left
/// out), or a vector of coordinates for each. Throws ShapeError where a dimension has fewer than edge_order +
/// 1 samples or the coordinates do not fit, ValueError for other edge orders.
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, const std::optional<Scalar>& spacing = std::nullopt,
                                       std::optional<int64_t> dim = std::nullopt, int64_t edge_order = 1);
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, const Scalar& spacing, IntArrayRef dim,
                                       int64_t edge_order = 1);
template <std::floating_point Number>  // not a list of dimensions
std::vector<Tensor> gradient(const Tensor& x, Number spacing, std::optional<int64_t> dim = std::nullopt,
                             int64_t edge_order = 1) {
  return gradient(x, std::optional<Scalar>(spacing), dim, edge_order);
}
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, IntArrayRef dim, int64_t edge_order = 1);
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, ArrayRef<Scalar> spacing,
                                       std::optional<int64_t> dim = std::nullopt, int64_t edge_order = 1);
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, ArrayRef<Scalar> spacing, IntArrayRef dim,
                                       int64_t edge_order = 1);
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, TensorList spacing,
                                       std::optional<int64_t> dim = std::nullopt, int64_t edge_order = 1);
TAPIR_API std::vector<Tensor> gradient(const Tensor& x, TensorList spacing, IntArrayRef dim,
                                       int64_t edge_order = 1);

}  // namespace tapir
