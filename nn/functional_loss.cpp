#include "tapir/nn/functional_loss.h"

#include "tapir/autograd/functions/loss_elementwise.h"
#include "tapir/autograd/functions/loss_margin.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn::functional {

Tensor l1_loss(const Tensor& input, const Tensor& target, const L1LossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::l1_loss(input, target, static_cast<int64_t>(o.reduction()));
}
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1LossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::smooth_l1_loss(input, target, static_cast<int64_t>(o.reduction()), o.beta());
}
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1LossFuncOptions& o,
                      double beta) {
  CallSite site(TAPIR_HERE);
  return tapir::smooth_l1_loss(input, target, static_cast<int64_t>(o.reduction()), beta);
}
Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::huber_loss(input, target, static_cast<int64_t>(o.reduction()), o.delta());
}
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target,
                            const BinaryCrossEntropyFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::binary_cross_entropy(input, target, o.weight(), static_cast<int64_t>(o.reduction()));
}
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const BinaryCrossEntropyWithLogitsFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::binary_cross_entropy_with_logits(input, target, o.weight(), o.pos_weight(),
                                                 static_cast<int64_t>(o.reduction()));
}
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNLLLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::poisson_nll_loss(input, target, o.log_input(), o.full(), o.eps(),
                                 static_cast<int64_t>(o.reduction()));
}
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         const GaussianNLLLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::gaussian_nll_loss(input, target, var, o.full(), o.eps(), static_cast<int64_t>(o.reduction()));
}
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, const SoftMarginLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::soft_margin_loss(input, target, static_cast<int64_t>(o.reduction()));
}
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target,
                            const HingeEmbeddingLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::hinge_embedding_loss(input, target, o.margin(), static_cast<int64_t>(o.reduction()));
}
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             const CosineEmbeddingLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::cosine_embedding_loss(input1, input2, target, o.margin(),
                                      static_cast<int64_t>(o.reduction()));
}
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           const MarginRankingLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::margin_ranking_loss(input1, input2, target, o.margin(), static_cast<int64_t>(o.reduction()));
}
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::multi_margin_loss(input, target, Scalar(o.p()), Scalar(o.margin()), o.weight(),
                                  static_cast<int64_t>(o.reduction()));
}
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target,
                              const MultilabelMarginLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::multilabel_margin_loss(input, target, static_cast<int64_t>(o.reduction()));
}
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target,
                                   const MultilabelSoftMarginLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::multilabel_soft_margin_loss(input, target, o.weight(), static_cast<int64_t>(o.reduction()));
}
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::triplet_margin_loss(anchor, positive, negative, o.margin(), o.p(), o.eps(), o.swap(),
                                    static_cast<int64_t>(o.reduction()));
}
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CTCLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::ctc_loss(log_probs, targets, input_lengths, target_lengths, o.blank(),
                         static_cast<int64_t>(o.reduction()), o.zero_infinity());
}
Tensor kl_div(const Tensor& input, const Tensor& target, const KLDivFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  if (o.reduction() != kBatchMean)
    return tapir::kl_div(input, target, static_cast<int64_t>(o.reduction()), o.log_target());
  const Tensor total = tapir::kl_div(input, target, static_cast<int64_t>(kSum), o.log_target());
  return input.dim() == 0 ? total : div(total, Scalar(static_cast<double>(input.size(0))));
}
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                         const TripletMarginWithDistanceLossFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return o.distance_function() ? (*o.distance_function())(a, b) : tapir::pairwise_distance(a, b);
  };
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (o.swap()) far = minimum(far, distance(positive, negative));
  broadcast_sizes(near.sizes(), far.sizes(), "triplet_margin_with_distance_loss");
  const Tensor losses = clamp_min(o.margin() + sub(near, far), Scalar(0));
  return o.reduction() == kNone ? losses : o.reduction() == kSum ? sum(losses) : mean(losses);
}
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, const CosineSimilarityFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::cosine_similarity(x1, x2, o.dim(), o.eps());
}
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, const PairwiseDistanceFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::pairwise_distance(x1, x2, o.p(), o.eps(), o.keepdim());
}

}  // namespace tapir::nn::functional
