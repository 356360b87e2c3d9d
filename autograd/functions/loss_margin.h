// Losses that compare: distances, rankings, classes. `reduction` as in loss.h.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along dim; the two broadcast.
TAPIR_API Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim = 1, double eps = 1e-8);
/// |x1 - x2 + eps|_p over the last dimension.
TAPIR_API Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2, double eps = 1e-6,
                                   bool keepdim = false);

/// t = 1: 1 - cos(input1, input2); t = -1: max(0, cos - margin); inputs (N, D) and target (N), or (D) and ().
TAPIR_API Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                       double margin = 0, int64_t reduction = 1);
/// max(0, -t (input1 - input2) + margin) for t of 1 and -1.
TAPIR_API Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                     double margin = 0, int64_t reduction = 1);
/// Sum over the classes j other than t of weight[t] max(0, margin - x[t] + x[j])^p / C; input (N, C) and
/// target (N), or (C) and (). Throws ValueError unless p is 1 or 2.
TAPIR_API Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const Scalar& p = 1,
                                   const Scalar& margin = 1, const Tensor& weight = {},
                                   int64_t reduction = 1);
/// Sum over the classes t of the target and all others i of max(0, 1 - x[t] + x[i]) / C; input and target
/// (int64) (N, C) or (C); of a row of the target the classes before the first -1 count.
TAPIR_API Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, int64_t reduction = 1);
/// Mean over the classes of -weight (t log(sigmoid(x)) + (1 - t) log(sigmoid(-x))).
TAPIR_API Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                             const Tensor& weight = {}, int64_t reduction = 1);
/// max(0, d(anchor, positive) - d(anchor, negative) + margin) with d = pairwise_distance; with `swap` the
/// negative's distance to the positive counts where it is smaller (Balntas et al. 2016).
TAPIR_API Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                     double margin = 1, double p = 2, double eps = 1e-6, bool swap = false,
                                     int64_t reduction = 1);

/// -log of the probability that log_probs (T, N, C) or (T, C), such as log_softmax gives, emits the target,
/// with any number of blanks and repetitions (Graves et al. 2006). targets: (N, S), or all of them one after
/// the other; lengths: int64 or int32 (N). The mean divides each loss by its target's length first.
/// zero_infinity: a target that is too long for its input costs 0 rather than infinity. The gradient is that
/// of unnormalised scores, as in PyTorch; there is no second derivative. Throws ShapeError, ValueError.
TAPIR_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                          const Tensor& target_lengths, int64_t blank = 0, int64_t reduction = 1,
                          bool zero_infinity = false);
TAPIR_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, IntArrayRef input_lengths,
                          IntArrayRef target_lengths, int64_t blank = 0, int64_t reduction = 1,
                          bool zero_infinity = false);

}  // namespace tapir
