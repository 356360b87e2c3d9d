#include "tapir/autograd/functions/norm.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/norm.h"

namespace tapir {

namespace {

struct NormBackward final : NodeOf<3, 4> {  // x, weight, bias; saves x, mean, rstd, weight
  const char* type_name() const override { return label; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], x = saved(0), weight = saved(3);
    if (recording(g, x, weight)) return recorded(g, x, weight, sink);
    raw::RowNormGrads r = raw::row_norm_backward(label, g, x, shape, saved(1), saved(2), weight, weight_sizes,
                                                 sink.wants(0), sink.wants(1), sink.wants(2));
    if (sink.wants(0)) sink.set(0, std::move(r.x));
    if (sink.wants(1)) sink.set(1, std::move(r.weight));
    if (sink.wants(2)) sink.set(2, std::move(r.bias));
  }
  // With ops that are differentiable, on x as (rows / groups, groups, channels, inner).
  void recorded(const Tensor& g_in, const Tensor& x_in, const Tensor& weight_in, GradSink& sink) const {
    const int64_t channels = shape.n / shape.inner;
    const Dims sizes{shape.rows / shape.groups, shape.groups, channels, shape.inner};
    const Tensor g = reshape(g_in, sizes), x = reshape(x_in, sizes);
    const Tensor centred = sub(x, mean(x, {2, 3}, true));
    const Tensor rstd = rsqrt(add(mean(square(centred), {2, 3}, true), Scalar(eps)));
    const Tensor xhat = mul(centred, rstd);
    if (sink.wants(0)) {
      const Tensor gw = weight_in.defined() ? mul(g, reshape(weight_in, {1, shape.groups, channels, 1})) : g;
      const Tensor means = add(mean(gw, {2, 3}, true), mul(xhat, mean(mul(gw, xhat), {2, 3}, true)));
      sink.set(0, reshape(mul(rstd, sub(gw, means)), x_in.sizes()));
    }
    if (sink.wants(1)) sink.set(1, reshape(sum(mul(g, xhat), {0, 3}), weight_sizes));
    if (sink.wants(2)) sink.set(2, reshape(sum(g, {0, 3}), weight_sizes));
  }
  const char* label;
  raw::RowNorm shape;
  Dims weight_sizes;
  double eps;
};

TAPIR_ALWAYS_INLINE Tensor row_norm(const char* op, const char* label, const Tensor& x,
                                    const raw::RowNorm& shape, const Tensor& weight, const Tensor& bias,
                                    double eps, const void* site) {
  raw::RowNormResult r = raw::row_norm(op, x, shape, weight, bias, eps);
  if (recording(x, weight, bias)) {
    auto* node = record<NormBackward>(site, r.y, x, weight, bias);
    node->save(x, r.mean, r.rstd, weight);
    node->label = label;
    node->shape = shape;
    if (weight.defined() || bias.defined()) node->weight_sizes = (weight.defined() ? weight : bias).sizes();
    node->eps = eps;
  }
  return r.y;
}

}  // namespace

Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps, bool) {
  const auto k = static_cast<int64_t>(normalized_shape.size());
  const bool fits = k >= 1 && x.dim() >= k &&
                    IntArrayRef(x.sizes().data() + (x.dim() - k), static_cast<size_t>(k)) == normalized_shape;
  TAPIR_CHECK_AS(ShapeError, fits, "layer_norm: input has sizes {}, expected [..., {}]", x.sizes(),
                 normalized_shape);
  for (const Tensor* t : {&weight, &bias})
    TAPIR_CHECK_AS(ShapeError, !t->defined() || t->sizes() == normalized_shape,
                   "layer_norm: weight or bias has sizes {}, expected the normalized ones, {}", t->sizes(),
                   normalized_shape);
  const int64_t n = count(normalized_shape);
  return row_norm("layer_norm", "LayerNormBackward", x, {n ? x.numel() / n : 0, n, 1, 1}, weight, bias, eps,
                  TAPIR_HERE);
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps,
                  bool) {
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "group_norm: input has sizes {}, expected (N, C, ...)", x.sizes());
  const int64_t channels = x.size(1);
  TAPIR_CHECK_AS(ValueError, num_groups > 0 && channels % num_groups == 0,
                 "group_norm: {} groups do not divide the {} channels of sizes {}", num_groups, channels,
                 x.sizes());
  for (const Tensor* t : {&weight, &bias})
    TAPIR_CHECK_AS(ShapeError, !t->defined() || (t->dim() == 1 && t->numel() == channels),
                   "group_norm: weight or bias has sizes {}, expected one value for each of {} channels",
                   t->sizes(), channels);
  const int64_t inner = count(x.sizes().slice(2)), n = channels / num_groups * inner;
  return row_norm("group_norm", "GroupNormBackward", x,
                  {n ? x.numel() / n : 0, n, num_groups, inner ? inner : 1}, weight, bias, eps, TAPIR_HERE);
}

}  // namespace tapir
