// Linear algebra without gradient, through LAPACK: on each matrix in the last two dimensions of a float32 or
// float64 tensor. Results are new tensors whose matrices lie column by column. Each function names `op` in
// its errors: DTypeError for other dtypes, ShapeError for sizes that do not fit, ValueError, with the place
// in the batch, where a matrix is singular, not positive-definite, or a method did not converge.
#pragma once

#include <tuple>
#include <utility>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// Throws DTypeError unless x is float32 or float64, ShapeError unless it has two dimensions or more (and,
/// with `square`, matrices that are square).
TAPIR_API void check_matrices(const Tensor& x, bool square, const char* op);

/// P L U of each matrix.
struct Lu {
  Tensor lu;      ///< (..., m, n): U on and above the diagonal, L below it, whose own diagonal is 1
  Tensor pivots;  ///< (..., min(m, n)) int32: row i was exchanged with row pivots[i] - 1
  Tensor info;    ///< (...) int32: i where U[i - 1][i - 1] is the first zero on the diagonal, else 0
};
TAPIR_API Lu lu(const Tensor& a, const char* op);
/// Throws ValueError where a matrix has a zero on the diagonal of U.
TAPIR_API void check_regular(const Lu& f, const char* op);
/// A^-1 b, or A^-T b, for b (..., n, k) with the batch of the factors.
TAPIR_API Tensor lu_solve(const Lu& f, const Tensor& b, bool transpose, const char* op);
/// The rows of P^T A, int64 (..., m): A[perm[i]] is row i of L U.
TAPIR_API Tensor permutation(const Lu& f);

TAPIR_API Tensor det(const Tensor& a, const char* op);
/// (sign, log of the magnitude) of the determinant.
TAPIR_API std::pair<Tensor, Tensor> slogdet(const Tensor& a, const char* op);
/// L of A = L L^T, from A's lower triangle.
TAPIR_API Tensor cholesky(const Tensor& a, const char* op);
/// (Q, R) with `columns` columns of Q and as many rows of R; R alone, min(m, n) rows of it, where `columns`
/// is 0.
TAPIR_API std::pair<Tensor, Tensor> qr(const Tensor& a, int64_t columns, const char* op);
/// (U, S, V^T), min(m, n) columns of U and rows of V^T, or all of them with `full`; S alone without
/// `vectors`.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full, bool vectors, const char* op);
/// (values ascending, vectors as columns) from one triangle of A; values alone without `vectors`.
TAPIR_API std::pair<Tensor, Tensor> eigh(const Tensor& a, bool upper, bool vectors, const char* op);
/// A^-1 b for a triangular A; b (..., n, k) with the batch of A. Zeros on the diagonal give infinities.
TAPIR_API Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool unit, const char* op);

struct LeastSquares {
  Tensor solution;         ///< (..., max(m, n), k): n rows of solution, and for Gels and Gelsd what is left
  Tensor rank;             ///< (...) int64; undefined for Gels
  Tensor singular_values;  ///< (..., min(m, n)) for Gelsd and Gelss, else undefined
};
TAPIR_API LeastSquares lstsq(const Tensor& a, const Tensor& b, double rcond, LeastSquaresDriver driver,
                             const char* op);

}  // namespace tapir::raw
