#include "tapir/nn/adaptive.h"

#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::nn {

AdaptiveLogSoftmaxWithLossImpl::AdaptiveLogSoftmaxWithLossImpl(AdaptiveLogSoftmaxWithLossOptions o)
    : options(std::move(o)) {
  AdaptiveLogSoftmaxWithLossImpl::reset();
}

void AdaptiveLogSoftmaxWithLossImpl::reset() {
  const std::vector<int64_t>& given = options.cutoffs();
  bool rise = !given.empty() && given.front() > 0 && given.back() < options.n_classes();
  for (size_t i = 1; i < given.size(); ++i) rise = rise && given[i] > given[i - 1];
  TAPIR_CHECK_AS(
      ValueError, rise,
      "AdaptiveLogSoftmaxWithLoss: expected cutoffs that rise, the first at least 1 and the last at most {}",
      options.n_classes() - 1);
  TAPIR_CHECK_AS(ValueError, options.in_features() > 0 && options.div_value() > 0,
                 "AdaptiveLogSoftmaxWithLoss: got in_features {} and div_value {}, expected more than 0",
                 options.in_features(), options.div_value());
  cutoffs = given;
  cutoffs.push_back(options.n_classes());
  shortlist_size = cutoffs[0];
  n_clusters = static_cast<int64_t>(cutoffs.size()) - 1;
  head_size = shortlist_size + n_clusters;
  head = register_module("head",
                         Linear(LinearOptions(options.in_features(), head_size).bias(options.head_bias())));
  tail = register_module("tail", ModuleList());
  for (int64_t i = 0; i < n_clusters; ++i) {
    const auto at = static_cast<size_t>(i);
    const auto hidden =
        static_cast<int64_t>(std::floor(static_cast<double>(options.in_features()) /
                                        std::pow(options.div_value(), static_cast<double>(i + 1))));
    // One after the other: the order in which they are made is the order of the random numbers.
    const Linear projection(LinearOptions(options.in_features(), hidden).bias(false));
    const Linear classes(LinearOptions(hidden, cutoffs[at + 1] - cutoffs[at]).bias(false));
    tail->push_back(Sequential(projection, classes));
  }
}

void AdaptiveLogSoftmaxWithLossImpl::reset_parameters() {
  head->reset_parameters();
  for (size_t i = 0; i < tail->size(); ++i)
    for (const auto& layer : tail->ptr(i)->children()) layer->as<Linear>()->reset_parameters();
}

void AdaptiveLogSoftmaxWithLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::AdaptiveLogSoftmaxWithLoss";
}

Tensor AdaptiveLogSoftmaxWithLossImpl::cluster(size_t i, const Tensor& input) const {
  return log_softmax(tail->ptr<Sequential>(i)->forward(input), 1);
}

ASMoutput AdaptiveLogSoftmaxWithLossImpl::forward(const Tensor& input_in, const Tensor& target_in) {
  CallSite site(TAPIR_HERE);
  const bool single = target_in.dim() == 0;
  TAPIR_CHECK_AS(
      ShapeError,
      target_in.dim() <= 1 && input_in.dim() == target_in.dim() + 1 &&
          input_in.size(-1) == options.in_features() && (single || input_in.size(0) == target_in.size(0)),
      "AdaptiveLogSoftmaxWithLoss: input has sizes {} and target {}; expected (N, {}) and (N), or no N",
      input_in.sizes(), target_in.sizes(), options.in_features());
  TAPIR_CHECK_AS(DTypeError, target_in.dtype() == kInt64,
                 "AdaptiveLogSoftmaxWithLoss: target of {}, expected int64", target_in.dtype());
  const Tensor input = single ? unsqueeze(input_in, 0) : input_in;
  const Tensor target = single ? unsqueeze(target_in, 0) : target_in;
  const int64_t n = target.numel();
  TAPIR_CHECK_AS(
      IndexError,
      n == 0 || (min(target).item<int64_t>() >= 0 && max(target).item<int64_t>() < options.n_classes()),
      "AdaptiveLogSoftmaxWithLoss: a target is out of range for {} classes", options.n_classes());
  // What the head is asked for: the class itself, or the cell of its cluster.
  Tensor cell = target;
  std::vector<Tensor> rows, values;
  for (size_t i = 0; i + 1 < cutoffs.size(); ++i) {
    const Tensor inside = logical_and(ge(target, Scalar(cutoffs[i])), lt(target, Scalar(cutoffs[i + 1])));
    const Tensor row = squeeze(nonzero(inside), 1);
    if (row.numel() == 0) continue;
    cell = masked_fill(cell, inside, Scalar(shortlist_size + static_cast<int64_t>(i)));
    const Tensor wanted = sub(index_select(target, 0, row), Scalar(cutoffs[i]));
    rows.push_back(row);
    values.push_back(squeeze(gather(cluster(i, index_select(input, 0, row)), 1, unsqueeze(wanted, 1)), 1));
  }
  Tensor output = squeeze(gather(log_softmax(head(input), 1), 1, unsqueeze(cell, 1)), 1);
  if (!rows.empty()) output = index_add(output, 0, cat(rows), cat(values));
  const Tensor loss = neg(mean(output));
  ASMoutput result(single ? squeeze(output, 0) : output, loss.item<double>());
  result.loss_tensor = loss;
  return result;
}

Tensor AdaptiveLogSoftmaxWithLossImpl::full_log_prob(const Tensor& input, const Tensor& head_output) const {
  const Tensor of_head = log_softmax(head_output, 1);
  std::vector<Tensor> parts{narrow(of_head, 1, 0, shortlist_size)};
  for (size_t i = 0; i + 1 < cutoffs.size(); ++i)
    parts.push_back(add(cluster(i, input), narrow(of_head, 1, shortlist_size + static_cast<int64_t>(i), 1)));
  return cat(parts, 1);
}

Tensor AdaptiveLogSoftmaxWithLossImpl::log_prob(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return full_log_prob(input, head(input));
}

Tensor AdaptiveLogSoftmaxWithLossImpl::predict(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  const Tensor scores = head(input), best = argmax(scores, 1);
  // Where a frequent class wins in the head, no class of a cluster can do better.
  const Tensor open = squeeze(nonzero(ge(best, Scalar(shortlist_size))), 1);
  if (open.numel() == 0) return best;
  const Tensor all = full_log_prob(index_select(input, 0, open), index_select(scores, 0, open));
  return index_copy(best, 0, open, argmax(all, 1));
}

}  // namespace tapir::nn
