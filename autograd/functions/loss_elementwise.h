// Losses of one element each; input and target broadcast. `reduction` as in loss.h.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// (input - target)^2
TAPIR_API Tensor mse_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1);
/// |input - target|
TAPIR_API Tensor l1_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1);
/// With d = |input - target|: d < beta ? d^2 / (2 beta) : d - beta / 2. Throws ValueError for a negative
/// beta.
TAPIR_API Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1,
                                double beta = 1);
/// With d = |input - target|: d <= delta ? d^2 / 2 : delta * (d - delta / 2). Throws ValueError unless delta
/// > 0.
TAPIR_API Tensor huber_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1,
                            double delta = 1);
/// -weight * (t log(p) + (1 - t) log(1 - p)) for probabilities p, logarithms cut at -100. Throws ValueError
/// for p outside [0, 1], ShapeError where input and target have other sizes.
TAPIR_API Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                                      int64_t reduction = 1);
/// The same of p = sigmoid(input), without overflow, t log(p) multiplied with pos_weight, which broadcasts.
TAPIR_API Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                                  const Tensor& weight = {}, const Tensor& pos_weight = {},
                                                  int64_t reduction = 1);
/// t (log(t) - input), 0 where t is 0, for log-probabilities; with log_target, exp(t) (t - input).
TAPIR_API Tensor kl_div(const Tensor& input, const Tensor& target, int64_t reduction = 1,
                        bool log_target = false);
/// log_input: exp(input) - t input, else input - t log(input + eps); with `full`, Stirling's approximation of
/// log(t!) is added for t > 1.
TAPIR_API Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input = true,
                                  bool full = false, double eps = 1e-8, int64_t reduction = 1);
/// (log(v) + (input - t)^2 / v) / 2 with v = max(var, eps), and log(2 pi) / 2 more with `full`. var has the
/// sizes of input, or those but the last, which is then 1 or missing. Throws ValueError where an entry of var
/// is negative.
TAPIR_API Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                                   bool full = false, double eps = 1e-6, int64_t reduction = 1);
/// log(1 + exp(-t input)) for t of 1 and -1.
TAPIR_API Tensor soft_margin_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1);
/// t = 1: input; t = -1: max(0, margin - input).
TAPIR_API Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin = 1,
                                      int64_t reduction = 1);

}  // namespace tapir
