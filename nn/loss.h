// Losses as modules.
#pragma once

#include "tapir/nn/functional.h"
#include "tapir/nn/functional_loss.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

using CrossEntropyLossOptions = functional::CrossEntropyFuncOptions;
using NLLLossOptions = functional::NLLLossFuncOptions;
using MSELossOptions = functional::MSELossFuncOptions;

/// Cross-entropy of logits with class indices; see functional::cross_entropy. `weight` is a buffer.
class TAPIR_API CrossEntropyLossImpl : public Cloneable<CrossEntropyLossImpl> {
 public:
  explicit CrossEntropyLossImpl(CrossEntropyLossOptions options = {});
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  CrossEntropyLossOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(CrossEntropyLoss);

/// Negative log-likelihood of log-probabilities; see functional::nll_loss. `weight` is a buffer.
class TAPIR_API NLLLossImpl : public Cloneable<NLLLossImpl> {
 public:
  explicit NLLLossImpl(NLLLossOptions options = {});
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  NLLLossOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(NLLLoss);

/// (input - target)^2, its mean by default.
class TAPIR_API MSELossImpl : public Cloneable<MSELossImpl> {
 public:
  explicit MSELossImpl(MSELossOptions o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  MSELossOptions options;
};
TAPIR_BUILTIN_MODULE(MSELoss);

using L1LossOptions = functional::L1LossFuncOptions;
/// See functional::l1_loss.
class TAPIR_API L1LossImpl : public Cloneable<L1LossImpl> {
 public:
  explicit L1LossImpl(const L1LossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  L1LossOptions options;
};
TAPIR_BUILTIN_MODULE(L1Loss);

using SmoothL1LossOptions = functional::SmoothL1LossFuncOptions;
/// See functional::smooth_l1_loss.
class TAPIR_API SmoothL1LossImpl : public Cloneable<SmoothL1LossImpl> {
 public:
  explicit SmoothL1LossImpl(const SmoothL1LossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  SmoothL1LossOptions options;
};
TAPIR_BUILTIN_MODULE(SmoothL1Loss);

using HuberLossOptions = functional::HuberLossFuncOptions;
/// See functional::huber_loss.
class TAPIR_API HuberLossImpl : public Cloneable<HuberLossImpl> {
 public:
  explicit HuberLossImpl(const HuberLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  HuberLossOptions options;
};
TAPIR_BUILTIN_MODULE(HuberLoss);

using BCELossOptions = functional::BinaryCrossEntropyFuncOptions;
/// See functional::binary_cross_entropy. weight is a buffer.
class TAPIR_API BCELossImpl : public Cloneable<BCELossImpl> {
 public:
  explicit BCELossImpl(BCELossOptions o = {}) : options(std::move(o)) { BCELossImpl::reset(); }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  BCELossOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(BCELoss);

using BCEWithLogitsLossOptions = functional::BinaryCrossEntropyWithLogitsFuncOptions;
/// See functional::binary_cross_entropy_with_logits. weight and pos_weight are buffers.
class TAPIR_API BCEWithLogitsLossImpl : public Cloneable<BCEWithLogitsLossImpl> {
 public:
  explicit BCEWithLogitsLossImpl(BCEWithLogitsLossOptions o = {}) : options(std::move(o)) {
    BCEWithLogitsLossImpl::reset();
  }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  BCEWithLogitsLossOptions options;
  Tensor weight;
  Tensor pos_weight;
};
TAPIR_BUILTIN_MODULE(BCEWithLogitsLoss);

using KLDivLossOptions = functional::KLDivFuncOptions;
/// Kullback-Leibler divergence of log-probabilities; reduction may be kBatchMean.
class TAPIR_API KLDivLossImpl : public Cloneable<KLDivLossImpl> {
 public:
  explicit KLDivLossImpl(const KLDivLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  KLDivLossOptions options;
};
TAPIR_BUILTIN_MODULE(KLDivLoss);

using PoissonNLLLossOptions = functional::PoissonNLLLossFuncOptions;
/// See functional::poisson_nll_loss.
class TAPIR_API PoissonNLLLossImpl : public Cloneable<PoissonNLLLossImpl> {
 public:
  explicit PoissonNLLLossImpl(const PoissonNLLLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  PoissonNLLLossOptions options;
};
TAPIR_BUILTIN_MODULE(PoissonNLLLoss);

using GaussianNLLLossOptions = functional::GaussianNLLLossFuncOptions;
/// See functional::gaussian_nll_loss.
class TAPIR_API GaussianNLLLossImpl : public Cloneable<GaussianNLLLossImpl> {
 public:
  explicit GaussianNLLLossImpl(const GaussianNLLLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target, const Tensor& var);
  GaussianNLLLossOptions options;
};
TAPIR_BUILTIN_MODULE(GaussianNLLLoss);

using SoftMarginLossOptions = functional::SoftMarginLossFuncOptions;
/// See functional::soft_margin_loss.
class TAPIR_API SoftMarginLossImpl : public Cloneable<SoftMarginLossImpl> {
 public:
  explicit SoftMarginLossImpl(const SoftMarginLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  SoftMarginLossOptions options;
};
TAPIR_BUILTIN_MODULE(SoftMarginLoss);

using HingeEmbeddingLossOptions = functional::HingeEmbeddingLossFuncOptions;
/// See functional::hinge_embedding_loss.
class TAPIR_API HingeEmbeddingLossImpl : public Cloneable<HingeEmbeddingLossImpl> {
 public:
  explicit HingeEmbeddingLossImpl(const HingeEmbeddingLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  HingeEmbeddingLossOptions options;
};
TAPIR_BUILTIN_MODULE(HingeEmbeddingLoss);

using CosineEmbeddingLossOptions = functional::CosineEmbeddingLossFuncOptions;
/// See functional::cosine_embedding_loss.
class TAPIR_API CosineEmbeddingLossImpl : public Cloneable<CosineEmbeddingLossImpl> {
 public:
  explicit CosineEmbeddingLossImpl(const CosineEmbeddingLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target);
  CosineEmbeddingLossOptions options;
};
TAPIR_BUILTIN_MODULE(CosineEmbeddingLoss);

using MarginRankingLossOptions = functional::MarginRankingLossFuncOptions;
/// See functional::margin_ranking_loss.
class TAPIR_API MarginRankingLossImpl : public Cloneable<MarginRankingLossImpl> {
 public:
  explicit MarginRankingLossImpl(const MarginRankingLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input1, const Tensor& input2, const Tensor& target);
  MarginRankingLossOptions options;
};
TAPIR_BUILTIN_MODULE(MarginRankingLoss);

using MultiMarginLossOptions = functional::MultiMarginLossFuncOptions;
/// See functional::multi_margin_loss. weight is a buffer.
class TAPIR_API MultiMarginLossImpl : public Cloneable<MultiMarginLossImpl> {
 public:
  explicit MultiMarginLossImpl(MultiMarginLossOptions o = {}) : options(std::move(o)) {
    MultiMarginLossImpl::reset();
  }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  MultiMarginLossOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(MultiMarginLoss);

using MultiLabelMarginLossOptions = functional::MultilabelMarginLossFuncOptions;
/// See functional::multilabel_margin_loss.
class TAPIR_API MultiLabelMarginLossImpl : public Cloneable<MultiLabelMarginLossImpl> {
 public:
  explicit MultiLabelMarginLossImpl(const MultiLabelMarginLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  MultiLabelMarginLossOptions options;
};
TAPIR_BUILTIN_MODULE(MultiLabelMarginLoss);

using MultiLabelSoftMarginLossOptions = functional::MultilabelSoftMarginLossFuncOptions;
/// See functional::multilabel_soft_margin_loss. weight is a buffer.
class TAPIR_API MultiLabelSoftMarginLossImpl : public Cloneable<MultiLabelSoftMarginLossImpl> {
 public:
  explicit MultiLabelSoftMarginLossImpl(MultiLabelSoftMarginLossOptions o = {}) : options(std::move(o)) {
    MultiLabelSoftMarginLossImpl::reset();
  }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  MultiLabelSoftMarginLossOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(MultiLabelSoftMarginLoss);

using TripletMarginLossOptions = functional::TripletMarginLossFuncOptions;
/// See functional::triplet_margin_loss.
class TAPIR_API TripletMarginLossImpl : public Cloneable<TripletMarginLossImpl> {
 public:
  explicit TripletMarginLossImpl(const TripletMarginLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative);
  TripletMarginLossOptions options;
};
TAPIR_BUILTIN_MODULE(TripletMarginLoss);

using CTCLossOptions = functional::CTCLossFuncOptions;
/// See functional::ctc_loss.
class TAPIR_API CTCLossImpl : public Cloneable<CTCLossImpl> {
 public:
  explicit CTCLossImpl(const CTCLossOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                 const Tensor& target_lengths);
  CTCLossOptions options;
};
TAPIR_BUILTIN_MODULE(CTCLoss);

using TripletMarginWithDistanceLossOptions = functional::TripletMarginWithDistanceLossFuncOptions;
/// See functional::triplet_margin_with_distance_loss.
class TAPIR_API TripletMarginWithDistanceLossImpl : public Cloneable<TripletMarginWithDistanceLossImpl> {
 public:
  explicit TripletMarginWithDistanceLossImpl(TripletMarginWithDistanceLossOptions o = {})
      : options(std::move(o)) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative);
  TripletMarginWithDistanceLossOptions options;
};
TAPIR_BUILTIN_MODULE(TripletMarginWithDistanceLoss);

using CosineSimilarityOptions = functional::CosineSimilarityFuncOptions;
/// See cosine_similarity.
class TAPIR_API CosineSimilarityImpl : public Cloneable<CosineSimilarityImpl> {
 public:
  explicit CosineSimilarityImpl(const CosineSimilarityOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input1, const Tensor& input2);
  CosineSimilarityOptions options;
};
TAPIR_BUILTIN_MODULE(CosineSimilarity);

using PairwiseDistanceOptions = functional::PairwiseDistanceFuncOptions;
/// See pairwise_distance.
class TAPIR_API PairwiseDistanceImpl : public Cloneable<PairwiseDistanceImpl> {
 public:
  explicit PairwiseDistanceImpl(const PairwiseDistanceOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input1, const Tensor& input2);
  PairwiseDistanceOptions options;
};
TAPIR_BUILTIN_MODULE(PairwiseDistance);

}  // namespace tapir::nn
