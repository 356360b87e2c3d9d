#include "tapir/nn/loss.h"

#include <ostream>

#include "tapir/autograd/node.h"

namespace tapir::nn {

namespace {
// The same memory under an identity of its own, so that a clone does not change the original's buffer.
Tensor own(const Tensor& t) { return t.defined() ? t.detach() : t; }
}  // namespace

CrossEntropyLossImpl::CrossEntropyLossImpl(CrossEntropyLossOptions o) : options(std::move(o)) {
  CrossEntropyLossImpl::reset();
}
void CrossEntropyLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void CrossEntropyLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CrossEntropyLoss()";
}
Tensor CrossEntropyLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::cross_entropy(input, target, CrossEntropyLossOptions(options).weight(weight));
}

NLLLossImpl::NLLLossImpl(NLLLossOptions o) : options(std::move(o)) { NLLLossImpl::reset(); }
void NLLLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void NLLLossImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::NLLLoss()"; }
Tensor NLLLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::nll_loss(input, target, NLLLossOptions(options).weight(weight));
}

void MSELossImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::MSELoss()"; }
Tensor MSELossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::mse_loss(input, target, options);
}

void L1LossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::L1Loss"
         << "()";
}
Tensor L1LossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::l1_loss(input, target, options);
}

void SmoothL1LossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::SmoothL1Loss"
         << "()";
}
Tensor SmoothL1LossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::smooth_l1_loss(input, target, options);
}

void HuberLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::HuberLoss"
         << "(delta=" << options.delta() << ")";
}
Tensor HuberLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::huber_loss(input, target, options);
}

void BCELossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void BCELossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::BCELoss"
         << "()";
}
Tensor BCELossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::binary_cross_entropy(input, target, BCELossOptions(options).weight(weight));
}

void BCEWithLogitsLossImpl::reset() {
  weight = register_buffer("weight", own(options.weight()));
  pos_weight = register_buffer("pos_weight", own(options.pos_weight()));
}
void BCEWithLogitsLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::BCEWithLogitsLoss"
         << "()";
}
Tensor BCEWithLogitsLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::binary_cross_entropy_with_logits(
      input, target, BCEWithLogitsLossOptions(options).weight(weight).pos_weight(pos_weight));
}

void KLDivLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::KLDivLoss"
         << "()";
}
Tensor KLDivLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::kl_div(input, target, options);
}

void PoissonNLLLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::PoissonNLLLoss"
         << "()";
}
Tensor PoissonNLLLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::poisson_nll_loss(input, target, options);
}

void GaussianNLLLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::GaussianNLLLoss"
         << "()";
}
Tensor GaussianNLLLossImpl::forward(const Tensor& input, const Tensor& target, const Tensor& var) {
  CallSite site(TAPIR_HERE);
  return functional::gaussian_nll_loss(input, target, var, options);
}

void SoftMarginLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::SoftMarginLoss"
         << "()";
}
Tensor SoftMarginLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::soft_margin_loss(input, target, options);
}

void HingeEmbeddingLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::HingeEmbeddingLoss"
         << "(margin=" << options.margin() << ")";
}
Tensor HingeEmbeddingLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::hinge_embedding_loss(input, target, options);
}

void CosineEmbeddingLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CosineEmbeddingLoss"
         << "(margin=" << options.margin() << ")";
}
Tensor CosineEmbeddingLossImpl::forward(const Tensor& input1, const Tensor& input2, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::cosine_embedding_loss(input1, input2, target, options);
}

void MarginRankingLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::MarginRankingLoss"
         << "(margin=" << options.margin() << ")";
}
Tensor MarginRankingLossImpl::forward(const Tensor& input1, const Tensor& input2, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::margin_ranking_loss(input1, input2, target, options);
}

void MultiMarginLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void MultiMarginLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::MultiMarginLoss"
         << "(p=" << options.p() << ", margin=" << options.margin() << ")";
}
Tensor MultiMarginLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::multi_margin_loss(input, target, MultiMarginLossOptions(options).weight(weight));
}

void MultiLabelMarginLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::MultiLabelMarginLoss"
         << "()";
}
Tensor MultiLabelMarginLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::multilabel_margin_loss(input, target, options);
}

void MultiLabelSoftMarginLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void MultiLabelSoftMarginLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::MultiLabelSoftMarginLoss"
         << "()";
}
Tensor MultiLabelSoftMarginLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::multilabel_soft_margin_loss(input, target,
                                                 MultiLabelSoftMarginLossOptions(options).weight(weight));
}

void TripletMarginLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::TripletMarginLoss"
         << "(margin=" << options.margin() << ", p=" << options.p() << ", eps=" << options.eps()
         << std::boolalpha << ", swap=" << options.swap() << ")";
}
Tensor TripletMarginLossImpl::forward(const Tensor& anchor, const Tensor& positive, const Tensor& negative) {
  CallSite site(TAPIR_HERE);
  return functional::triplet_margin_loss(anchor, positive, negative, options);
}

void CTCLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CTCLoss"
         << "()";
}
Tensor CTCLossImpl::forward(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                            const Tensor& target_lengths) {
  CallSite site(TAPIR_HERE);
  return functional::ctc_loss(log_probs, targets, input_lengths, target_lengths, options);
}

void TripletMarginWithDistanceLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::TripletMarginWithDistanceLoss(margin=" << options.margin() << std::boolalpha
         << ", swap=" << options.swap() << ")";
}
Tensor TripletMarginWithDistanceLossImpl::forward(const Tensor& anchor, const Tensor& positive,
                                                  const Tensor& negative) {
  CallSite site(TAPIR_HERE);
  return functional::triplet_margin_with_distance_loss(anchor, positive, negative, options);
}
void CosineSimilarityImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CosineSimilarity(dim=" << options.dim() << ", eps=" << options.eps() << ")";
}
Tensor CosineSimilarityImpl::forward(const Tensor& input1, const Tensor& input2) {
  CallSite site(TAPIR_HERE);
  return functional::cosine_similarity(input1, input2, options);
}
void PairwiseDistanceImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::PairwiseDistance(p=" << options.p() << ", eps=" << options.eps() << std::boolalpha
         << ", keepdim=" << options.keepdim() << ")";
}
Tensor PairwiseDistanceImpl::forward(const Tensor& input1, const Tensor& input2) {
  CallSite site(TAPIR_HERE);
  return functional::pairwise_distance(input1, input2, options);
}

}  // namespace tapir::nn
