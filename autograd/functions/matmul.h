// Matrix products. Operands have one dtype (DTypeError names both, cast with to(dtype)) and one device
// (DeviceError). Sizes that do not fit throw ShapeError. Half types are summed in float. Transposed operands
// and batches that broadcast are not copied.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// (m, k) x (k, n) -> (m, n)
TAPIR_API Tensor mm(const Tensor& a, const Tensor& b);
/// (B, m, k) x (B, k, n) -> (B, m, n)
TAPIR_API Tensor bmm(const Tensor& a, const Tensor& b);
/// (m, k) x (k) -> (m)
TAPIR_API Tensor mv(const Tensor& a, const Tensor& v);
/// Sum of a[i] * b[i] of two vectors of one length; without dimensions.
TAPIR_API Tensor dot(const Tensor& a, const Tensor& b);
/// beta * c + alpha * a b; c broadcasts to (m, n) and is not read where beta is 0.
TAPIR_API Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                       const Scalar& alpha = 1);
/// The product of the last two dimensions of a and b; the dimensions before them broadcast. A vector stands
/// for a row (as a) or a column (as b), which the result drops: two vectors give their dot product.
TAPIR_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x w^T + bias: x (..., in), w (out, in) or (in), bias (out) or undefined -> (..., out).
TAPIR_API Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {});

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::matmul(const Tensor& other) const { return tapir::matmul(*this, other); }
TAPIR_METHOD Tensor Tensor::mm(const Tensor& other) const { return tapir::mm(*this, other); }
TAPIR_METHOD Tensor Tensor::bmm(const Tensor& other) const { return tapir::bmm(*this, other); }
TAPIR_METHOD Tensor Tensor::mv(const Tensor& other) const { return tapir::mv(*this, other); }
TAPIR_METHOD Tensor Tensor::dot(const Tensor& other) const { return tapir::dot(*this, other); }
TAPIR_METHOD Tensor Tensor::addmm(const Tensor& a, const Tensor& b, const Scalar& beta,
                                  const Scalar& alpha) const {
  return tapir::addmm(*this, a, b, beta, alpha);
}
#undef TAPIR_METHOD

}  // namespace tapir
