#include "tapir/autograd/functions/loss_elementwise.h"

#include <cmath>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/loss_reduce.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

using detail::check_reduction;
using detail::reduce_losses;

Tensor l1_loss(const Tensor& input, const Tensor& target, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("l1_loss", reduction);
  return reduce_losses(abs(sub(input, target)), reduction);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, int64_t reduction, double beta) {
  CallSite site(TAPIR_HERE);
  check_reduction("smooth_l1_loss", reduction);
  TAPIR_CHECK_AS(ValueError, beta >= 0, "smooth_l1_loss: beta is {}, expected at least 0", beta);
  const Tensor d = sub(input, target);
  if (beta == 0) return reduce_losses(abs(d), reduction);
  const Tensor losses = huber(d, beta);
  return reduce_losses(beta == 1 ? losses : div(losses, Scalar(beta)), reduction);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, int64_t reduction, double delta) {
  CallSite site(TAPIR_HERE);
  check_reduction("huber_loss", reduction);
  TAPIR_CHECK_AS(ValueError, delta > 0, "huber_loss: delta is {}, expected more than 0", delta);
  return reduce_losses(huber(sub(input, target), delta), reduction);
}

// --- binary cross-entropy ---

namespace {

struct BinaryCrossEntropyBackward final : NodeOf<2, 2> {
  const char* name() const override { return "BinaryCrossEntropyBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], p = saved(0), t = saved(1);
    const bool recorded = recording(g, p, t);
    if (sink.wants(0))
      sink.set(0, recorded ? div(mul(g, sub(p, t)), clamp_min(mul(p, 1 - p), Scalar(1e-12)))
                           : raw::ternary(Pointwise::binary_cross_entropy_backward, g, p, t));
    if (sink.wants(1))
      sink.set(1, mul(g, sub(clamp_min(log1p(neg(p)), Scalar(-100)), clamp_min(log(p), Scalar(-100)))));
  }
};
struct LogitCrossEntropyBackward final : NodeOf<2, 2> {
  const char* name() const override { return "BinaryCrossEntropyWithLogitsBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], x = saved(0), t = saved(1);
    if (sink.wants(0))
      sink.set(0, recording(g, x, t) ? mul(g, sub(sigmoid(x), t))
                                     : raw::ternary(Pointwise::logit_cross_entropy_backward, g, x, t));
    if (sink.wants(1)) sink.set(1, neg(mul(g, x)));
  }
};

void check_same_sizes(const char* op, const Tensor& input, const Tensor& target) {
  TAPIR_CHECK_AS(ShapeError, input.sizes() == target.sizes(),
                 "{}: input has sizes {} and target {}, expected the same", op, input.sizes(),
                 target.sizes());
}

/// Cross-entropy of sigmoid(input), element by element.
Tensor logit_losses(const Tensor& input, const Tensor& target) {
  Tensor y = raw::binary(Pointwise::logit_cross_entropy, input, target);
  if (recording(input, target))
    record<LogitCrossEntropyBackward>(TAPIR_HERE, y, input, target)->save(input, target);
  return y;
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("binary_cross_entropy", reduction);
  check_same_sizes("binary_cross_entropy", input, target);
  if (input.numel() > 0) {
    const double low = raw::item(raw::min(input)).to_double(), high = raw::item(raw::max(input)).to_double();
    TAPIR_CHECK_AS(ValueError, low >= 0 && high <= 1,
                   "binary_cross_entropy: input has values of [{}, {}], expected probabilities; "
                   "binary_cross_entropy_with_logits takes any number",
                   low, high);
  }
  Tensor losses = raw::binary(Pointwise::binary_cross_entropy, input, target);
  if (recording(input, target))
    record<BinaryCrossEntropyBackward>(TAPIR_HERE, losses, input, target)->save(input, target);
  return reduce_losses(weight.defined() ? mul(losses, weight) : losses, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("binary_cross_entropy_with_logits", reduction);
  check_same_sizes("binary_cross_entropy_with_logits", input, target);
  Tensor losses;
  if (pos_weight.defined()) {
    const Tensor factor = add(mul(sub(pos_weight, Scalar(1)), target), Scalar(1));
    losses = sub(mul(1 - target, input), mul(factor, log_sigmoid(input)));
  } else {
    losses = logit_losses(input, target);
  }
  return reduce_losses(weight.defined() ? mul(losses, weight) : losses, reduction);
}

// --- others ---

Tensor kl_div(const Tensor& input, const Tensor& target, int64_t reduction, bool log_target) {
  CallSite site(TAPIR_HERE);
  check_reduction("kl_div", reduction);
  if (log_target) return reduce_losses(mul(exp(target), sub(target, input)), reduction);
  const Tensor positive = gt(target, Scalar(0));
  const Tensor entropy = where(positive, mul(target, log(where(positive, target, Scalar(1)))), Scalar(0));
  return reduce_losses(sub(entropy, mul(target, input)), reduction);
}

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full, double eps,
                        int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("poisson_nll_loss", reduction);
  Tensor losses =
      log_input ? sub(exp(input), mul(target, input)) : sub(input, mul(target, log(add(input, Scalar(eps)))));
  if (full) {
    const Tensor counts = gt(target, Scalar(1)), t = where(counts, target, Scalar(1));
    const Tensor stirling = t * log(t) - t + 0.5 * log(2 * M_PI * t);
    losses = add(losses, where(counts, stirling, Scalar(0)));
  }
  return reduce_losses(losses, reduction);
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var_in, bool full,
                         double eps, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("gaussian_nll_loss", reduction);
  Tensor var = var_in;
  if (var.dim() == input.dim() - 1 && var.sizes() == input.sizes().slice(0, static_cast<size_t>(var.dim())))
    var = unsqueeze(var, -1);
  bool fits = var.dim() == input.dim();
  for (int64_t i = 0; fits && i < var.dim(); ++i)
    fits = var.size(i) == input.size(i) || (i == var.dim() - 1 && var.size(i) == 1);
  TAPIR_CHECK_AS(ShapeError, fits, "gaussian_nll_loss: var has sizes {}, which do not fit the input's {}",
                 var_in.sizes(), input.sizes());
  TAPIR_CHECK_AS(ValueError, var.numel() == 0 || !(raw::item(raw::min(var)).to_double() < 0),
                 "gaussian_nll_loss: var has a negative entry");
  // The cut has no gradient of its own.
  const Tensor cut = raw::binary(Pointwise::maximum, var, Scalar(eps));
  const Tensor v = add(var, raw::binary(Pointwise::add, cut, var.detach(), Scalar(-1)));
  Tensor losses = mul(add(log(v), div(square(sub(input, target)), v)), Scalar(0.5));
  if (full) losses = add(losses, Scalar(0.5 * std::log(2 * M_PI)));
  return reduce_losses(losses, reduction);
}

Tensor soft_margin_loss(const Tensor& input, const Tensor& target, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("soft_margin_loss", reduction);
  return reduce_losses(neg(log_sigmoid(mul(target, input))), reduction);
}

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("hinge_embedding_loss", reduction);
  const Tensor far = where(ne(target, Scalar(1)), clamp_min(margin - input, Scalar(0)), Scalar(0));
  return reduce_losses(add(far, where(ne(target, Scalar(-1)), input, Scalar(0))), reduction);
}

}  // namespace tapir
