// Linear algebra made of what linalg.h has: LU and QR in parts, solutions that report failure, inverses of
// tensors. Errors and derivatives are those of linalg.h.
#pragma once

#include <optional>
#include <string_view>
#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

namespace linalg {

// --- LU ---

/// (P, L, U) of A = P L U: a permutation, (m, min) with ones on its diagonal, (min, n). Throws ValueError
/// without `pivot`, which the CPU lacks.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lu(const Tensor& a, bool pivot = true);
/// X of A X = B (A^T X = B with `adjoint`; X A = B without `left`), given lu_factor(A).
TAPIR_API Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left = true,
                          bool adjoint = false);

// --- without exceptions for single matrices of a batch ---

/// The result and `info` (int32), 0 where it is right; else the result is NaN, unless `check_errors` makes it
/// throw as the function without _ex does. inv_ex, solve_ex: info i says that U of the LU factors has its
/// first zero at place i - 1 of the diagonal. cholesky_ex: the leading matrix of order i is not
/// positive-definite.
TAPIR_API std::tuple<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors = false);
TAPIR_API std::tuple<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left = true,
                                              bool check_errors = false);
TAPIR_API std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper = false,
                                                 bool check_errors = false);
/// (LU, pivots, info); the factors are there for singular matrices, too, but have no derivative then.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& a, bool pivot = true,
                                                          bool check_errors = false);

// --- reflections ---

/// The first n columns of H_1 ... H_k with H_i = 1 - tau_i v_i v_i^T, where v_i is 0 above place i, 1 there,
/// and below it column i of a (..., m, n); tau (..., k), m >= n >= k. Throws ShapeError.
TAPIR_API Tensor householder_product(const Tensor& a, const Tensor& tau);

// --- of tensors ---

/// The inverse of the linear map from the last dimensions to the first `ind`, whose sizes have equal
/// products.
TAPIR_API Tensor tensorinv(const Tensor& a, int64_t ind = 2);
/// X with tensordot(A, X, X.dim()) = B; `dims` of A are moved to its end first.
TAPIR_API Tensor tensorsolve(const Tensor& a, const Tensor& b, OptionalIntArrayRef dims = std::nullopt);
/// norm(A, p) norm(A^-1, p), the ratio of the singular values for p = 2, -2 or left out; infinite where A is
/// singular. p may be "fro" and "nuc".
TAPIR_API Tensor cond(const Tensor& a, const std::optional<Scalar>& p = std::nullopt);
TAPIR_API Tensor cond(const Tensor& a, std::string_view p);
inline Tensor cond(const Tensor& a, const char* p) { return cond(a, std::string_view(p)); }
/// sum of x y over `dim`
TAPIR_API Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim = -1);
/// tapir::diagonal of the last two dimensions; a view.
TAPIR_API Tensor diagonal(const Tensor& a, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
TAPIR_API Tensor matmul(const Tensor& a, const Tensor& b);
/// (..., n, N): the powers x^0, x^1, ... of each element; N is n where it is left out.
TAPIR_API Tensor vander(const Tensor& x, std::optional<int64_t> N = std::nullopt);

}  // namespace linalg

/// (P, L, U) from what lu_factor gives; without `unpack_pivots` P, without `unpack_data` L and U are empty.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu, const Tensor& pivots,
                                                       bool unpack_data = true, bool unpack_pivots = true);
/// linalg::lu_solve(lu, pivots, b)
TAPIR_API Tensor lu_solve(const Tensor& b, const Tensor& lu, const Tensor& pivots);
/// (a, tau) as householder_product reads them, R on and above the diagonal: A = Q R. No derivative
/// (AutogradError).
TAPIR_API std::tuple<Tensor, Tensor> geqrf(const Tensor& a);
/// linalg::householder_product
TAPIR_API Tensor orgqr(const Tensor& a, const Tensor& tau);
/// Q other (other Q without `left`; Q^T with `transpose`), Q the whole (m, m) product of reflections of a (m,
/// k), tau.
TAPIR_API Tensor ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left = true,
                       bool transpose = false);

}  // namespace tapir
