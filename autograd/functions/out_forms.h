// Out forms of ops other than pointwise ones (those are in pointwise.h): name_out(out, ...) writes what
// name(...) gives into `out`, which gets the result's sizes where it has no elements, and returns it. Throws
// what the op throws, ShapeError and DTypeError where the result does not fit, AutogradError where an input
// or `out` is recorded; then `out` is as it was.
#pragma once

#include <string_view>
#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

// --- reductions and scans ---

TAPIR_API Tensor& sum_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool keepdim = false,
                          std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& mean_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool keepdim = false,
                           std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& nansum_out(Tensor& out, const Tensor& x, IntArrayRef dim = {}, bool keepdim = false,
                             std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& prod_out(Tensor& out, const Tensor& x, int64_t dim, bool keepdim = false,
                           std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& amax_out(Tensor& out, const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPIR_API Tensor& amin_out(Tensor& out, const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPIR_API Tensor& argmax_out(Tensor& out, const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                             bool keepdim = false);
TAPIR_API Tensor& argmin_out(Tensor& out, const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                             bool keepdim = false);
TAPIR_API Tensor& all_out(Tensor& out, const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API Tensor& any_out(Tensor& out, const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API Tensor& logsumexp_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool keepdim = false);
TAPIR_API Tensor& norm_out(Tensor& out, const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim,
                           bool keepdim = false);
TAPIR_API Tensor& var_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool unbiased = true,
                          bool keepdim = false);
TAPIR_API Tensor& std_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool unbiased = true,
                          bool keepdim = false);
TAPIR_API Tensor& cumsum_out(Tensor& out, const Tensor& x, int64_t dim,
                             std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& cumprod_out(Tensor& out, const Tensor& x, int64_t dim,
                              std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& logcumsumexp_out(Tensor& out, const Tensor& x, int64_t dim);
TAPIR_API Tensor& all_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& any_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& max_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& min_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& median_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& nanmedian_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& nanmean_out(Tensor& out, const Tensor& x, IntArrayRef dim = {}, bool keepdim = false,
                              std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& norm_out(Tensor& out, const Tensor& x, const Scalar& p = 2);
TAPIR_API Tensor& var_out(Tensor& out, const Tensor& x, IntArrayRef dim, std::optional<int64_t> correction,
                          bool keepdim = false);
TAPIR_API Tensor& std_out(Tensor& out, const Tensor& x, IntArrayRef dim, std::optional<int64_t> correction,
                          bool keepdim = false);
TAPIR_API Tensor& histc_out(Tensor& out, const Tensor& x, int64_t bins = 100, const Scalar& min = 0,
                            const Scalar& max = 0);
TAPIR_API Tensor& msort_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& renorm_out(Tensor& out, const Tensor& x, const Scalar& p, int64_t dim,
                             const Scalar& maxnorm);

// --- products ---

TAPIR_API Tensor& matmul_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& mm_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& bmm_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& mv_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& dot_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& outer_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& inner_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& kron_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& addmm_out(Tensor& out, const Tensor& c, const Tensor& a, const Tensor& b,
                            const Scalar& beta = 1, const Scalar& alpha = 1);
TAPIR_API Tensor& addmv_out(Tensor& out, const Tensor& c, const Tensor& a, const Tensor& b,
                            const Scalar& beta = 1, const Scalar& alpha = 1);
TAPIR_API Tensor& addr_out(Tensor& out, const Tensor& c, const Tensor& a, const Tensor& b,
                           const Scalar& beta = 1, const Scalar& alpha = 1);
TAPIR_API Tensor& baddbmm_out(Tensor& out, const Tensor& c, const Tensor& a, const Tensor& b,
                              const Scalar& beta = 1, const Scalar& alpha = 1);
TAPIR_API Tensor& addbmm_out(Tensor& out, const Tensor& c, const Tensor& a, const Tensor& b,
                             const Scalar& beta = 1, const Scalar& alpha = 1);
TAPIR_API Tensor& cross_out(Tensor& out, const Tensor& a, const Tensor& b,
                            std::optional<int64_t> dim = std::nullopt);
TAPIR_API Tensor& linear_out(Tensor& out, const Tensor& x, const Tensor& w, const Tensor& bias = {});
TAPIR_API Tensor& inverse_out(Tensor& out, const Tensor& a);
TAPIR_API Tensor& ger_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& cholesky_out(Tensor& out, const Tensor& a, bool upper = false);
TAPIR_API Tensor& cholesky_inverse_out(Tensor& out, const Tensor& factor, bool upper = false);
TAPIR_API Tensor& cholesky_solve_out(Tensor& out, const Tensor& b, const Tensor& factor, bool upper = false);
TAPIR_API Tensor& matrix_power_out(Tensor& out, const Tensor& a, int64_t n);
TAPIR_API Tensor& ormqr_out(Tensor& out, const Tensor& a, const Tensor& tau, const Tensor& other,
                            bool left = true, bool transpose = false);

// --- indexing and rearranging ---

TAPIR_API Tensor& gather_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                             bool sparse_grad = false);
TAPIR_API Tensor& index_select_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index);
TAPIR_API Tensor& take_out(Tensor& out, const Tensor& x, const Tensor& index);
TAPIR_API Tensor& take_along_dim_out(Tensor& out, const Tensor& x, const Tensor& indices,
                                     std::optional<int64_t> dim = std::nullopt);
TAPIR_API Tensor& scatter_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                              const Tensor& src);
TAPIR_API Tensor& scatter_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                              const Scalar& value);
TAPIR_API Tensor& scatter_add_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                                  const Tensor& src);
TAPIR_API Tensor& index_add_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                                const Tensor& source, const Scalar& alpha = 1);
TAPIR_API Tensor& masked_select_out(Tensor& out, const Tensor& x, const Tensor& mask);
TAPIR_API Tensor& nonzero_out(Tensor& out, const Tensor& x);
TAPIR_API Tensor& tril_out(Tensor& out, const Tensor& x, int64_t diagonal = 0);
TAPIR_API Tensor& triu_out(Tensor& out, const Tensor& x, int64_t diagonal = 0);
TAPIR_API Tensor& diag_out(Tensor& out, const Tensor& x, int64_t diagonal = 0);
TAPIR_API Tensor& bucketize_out(Tensor& out, const Tensor& values, const Tensor& boundaries,
                                bool out_int32 = false, bool right = false);
TAPIR_API Tensor& softmax_out(Tensor& out, const Tensor& x, int64_t dim,
                              std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& log_softmax_out(Tensor& out, const Tensor& x, int64_t dim,
                                  std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& index_reduce_out(Tensor& out, const Tensor& x, int64_t dim, const Tensor& index,
                                   const Tensor& source, std::string_view reduce, bool include_self = true);
TAPIR_API Tensor& searchsorted_out(Tensor& out, const Tensor& sorted, const Tensor& values,
                                   bool out_int32 = false, bool right = false,
                                   std::optional<std::string_view> side = std::nullopt,
                                   const std::optional<Tensor>& sorter = std::nullopt);
TAPIR_API Tensor& searchsorted_out(Tensor& out, const Tensor& sorted, const Scalar& value,
                                   bool out_int32 = false, bool right = false,
                                   std::optional<std::string_view> side = std::nullopt,
                                   const std::optional<Tensor>& sorter = std::nullopt);

// --- random ---

TAPIR_API Tensor& multinomial_out(Tensor& out, const Tensor& weights, int64_t num_samples,
                                  bool replacement = false,
                                  std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& bernoulli_out(Tensor& out, const Tensor& p,
                                std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& bernoulli_out(Tensor& out, const Tensor& like, double p,
                                std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& normal_out(Tensor& out, const Tensor& mean, const Tensor& std,
                             std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& normal_out(Tensor& out, const Tensor& mean, double std = 1,
                             std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& normal_out(Tensor& out, double mean, const Tensor& std,
                             std::optional<Generator> generator = std::nullopt);

// --- of several tensors ---

TAPIR_API Tensor& cat_out(Tensor& out, TensorList x, int64_t dim = 0);
TAPIR_API Tensor& concat_out(Tensor& out, TensorList x, int64_t dim = 0);
TAPIR_API Tensor& stack_out(Tensor& out, TensorList x, int64_t dim = 0);
TAPIR_API Tensor& hstack_out(Tensor& out, TensorList x);
TAPIR_API Tensor& vstack_out(Tensor& out, TensorList x);
TAPIR_API Tensor& row_stack_out(Tensor& out, TensorList x);
TAPIR_API Tensor& dstack_out(Tensor& out, TensorList x);
TAPIR_API Tensor& column_stack_out(Tensor& out, TensorList x);

// --- of two or three results ---

TAPIR_API std::tuple<Tensor&, Tensor&> sort_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                int64_t dim = -1, bool descending = false);
TAPIR_API std::tuple<Tensor&, Tensor&> topk_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t k,
                                                int64_t dim = -1, bool largest = true, bool sorted = true);
TAPIR_API std::tuple<Tensor&, Tensor&> kthvalue_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                    int64_t k, int64_t dim = -1, bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> max_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                               bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> min_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                               bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> median_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                  int64_t dim, bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> mode_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                int64_t dim = -1, bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> cummax_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                  int64_t dim);
TAPIR_API std::tuple<Tensor&, Tensor&> cummin_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                  int64_t dim);
TAPIR_API std::tuple<Tensor&, Tensor&> aminmax_out(Tensor& min, Tensor& max, const Tensor& x,
                                                   std::optional<int64_t> dim = std::nullopt,
                                                   bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> nanmedian_out(Tensor& values, Tensor& indices, const Tensor& x,
                                                     int64_t dim, bool keepdim = false);
TAPIR_API std::tuple<Tensor&, Tensor&> slogdet_out(Tensor& sign, Tensor& logabsdet, const Tensor& a);
TAPIR_API std::tuple<Tensor&, Tensor&> qr_out(Tensor& q, Tensor& r, const Tensor& a, bool some = true);
TAPIR_API std::tuple<Tensor&, Tensor&> geqrf_out(Tensor& a, Tensor& tau, const Tensor& x);
TAPIR_API std::tuple<Tensor&, Tensor&> triangular_solve_out(Tensor& x, Tensor& factor, const Tensor& b,
                                                            const Tensor& a, bool upper = true,
                                                            bool transpose = false,
                                                            bool unitriangular = false);
TAPIR_API std::tuple<Tensor&, Tensor&, Tensor&> svd_out(Tensor& u, Tensor& s, Tensor& v, const Tensor& a,
                                                        bool some = true, bool compute_uv = true);

// --- made anew, of the dtype and device of `out` ---

TAPIR_API Tensor& zeros_out(Tensor& out, IntArrayRef size);
TAPIR_API Tensor& ones_out(Tensor& out, IntArrayRef size);
TAPIR_API Tensor& empty_out(Tensor& out, IntArrayRef size);
TAPIR_API Tensor& full_out(Tensor& out, IntArrayRef size, const Scalar& value);
TAPIR_API Tensor& rand_out(Tensor& out, IntArrayRef size);
TAPIR_API Tensor& randn_out(Tensor& out, IntArrayRef size);
TAPIR_API Tensor& randint_out(Tensor& out, int64_t high, IntArrayRef size);
TAPIR_API Tensor& randint_out(Tensor& out, int64_t low, int64_t high, IntArrayRef size);
TAPIR_API Tensor& randperm_out(Tensor& out, int64_t n);
TAPIR_API Tensor& arange_out(Tensor& out, const Scalar& end);
TAPIR_API Tensor& arange_out(Tensor& out, const Scalar& start, const Scalar& end, const Scalar& step = 1);
TAPIR_API Tensor& linspace_out(Tensor& out, const Scalar& start, const Scalar& end, int64_t steps = 100);
TAPIR_API Tensor& logspace_out(Tensor& out, const Scalar& start, const Scalar& end, int64_t steps = 100,
                               double base = 10);
TAPIR_API Tensor& range_out(Tensor& out, const Scalar& start, const Scalar& end, const Scalar& step = 1);
TAPIR_API Tensor& normal_out(Tensor& out, double mean, double std, IntArrayRef size,
                             std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor& eye_out(Tensor& out, int64_t n);
TAPIR_API Tensor& eye_out(Tensor& out, int64_t n, int64_t m);

// --- linear algebra ---

namespace linalg {

TAPIR_API Tensor& inv_out(Tensor& out, const Tensor& a);
TAPIR_API Tensor& solve_out(Tensor& out, const Tensor& a, const Tensor& b, bool left = true);
TAPIR_API Tensor& solve_triangular_out(Tensor& out, const Tensor& a, const Tensor& b, bool upper,
                                       bool left = true, bool unitriangular = false);
TAPIR_API Tensor& cholesky_out(Tensor& out, const Tensor& a, bool upper = false);
TAPIR_API Tensor& svdvals_out(Tensor& out, const Tensor& a);
TAPIR_API Tensor& eigvalsh_out(Tensor& out, const Tensor& a, std::string_view uplo = "L");
TAPIR_API Tensor& det_out(Tensor& out, const Tensor& a);
TAPIR_API Tensor& matrix_power_out(Tensor& out, const Tensor& a, int64_t n);
TAPIR_API Tensor& matrix_exp_out(Tensor& out, const Tensor& a);
TAPIR_API Tensor& pinv_out(Tensor& out, const Tensor& a, const std::optional<double>& atol = std::nullopt,
                           const std::optional<double>& rtol = std::nullopt, bool hermitian = false);
TAPIR_API Tensor& pinv_out(Tensor& out, const Tensor& a, double rcond, bool hermitian = false);
TAPIR_API Tensor& matrix_rank_out(Tensor& out, const Tensor& a,
                                  const std::optional<double>& atol = std::nullopt,
                                  const std::optional<double>& rtol = std::nullopt, bool hermitian = false);
TAPIR_API Tensor& matrix_rank_out(Tensor& out, const Tensor& a, double tol, bool hermitian = false);
TAPIR_API Tensor& cond_out(Tensor& out, const Tensor& a, const std::optional<Scalar>& p = std::nullopt);
TAPIR_API Tensor& cond_out(Tensor& out, const Tensor& a, std::string_view p);
TAPIR_API Tensor& vector_norm_out(Tensor& out, const Tensor& x, const Scalar& ord = 2, IntArrayRef dim = {},
                                  bool keepdim = false, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& matrix_norm_out(Tensor& out, const Tensor& x, const Scalar& ord, IntArrayRef dim = {-2, -1},
                                  bool keepdim = false, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& matrix_norm_out(Tensor& out, const Tensor& x, std::string_view ord = "fro",
                                  IntArrayRef dim = {-2, -1}, bool keepdim = false,
                                  std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& norm_out(Tensor& out, const Tensor& x, const std::optional<Scalar>& ord = std::nullopt,
                           IntArrayRef dim = {}, bool keepdim = false,
                           std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& norm_out(Tensor& out, const Tensor& x, std::string_view ord, IntArrayRef dim = {},
                           bool keepdim = false, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& cross_out(Tensor& out, const Tensor& a, const Tensor& b, int64_t dim = -1);
TAPIR_API Tensor& vecdot_out(Tensor& out, const Tensor& x, const Tensor& y, int64_t dim = -1);
TAPIR_API Tensor& matmul_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& householder_product_out(Tensor& out, const Tensor& a, const Tensor& tau);
TAPIR_API Tensor& lu_solve_out(Tensor& out, const Tensor& lu, const Tensor& pivots, const Tensor& b,
                               bool left = true, bool adjoint = false);
TAPIR_API Tensor& tensorinv_out(Tensor& out, const Tensor& a, int64_t ind = 2);
TAPIR_API Tensor& tensorsolve_out(Tensor& out, const Tensor& a, const Tensor& b, IntArrayRef dims = {});
TAPIR_API std::tuple<Tensor&, Tensor&> slogdet_out(Tensor& sign, Tensor& logabsdet, const Tensor& a);
TAPIR_API std::tuple<Tensor&, Tensor&> qr_out(Tensor& q, Tensor& r, const Tensor& a,
                                              std::string_view mode = "reduced");
TAPIR_API std::tuple<Tensor&, Tensor&> eigh_out(Tensor& values, Tensor& vectors, const Tensor& a,
                                                std::string_view uplo = "L");
TAPIR_API std::tuple<Tensor&, Tensor&> lu_factor_out(Tensor& lu, Tensor& pivots, const Tensor& a,
                                                     bool pivot = true);
TAPIR_API std::tuple<Tensor&, Tensor&> inv_ex_out(Tensor& inverse, Tensor& info, const Tensor& a,
                                                  bool check_errors = false);
TAPIR_API std::tuple<Tensor&, Tensor&> solve_ex_out(Tensor& x, Tensor& info, const Tensor& a, const Tensor& b,
                                                    bool left = true, bool check_errors = false);
TAPIR_API std::tuple<Tensor&, Tensor&> cholesky_ex_out(Tensor& l, Tensor& info, const Tensor& a,
                                                       bool upper = false, bool check_errors = false);
TAPIR_API std::tuple<Tensor&, Tensor&, Tensor&> svd_out(Tensor& u, Tensor& s, Tensor& vt, const Tensor& a,
                                                        bool full_matrices = true);
TAPIR_API std::tuple<Tensor&, Tensor&, Tensor&> lu_out(Tensor& p, Tensor& l, Tensor& u, const Tensor& a,
                                                       bool pivot = true);
TAPIR_API std::tuple<Tensor&, Tensor&, Tensor&> lu_factor_ex_out(Tensor& lu, Tensor& pivots, Tensor& info,
                                                                 const Tensor& a, bool pivot = true,
                                                                 bool check_errors = false);
TAPIR_API std::tuple<Tensor&, Tensor&, Tensor&, Tensor&> lstsq_out(
    Tensor& solution, Tensor& residuals, Tensor& rank, Tensor& singular_values, const Tensor& a,
    const Tensor& b, std::optional<double> rcond = std::nullopt,
    std::optional<std::string_view> driver = std::nullopt);
TAPIR_API Tensor& multi_dot_out(Tensor& out, TensorList x);

}  // namespace linalg

}  // namespace tapir
