#include "tapir/autograd/functions/batch_norm.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/norm.h"

namespace tapir {

namespace {

struct BatchNormBackward final : NodeOf<3, 4> {  // x, weight, bias; saves x, mean, rstd, weight
  const char* type_name() const override { return "BatchNormBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], x = saved(0), weight = saved(3);
    if (recording(g, x, weight)) return recorded(g, x, weight, sink);
    raw::RowNormGrads r = raw::batch_norm_backward("batch_norm", g, x, saved(1), saved(2), weight, training,
                                                   sink.wants(0), sink.wants(1), sink.wants(2));
    if (sink.wants(0)) sink.set(0, std::move(r.x));
    if (sink.wants(1)) sink.set(1, std::move(r.weight));
    if (sink.wants(2)) sink.set(2, std::move(r.bias));
  }
  // With ops that are differentiable.
  void recorded(const Tensor& g, const Tensor& x, const Tensor& weight, GradSink& sink) const {
    Dims others{0}, ones = Dims::filled(x.sizes().size(), 1);
    for (int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
    ones[1] = x.size(1);
    Tensor centred, rstd;
    if (training) {
      centred = sub(x, mean(x, others, true));
      rstd = rsqrt(add(mean(square(centred), others, true), Scalar(eps)));
    } else {
      centred = sub(x, reshape(saved(1), ones));
      rstd = reshape(saved(2), ones);
    }
    const Tensor xhat = mul(centred, rstd);
    if (sink.wants(0)) {
      const Tensor gw = weight.defined() ? mul(g, reshape(weight, ones)) : g;
      if (training)
        sink.set(
            0, mul(rstd, sub(gw, add(mean(gw, others, true), mul(xhat, mean(mul(gw, xhat), others, true))))));
      else
        sink.set(0, mul(rstd, gw));
    }
    if (sink.wants(1)) sink.set(1, sum(mul(g, xhat), others));
    if (sink.wants(2)) sink.set(2, sum(g, others));
  }
  bool training;
  double eps;
};

/// running = (1 - momentum) running + momentum value
void follow(Tensor running, const Tensor& value, double momentum) {
  if (!running.defined()) return;
  running.mul_(Scalar(1 - momentum)).add_(value.to(running.dtype()), Scalar(momentum));
}

void check_channels(const char* op, const char* what, const Tensor& t, int64_t channels, const Tensor& x) {
  TAPIR_CHECK_AS(ShapeError, !t.defined() || (t.dim() == 1 && t.size(0) == channels),
                 "{}: {} has sizes {}, expected ({}) for input of sizes {}", op, what,
                 t.defined() ? t.sizes() : IntArrayRef(), channels, x.sizes());
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                  const Tensor& running_var, bool training, double momentum, double eps, bool) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "batch_norm: input has sizes {}, expected (N, C, ...)", x.sizes());
  const int64_t channels = x.size(1);
  check_channels("batch_norm", "weight", weight, channels, x);
  check_channels("batch_norm", "bias", bias, channels, x);
  check_channels("batch_norm", "running_mean", running_mean, channels, x);
  check_channels("batch_norm", "running_var", running_var, channels, x);
  TAPIR_CHECK_AS(ValueError,
                 running_mean.defined() == running_var.defined() && (training || running_mean.defined()),
                 "batch_norm: running_mean and running_var must be defined {}",
                 training ? "both or neither" : "where training is false");
  const Tensor none;
  raw::BatchNormResult r = raw::batch_norm("batch_norm", x, weight, bias, training ? none : running_mean,
                                           training ? none : running_var, eps);
  if (training && running_mean.defined() && x.numel() > 0) {
    NoGradGuard guard;
    const double n = static_cast<double>(x.numel()) / static_cast<double>(channels);
    follow(running_mean, r.mean, momentum);
    follow(running_var, mul(r.variance, Scalar(n / (n - 1))), momentum);
  }
  if (recording(x, weight, bias)) {
    auto* node = record<BatchNormBackward>(TAPIR_HERE, r.y, x, weight, bias);
    node->save(x, r.mean, r.rstd, weight);
    node->training = training;
    node->eps = eps;
  }
  return r.y;
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                     const Tensor& running_var, bool use_input_stats, double momentum, double eps, bool) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 3, "instance_norm: input has sizes {}, expected (N, C, L, ...)",
                 x.sizes());
  const int64_t batch = x.size(0), channels = x.size(1);
  check_channels("instance_norm", "weight", weight, channels, x);
  check_channels("instance_norm", "bias", bias, channels, x);
  check_channels("instance_norm", "running_mean", running_mean, channels, x);
  check_channels("instance_norm", "running_var", running_var, channels, x);
  TAPIR_CHECK_AS(
      ValueError,
      running_mean.defined() == running_var.defined() && (use_input_stats || running_mean.defined()),
      "instance_norm: running_mean and running_var must be defined {}",
      use_input_stats ? "both or neither" : "where use_input_stats is false");
  const auto repeated = [&](const Tensor& t) { return t.defined() ? t.repeat({batch}) : t; };
  Dims together = x.sizes();
  together[0] = 1;
  together[1] = batch * channels;
  const Tensor means = repeated(running_mean), variances = repeated(running_var);
  const Tensor y = batch_norm(reshape(x, together), repeated(weight), repeated(bias), means, variances,
                              use_input_stats, momentum, eps);
  if (use_input_stats && running_mean.defined() && batch > 0) {
    NoGradGuard guard;
    Tensor m = running_mean, v = running_var;
    m.copy_(mean(reshape(means, {batch, channels}), {0}));
    v.copy_(mean(reshape(variances, {batch, channels}), {0}));
  }
  return reshape(y, x.sizes());
}

}  // namespace tapir
