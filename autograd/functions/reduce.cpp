#include "tapir/autograd/functions/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"
#include "tapir/tensor/ops/sort.h"

namespace tapir {

namespace {

/// How x was reduced: its sizes, and those of the result had it kept its dimensions.
struct Reduced {
  Dims sizes, kept;
  void set(const Tensor& x, IntArrayRef dims, const char* op) {
    sizes = x.layout_of().sizes;
    kept = raw::reduced_sizes(x, dims, true, op);
  }
  /// A tensor with the sizes of the result, with its dimensions kept.
  Tensor keep(const Tensor& y) const { return y.sizes() == IntArrayRef(kept) ? y : reshape(y, kept); }
  /// The same, broadcast to x.
  Tensor spread(const Tensor& g) const {
    if (recording(g)) return expand(keep(g), sizes);
    bool possible;
    const Layout l = g.layout_of().view(kept, possible, "backward");
    return possible ? g.alias(l.expand(sizes))
                    : raw::clone_contiguous(g).alias(Layout::of(kept).expand(sizes));
  }
};

}  // namespace

// --- sum and mean ---

namespace {

struct SumBackward final : NodeOf<1> {
  const char* type_name() const override { return "SumBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, reduced.spread(g[0])); }
  Reduced reduced;
};

struct MeanBackward final : NodeOf<1> {
  const char* type_name() const override { return "MeanBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, reduced.spread(mul(g[0], Scalar(1 / count))));
  }
  Reduced reduced;
  double count;
};

TAPIR_ALWAYS_INLINE Tensor record_sum(Tensor y, const Tensor& x, IntArrayRef dims, const void* site) {
  if (recording(x) && is_floating_point(y.dtype()))
    record<SumBackward>(site, y, x)->reduced.set(x, dims, "sum");
  return y;
}
TAPIR_ALWAYS_INLINE Tensor record_mean(Tensor y, const Tensor& x, IntArrayRef dims, const void* site) {
  if (recording(x)) {
    auto* node = record<MeanBackward>(site, y, x);
    node->reduced.set(x, dims, "mean");
    node->count = static_cast<double>(raw::reduced_count(x, dims, "mean"));
  }
  return y;
}

}  // namespace

Tensor sum(const Tensor& x, std::optional<DType> dtype) {
  return record_sum(raw::sum(x, {}, false, dtype), x, {}, TAPIR_HERE);
}
Tensor sum(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  return record_sum(raw::sum(x, dim, keepdim, dtype), x, dim, TAPIR_HERE);
}
Tensor mean(const Tensor& x, std::optional<DType> dtype) {
  return record_mean(raw::mean(x, {}, false, dtype), x, {}, TAPIR_HERE);
}
Tensor mean(const Tensor& x, IntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  return record_mean(raw::mean(x, dim, keepdim, dtype), x, dim, TAPIR_HERE);
}

// --- max and min ---

namespace {

/// g shared by the elements of x that equal y, or are NaN as y is. As in PyTorch, where NaN is the extreme of
/// some dimensions (amax, amin) all of them get NaN.
Tensor share_among_equals(const Tensor& g, const Tensor& x, const Tensor& y, const Reduced& reduced,
                          IntArrayRef dims, bool poison = false) {
  const Tensor best = reduced.keep(y).detach();
  if (poison) {
    const Tensor equals = eq(x, best);
    return mul(div(reduced.keep(g), sum(equals, dims, true)), equals);
  }
  const Tensor equals = logical_or(eq(x, best), logical_and(isnan(x), isnan(best)));
  const Tensor share = div(reduced.keep(g), sum(equals, dims, true));
  return where(equals, share, Scalar(0));
}

struct ExtremeBackward final : NodeOf<1, 2> {
  ExtremeBackward(const char* n, bool poisons) : name_(n), poison(poisons) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, share_among_equals(g[0], saved(0), saved(1), reduced, dims, poison));
  }
  const char* name_;
  bool poison;
  Reduced reduced;
  Dims dims;
};

struct ExtremeAlongBackward final : NodeOf<1, 1> {
  explicit ExtremeAlongBackward(const char* n) : name_(n) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor zeros = raw::zeros(reduced.sizes, g[0].dtype(), g[0].device());
    sink.set(0, scatter_add(zeros, dim, reduced.keep(saved(0)), reduced.keep(g[0])));
  }
  const char* name_;
  Reduced reduced;
  int64_t dim;
};

TAPIR_ALWAYS_INLINE Tensor record_extreme(Tensor y, const Tensor& x, const char* name, const void* site,
                                          IntArrayRef dims = {}, bool poison = false) {
  if (recording(x)) {
    auto* node = new ExtremeBackward(name, poison);
    node->set_edge(0, x);
    node->set_call_site(site);
    node->reduced.set(x, dims, name);
    node->dims = dims;
    node->save_input(0, x);
    node->save_output(1, y);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}
TAPIR_ALWAYS_INLINE std::tuple<Tensor, Tensor> record_extreme_along(std::pair<Tensor, Tensor> r,
                                                                    const Tensor& x, int64_t dim,
                                                                    const char* name, const void* site) {
  if (recording(x)) {
    auto* node = new ExtremeAlongBackward(name);
    node->set_edge(0, x);
    node->set_call_site(site);
    node->reduced.set(x, dim, name);
    node->dim = x.layout_of().wrap_dim(dim, name);
    node->save_input(0, r.second);
    set_history(r.first, Ref<Node>::adopt(node));
  }
  return {std::move(r.first), std::move(r.second)};
}

}  // namespace

Tensor max(const Tensor& x) { return record_extreme(raw::max(x), x, "MaxBackward", TAPIR_HERE); }
Tensor min(const Tensor& x) { return record_extreme(raw::min(x), x, "MinBackward", TAPIR_HERE); }
Tensor amax(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return record_extreme(raw::max(x, dim, keepdim), x, "AmaxBackward", TAPIR_HERE, dim, true);
}
Tensor amin(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return record_extreme(raw::min(x, dim, keepdim), x, "AminBackward", TAPIR_HERE, dim, true);
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  if (dim) return {amin(x, *dim, keepdim), amax(x, *dim, keepdim)};
  return {amin(x, {}, keepdim), amax(x, {}, keepdim)};
}

namespace {
Tensor middle_of_all(const Tensor& x, bool ignore_nan, const char* name, const void* site) {
  if (x.numel() == 0 && is_floating_point(x.dtype()))
    return raw::full({}, std::numeric_limits<double>::quiet_NaN(), x.dtype(), x.device());
  const Tensor dense = raw::contiguous(x);
  Layout row = Layout::of({x.numel()});
  row.offset = dense.storage_offset();
  const Tensor flat = dense.alias(row);
  const int64_t k = std::max<int64_t>(0, x.numel() - 1) / 2;
  const Tensor one = raw::select_kth(flat, 0, k, !ignore_nan, ignore_nan, name).first;
  Tensor y = one.alias(Layout());
  return record_extreme(y, x, "MedianBackward", site);
}
}  // namespace
Tensor median(const Tensor& x) { return middle_of_all(x, false, "median", TAPIR_HERE); }
Tensor nanmedian(const Tensor& x) { return middle_of_all(x, true, "nanmedian", TAPIR_HERE); }

std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  return record_extreme_along(raw::max_with_index(x, dim, keepdim), x, dim, "MaxBackward", TAPIR_HERE);
}
std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  return record_extreme_along(raw::min_with_index(x, dim, keepdim), x, dim, "MinBackward", TAPIR_HERE);
}
Tensor max(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return maximum(a, b);
}
Tensor min(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return minimum(a, b);
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return raw::argmax(x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return raw::argmin(x, dim, keepdim);
}

// --- logsumexp ---

namespace {
struct LogSumExpBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "LogSumExpBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, mul(reduced.keep(g[0]), exp(sub(saved(0), reduced.keep(saved(1))))));
  }
  Reduced reduced;
};
}  // namespace

Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim) {
  Tensor y = raw::logsumexp(x, dim, keepdim);
  if (recording(x)) {
    auto* node = record<LogSumExpBackward>(TAPIR_HERE, y, x);
    node->reduced.set(x, dim, "logsumexp");
    node->save_input(0, x);
    node->save_output(1, y);
  }
  return y;
}

// --- norm ---

namespace {

Tensor raw_norm(const Tensor& x, double p, IntArrayRef dims, bool keepdim) {
  if (p == 2) return raw::norm2(x, dims, keepdim);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "norm: got a tensor of {}, expected a floating-point dtype; cast it first", x.dtype());
  if (p == 0) return raw::sum(raw::binary(Pointwise::ne, x, Scalar(0)), dims, keepdim, x.dtype());
  const Tensor magnitude = raw::unary(Pointwise::abs, x);
  if (p == 1) return raw::sum(magnitude, dims, keepdim);
  if (std::isinf(p)) return p > 0 ? raw::max(magnitude, dims, keepdim) : raw::min(magnitude, dims, keepdim);
  const Tensor powers = raw::binary(Pointwise::pow, magnitude, Scalar(p));
  return raw::binary(Pointwise::pow, raw::sum(powers, dims, keepdim), Scalar(1 / p));
}

// d norm / d x = sign(x) * (|x| / norm)^(p - 1), 0 where it is not defined
struct NormBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "NormBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor x = saved(0), norm = reduced.keep(saved(1)), g = reduced.keep(grads[0]);
    if (p == 0) return sink.set(0, raw::zeros(x.sizes(), g.dtype(), g.device()));
    if (p == 1) return sink.set(0, mul(g, sign(x)));
    if (std::isinf(p)) return sink.set(0, mul(share_among_equals(g, abs(x), norm, reduced, dims), sign(x)));
    const Tensor flat = eq(norm, Scalar(0));
    if (p == 2) return sink.set(0, mul(g, masked_fill(div(x, norm), flat, 0)));
    // Above 2, the second derivative at zero is 0 as well, which a division by 0 would make NaN.
    const Tensor divisor = p > 2 ? masked_fill(norm, flat, 1) : norm;
    const Tensor ratio = masked_fill(div(abs(x), divisor), logical_or(flat, eq(x, Scalar(0))), 1);
    const Tensor slope = p < 1 ? masked_fill(sign(x), flat, 0) : sign(x);
    sink.set(0, mul(g, mul(slope, pow(ratio, Scalar(p - 1)))));
  }
  Reduced reduced;
  Dims dims;
  double p;
};

TAPIR_ALWAYS_INLINE Tensor record_norm(const Tensor& x, double p, IntArrayRef dims, bool keepdim,
                                       const void* site) {
  Tensor y = raw_norm(x, p, dims, keepdim);
  if (recording(x)) {
    auto* node = record<NormBackward>(site, y, x);
    node->reduced.set(x, dims, "norm");
    node->dims = dims;
    node->p = p;
    node->save_input(0, x);
    node->save_output(1, y);
  }
  return y;
}

}  // namespace

Tensor norm(const Tensor& x, const Scalar& p) { return record_norm(x, p.to_double(), {}, false, TAPIR_HERE); }
Tensor norm(const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim) {
  return record_norm(x, p.value_or(Scalar(2)).to_double(), dim, keepdim, TAPIR_HERE);
}
Tensor norm(const Tensor& x, const std::optional<Scalar>& p, DType dtype) {
  return norm(x, p, {}, false, dtype);
}
Tensor norm(const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim, DType dtype) {
  CallSite site(TAPIR_HERE);
  return norm(x.to(dtype), p, dim, keepdim);
}

// --- all and any ---

Tensor all(const Tensor& x) { return raw::all(x); }
Tensor all(const Tensor& x, int64_t dim, bool keepdim) { return raw::all(x, dim, keepdim); }
Tensor any(const Tensor& x) { return raw::any(x); }
Tensor any(const Tensor& x, int64_t dim, bool keepdim) { return raw::any(x, dim, keepdim); }

// --- methods ---

Tensor Tensor::amax(IntArrayRef dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::amax(*this, dim, keepdim);
}
Tensor Tensor::amin(IntArrayRef dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::amin(*this, dim, keepdim);
}
std::tuple<Tensor, Tensor> Tensor::aminmax(std::optional<int64_t> dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::aminmax(*this, dim, keepdim);
}
Tensor Tensor::median() const {
  CallSite site(TAPIR_HERE);
  return tapir::median(*this);
}
Tensor Tensor::nanmedian() const {
  CallSite site(TAPIR_HERE);
  return tapir::nanmedian(*this);
}
Tensor Tensor::norm(const std::optional<Scalar>& p, DType dtype) const {
  return tapir::norm(*this, p, dtype);
}
Tensor Tensor::norm(const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim, DType dtype) const {
  return tapir::norm(*this, p, dim, keepdim, dtype);
}
Tensor Tensor::norm(const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::norm(*this, p, dim, keepdim);
}
Tensor Tensor::all(int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::all(*this, dim, keepdim);
}
Tensor Tensor::any(int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::any(*this, dim, keepdim);
}

}  // namespace tapir
