#include "tapir/autograd/functions/scatter.h"

#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter_method.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/scatter.h"

namespace tapir {

namespace {

/// src as far as the index reaches, so that both have the same sizes. Sizes that do not fit are left to the
/// op.
Tensor reached(const Tensor& src, const Tensor& index) {
  if (src.dim() != index.dim()) return src;
  Tensor part = src;
  for (int64_t d = 0; d < src.dim(); ++d)
    if (index.size(d) < part.size(d)) part = narrow(part, d, 0, index.size(d));
  return part;
}

bool is_nowhere(const Tensor& index, const Tensor& x) { return index.numel() == 0 && index.dim() != x.dim(); }

struct ScatterBackward final : NodeOf<2, 1> {
  explicit ScatterBackward(ScatterMode m) : mode(m) {}
  const char* type_name() const override {
    return mode == ScatterMode::Add ? "ScatterAddBackward" : "ScatterBackward";
  }
  void backward(Grads g, GradSink& sink) override {
    const Tensor index = saved(0);
    if (sink.wants(0)) sink.set(0, mode == ScatterMode::Add ? g[0] : scatter(g[0], dim, index, Scalar(0)));
    if (sink.wants(1)) sink.set(1, gather(g[0], dim, index));
  }
  ScatterMode mode;
  int64_t dim = 0;
};

void keep_scatter(ScatterMode mode, const Tensor& y, const Tensor& x, int64_t dim, const Tensor& index,
                  const Tensor& src, const void* site) {
  if (!recording(x, src) || !is_floating_point(y.dtype())) return;
  auto* node = new ScatterBackward(mode);
  Ref<Node> ref = Ref<Node>::adopt(node);
  node->set_edge(0, x);
  node->set_edge(1, src);
  node->set_call_site(site);
  node->dim = x.layout_of().wrap_dim(dim, "scatter");
  node->save(index);
  set_history(y, std::move(ref));
}

Tensor scatter_as(ScatterMode mode, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& given,
                  const char* op, const void* site) {
  const Tensor src = reached(given, index);
  Tensor y = raw::clone_contiguous(x);
  raw::scatter_into(y, dim, index, src, mode, op);
  if (!is_nowhere(index, x)) keep_scatter(mode, y, x, dim, index, src, site);
  return y;
}

ScatterMode mode_named(std::string_view reduce) {
  if (reduce == "add") return ScatterMode::Add;
  TAPIR_CHECK_AS(ValueError, reduce == "multiply",
                 "scatter: reduce is \"{}\", expected \"add\" or \"multiply\"", reduce);
  return ScatterMode::Multiply;
}

}  // namespace

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  CallSite site(TAPIR_HERE);
  return scatter_as(ScatterMode::Set, x, dim, index, src, "scatter", TAPIR_HERE);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  Tensor y = raw::clone_contiguous(x);
  raw::scatter_into(y, dim, index, value, ScatterMode::Set, "scatter");
  if (!is_nowhere(index, x)) keep_scatter(ScatterMode::Set, y, x, dim, index, Tensor(), TAPIR_HERE);
  return y;
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
               std::string_view reduce) {
  CallSite site(TAPIR_HERE);
  return mode_named(reduce) == ScatterMode::Add ? scatter_add(x, dim, index, src)
                                                : scatter_reduce(x, dim, index, src, "prod");
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
               std::string_view reduce) {
  CallSite site(TAPIR_HERE);
  return scatter(x, dim, index, raw::full(index.sizes(), value, x.dtype(), x.device()), reduce);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  CallSite site(TAPIR_HERE);
  return scatter_as(ScatterMode::Add, x, dim, index, src, "scatter_add", TAPIR_HERE);
}

// --- scatter_reduce ---

namespace {

enum class Join { Prod, Mean, Max, Min };

/// What leaves any value as it is.
Scalar neutral(Join join, DType dtype) {
  if (join == Join::Prod) return 1;
  if (join == Join::Mean) return 0;
  const bool max = join == Join::Max;
  if (is_floating_point(dtype)) {
    const double inf = std::numeric_limits<double>::infinity();
    return max ? -inf : inf;
  }
  return visit_dtype(dtype, [&]<class Tag>(Tag) -> Scalar {
    using T = typename Tag::type;
    if constexpr (std::is_integral_v<T>)
      return max ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
    else
      return 0;
  });
}

/// How many values meet at each place; at least 1.
Tensor meeting(const Tensor& x, int64_t dim, const Tensor& index, bool include_self, DType dtype) {
  Tensor n = raw::full(x.sizes(), include_self ? 1 : 0, dtype, x.device());
  raw::scatter_into(n, dim, index, 1, ScatterMode::Add, "scatter_reduce");
  return clamp_min(n, 1);
}

Tensor raw_scatter_reduce(Join join, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                          bool include_self) {
  const char* op = "scatter_reduce";
  Tensor y = raw::clone_contiguous(x);
  if (!include_self) raw::scatter_into(y, dim, index, neutral(join, x.dtype()), ScatterMode::Set, op);
  const ScatterMode mode = join == Join::Prod  ? ScatterMode::Multiply
                           : join == Join::Max ? ScatterMode::Maximum
                           : join == Join::Min ? ScatterMode::Minimum
                                               : ScatterMode::Add;
  raw::scatter_into(y, dim, index, src, mode, op);
  if (join != Join::Mean) return y;
  const Tensor n = meeting(x.detach(), dim, index, include_self, x.dtype());
  if (is_floating_point(x.dtype())) return div(y, n);
  return to(floor(div(to(y, kFloat64), to(n, kFloat64))), x.dtype());
}

struct ScatterReduceBackward final : NodeOf<2, 4> {
  const char* type_name() const override { return "ScatterReduceBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor g = grads[0], index = saved(3);
    Tensor gx, gsrc;
    if (join == Join::Mean) {
      const Tensor share = div(g, meeting(saved(0).detach(), dim, index, include_self, g.dtype()));
      gx = share;
      gsrc = gather(share, dim, index);
    } else if (join == Join::Prod) {
      const Tensor x = saved(0), src = saved(1);
      // Of x: the product of what meets it; of src likewise, a single zero taken out of its product.
      const Tensor start = include_self ? x : scatter(x, dim, index, Scalar(1));
      gx = mul(g, scatter_reduce(raw::full(x.sizes(), 1, x.dtype(), x.device()), dim, index, src, "prod"));
      const Tensor zero = eq(src, Scalar(0));
      const Tensor zeros = gather(
          add(scatter_add(raw::zeros(x.sizes(), g.dtype(), g.device()), dim, index, to(zero, g.dtype())),
              include_self ? to(eq(x, Scalar(0)), g.dtype()) : raw::zeros({}, g.dtype(), g.device())),
          dim, index);
      const Tensor single = logical_and(zero, eq(zeros, Scalar(1)));
      const Tensor without = scatter_reduce(start, dim, index, masked_fill(src, single, 1), "prod");
      const Tensor product = scatter_reduce(start, dim, index, src, "prod");
      gsrc = where(single, gather(mul(g, without), dim, index),
                   div(gather(mul(g, product), dim, index), masked_fill(src, zero, 1)));
    } else {
      const Tensor x = saved(0), src = saved(1), y = saved(2).detach();
      const Tensor x_is = to(eq(x, y), g.dtype()), src_is = to(eq(src, gather(y, dim, index)), g.dtype());
      const Tensor n =
          scatter_add(include_self ? x_is : scatter(x_is, dim, index, Scalar(0)), dim, index, src_is);
      const Tensor share = div(g, clamp_min(n, 1));
      gx = mul(x_is, share);
      gsrc = mul(src_is, gather(share, dim, index));
    }
    if (sink.wants(0)) sink.set(0, include_self ? gx : scatter(gx, dim, index, Scalar(0)));
    if (sink.wants(1)) sink.set(1, gsrc);
  }
  Join join;
  int64_t dim;
  bool include_self;
};

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& given,
                      std::string_view reduce, bool include_self) {
  CallSite site(TAPIR_HERE);
  if (reduce == "sum")
    return scatter_add(include_self ? x : scatter(x, dim, index, Scalar(0)), dim, index, given);
  TAPIR_CHECK_AS(
      ValueError, reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
      "scatter_reduce: reduce is \"{}\", expected \"sum\", \"prod\", \"mean\", \"amax\" or \"amin\"", reduce);
  const Join join = reduce == "prod"   ? Join::Prod
                    : reduce == "mean" ? Join::Mean
                    : reduce == "amax" ? Join::Max
                                       : Join::Min;
  const Tensor src = reached(given, index);
  Tensor y;
  {
    NoGradGuard no_grad;
    y = raw_scatter_reduce(join, x, dim, index, src, include_self);
  }
  if (recording(x, src) && is_floating_point(y.dtype()) && !is_nowhere(index, x)) {
    auto* node = record<ScatterReduceBackward>(TAPIR_HERE, y, x, src);
    node->join = join;
    node->dim = x.layout_of().wrap_dim(dim, "scatter_reduce");
    node->include_self = include_self;
    node->save_input(0, x);
    node->save_input(1, src);
    node->save_output(2, y);
    node->save_input(3, index);
  }
  return y;
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  CallSite site(TAPIR_HERE);
  if (!dim) return gather(flatten(x), 0, flatten(indices));
  TAPIR_CHECK_AS(ShapeError, x.dim() == indices.dim(),
                 "take_along_dim: the input has sizes {} and the indices {}; expected as many dimensions",
                 x.sizes(), indices.sizes());
  const int64_t d = x.layout_of().wrap_dim(*dim, "take_along_dim");
  Dims a = x.layout_of().sizes, b = indices.layout_of().sizes;
  if (!a.empty()) a[d] = b[d] = 1;
  Dims sizes = broadcast_sizes(a, b, "take_along_dim");
  if (!sizes.empty()) sizes[d] = x.size(d);
  const Tensor from = expand(x, sizes);
  if (!sizes.empty()) sizes[d] = indices.size(d);
  return gather(from, d, expand(indices, sizes));
}
// --- in place ---

Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Tensor& src) const {
  TAPIR_SCATTER_METHOD("scatter_", recording(self(), src),
                       raw::scatter_into(self(), dim, index, src, ScatterMode::Set, "scatter_"),
                       tapir::scatter(x, dim, index, src));
}
Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Scalar& value) const {
  TAPIR_SCATTER_METHOD("scatter_", recording(self()),
                       raw::scatter_into(self(), dim, index, value, ScatterMode::Set, "scatter_"),
                       tapir::scatter(x, dim, index, value));
}
Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) const {
  TAPIR_SCATTER_METHOD("scatter_", recording(self(), src),
                       raw::scatter_into(self(), dim, index, src, mode_named(reduce), "scatter_"),
                       tapir::scatter(x, dim, index, src, reduce));
}
Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Scalar& value,
                         std::string_view reduce) const {
  TAPIR_SCATTER_METHOD("scatter_", recording(self()),
                       raw::scatter_into(self(), dim, index, value, mode_named(reduce), "scatter_"),
                       tapir::scatter(x, dim, index, value, reduce));
}
Tensor& Tensor::scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const {
  TAPIR_SCATTER_METHOD("scatter_add_", recording(self(), src),
                       raw::scatter_into(self(), dim, index, src, ScatterMode::Add, "scatter_add_"),
                       tapir::scatter_add(x, dim, index, src));
}

// --- methods ---

Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Tensor& src) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter(*this, dim, index, src);
}
Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter(*this, dim, index, value);
}
Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter(*this, dim, index, src, reduce);
}
Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Scalar& value, std::string_view reduce) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter(*this, dim, index, value, reduce);
}
Tensor Tensor::scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter_add(*this, dim, index, src);
}
Tensor Tensor::scatter_reduce(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                              bool include_self) const {
  CallSite site(TAPIR_HERE);
  return tapir::scatter_reduce(*this, dim, index, src, reduce, include_self);
}
Tensor& Tensor::scatter_reduce_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                                bool include_self) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "scatter_reduce_", [&](const Tensor& x) {
    return tapir::scatter_reduce(x, dim, index, src, reduce, include_self);
  });
  return self();
}
Tensor Tensor::take_along_dim(const Tensor& indices, std::optional<int64_t> dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::take_along_dim(*this, indices, dim);
}

}  // namespace tapir
