// Out forms of ops other than pointwise ones (those are in pointwise.h): name_out(out, ...) writes what
// name(...) gives into `out`, which gets the result's sizes where it has no elements, and returns it. Throws
// what the op throws, ShapeError and DTypeError where the result does not fit, AutogradError where an input
// or `out` is recorded; then `out` is as it was.
#pragma once

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
TAPIR_API Tensor& var_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim = false);
TAPIR_API Tensor& std_out(Tensor& out, const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim = false);
TAPIR_API Tensor& cumsum_out(Tensor& out, const Tensor& x, int64_t dim,
                             std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& cumprod_out(Tensor& out, const Tensor& x, int64_t dim,
                              std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor& logcumsumexp_out(Tensor& out, const Tensor& x, int64_t dim);

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

// --- of several tensors ---

TAPIR_API Tensor& cat_out(Tensor& out, TensorList x, int64_t dim = 0);
TAPIR_API Tensor& stack_out(Tensor& out, TensorList x, int64_t dim = 0);

// --- of two results ---

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
TAPIR_API Tensor& eye_out(Tensor& out, int64_t n);
TAPIR_API Tensor& eye_out(Tensor& out, int64_t n, int64_t m);

}  // namespace tapir
