#include "tapir/autograd/functions/out_forms.h"

#include <algorithm>
#include <array>

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/linalg_forms.h"
#include "tapir/autograd/functions/linalg_norm.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/parts.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/products.h"
#include "tapir/autograd/functions/random.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scan.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/sort.h"
#include "tapir/autograd/functions/statistics.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir {

namespace {

/// Writes y[i] into *out[i] after all have been checked. `recorded`: an input that is recorded, if there is
/// one.
void assign_all(const char* op, const Tensor& recorded, const Tensor* y, Tensor* const* out, size_t n) {
  std::vector<Tensor> made(n);
  for (size_t i = 0; i < n; ++i) {
    if (out[i]->defined()) {
      made[i] = empty_like(*out[i]);
      raw::check_writable(*out[i], op);
    }
    detail::assign_out(made[i], op, {recorded, *out[i]}, [&] { return y[i]; });
  }
  for (size_t i = 0; i < n; ++i) detail::assign_out(*out[i], op, {}, [&] { return made[i]; });
}

/// The first of `x` that is recorded, or an undefined tensor.
Tensor recorded_of(TensorList x) {
  const auto at = std::find_if(x.begin(), x.end(), [](const Tensor& t) { return recording(t); });
  return at == x.end() ? Tensor() : *at;
}

/// Writes the results of f(), a tuple, into `out`.
template <class F, class... Out>
std::tuple<Out&...> assign_each(const char* op, std::initializer_list<Tensor> inputs, F f, Out&... out) {
  std::array<Tensor, sizeof...(Out)> y;
  {
    NoGradGuard no_grad;
    y = std::apply([](auto... t) { return std::array<Tensor, sizeof...(Out)>{t...}; }, f());
  }
  const std::array<Tensor*, sizeof...(Out)> to{&out...};
  assign_all(op, recorded_of(inputs), y.data(), to.data(), to.size());
  return {out...};
}

/// The dtype and device of `out`, for what is made anew.
TensorOptions of(const Tensor& out) { return out.defined() ? out.options() : TensorOptions(); }

}  // namespace

// Rows: name, parameters, arguments of the op, the tensors that may be recorded; before these the number of
// results, where there are several.
#define TAPIR_OUT(name, params, args, ...) TAPIR_OUT_OF(tapir, name, #name, params, args, __VA_ARGS__)
#define TAPIR_OUTS(n, name, params, args, ...) TAPIR_OUTS_OF(n, tapir, name, #name, params, args, __VA_ARGS__)
#define TAPIR_LINALG(name, params, args, ...) \
  TAPIR_OUT_OF(linalg, name, "linalg." #name, params, args, __VA_ARGS__)
#define TAPIR_LINALGS(n, name, params, args, ...) \
  TAPIR_OUTS_OF(n, linalg, name, "linalg." #name, params, args, __VA_ARGS__)
#define TAPIR_OUT_OF(space, name, op, params, args, ...)                                 \
  Tensor& name##_out(Tensor& out, TAPIR_OUT_PARAMS params) {                             \
    return detail::assign_out(out, op, {__VA_ARGS__}, [&] { return space::name args; }); \
  }
#define TAPIR_OUTS_OF(n, space, name, op, params, args, ...)                       \
  TAPIR_OUT_TUPLE_##n name##_out(TAPIR_OUT_TENSORS_##n, TAPIR_OUT_PARAMS params) { \
    return assign_each(                                                            \
        op, {__VA_ARGS__}, [&] { return space::name args; }, TAPIR_OUT_NAMES_##n); \
  }
#define TAPIR_OUT_PARAMS(...) __VA_ARGS__
#define TAPIR_OUT_TUPLE_2 std::tuple<Tensor&, Tensor&>
#define TAPIR_OUT_TUPLE_3 std::tuple<Tensor&, Tensor&, Tensor&>
#define TAPIR_OUT_TUPLE_4 std::tuple<Tensor&, Tensor&, Tensor&, Tensor&>
#define TAPIR_OUT_TENSORS_2 Tensor &out0, Tensor &out1
#define TAPIR_OUT_TENSORS_3 TAPIR_OUT_TENSORS_2, Tensor& out2
#define TAPIR_OUT_TENSORS_4 TAPIR_OUT_TENSORS_3, Tensor& out3
#define TAPIR_OUT_NAMES_2 out0, out1
#define TAPIR_OUT_NAMES_3 TAPIR_OUT_NAMES_2, out2
#define TAPIR_OUT_NAMES_4 TAPIR_OUT_NAMES_3, out3

// --- reductions and scans ---

TAPIR_OUT(sum, (const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
          (x, dim, keepdim, dtype), x)
TAPIR_OUT(mean, (const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
          (x, dim, keepdim, dtype), x)
TAPIR_OUT(nansum, (const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
          (x, dim, keepdim, dtype), x)
TAPIR_OUT(prod, (const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype),
          (x, dim, keepdim, dtype), x)
TAPIR_OUT(amax, (const Tensor& x, IntArrayRef dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(amin, (const Tensor& x, IntArrayRef dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(argmax, (const Tensor& x, std::optional<int64_t> dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(argmin, (const Tensor& x, std::optional<int64_t> dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(all, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(any, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(logsumexp, (const Tensor& x, IntArrayRef dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUT(norm, (const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim),
          (x, p, dim, keepdim), x)
TAPIR_OUT(var, (const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim), (x, dim, unbiased, keepdim),
          x)
TAPIR_OUT(std, (const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim), (x, dim, unbiased, keepdim),
          x)
TAPIR_OUT(cumsum, (const Tensor& x, int64_t dim, std::optional<DType> dtype), (x, dim, dtype), x)
TAPIR_OUT(cumprod, (const Tensor& x, int64_t dim, std::optional<DType> dtype), (x, dim, dtype), x)
TAPIR_OUT(logcumsumexp, (const Tensor& x, int64_t dim), (x, dim), x)
TAPIR_OUT(all, (const Tensor& x), (x), x)
TAPIR_OUT(any, (const Tensor& x), (x), x)
TAPIR_OUT(max, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(min, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(median, (const Tensor& x), (x), x)
TAPIR_OUT(nanmedian, (const Tensor& x), (x), x)
TAPIR_OUT(nanmean, (const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
          (x, dim, keepdim, dtype), x)
TAPIR_OUT(norm, (const Tensor& x, const Scalar& p), (x, p), x)
TAPIR_OUT(var, (const Tensor& x, IntArrayRef dim, std::optional<int64_t> correction, bool keepdim),
          (x, dim, correction, keepdim), x)
TAPIR_OUT(std, (const Tensor& x, IntArrayRef dim, std::optional<int64_t> correction, bool keepdim),
          (x, dim, correction, keepdim), x)
TAPIR_OUT(histc, (const Tensor& x, int64_t bins, const Scalar& min, const Scalar& max), (x, bins, min, max),
          x)
TAPIR_OUT(msort, (const Tensor& x), (x), x)
TAPIR_OUT(renorm, (const Tensor& x, const Scalar& p, int64_t dim, const Scalar& maxnorm),
          (x, p, dim, maxnorm), x)

// --- products ---

TAPIR_OUT(matmul, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(mm, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(bmm, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(mv, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(dot, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(outer, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(inner, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(kron, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(addmm, (const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha),
          (c, a, b, beta, alpha), c, a, b)
TAPIR_OUT(addmv, (const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha),
          (c, a, b, beta, alpha), c, a, b)
TAPIR_OUT(addr, (const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha),
          (c, a, b, beta, alpha), c, a, b)
TAPIR_OUT(baddbmm,
          (const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha),
          (c, a, b, beta, alpha), c, a, b)
TAPIR_OUT(addbmm,
          (const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha),
          (c, a, b, beta, alpha), c, a, b)
TAPIR_OUT(cross, (const Tensor& a, const Tensor& b, std::optional<int64_t> dim), (a, b, dim), a, b)
TAPIR_OUT(linear, (const Tensor& x, const Tensor& w, const Tensor& bias), (x, w, bias), x, w, bias)
TAPIR_OUT(inverse, (const Tensor& a), (a), a)
TAPIR_OUT(ger, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_OUT(cholesky, (const Tensor& a, bool upper), (a, upper), a)
TAPIR_OUT(cholesky_inverse, (const Tensor& factor, bool upper), (factor, upper), factor)
TAPIR_OUT(cholesky_solve, (const Tensor& b, const Tensor& factor, bool upper), (b, factor, upper), b, factor)
TAPIR_OUT(matrix_power, (const Tensor& a, int64_t n), (a, n), a)
TAPIR_OUT(ormqr, (const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool transpose),
          (a, tau, other, left, transpose), a, tau, other)

// --- indexing and rearranging ---

TAPIR_OUT(gather, (const Tensor& x, int64_t dim, const Tensor& index, bool sparse_grad),
          (x, dim, index, sparse_grad), x)
TAPIR_OUT(index_select, (const Tensor& x, int64_t dim, const Tensor& index), (x, dim, index), x)
TAPIR_OUT(take, (const Tensor& x, const Tensor& index), (x, index), x)
TAPIR_OUT(take_along_dim, (const Tensor& x, const Tensor& indices, std::optional<int64_t> dim),
          (x, indices, dim), x)
TAPIR_OUT(scatter, (const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src),
          (x, dim, index, src), x, src)
TAPIR_OUT(scatter, (const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value),
          (x, dim, index, value), x)
TAPIR_OUT(scatter_add, (const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src),
          (x, dim, index, src), x, src)
TAPIR_OUT(index_add,
          (const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha),
          (x, dim, index, source, alpha), x, source)
TAPIR_OUT(masked_select, (const Tensor& x, const Tensor& mask), (x, mask), x)
TAPIR_OUT(nonzero, (const Tensor& x), (x), x)
TAPIR_OUT(tril, (const Tensor& x, int64_t diagonal), (x, diagonal), x)
TAPIR_OUT(triu, (const Tensor& x, int64_t diagonal), (x, diagonal), x)
TAPIR_OUT(diag, (const Tensor& x, int64_t diagonal), (x, diagonal), x)
TAPIR_OUT(bucketize, (const Tensor& values, const Tensor& boundaries, bool out_int32, bool right),
          (values, boundaries, out_int32, right), values)
TAPIR_OUT(softmax, (const Tensor& x, int64_t dim, std::optional<DType> dtype), (x, dim, dtype), x)
TAPIR_OUT(log_softmax, (const Tensor& x, int64_t dim, std::optional<DType> dtype), (x, dim, dtype), x)
TAPIR_OUT(index_reduce,
          (const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
           bool include_self),
          (x, dim, index, source, reduce, include_self), x, source)
TAPIR_OUT(searchsorted,
          (const Tensor& sorted, const Tensor& values, bool out_int32, bool right,
           std::optional<std::string_view> side, const std::optional<Tensor>& sorter),
          (sorted, values, out_int32, right, side, sorter), sorted, values)
TAPIR_OUT(searchsorted,
          (const Tensor& sorted, const Scalar& value, bool out_int32, bool right,
           std::optional<std::string_view> side, const std::optional<Tensor>& sorter),
          (sorted, value, out_int32, right, side, sorter), sorted)

// --- random ---

TAPIR_OUT(multinomial,
          (const Tensor& weights, int64_t num_samples, bool replacement, std::optional<Generator> generator),
          (weights, num_samples, replacement, generator), weights)
TAPIR_OUT(bernoulli, (const Tensor& p, std::optional<Generator> generator), (p, generator), p)
TAPIR_OUT(bernoulli, (const Tensor& like, double p, std::optional<Generator> generator), (like, p, generator),
          like)
TAPIR_OUT(normal, (const Tensor& mean, const Tensor& std, std::optional<Generator> generator),
          (mean, std, generator), mean, std)
TAPIR_OUT(normal, (const Tensor& mean, double std, std::optional<Generator> generator),
          (mean, std, generator), mean)
TAPIR_OUT(normal, (double mean, const Tensor& std, std::optional<Generator> generator),
          (mean, std, generator), std)

// --- of several tensors ---

TAPIR_OUT(cat, (TensorList x, int64_t dim), (x, dim), recorded_of(x))
TAPIR_OUT(concat, (TensorList x, int64_t dim), (x, dim), recorded_of(x))
TAPIR_OUT(stack, (TensorList x, int64_t dim), (x, dim), recorded_of(x))
TAPIR_OUT(hstack, (TensorList x), (x), recorded_of(x))
TAPIR_OUT(vstack, (TensorList x), (x), recorded_of(x))
TAPIR_OUT(row_stack, (TensorList x), (x), recorded_of(x))
TAPIR_OUT(dstack, (TensorList x), (x), recorded_of(x))
TAPIR_OUT(column_stack, (TensorList x), (x), recorded_of(x))

// --- of two or three results ---

TAPIR_OUTS(2, sort, (const Tensor& x, int64_t dim, bool descending), (x, dim, descending), x)
TAPIR_OUTS(2, topk, (const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted),
           (x, k, dim, largest, sorted), x)
TAPIR_OUTS(2, kthvalue, (const Tensor& x, int64_t k, int64_t dim, bool keepdim), (x, k, dim, keepdim), x)
TAPIR_OUTS(2, max, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, min, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, median, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, mode, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, cummax, (const Tensor& x, int64_t dim), (x, dim), x)
TAPIR_OUTS(2, cummin, (const Tensor& x, int64_t dim), (x, dim), x)
TAPIR_OUTS(2, frexp, (const Tensor& x), (x), x)
TAPIR_OUTS(2, aminmax, (const Tensor& x, std::optional<int64_t> dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, nanmedian, (const Tensor& x, int64_t dim, bool keepdim), (x, dim, keepdim), x)
TAPIR_OUTS(2, slogdet, (const Tensor& a), (a), a)
TAPIR_OUTS(2, qr, (const Tensor& a, bool some), (a, some), a)
TAPIR_OUTS(2, geqrf, (const Tensor& x), (x), x)
TAPIR_OUTS(2, triangular_solve,
           (const Tensor& b, const Tensor& a, bool upper, bool transpose, bool unitriangular),
           (b, a, upper, transpose, unitriangular), b, a)
TAPIR_OUTS(3, svd, (const Tensor& a, bool some, bool compute_uv), (a, some, compute_uv), a)

// --- made anew ---

Tensor& zeros_out(Tensor& out, IntArrayRef size) {
  return detail::assign_out(out, "zeros", {}, [&] { return zeros(size, of(out)); });
}
Tensor& ones_out(Tensor& out, IntArrayRef size) {
  return detail::assign_out(out, "ones", {}, [&] { return ones(size, of(out)); });
}
Tensor& empty_out(Tensor& out, IntArrayRef size) {
  return detail::assign_out(out, "empty", {}, [&] { return empty(size, of(out)); });
}
Tensor& full_out(Tensor& out, IntArrayRef size, const Scalar& value) {
  return detail::assign_out(out, "full", {}, [&] { return full(size, value, of(out)); });
}
Tensor& rand_out(Tensor& out, IntArrayRef size) {
  return detail::assign_out(out, "rand", {}, [&] { return rand(size, of(out)); });
}
Tensor& randn_out(Tensor& out, IntArrayRef size) {
  return detail::assign_out(out, "randn", {}, [&] { return randn(size, of(out)); });
}
Tensor& randint_out(Tensor& out, int64_t high, IntArrayRef size) {
  return detail::assign_out(out, "randint", {}, [&] { return randint(high, size, of(out)); });
}
Tensor& randint_out(Tensor& out, int64_t low, int64_t high, IntArrayRef size) {
  return detail::assign_out(out, "randint", {}, [&] { return randint(low, high, size, of(out)); });
}
Tensor& randperm_out(Tensor& out, int64_t n) {
  return detail::assign_out(out, "randperm", {}, [&] { return randperm(n, of(out)); });
}
Tensor& arange_out(Tensor& out, const Scalar& end) {
  return detail::assign_out(out, "arange", {}, [&] { return arange(end, of(out)); });
}
Tensor& arange_out(Tensor& out, const Scalar& start, const Scalar& end, const Scalar& step) {
  return detail::assign_out(out, "arange", {}, [&] { return arange(start, end, step, of(out)); });
}
Tensor& linspace_out(Tensor& out, const Scalar& start, const Scalar& end, int64_t steps) {
  return detail::assign_out(out, "linspace", {}, [&] { return linspace(start, end, steps, of(out)); });
}
Tensor& logspace_out(Tensor& out, const Scalar& start, const Scalar& end, int64_t steps, double base) {
  return detail::assign_out(out, "logspace", {}, [&] { return logspace(start, end, steps, base, of(out)); });
}
Tensor& range_out(Tensor& out, const Scalar& start, const Scalar& end, const Scalar& step) {
  return detail::assign_out(out, "range", {}, [&] { return range(start, end, step, of(out)); });
}
Tensor& normal_out(Tensor& out, double mean, double std, IntArrayRef size,
                   std::optional<Generator> generator) {
  return detail::assign_out(out, "normal", {}, [&] { return normal(mean, std, size, generator, of(out)); });
}
Tensor& eye_out(Tensor& out, int64_t n) {
  return detail::assign_out(out, "eye", {}, [&] { return eye(n, of(out)); });
}
Tensor& eye_out(Tensor& out, int64_t n, int64_t m) {
  return detail::assign_out(out, "eye", {}, [&] { return eye(n, m, of(out)); });
}

// --- linear algebra ---

namespace linalg {

TAPIR_LINALG(inv, (const Tensor& a), (a), a)
TAPIR_LINALG(solve, (const Tensor& a, const Tensor& b, bool left), (a, b, left), a, b)
TAPIR_LINALG(solve_triangular, (const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular),
             (a, b, upper, left, unitriangular), a, b)
TAPIR_LINALG(cholesky, (const Tensor& a, bool upper), (a, upper), a)
TAPIR_LINALG(svdvals, (const Tensor& a), (a), a)
TAPIR_LINALG(eigvalsh, (const Tensor& a, std::string_view uplo), (a, uplo), a)
TAPIR_LINALG(det, (const Tensor& a), (a), a)
TAPIR_LINALG(matrix_power, (const Tensor& a, int64_t n), (a, n), a)
TAPIR_LINALG(matrix_exp, (const Tensor& a), (a), a)
TAPIR_LINALG(pinv,
             (const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
              bool hermitian),
             (a, atol, rtol, hermitian), a)
TAPIR_LINALG(pinv, (const Tensor& a, double rcond, bool hermitian), (a, rcond, hermitian), a)
TAPIR_LINALG(matrix_rank,
             (const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
              bool hermitian),
             (a, atol, rtol, hermitian), a)
TAPIR_LINALG(matrix_rank, (const Tensor& a, double tol, bool hermitian), (a, tol, hermitian), a)
TAPIR_LINALG(cond, (const Tensor& a, const std::optional<Scalar>& p), (a, p), a)
TAPIR_LINALG(cond, (const Tensor& a, std::string_view p), (a, p), a)
TAPIR_LINALG(vector_norm,
             (const Tensor& x, const Scalar& ord, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
             (x, ord, dim, keepdim, dtype), x)
TAPIR_LINALG(matrix_norm,
             (const Tensor& x, const Scalar& ord, IntArrayRef dim, bool keepdim, std::optional<DType> dtype),
             (x, ord, dim, keepdim, dtype), x)
TAPIR_LINALG(matrix_norm,
             (const Tensor& x, std::string_view ord, IntArrayRef dim, bool keepdim,
              std::optional<DType> dtype),
             (x, ord, dim, keepdim, dtype), x)
TAPIR_LINALG(norm,
             (const Tensor& x, const std::optional<Scalar>& ord, IntArrayRef dim, bool keepdim,
              std::optional<DType> dtype),
             (x, ord, dim, keepdim, dtype), x)
TAPIR_LINALG(norm,
             (const Tensor& x, std::string_view ord, IntArrayRef dim, bool keepdim,
              std::optional<DType> dtype),
             (x, ord, dim, keepdim, dtype), x)
TAPIR_LINALG(cross, (const Tensor& a, const Tensor& b, int64_t dim), (a, b, dim), a, b)
TAPIR_LINALG(vecdot, (const Tensor& x, const Tensor& y, int64_t dim), (x, y, dim), x, y)
TAPIR_LINALG(matmul, (const Tensor& a, const Tensor& b), (a, b), a, b)
TAPIR_LINALG(householder_product, (const Tensor& a, const Tensor& tau), (a, tau), a, tau)
TAPIR_LINALG(lu_solve, (const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint),
             (lu, pivots, b, left, adjoint), lu, b)
TAPIR_LINALG(tensorinv, (const Tensor& a, int64_t ind), (a, ind), a)
TAPIR_LINALG(tensorsolve, (const Tensor& a, const Tensor& b, IntArrayRef dims), (a, b, dims), a, b)
TAPIR_LINALGS(2, slogdet, (const Tensor& a), (a), a)
TAPIR_LINALGS(2, qr, (const Tensor& a, std::string_view mode), (a, mode), a)
TAPIR_LINALGS(2, eigh, (const Tensor& a, std::string_view uplo), (a, uplo), a)
TAPIR_LINALGS(2, lu_factor, (const Tensor& a, bool pivot), (a, pivot), a)
TAPIR_LINALGS(2, inv_ex, (const Tensor& a, bool check_errors), (a, check_errors), a)
TAPIR_LINALGS(2, solve_ex, (const Tensor& a, const Tensor& b, bool left, bool check_errors),
              (a, b, left, check_errors), a, b)
TAPIR_LINALGS(2, cholesky_ex, (const Tensor& a, bool upper, bool check_errors), (a, upper, check_errors), a)
TAPIR_LINALGS(3, svd, (const Tensor& a, bool full_matrices), (a, full_matrices), a)
TAPIR_LINALGS(3, lu, (const Tensor& a, bool pivot), (a, pivot), a)
TAPIR_LINALGS(3, lu_factor_ex, (const Tensor& a, bool pivot, bool check_errors), (a, pivot, check_errors), a)
TAPIR_LINALGS(4, lstsq,
              (const Tensor& a, const Tensor& b, std::optional<double> rcond,
               std::optional<std::string_view> driver),
              (a, b, rcond, driver), a, b)
TAPIR_LINALG(multi_dot, (TensorList x), (x), recorded_of(x))

}  // namespace linalg

}  // namespace tapir
