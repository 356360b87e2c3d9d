#include "tapir/autograd/functions/loss_elementwise.h"

#include <array>
#include <cmath>
#include <limits>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/loss_reduce.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

using detail::check_losses;
using detail::reduce_losses;

// --- losses of pairs ---

namespace {

/// A loss of each pair of an input and a target, with a kernel for its values and one for a gradient times
/// its derivative. The others are the derivatives in differentiable ops.
struct PairLoss {
  using Params = std::array<double, 3>;
  const char* node;
  Pointwise value, backward;  ///< (x, t) and (g, x, t), with the parameters
  Tensor (*in_input)(const Tensor& x, const Tensor& t, const Params& p);
  Tensor (*in_target)(const Tensor& x, const Tensor& t, const Params& p);
  bool symmetric = false;  ///< in input and target
};

struct PairLossBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return loss->node; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor x = saved(0), t = saved(1);
    if (recording(grads[0], x, t)) {
      const Tensor g = scale == 1 ? grads[0] : mul(grads[0], Scalar(scale));
      if (sink.wants(0)) sink.set(0, mul(g, loss->in_input(x, t, params)));
      if (sink.wants(1)) sink.set(1, mul(g, loss->in_target(x, t, params)));
      return;
    }
    // The gradient of a mean or sum is a number to the kernel.
    const bool number = grads[0].dim() == 0 && grads[0].is_cpu();
    const Scalar factor(number ? raw::item(grads[0]).to_double() * scale : scale);
    const Tensor scaled = number || scale == 1 ? grads[0] : raw::binary(Pointwise::mul, grads[0], factor);
    const raw::Operand g = number ? raw::Operand(factor) : raw::Operand(scaled);
    const raw::Params p(params[0], params[1], params[2]);
    if (sink.wants(0)) sink.set(0, raw::ternary(loss->backward, g, x, t, p));
    if (sink.wants(1))
      sink.set(1, loss->symmetric ? raw::ternary(loss->backward, g, t, x, p)
                                  : raw::binary(Pointwise::mul, loss->in_target(x, t, params), g));
  }
  const PairLoss* loss;
  PairLoss::Params params;
  double scale;
};

/// The losses of all pairs, or their mean or sum, of which the losses are not kept.
Tensor pair_loss(const PairLoss& loss, const Tensor& x, const Tensor& t, int64_t reduction,
                 const PairLoss::Params& params = {}) {
  double scale = 1;
  if (reduction == detail::kMeanReduction) {
    int64_t n = x.numel();
    if (x.sizes() != t.sizes()) {
      n = 1;
      for (const int64_t s : broadcast_sizes(x.sizes(), t.sizes(), loss.node)) n *= s;
    }
    scale = 1 / static_cast<double>(n);
  }
  const raw::Params p(params[0], params[1], params[2]);
  Tensor y = reduction == detail::kNoReduction ? raw::binary(loss.value, x, t, p)
                                               : raw::pointwise_sum(loss.value, x, t, p, scale);
  if (recording(x, t)) {
    auto* node = record<PairLossBackward>(TAPIR_HERE, y, x, t);
    node->save(x, t);
    node->loss = &loss;
    node->params = params;
    node->scale = scale;
  }
  return y;
}

/// The same where each loss has a weight.
Tensor pair_loss(const PairLoss& loss, const Tensor& x, const Tensor& t, const Tensor& weight,
                 int64_t reduction) {
  if (!weight.defined()) return pair_loss(loss, x, t, reduction);
  return reduce_losses(mul(pair_loss(loss, x, t, detail::kNoReduction), weight), reduction);
}

}  // namespace

// --- of differences ---

namespace {

/// d = x - t: |d| > p0 ? p2 * (|d| - p0 / 2) : p1 * d^2. All losses of differences are one of these.
Tensor difference_slope(const Tensor& x, const Tensor& t, const PairLoss::Params& p) {
  const Tensor d = sub(x, t);
  if (p[1] == 0) return mul(where(eq(d, d), sign(d), Scalar(0)), Scalar(p[2]));
  const Tensor square_slope = mul(d, Scalar(2 * p[1]));
  if (std::isinf(p[0])) return square_slope;
  // At |d| = p0, where both are the same, the line's second derivative counts, as in PyTorch.
  return where(ge(abs(d), Scalar(p[0])), mul(sign(d), Scalar(p[2])), square_slope);
}
Tensor minus_difference_slope(const Tensor& x, const Tensor& t, const PairLoss::Params& p) {
  return difference_slope(t, x, p);
}
constexpr PairLoss difference(const char* node) {
  return {node, Pointwise::huber, Pointwise::huber_backward, difference_slope, minus_difference_slope, true};
}
constexpr PairLoss kSquared = difference("MseLossBackward"), kAbsolute = difference("L1LossBackward"),
                   kSmooth = difference("SmoothL1LossBackward"), kHuber = difference("HuberLossBackward");
constexpr PairLoss::Params kAbsoluteParams{0, 0, 1};

bool integers(const Tensor& x, const Tensor& t) { return !is_floating_point(raw::result_type({x, t})); }

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_losses("mse_loss", reduction, input, target);
  if (integers(input, target)) return reduce_losses(square(sub(input, target)), reduction);
  return pair_loss(kSquared, input, target, reduction, {std::numeric_limits<double>::infinity(), 1, 0});
}

Tensor l1_loss(const Tensor& input, const Tensor& target, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_losses("l1_loss", reduction, input, target);
  if (integers(input, target)) return reduce_losses(abs(sub(input, target)), reduction);
  return pair_loss(kAbsolute, input, target, reduction, kAbsoluteParams);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, int64_t reduction, double beta) {
  CallSite site(TAPIR_HERE);
  check_losses("smooth_l1_loss", reduction, input, target);
  TAPIR_CHECK_AS(ValueError, beta >= 0, "smooth_l1_loss: beta is {}, expected at least 0", beta);
  return pair_loss(kSmooth, input, target, reduction,
                   beta == 0 ? kAbsoluteParams : PairLoss::Params{beta, 0.5 / beta, 1});
}

Tensor huber_loss(const Tensor& input, const Tensor& target, int64_t reduction, double delta) {
  CallSite site(TAPIR_HERE);
  check_losses("huber_loss", reduction, input, target);
  TAPIR_CHECK_AS(ValueError, delta > 0, "huber_loss: delta is {}, expected more than 0", delta);
  return pair_loss(kHuber, input, target, reduction, {delta, 0.5, delta});
}

// --- cross-entropy and divergence ---

namespace {

using Params = PairLoss::Params;

constexpr PairLoss kBinary{
    "BinaryCrossEntropyBackward", Pointwise::binary_cross_entropy, Pointwise::binary_cross_entropy_backward,
    [](const Tensor& p, const Tensor& t, const Params&) {
      // Where p = t is 0 or 1, flat in p as in PyTorch: the quotient would change by 1 / 1e-12.
      const Tensor settled = logical_and(eq(p, t), eq(mul(p, 1 - p), Scalar(0)));
      return div(sub(where(settled, p.detach(), p), t), clamp_min(mul(p, 1 - p), Scalar(1e-12)));
    },
    [](const Tensor& p, const Tensor&, const Params&) {
      return sub(clamp_min(log1p(neg(p)), Scalar(-100)), clamp_min(log(p), Scalar(-100)));
    }};
constexpr PairLoss kLogits{"BinaryCrossEntropyWithLogitsBackward", Pointwise::logit_cross_entropy,
                           Pointwise::logit_cross_entropy_backward,
                           [](const Tensor& x, const Tensor& t, const Params&) { return sub(sigmoid(x), t); },
                           [](const Tensor& x, const Tensor&, const Params&) { return neg(x); }};
constexpr PairLoss kDivergence{"KlDivBackward", Pointwise::kl_divergence, Pointwise::kl_divergence_backward,
                               [](const Tensor&, const Tensor& t, const Params&) { return neg(t); },
                               [](const Tensor& x, const Tensor& t, const Params&) {
                                 const Tensor positive = gt(t, Scalar(0));
                                 return sub(
                                     where(positive, log(where(positive, t, Scalar(1))) + 1, Scalar(0)), x);
                               }};

void check_same_sizes(const char* op, const Tensor& input, const Tensor& target) {
  TAPIR_CHECK_AS(ShapeError, input.sizes() == target.sizes(),
                 "{}: input has sizes {} and target {}, expected the same", op, input.sizes(),
                 target.sizes());
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_same_sizes("binary_cross_entropy", input, target);
  check_losses("binary_cross_entropy", reduction, input, target, weight);
  if (input.numel() > 0) {
    const double low = raw::item(raw::min(input)).to_double(), high = raw::item(raw::max(input)).to_double();
    TAPIR_CHECK_AS(ValueError, low >= 0 && high <= 1,
                   "binary_cross_entropy: input has values of [{}, {}], expected probabilities; "
                   "binary_cross_entropy_with_logits takes any number",
                   low, high);
  }
  return pair_loss(kBinary, input, target, weight, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_same_sizes("binary_cross_entropy_with_logits", input, target);
  check_losses("binary_cross_entropy_with_logits", reduction, input, target, weight);
  check_losses("binary_cross_entropy_with_logits", reduction, input, target, pos_weight);
  if (!pos_weight.defined()) return pair_loss(kLogits, input, target, weight, reduction);
  const Tensor factor = add(mul(sub(pos_weight, Scalar(1)), target), Scalar(1));
  const Tensor losses = sub(mul(1 - target, input), mul(factor, log_sigmoid(input)));
  return reduce_losses(weight.defined() ? mul(losses, weight) : losses, reduction);
}

Tensor kl_div(const Tensor& input, const Tensor& target, int64_t reduction, bool log_target) {
  CallSite site(TAPIR_HERE);
  check_losses("kl_div", reduction, input, target);
  if (log_target) return reduce_losses(mul(exp(target), sub(target, input)), reduction);
  return pair_loss(kDivergence, input, target, reduction);
}

// --- others ---

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full, double eps,
                        int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_losses("poisson_nll_loss", reduction, input, target);
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
  check_losses("gaussian_nll_loss", reduction, input, target);
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
  check_losses("soft_margin_loss", reduction, input, target);
  return reduce_losses(neg(log_sigmoid(mul(target, input))), reduction);
}

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_losses("hinge_embedding_loss", reduction, input, target);
  const Tensor far = where(ne(target, Scalar(1)), clamp_min(margin - input, Scalar(0)), Scalar(0));
  return reduce_losses(add(far, where(ne(target, Scalar(-1)), input, Scalar(0))), reduction);
}

}  // namespace tapir
