#include "tapir/autograd/functions/statistics.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scan.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

// --- product ---

namespace {

/// For each element along `dim` the product of the others: those before times those after.
Tensor product_of_others(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  const Tensor one = ones_like(narrow(x, dim, 0, 1).detach());
  const Tensor before = cat({one, cumprod(narrow(x, dim, 0, n - 1), dim)}, dim);
  const Tensor after = cat({cumprod(flip(narrow(x, dim, 1, n - 1), dim), dim), one}, dim);
  return mul(before, cat({flip(narrow(after, dim, 0, n - 1), dim), one}, dim));
}

struct ProdBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "ProdBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor x = saved(0), y = reshape(saved(1), kept), g = reshape(grads[0], kept);
    bool zeros;
    {
      NoGradGuard no_grad;
      zeros = any(eq(x, Scalar(0))).item<bool>();
    }
    if (!zeros) return sink.set(0, div(mul(g, y), x));
    if (x.dim() == 0) return sink.set(0, g);
    const Tensor rows = dim < 0 ? reshape(x, {-1}) : x;
    const int64_t d = dim < 0 ? 0 : dim;
    const Tensor others = product_of_others(rows, d);
    sink.set(0, reshape(mul(dim < 0 ? reshape(g, {1}) : g, others), x.sizes()));
  }
  Dims kept;
  int64_t dim;  // -1: all
};

Tensor product(const Tensor& given, std::optional<int64_t> dim, bool keepdim, std::optional<DType> dtype,
               const void* site) {
  const Tensor x = dtype ? to(given, *dtype) : given;
  const IntArrayRef dims = dim ? IntArrayRef(*dim) : IntArrayRef();
  Tensor y = raw::prod(x, dims, keepdim, dtype);
  if (recording(x) && is_floating_point(y.dtype())) {
    auto* node = record<ProdBackward>(site, y, x);
    node->kept = raw::reduced_sizes(x, dims, true, "prod");
    node->dim = dim ? x.layout_of().wrap_dim(*dim, "prod") : -1;
    node->save_input(0, x);
    node->save_output(1, y);
  }
  return y;
}

}  // namespace

Tensor prod(const Tensor& x, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  return product(x, std::nullopt, false, dtype, TAPIR_HERE);
}
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  return product(x, dim, keepdim, dtype, TAPIR_HERE);
}

// --- variance ---

namespace {

/// d var / d x = 2 (x - mean) / (n - correction); of the root that over 2 std.
struct VarianceBackward final : NodeOf<1, 2> {
  explicit VarianceBackward(bool r) : root(r) {}
  const char* type_name() const override { return root ? "StdBackward" : "VarBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor x = saved(0);
    Tensor g = reshape(grads[0], kept);
    if (root) {
      const Tensor y = reshape(saved(1), kept);
      g = masked_fill(div(g, mul(y, Scalar(2))), eq(y, Scalar(0)), 0);
    }
    sink.set(0, mul(mul(g, Scalar(2 / freedom)), sub(x, mean(x, dims, true))));
  }
  bool root;
  Dims kept, dims;
  double freedom;
};

struct How {
  Dims dims;
  double correction;
  bool keepdim;
};
How how(OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) {
  return {dim ? Dims(*dim) : Dims(), static_cast<double>(correction.value_or(1)), keepdim};
}
How how(IntArrayRef dim, bool unbiased, bool keepdim) { return {dim, unbiased ? 1.0 : 0.0, keepdim}; }

std::pair<Tensor, Tensor> spread(const Tensor& x, const How& h, bool root, bool with_mean, const char* op,
                                 const void* site) {
  const bool record_it = recording(x);
  auto [y, m] = raw::variance(x, h.dims, h.correction, h.keepdim, root, with_mean && !record_it, op);
  if (!record_it) return {y, m};
  auto* node = new VarianceBackward(root);
  Ref<Node> ref = Ref<Node>::adopt(node);
  node->set_edge(0, x);
  node->set_call_site(site);
  node->kept = raw::reduced_sizes(x, h.dims, true, op);
  node->dims = h.dims;
  node->freedom = std::max(0.0, static_cast<double>(raw::reduced_count(x, h.dims, op)) - h.correction);
  node->save_input(0, x);
  if (root) node->save_output(1, y);
  set_history(y, std::move(ref));
  return {y, with_mean ? mean(x, h.dims, h.keepdim) : Tensor()};
}

}  // namespace

#define TAPIR_SPREAD(name, root)                                                                           \
  Tensor name(const Tensor& x, bool unbiased) {                                                            \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how({}, unbiased, false), root, false, #name, TAPIR_HERE).first;                      \
  }                                                                                                        \
  Tensor name(const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim) {                             \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how(dim, unbiased, keepdim), root, false, #name, TAPIR_HERE).first;                   \
  }                                                                                                        \
  Tensor name(const Tensor& x, OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) { \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how(dim, correction, keepdim), root, false, #name, TAPIR_HERE).first;                 \
  }                                                                                                        \
  std::tuple<Tensor, Tensor> name##_mean(const Tensor& x, bool unbiased) {                                 \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how({}, unbiased, false), root, true, #name "_mean", TAPIR_HERE);                     \
  }                                                                                                        \
  std::tuple<Tensor, Tensor> name##_mean(const Tensor& x, IntArrayRef dim, bool unbiased, bool keepdim) {  \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how(dim, unbiased, keepdim), root, true, #name "_mean", TAPIR_HERE);                  \
  }                                                                                                        \
  std::tuple<Tensor, Tensor> name##_mean(const Tensor& x, OptionalIntArrayRef dim,                         \
                                         std::optional<int64_t> correction, bool keepdim) {                \
    CallSite site(TAPIR_HERE);                                                                             \
    return spread(x, how(dim, correction, keepdim), root, true, #name "_mean", TAPIR_HERE);                \
  }
TAPIR_SPREAD(var, false)
TAPIR_SPREAD(std, true)
#undef TAPIR_SPREAD

// --- counts ---

Tensor count_nonzero(const Tensor& x, IntArrayRef dim) {
  NoGradGuard no_grad;
  return sum(ne(x, Scalar(0)), dim);
}

namespace {
// The gradient is a product with the mask, so that NaN, as that of the mean of no numbers, comes through.
struct WithoutNanBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "WithoutNanBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, mul(g[0], saved(0))); }
};

Tensor without_nan(const Tensor& x, const void* site) {
  if (!is_floating_point(x.dtype())) return x;
  Tensor numbers, y;
  {
    NoGradGuard no_grad;
    numbers = logical_not(isnan(x));
    y = where(numbers, x, Scalar(0));
  }
  if (recording(x)) record<WithoutNanBackward>(site, y, x)->save(numbers);
  return y;
}
}  // namespace

Tensor nansum(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  return sum(without_nan(x, TAPIR_HERE), dim, keepdim, dtype);
}
Tensor nanmean(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  const Tensor total = sum(without_nan(x, TAPIR_HERE), dim, keepdim, dtype);
  return div(total, to(sum(logical_not(isnan(x)), dim, keepdim), total.dtype()));
}

// --- methods ---

Tensor var(const Tensor& x, int dim) {
  CallSite site(TAPIR_HERE);
  return var(x, IntArrayRef(int64_t{dim}));
}
Tensor std(const Tensor& x, int dim) {
  CallSite site(TAPIR_HERE);
  return std(x, IntArrayRef(int64_t{dim}));
}
std::tuple<Tensor, Tensor> var_mean(const Tensor& x, int dim) {
  CallSite site(TAPIR_HERE);
  return var_mean(x, IntArrayRef(int64_t{dim}));
}
std::tuple<Tensor, Tensor> std_mean(const Tensor& x, int dim) {
  CallSite site(TAPIR_HERE);
  return std_mean(x, IntArrayRef(int64_t{dim}));
}

Tensor Tensor::prod(std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::prod(*this, dtype);
}
Tensor Tensor::prod(int64_t dim, bool keepdim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::prod(*this, dim, keepdim, dtype);
}
Tensor Tensor::var(int dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::var(*this, dim);
}
Tensor Tensor::var(bool unbiased) const {
  CallSite site(TAPIR_HERE);
  return tapir::var(*this, unbiased);
}
Tensor Tensor::var(IntArrayRef dim, bool unbiased, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::var(*this, dim, unbiased, keepdim);
}
Tensor Tensor::var(OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::var(*this, dim, correction, keepdim);
}
Tensor Tensor::std(int dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::std(*this, dim);
}
Tensor Tensor::std(bool unbiased) const {
  CallSite site(TAPIR_HERE);
  return tapir::std(*this, unbiased);
}
Tensor Tensor::std(IntArrayRef dim, bool unbiased, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::std(*this, dim, unbiased, keepdim);
}
Tensor Tensor::std(OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::std(*this, dim, correction, keepdim);
}
Tensor Tensor::count_nonzero(IntArrayRef dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::count_nonzero(*this, dim);
}
Tensor Tensor::nansum(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::nansum(*this, dim, keepdim, dtype);
}
Tensor Tensor::nanmean(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::nanmean(*this, dim, keepdim, dtype);
}

}  // namespace tapir
