// Layer norm, group norm and batch norm without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// The rows that RowNormArgs describes.
struct RowNorm {
  int64_t rows, n, groups, inner;
};
struct RowNormResult {
  Tensor y, mean, rstd;  ///< mean and rstd: (rows), float32 for half types
};
/// x of a floating dtype; weight and bias of the same, or undefined. Throws DTypeError, DeviceError.
TAPIR_API RowNormResult row_norm(const char* op, const Tensor& x, const RowNorm& shape, const Tensor& weight,
                                 const Tensor& bias, double eps);
struct RowNormGrads {
  Tensor x, weight, bias;
};
/// Those that are wanted; the sizes of weight and bias are those of `weight_like`.
TAPIR_API RowNormGrads row_norm_backward(const char* op, const Tensor& grad, const Tensor& x,
                                         const RowNorm& shape, const Tensor& mean, const Tensor& rstd,
                                         const Tensor& weight, IntArrayRef weight_sizes, bool want_x,
                                         bool want_weight, bool want_bias);

struct BatchNormResult {
  Tensor y, mean, variance, rstd;  ///< of the channels; float32 for half types
};
/// x (N, C, ...) of a floating dtype; weight and bias (C) of the same, or undefined. Without mean and
/// variance (C) they are those of x; see BatchNormArgs. Throws DTypeError, DeviceError.
TAPIR_API BatchNormResult batch_norm(const char* op, const Tensor& x, const Tensor& weight,
                                     const Tensor& bias, const Tensor& mean, const Tensor& variance,
                                     double eps);
/// Those that are wanted. `training`: mean and variance were computed from x.
TAPIR_API RowNormGrads batch_norm_backward(const char* op, const Tensor& grad, const Tensor& x,
                                           const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                                           bool training, bool want_x, bool want_weight, bool want_bias);

}  // namespace tapir::raw
