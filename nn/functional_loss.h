// Losses as functions, with their options. What each computes is in autograd/functions/loss_elementwise.h and
// loss_margin.h.
#pragma once

#include <functional>

#include "tapir/nn/enums.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::nn::functional {

struct L1LossFuncOptions {
  L1LossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
};
TAPIR_API Tensor l1_loss(const Tensor& input, const Tensor& target, const L1LossFuncOptions& options = {});

struct SmoothL1LossFuncOptions {
  SmoothL1LossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
  TAPIR_ARG(double, beta) = 1;
};
TAPIR_API Tensor smooth_l1_loss(const Tensor& input, const Tensor& target,
                                const SmoothL1LossFuncOptions& options = {});
TAPIR_API Tensor smooth_l1_loss(const Tensor& input, const Tensor& target,
                                const SmoothL1LossFuncOptions& options, double beta);

struct HuberLossFuncOptions {
  HuberLossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
  TAPIR_ARG(double, delta) = 1;
};
TAPIR_API Tensor huber_loss(const Tensor& input, const Tensor& target,
                            const HuberLossFuncOptions& options = {});

struct BinaryCrossEntropyFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor binary_cross_entropy(const Tensor& input, const Tensor& target,
                                      const BinaryCrossEntropyFuncOptions& options = {});

struct BinaryCrossEntropyWithLogitsFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(LossReduction, reduction) = kMean;
  TAPIR_ARG(Tensor, pos_weight) = Tensor();
};
TAPIR_API Tensor binary_cross_entropy_with_logits(
    const Tensor& input, const Tensor& target, const BinaryCrossEntropyWithLogitsFuncOptions& options = {});

struct KLDivFuncOptions {
  KLDivFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
  TAPIR_ARG(bool, log_target) = false;
};
TAPIR_API Tensor kl_div(const Tensor& input, const Tensor& target, const KLDivFuncOptions& options = {});

struct PoissonNLLLossFuncOptions {
  TAPIR_ARG(bool, log_input) = true;
  TAPIR_ARG(bool, full) = false;
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor poisson_nll_loss(const Tensor& input, const Tensor& target,
                                  const PoissonNLLLossFuncOptions& options = {});

struct GaussianNLLLossFuncOptions {
  TAPIR_ARG(bool, full) = false;
  TAPIR_ARG(double, eps) = 1e-6;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                                   const GaussianNLLLossFuncOptions& options = {});

struct SoftMarginLossFuncOptions {
  SoftMarginLossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
};
TAPIR_API Tensor soft_margin_loss(const Tensor& input, const Tensor& target,
                                  const SoftMarginLossFuncOptions& options = {});

struct HingeEmbeddingLossFuncOptions {
  TAPIR_ARG(double, margin) = 1;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target,
                                      const HingeEmbeddingLossFuncOptions& options = {});

struct CosineEmbeddingLossFuncOptions {
  TAPIR_ARG(double, margin) = 0;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                       const CosineEmbeddingLossFuncOptions& options = {});

struct MarginRankingLossFuncOptions {
  TAPIR_ARG(double, margin) = 0;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                     const MarginRankingLossFuncOptions& options = {});

struct MultiMarginLossFuncOptions {
  TAPIR_ARG(int64_t, p) = 1;
  TAPIR_ARG(double, margin) = 1;
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor multi_margin_loss(const Tensor& input, const Tensor& target,
                                   const MultiMarginLossFuncOptions& options = {});

struct MultilabelMarginLossFuncOptions {
  MultilabelMarginLossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
};
TAPIR_API Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target,
                                        const MultilabelMarginLossFuncOptions& options = {});

struct MultilabelSoftMarginLossFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                             const MultilabelSoftMarginLossFuncOptions& options = {});

struct TripletMarginLossFuncOptions {
  TAPIR_ARG(double, margin) = 1;
  TAPIR_ARG(double, p) = 2;
  TAPIR_ARG(double, eps) = 1e-6;
  TAPIR_ARG(bool, swap) = false;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
TAPIR_API Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                     const TripletMarginLossFuncOptions& options = {});

struct CTCLossFuncOptions {
  TAPIR_ARG(int64_t, blank) = 0;
  TAPIR_ARG(LossReduction, reduction) = kMean;
  TAPIR_ARG(bool, zero_infinity) = false;
};
TAPIR_API Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                          const Tensor& target_lengths, const CTCLossFuncOptions& options = {});

struct TripletMarginWithDistanceLossFuncOptions {
  using distance_function_t = std::function<Tensor(const Tensor&, const Tensor&)>;
  using reduction_t = LossReduction;
  /// pairwise_distance where it is not set.
  TAPIR_ARG(std::optional<distance_function_t>, distance_function) = std::nullopt;
  TAPIR_ARG(double, margin) = 1;
  TAPIR_ARG(bool, swap) = false;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
/// triplet_margin_loss with any distance.
TAPIR_API Tensor
triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                  const TripletMarginWithDistanceLossFuncOptions& options = {});

struct CosineSimilarityFuncOptions {
  TAPIR_ARG(int64_t, dim) = 1;
  TAPIR_ARG(double, eps) = 1e-8;
};
TAPIR_API Tensor cosine_similarity(const Tensor& x1, const Tensor& x2,
                                   const CosineSimilarityFuncOptions& options = {});
struct PairwiseDistanceFuncOptions {
  TAPIR_ARG(double, p) = 2;
  TAPIR_ARG(double, eps) = 1e-6;
  TAPIR_ARG(bool, keepdim) = false;
};
TAPIR_API Tensor pairwise_distance(const Tensor& x1, const Tensor& x2,
                                   const PairwiseDistanceFuncOptions& options = {});

}  // namespace tapir::nn::functional
