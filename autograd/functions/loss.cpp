#include "tapir/autograd/functions/loss.h"

#include <limits>

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/loss.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"
#include "tapir/tensor/ops/scatter.h"

namespace tapir {

namespace {

constexpr int64_t kNoReduction = 0, kMeanReduction = 1, kSumReduction = 2;

void check_reduction(const char* op, int64_t reduction) {
  TAPIR_CHECK_AS(ValueError, reduction >= kNoReduction && reduction <= kSumReduction,
                 "{}: reduction {}, expected 0 (none), 1 (mean) or 2 (sum)", op, reduction);
}

/// Scores and class targets as (n, C) and (n).
struct Rows {
  Tensor input, target;
};

Rows as_rows(const char* op, const Tensor& input, const Tensor& target) {
  const int64_t d = input.dim();
  if (TAPIR_LIKELY(d == 2 && target.dim() == 1)) return {input, target};  // checked with the values
  bool fits = d >= 1 && target.dim() == (d == 1 ? 0 : d - 1);
  for (int64_t i = 0; fits && i < target.dim(); ++i) fits = target.size(i) == input.size(i == 0 ? 0 : i + 1);
  TAPIR_CHECK_AS(ShapeError, fits,
                 "{}: input has sizes {} and target {}; expected (N, C, d...) and (N, d...)", op,
                 input.sizes(), target.sizes());
  if (d == 1) return {unsqueeze(input, 0), unsqueeze(target, 0)};
  Dims order{0};
  for (int64_t i = 2; i < d; ++i) order.push_back(i);
  order.push_back(1);
  return {reshape(permute(input, order), {target.numel(), input.size(1)}), reshape(target, {target.numel()})};
}

}  // namespace

// --- cross_entropy ---

namespace {

// The log-probabilities count as a second output, which only this node's own derivative uses: they carry the
// history that a second derivative needs.
struct CrossEntropyBackward final : NodeOf<1, 3, 2> {
  const char* type_name() const override { return "CrossEntropyBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor log_probs = saved(0);
    if (const Tensor& g = grads[1]; g.defined()) sink.set(0, sub(g, mul(exp(log_probs), sum(g, 1, true))));
    if (const Tensor& g = grads[0]; g.defined()) {
      const Tensor target = saved(1), weight = saved(2);
      if (recording(g, log_probs))
        sink.set(0, recorded(g, log_probs, target, weight));
      else
        sink.set(0, raw::cross_entropy_backward(g, scale, log_probs, target, weight, ignore_index,
                                                label_smoothing));
    }
  }
  /// g * (a p - b) of rows: the kernel gives -b where every p is 0, and a is the sum of b.
  Tensor recorded(const Tensor& g, const Tensor& log_probs, const Tensor& target,
                  const Tensor& weight) const {
    const Tensor no_probs = raw::full(log_probs.sizes(), -std::numeric_limits<double>::infinity(),
                                      log_probs.dtype(), log_probs.device());
    const Tensor one = raw::full({}, 1, g.dtype(), g.device());
    const Tensor minus_b =
        raw::cross_entropy_backward(one, scale, no_probs, target, weight, ignore_index, label_smoothing);
    const Tensor minus_a = raw::sum(minus_b, 1, true);
    const Tensor rows = g.dim() == 0 ? g : unsqueeze(g, 1);
    return mul(rows, sub(minus_b, mul(exp(log_probs), minus_a)));
  }
  double scale, label_smoothing;
  int64_t ignore_index;
};

Tensor with_probabilities(const Tensor& input, const Tensor& target_in, const Tensor& weight,
                          int64_t reduction, int64_t ignore_index, double label_smoothing) {
  TAPIR_CHECK_AS(ValueError, ignore_index < 0,
                 "cross_entropy: ignore_index {} has no meaning for a target of {}", ignore_index,
                 target_in.dtype());
  const int64_t dim = input.dim() == 1 ? 0 : 1, classes = input.size(dim);
  Tensor target = target_in;
  if (label_smoothing > 0)
    target =
        add(mul(target, Scalar(1 - label_smoothing)), Scalar(label_smoothing / static_cast<double>(classes)));
  Tensor losses = mul(log_softmax(input, dim), target);
  if (weight.defined()) {
    TAPIR_CHECK_AS(ShapeError, weight.dim() == 1 && weight.size(0) == classes,
                   "cross_entropy: weight has sizes {}, expected one for each of the {} classes",
                   weight.sizes(), classes);
    Dims sizes = Dims::filled(static_cast<size_t>(input.dim()), 1);
    sizes[dim] = classes;
    losses = mul(losses, reshape(weight, sizes));
  }
  if (reduction == kNoReduction) return neg(sum(losses, dim));
  const Tensor total = neg(sum(losses));
  return reduction == kSumReduction
             ? total
             : div(total, Scalar(static_cast<double>(input.numel()) / static_cast<double>(classes)));
}

}  // namespace

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t reduction,
                     int64_t ignore_index, double label_smoothing) {
  CallSite site(TAPIR_HERE);
  check_reduction("cross_entropy", reduction);
  TAPIR_CHECK_AS(ValueError, label_smoothing >= 0 && label_smoothing <= 1,
                 "cross_entropy: label_smoothing {}, expected a number of [0, 1]", label_smoothing);
  if (is_floating_point(target.dtype()) && target.sizes() == input.sizes())
    return with_probabilities(input, target, weight, reduction, ignore_index, label_smoothing);
  const Rows rows = as_rows("cross_entropy", input, target);
  const bool record_it = recording(rows.input);
  raw::CrossEntropy r = raw::cross_entropy("cross_entropy", rows.input, rows.target, weight, ignore_index,
                                           label_smoothing, record_it);
  const double scale = reduction == kMeanReduction ? 1 / r.weight_sum : 1;
  Tensor y = reduction == kNoReduction ? r.losses : raw::sum_losses(r.losses, scale);
  if (record_it) {
    auto* node = record<CrossEntropyBackward>(TAPIR_HERE, y, rows.input);
    node->describe_output(1, r.log_probs);
    node->save_output(0, r.log_probs, 1);
    node->save_input(1, rows.target);
    node->save_input(2, weight);
    node->scale = scale;
    node->label_smoothing = label_smoothing;
    node->ignore_index = ignore_index;
  }
  return reduction == kNoReduction && target.dim() != 1 ? reshape(y, target.sizes()) : y;
}

// --- nll_loss ---

namespace {

/// y = -scale * sum_i w_i x[i][t_i], or each of the terms.
struct NllLossBackward final : NodeOf<1, 3> {
  const char* type_name() const override { return "NllLossBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor target = saved(0), weights = saved(1), ignored = saved(2);
    Tensor rows = mul(grads[0], Scalar(-scale));
    if (weights.defined()) rows = mul(rows, weights);
    if (ignored.defined()) rows = masked_fill(rows, ignored, 0);
    if (rows.dim() == 0) rows = expand(rows, target.sizes());
    rows = unsqueeze(rows, 1);
    const Tensor index = unsqueeze(target, 1);
    if (sink.deferring())
      raw::scatter_into(sink.accumulator(0), 1, index, rows, ScatterMode::Add, "nll_loss backward");
    else
      sink.set(0, scatter_add(raw::zeros(sizes, rows.dtype(), rows.device()), 1, index, rows));
  }
  Dims sizes;
  double scale;
};

}  // namespace

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t reduction,
                int64_t ignore_index) {
  CallSite site(TAPIR_HERE);
  check_reduction("nll_loss", reduction);
  TAPIR_CHECK_AS(DTypeError, target.dtype() == kInt64, "nll_loss: targets of {}, expected int64",
                 target.dtype());
  TAPIR_CHECK_AS(DTypeError, is_floating_point(input.dtype()),
                 "nll_loss: input of {}, expected a floating-point dtype", input.dtype());
  const Rows rows = as_rows("nll_loss", input, target);
  const int64_t n = rows.input.size(0), classes = rows.input.size(1);
  TAPIR_CHECK_AS(ShapeError, n == rows.target.size(0),
                 "nll_loss: input has sizes {} and target {}; expected (N, C, d...) and (N, d...)",
                 input.sizes(), target.sizes());
  TAPIR_CHECK_AS(ShapeError, !weight.defined() || (weight.dim() == 1 && weight.size(0) == classes),
                 "nll_loss: weight has sizes {}, expected one for each of the {} classes", weight.sizes(),
                 classes);
  TAPIR_CHECK_AS(DTypeError, !weight.defined() || weight.dtype() == input.dtype(),
                 "nll_loss: weight of {} for an input of {}", weight.dtype(), input.dtype());
  const int64_t counted = raw::check_targets("nll_loss", rows.target, classes, ignore_index);
  // A row that is ignored takes class 0 and counts as 0, whatever its input.
  Tensor chosen = rows.target, ignored, weights;
  const Scalar zero(0);
  if (counted < n) {
    ignored = raw::binary(Pointwise::eq, chosen, Scalar(ignore_index));
    chosen = raw::ternary(Pointwise::where, ignored, zero, chosen);
  }
  Tensor losses = raw::gather(rows.input, 1, unsqueeze(chosen, 1)).reshape({n});
  double total = static_cast<double>(counted);
  if (weight.defined()) {
    weights = raw::index_select(weight, 0, chosen);
    if (ignored.defined()) weights = raw::ternary(Pointwise::where, ignored, zero, weights);
    losses = raw::binary(Pointwise::mul, losses, weights);
    if (reduction == kMeanReduction) total = raw::item(raw::sum(weights)).to_double();
  }
  if (ignored.defined()) losses = raw::ternary(Pointwise::where, ignored, zero, losses);
  const double scale = reduction == kMeanReduction ? 1 / total : 1;
  Tensor y = reduction == kNoReduction ? raw::unary(Pointwise::neg, losses) : raw::sum_losses(losses, -scale);
  if (recording(rows.input)) {
    auto* node = record<NllLossBackward>(TAPIR_HERE, y, rows.input);
    node->save(chosen, weights, ignored);
    node->sizes = rows.input.layout_of().sizes;
    node->scale = scale;
  }
  return reduction == kNoReduction && target.dim() != 1 ? reshape(y, target.sizes()) : y;
}

}  // namespace tapir
