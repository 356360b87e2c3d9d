// Further products of vectors and matrices. As in matmul.h, operands of one dtype and device (DTypeError,
// DeviceError) unless said otherwise; sizes that do not fit throw ShapeError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// a[i] * b[j] of two vectors, (n), (m) -> (n, m). Dtypes promote.
TAPIR_API Tensor outer(const Tensor& a, const Tensor& b);
TAPIR_API Tensor ger(const Tensor& a, const Tensor& b);
/// Sum over the last dimension of both: (..., k), (***, k) -> (..., ***); a product where either has no
/// dimensions.
TAPIR_API Tensor inner(const Tensor& a, const Tensor& b);
/// dot, for real numbers.
TAPIR_API Tensor vdot(const Tensor& a, const Tensor& b);
/// beta * c + alpha * a v: c broadcasts to (m), a (m, k), v (k). beta == 0 does not read c, here and below.
TAPIR_API Tensor addmv(const Tensor& c, const Tensor& a, const Tensor& v, const Scalar& beta = 1,
                       const Scalar& alpha = 1);
/// beta * c + alpha * outer(a, b): c broadcasts to (n, m)
TAPIR_API Tensor addr(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                      const Scalar& alpha = 1);
/// beta * c + alpha * bmm(a, b): c broadcasts to (B, m, n)
TAPIR_API Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                         const Scalar& alpha = 1);
/// beta * c + alpha * the sum of bmm(a, b) over the batch: c broadcasts to (m, n)
TAPIR_API Tensor addbmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                        const Scalar& alpha = 1);
/// The Kronecker product: every element of a times b, (m, n), (p, q) -> (m p, n q), likewise for any number
/// of dimensions. Dtypes promote.
TAPIR_API Tensor kron(const Tensor& a, const Tensor& b);
/// The vector product along `dim`, whose size is 3; other sizes broadcast. Without dim: the first dimension
/// of size 3.
TAPIR_API Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim = std::nullopt);
/// Sum of the diagonal of a matrix; int64 for integers.
TAPIR_API Tensor trace(const Tensor& x);
/// |x1[i] - x2[j]| for the rows of x1 (B, P, M) and x2 (B, R, M) in the p-norm (p >= 0, inf too): (B, P, R).
/// Batches broadcast. compute_mode: distances for p = 2 from a matrix product, |x|^2 - 2 x y + |y|^2, which
/// is fast and less exact for rows that are close: 0 where P or R is above 25, 1 always, 2 never. Derivatives
/// at distance 0 are 0.
TAPIR_API Tensor cdist(const Tensor& x1, const Tensor& x2, double p = 2,
                       std::optional<int64_t> compute_mode = std::nullopt);
/// The product of matrices, in the order that takes the fewest multiplications (Cormen et al., chapter 15).
TAPIR_API Tensor chain_matmul(TensorList matrices);

namespace linalg {
/// chain_matmul of two or more, of which the first may be a row vector and the last a column vector.
TAPIR_API Tensor multi_dot(TensorList tensors);
/// tapir::cross, along the last dimension.
TAPIR_API Tensor cross(const Tensor& a, const Tensor& b, int64_t dim = -1);
}  // namespace linalg

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
#define TAPIR_ADD_PRODUCT(name)                                                          \
  TAPIR_METHOD Tensor Tensor::name(const Tensor& a, const Tensor& b, const Scalar& beta, \
                                   const Scalar& alpha) const {                          \
    return tapir::name(*this, a, b, beta, alpha);                                        \
  }
TAPIR_ADD_PRODUCT(addmv)
TAPIR_ADD_PRODUCT(addr)
TAPIR_ADD_PRODUCT(baddbmm)
TAPIR_ADD_PRODUCT(addbmm)
#undef TAPIR_ADD_PRODUCT
namespace detail {
enum class AddProduct { addmm, addmv, addr, baddbmm, addbmm };
/// x = op(x, a, b) in place; x must have the sizes of the result.
TAPIR_API void add_product_(const Tensor& x, AddProduct op, const Tensor& a, const Tensor& b,
                            const Scalar& beta, const Scalar& alpha);
}  // namespace detail
#define TAPIR_ADD_PRODUCT(name)                                                              \
  TAPIR_METHOD Tensor& Tensor::name##_(const Tensor& a, const Tensor& b, const Scalar& beta, \
                                       const Scalar& alpha) const {                          \
    detail::add_product_(self(), detail::AddProduct::name, a, b, beta, alpha);               \
    return self();                                                                           \
  }
TAPIR_ADD_PRODUCT(addmm)
TAPIR_ADD_PRODUCT(addmv)
TAPIR_ADD_PRODUCT(addr)
TAPIR_ADD_PRODUCT(baddbmm)
TAPIR_ADD_PRODUCT(addbmm)
#undef TAPIR_ADD_PRODUCT
TAPIR_METHOD Tensor& addmv_(Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                            const Scalar& alpha = 1) {
  return x.addmv_(a, b, beta, alpha);
}
TAPIR_METHOD Tensor Tensor::outer(const Tensor& other) const { return tapir::outer(*this, other); }
TAPIR_METHOD Tensor Tensor::ger(const Tensor& other) const { return tapir::ger(*this, other); }
TAPIR_METHOD Tensor Tensor::inner(const Tensor& other) const { return tapir::inner(*this, other); }
TAPIR_METHOD Tensor Tensor::vdot(const Tensor& other) const { return tapir::vdot(*this, other); }
TAPIR_METHOD Tensor Tensor::kron(const Tensor& other) const { return tapir::kron(*this, other); }
TAPIR_METHOD Tensor Tensor::cross(const Tensor& other, std::optional<int64_t> dim) const {
  return tapir::cross(*this, other, dim);
}
TAPIR_METHOD Tensor Tensor::trace() const { return tapir::trace(*this); }
#undef TAPIR_METHOD

}  // namespace tapir
