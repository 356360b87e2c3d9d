// Linear algebra, through LAPACK, on float32 and float64: on each matrix in the last two dimensions of a
// tensor (..., m, n). All throw DTypeError for other dtypes, ShapeError for sizes that do not fit, and
// ValueError, which names the matrix of the batch, where a matrix is singular or not positive-definite, has
// elements that are not finite where that cannot be, or where LAPACK's iteration did not converge.
// Derivatives can be taken twice unless said otherwise. The matrices of a batch are shared among threads;
// each is done by one, so results do not depend on the number of threads.
#pragma once

#include <optional>
#include <string_view>
#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

namespace linalg {

/// A^-1 of square matrices.
TAPIR_API Tensor inv(const Tensor& a);
/// X of A X = B; with left = false of X A = B. A (..., n, n); B (..., n, k), or (..., n) where it is one
/// vector or has exactly the sizes of A without the last. Batches broadcast.
TAPIR_API Tensor solve(const Tensor& a, const Tensor& b, bool left = true);
/// The same for a triangular A, of which the other triangle (and with unitriangular the diagonal, taken to be
/// 1) is not read. B (..., n, k), or (..., k, n) with left = false. A zero on the diagonal gives infinities.
TAPIR_API Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left = true,
                                  bool unitriangular = false);
/// L, lower triangular, of A = L L^T for symmetric positive-definite matrices, of which one triangle is read;
/// with `upper` U of A = U^T U. The derivative is symmetric (Murray 2016, arXiv:1602.07527).
TAPIR_API Tensor cholesky(const Tensor& a, bool upper = false);
/// (LU, pivots) of A = P L U: U on and above the diagonal, L below; row i was exchanged with row pivots[i] -
/// 1 (int32). Derivative for square matrices. Throws ValueError without `pivot`, which the CPU lacks.
TAPIR_API std::tuple<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot = true);
/// (Q, R) of A = Q R. mode "reduced": Q (m, min), R (min, n); "complete": Q (m, m), R (m, n); "r": R alone
/// and an empty Q. Derivative (Seeger et al. 2017, arXiv:1710.08717) for "reduced", and for "complete" where
/// m <= n, where the first min(m, n) columns of A are independent.
TAPIR_API std::tuple<Tensor, Tensor> qr(const Tensor& a, std::string_view mode = "reduced");
/// (U, S, V^T) of A = U diag(S) V^T, S descending; with full_matrices = false the first min(m, n) columns of
/// U and rows of V^T alone. Derivative (Townsend 2016, "Differentiating the singular value decomposition")
/// where the singular values differ; through U and V^T only for square matrices or full_matrices = false.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full_matrices = true);
/// S alone. Its derivative exists where values are equal, too.
TAPIR_API Tensor svdvals(const Tensor& a);
/// (L, V): eigenvalues, ascending, and eigenvectors as columns of symmetric matrices, of which it reads the
/// lower ("L") or upper ("U") triangle. The derivative (Giles 2008, "Collected matrix derivative results") is
/// that of a symmetric input, through V where the eigenvalues differ.
TAPIR_API std::tuple<Tensor, Tensor> eigh(const Tensor& a, std::string_view uplo = "L");
TAPIR_API Tensor eigvalsh(const Tensor& a, std::string_view uplo = "L");
/// (solution, residuals, rank, singular_values): X that minimises |A X - B|, of the smallest norm. A (..., m,
/// n), B (..., m, k), or (..., m) as in solve. driver "gelsy" (the default: QR with pivoting), "gelsd" or
/// "gelss" (singular values), or "gels" (full rank only). Singular values below rcond times the largest count
/// as 0; rcond is eps * max(m, n) where it is not given. residuals: the squared distances, for m > n, full
/// rank and a driver other than gelsy; rank: not for gels; singular_values: for gelsd and gelss; else empty.
/// The derivative is that of the solution.
TAPIR_API std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(
    const Tensor& a, const Tensor& b, std::optional<double> rcond = std::nullopt,
    std::optional<std::string_view> driver = std::nullopt);
/// Determinants. The first two derivatives of a singular matrix are right, its third throws AutogradError.
TAPIR_API Tensor det(const Tensor& a);
/// (sign, log |det A|), which neither overflow nor underflow: 0 and -inf for singular matrices, whose
/// derivative throws ValueError.
TAPIR_API std::tuple<Tensor, Tensor> slogdet(const Tensor& a);
/// A^n by repeated squaring; the power of the inverse for n < 0.
TAPIR_API Tensor matrix_power(const Tensor& a, int64_t n);
/// e^A, the sum of A^k / k!, by a Taylor polynomial of degree 18 of A / 2^s, squared s times (Bader, Blanes
/// and Casas 2019). The derivative is a block of the exponential of a matrix of twice the size (Mathias
/// 1996).
TAPIR_API Tensor matrix_exp(const Tensor& a);
/// The pseudo-inverse (Moore-Penrose): singular values not above max(atol, rtol * the largest) count as 0.
/// rtol is eps * max(m, n) where neither is given, 0 where only atol is. hermitian: A is symmetric, and
/// eigenvalues are used. Derivative (Golub and Pereyra 1973) where the rank does not change.
TAPIR_API Tensor pinv(const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
                      bool hermitian = false);
TAPIR_API Tensor pinv(const Tensor& a, double rcond, bool hermitian = false);  ///< rtol = rcond
TAPIR_API Tensor pinv(const Tensor& a);
/// The number of singular values above max(atol, rtol * the largest), int64; defaults as for pinv. No
/// derivative.
TAPIR_API Tensor matrix_rank(const Tensor& a, const std::optional<double>& atol,
                             const std::optional<double>& rtol, bool hermitian = false);
TAPIR_API Tensor matrix_rank(const Tensor& a, double tol, bool hermitian = false);  ///< atol = tol, rtol = 0
TAPIR_API Tensor matrix_rank(const Tensor& a);

}  // namespace linalg

// The same under PyTorch's older names.
TAPIR_API Tensor inverse(const Tensor& a);                         ///< linalg::inv
TAPIR_API Tensor pinverse(const Tensor& a, double rcond = 1e-15);  ///< linalg::pinv
TAPIR_API Tensor det(const Tensor& a);                             ///< linalg::det
TAPIR_API std::tuple<Tensor, Tensor> slogdet(const Tensor& a);     ///< linalg::slogdet
TAPIR_API Tensor logdet(const Tensor& a);                          ///< log(det), NaN where that is negative
TAPIR_API Tensor matrix_power(const Tensor& a, int64_t n);         ///< linalg::matrix_power
TAPIR_API Tensor matrix_exp(const Tensor& a);                      ///< linalg::matrix_exp
TAPIR_API Tensor cholesky(const Tensor& a, bool upper = false);    ///< linalg::cholesky
TAPIR_API std::tuple<Tensor, Tensor> qr(const Tensor& a,
                                        bool some = true);  ///< linalg::qr, reduced with `some`
/// X of A X = B, given the Cholesky factor L (with `upper` U) of A.
TAPIR_API Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper = false);
/// A^-1, given the Cholesky factor L (with `upper` U) of A.
TAPIR_API Tensor cholesky_inverse(const Tensor& factor, bool upper = false);
/// (U, S, V), V not transposed, reduced with `some`; U and V are zeros of full size without compute_uv.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool some = true, bool compute_uv = true);
/// (X, A) of A X = B (A^T X = B with `transpose`) for a triangular A.
TAPIR_API std::tuple<Tensor, Tensor> triangular_solve(const Tensor& b, const Tensor& a, bool upper = true,
                                                      bool transpose = false, bool unitriangular = false);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::inverse() const { return tapir::inverse(*this); }
TAPIR_METHOD Tensor Tensor::pinverse(double rcond) const { return tapir::pinverse(*this, rcond); }
TAPIR_METHOD Tensor Tensor::det() const { return tapir::det(*this); }
TAPIR_METHOD Tensor Tensor::logdet() const { return tapir::logdet(*this); }
TAPIR_METHOD std::tuple<Tensor, Tensor> Tensor::slogdet() const { return tapir::slogdet(*this); }
TAPIR_METHOD Tensor Tensor::matrix_power(int64_t n) const { return tapir::matrix_power(*this, n); }
TAPIR_METHOD Tensor Tensor::cholesky(bool upper) const { return tapir::cholesky(*this, upper); }
TAPIR_METHOD Tensor Tensor::cholesky_solve(const Tensor& factor, bool upper) const {
  return tapir::cholesky_solve(*this, factor, upper);
}
TAPIR_METHOD Tensor Tensor::cholesky_inverse(bool upper) const {
  return tapir::cholesky_inverse(*this, upper);
}
TAPIR_METHOD std::tuple<Tensor, Tensor> Tensor::qr(bool some) const { return tapir::qr(*this, some); }
TAPIR_METHOD std::tuple<Tensor, Tensor, Tensor> Tensor::svd(bool some, bool compute_uv) const {
  return tapir::svd(*this, some, compute_uv);
}
TAPIR_METHOD std::tuple<Tensor, Tensor> Tensor::triangular_solve(const Tensor& a, bool upper, bool transpose,
                                                                 bool unitriangular) const {
  return tapir::triangular_solve(*this, a, upper, transpose, unitriangular);
}
#undef TAPIR_METHOD

}  // namespace tapir
