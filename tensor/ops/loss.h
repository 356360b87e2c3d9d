// Cross-entropy with class indices, without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

struct CrossEntropy {
  Tensor losses;      ///< (n)
  Tensor log_probs;   ///< (n, classes); undefined where it was not asked for
  double weight_sum;  ///< sum of the weights of the targets that are not ignored, their number without weight
};

/// losses[i] = -weight[t] * log_softmax(logits)[i][t], t = target[i]; 0 where t == ignore_index. With label
/// smoothing e: (1 - e) of that, and e / classes of -sum_c weight[c] * log_softmax(logits)[i][c].
/// logits (n, classes) floating, target (n) int64, weight (classes) of the dtype of logits or undefined.
/// Throws ShapeError, DTypeError, IndexError for a target outside [0, classes).
TAPIR_API CrossEntropy cross_entropy(const char* op, const Tensor& logits, const Tensor& target,
                                     const Tensor& weight, int64_t ignore_index, double label_smoothing,
                                     bool want_log_probs);

/// Sum of the losses times scale, without dimensions.
TAPIR_API Tensor sum_losses(const Tensor& losses, double scale);
/// How many targets (int64) are not ignore_index. Throws IndexError for one that is neither that nor in
/// [0, classes).
TAPIR_API int64_t check_targets(const char* op, const Tensor& target, int64_t classes, int64_t ignore_index);

/// The gradient of the logits: grad (one value, or (n)) * scale times the derivative of each loss.
TAPIR_API Tensor cross_entropy_backward(const Tensor& grad, double scale, const Tensor& log_probs,
                                        const Tensor& target, const Tensor& weight, int64_t ignore_index,
                                        double label_smoothing);

}  // namespace tapir::raw
