// Matrix products without gradient. Transposed operands and batches that broadcast are read in place; only
// other strides are copied. All take any dtype but bool, the same for every operand (DTypeError names both),
// half types are summed in float; sizes that do not fit throw ShapeError, mixed devices DeviceError.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// (m, k) x (k, n) -> (m, n)
TAPIR_API Tensor mm(const Tensor& a, const Tensor& b);
/// beta * c + alpha * a b, where c broadcasts to (m, n); beta == 0 does not read c.
TAPIR_API Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                       const Scalar& alpha = 1);
/// c = beta * c + alpha * a b in place, c (m, n) with rows or columns that lie together. Counts as a change
/// of c.
TAPIR_API void addmm_into(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                          const Scalar& alpha = 1, const char* op = "addmm_");
/// (B, m, k) x (B, k, n) -> (B, m, n)
TAPIR_API Tensor bmm(const Tensor& a, const Tensor& b);
/// The product of the last two dimensions, batches broadcast; a vector stands for a matrix with one row
/// (left) or column (right), which the result drops.
TAPIR_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x w^T + bias for x (..., k), w (n, k) or (k), bias (n) or undefined.
TAPIR_API Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

}  // namespace tapir::raw
