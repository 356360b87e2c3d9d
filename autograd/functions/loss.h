// Losses. `reduction` is PyTorch's number for it: 0 (none) gives one loss per element, 1 (mean) their mean, 2
// (sum) their sum. Sizes that do not fit throw ShapeError, other values of an argument ValueError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// Cross-entropy of logits. input: (C), (N, C) or (N, C, d...), C classes.
///
/// target of int64 classes: (), (N) or (N, d...). The loss of a place with class t is -weight[t] *
/// log_softmax(input)[t], 0 where t == ignore_index; the mean divides by the sum of the weights of those that
/// count. With label smoothing e it is (1 - e) of that, and e / C times the sum of -weight[c] *
/// log_softmax(input)[c] over the classes. Throws IndexError for a class out of range.
///
/// target of probabilities: the sizes and dtype of input. The loss of a place is the sum over c of
/// -weight[c] * target[c] * log_softmax(input)[c], the target mixed with 1 / C by label smoothing; the mean
/// divides by the number of places. An ignore_index >= 0 throws ValueError.
TAPIR_API Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                               int64_t reduction = 1, int64_t ignore_index = -100,
                               double label_smoothing = 0);
/// cross_entropy under libtorch's name.
inline Tensor cross_entropy_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                                 int64_t reduction = 1, int64_t ignore_index = -100,
                                 double label_smoothing = 0) {
  return cross_entropy(input, target, weight, reduction, ignore_index, label_smoothing);
}

/// -weight[t] * input[t] for log-probabilities, with sizes, mean and ignore_index as in cross_entropy with
/// classes.
TAPIR_API Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                          int64_t reduction = 1, int64_t ignore_index = -100);

}  // namespace tapir
