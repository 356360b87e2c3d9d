#include "tapir/autograd/functions/out_forms.h"

#include <algorithm>

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/matmul.h"
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

namespace tapir {

namespace {

using Pair = std::tuple<Tensor, Tensor>;

/// Both results of f(), checked before either is written.
std::tuple<Tensor&, Tensor&> assign_both(Tensor& first, Tensor& second, const char* op, const Tensor& x,
                                         const std::function<Pair()>& f) {
  Pair y;
  {
    NoGradGuard no_grad;
    y = f();
  }
  Tensor a = first.defined() ? empty_like(first) : first, b = second.defined() ? empty_like(second) : second;
  detail::assign_out(a, op, {x, first}, [&] { return std::get<0>(y); });
  detail::assign_out(b, op, {x, second}, [&] { return std::get<1>(y); });
  detail::assign_out(first, op, {x}, [&] { return a; });
  detail::assign_out(second, op, {x}, [&] { return b; });
  return {first, second};
}

/// The dtype and device of `out`, for what is made anew.
TensorOptions of(const Tensor& out) { return out.defined() ? out.options() : TensorOptions(); }

}  // namespace

#define TAPIR_OUT(name, params, args, ...)                                                  \
  Tensor& name##_out(Tensor& out, TAPIR_OUT_PARAMS params) {                                \
    return detail::assign_out(out, #name, {__VA_ARGS__}, [&] { return tapir::name args; }); \
  }
#define TAPIR_OUT_PARAMS(...) __VA_ARGS__

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
TAPIR_OUT(linear, (const Tensor& x, const Tensor& w, const Tensor& bias), (x, w, bias), x, w)
TAPIR_OUT(inverse, (const Tensor& a), (a), a)

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

// --- of several tensors ---

Tensor& cat_out(Tensor& out, TensorList x, int64_t dim) {
  bool records = false;
  for (const Tensor& t : x) records = records || recording(t);
  const Tensor recorded =
      records ? *std::find_if(x.begin(), x.end(), [](const Tensor& t) { return recording(t); }) : out;
  return detail::assign_out(out, "cat", {recorded}, [&] { return cat(x, dim); });
}
Tensor& stack_out(Tensor& out, TensorList x, int64_t dim) {
  bool records = false;
  for (const Tensor& t : x) records = records || recording(t);
  const Tensor recorded =
      records ? *std::find_if(x.begin(), x.end(), [](const Tensor& t) { return recording(t); }) : out;
  return detail::assign_out(out, "stack", {recorded}, [&] { return stack(x, dim); });
}

// --- of two results ---

std::tuple<Tensor&, Tensor&> sort_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                      bool descending) {
  return assign_both(values, indices, "sort", x, [&] { return sort(x, dim, descending); });
}
std::tuple<Tensor&, Tensor&> topk_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t k,
                                      int64_t dim, bool largest, bool sorted) {
  return assign_both(values, indices, "topk", x, [&] { return topk(x, k, dim, largest, sorted); });
}
std::tuple<Tensor&, Tensor&> kthvalue_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t k,
                                          int64_t dim, bool keepdim) {
  return assign_both(values, indices, "kthvalue", x, [&] { return kthvalue(x, k, dim, keepdim); });
}
std::tuple<Tensor&, Tensor&> max_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                     bool keepdim) {
  return assign_both(values, indices, "max", x, [&] { return max(x, dim, keepdim); });
}
std::tuple<Tensor&, Tensor&> min_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                     bool keepdim) {
  return assign_both(values, indices, "min", x, [&] { return min(x, dim, keepdim); });
}
std::tuple<Tensor&, Tensor&> median_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                        bool keepdim) {
  return assign_both(values, indices, "median", x, [&] { return median(x, dim, keepdim); });
}
std::tuple<Tensor&, Tensor&> mode_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim,
                                      bool keepdim) {
  return assign_both(values, indices, "mode", x, [&] { return mode(x, dim, keepdim); });
}
std::tuple<Tensor&, Tensor&> cummax_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim) {
  return assign_both(values, indices, "cummax", x, [&] { return cummax(x, dim); });
}
std::tuple<Tensor&, Tensor&> cummin_out(Tensor& values, Tensor& indices, const Tensor& x, int64_t dim) {
  return assign_both(values, indices, "cummin", x, [&] { return cummin(x, dim); });
}

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
Tensor& eye_out(Tensor& out, int64_t n) {
  return detail::assign_out(out, "eye", {}, [&] { return eye(n, of(out)); });
}
Tensor& eye_out(Tensor& out, int64_t n, int64_t m) {
  return detail::assign_out(out, "eye", {}, [&] { return eye(n, m, of(out)); });
}

}  // namespace tapir
