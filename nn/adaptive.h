// The adaptive softmax: a softmax over many classes that spends little on the rare ones.
#pragma once

#include <vector>

#include "tapir/nn/containers.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/sequential.h"

namespace tapir::nn {

/// What AdaptiveLogSoftmaxWithLoss gives: the log-probability of each target (N), and their negative mean.
struct TAPIR_API ASMoutput {
  ASMoutput(Tensor output_, double loss_) : output(std::move(output_)), loss(loss_) {}
  Tensor output;
  double loss;
  Tensor loss_tensor{};  ///< the loss as a scalar tensor, for backward()
};

struct AdaptiveLogSoftmaxWithLossOptions {
  AdaptiveLogSoftmaxWithLossOptions(int64_t in_features, int64_t n_classes, std::vector<int64_t> cutoffs)
      : in_features_(in_features), n_classes_(n_classes), cutoffs_(std::move(cutoffs)) {}
  TAPIR_ARG(int64_t, in_features);
  TAPIR_ARG(int64_t, n_classes);
  /// Rising class numbers: the first is where the frequent classes end, the others divide the rest.
  TAPIR_ARG(std::vector<int64_t>, cutoffs);
  TAPIR_ARG(double, div_value) = 4;  ///< cluster i has in_features / div_value^(i + 1) hidden features
  TAPIR_ARG(bool, head_bias) = false;
};

/// log_softmax over classes sorted by falling frequency (Grave et al. 2017): the head scores the frequent
/// classes and one cell for each cluster of rare ones, whose own classes are scored only where a target lies
/// in it.
class TAPIR_API AdaptiveLogSoftmaxWithLossImpl : public Cloneable<AdaptiveLogSoftmaxWithLossImpl> {
 public:
  AdaptiveLogSoftmaxWithLossImpl(int64_t in_features, int64_t n_classes, std::vector<int64_t> cutoffs)
      : AdaptiveLogSoftmaxWithLossImpl(
            AdaptiveLogSoftmaxWithLossOptions(in_features, n_classes, std::move(cutoffs))) {}
  /// Throws ValueError unless cutoffs rise strictly within 1 to n_classes - 1.
  explicit AdaptiveLogSoftmaxWithLossImpl(AdaptiveLogSoftmaxWithLossOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  /// input (N, in_features) and target (N) int64, or without N.
  ASMoutput forward(const Tensor& input, const Tensor& target);
  /// The log-probabilities of all classes: (N, n_classes).
  Tensor log_prob(const Tensor& input);
  /// The likeliest class of each row: log_prob(input).argmax(1) without the clusters that cannot win.
  Tensor predict(const Tensor& input);

  AdaptiveLogSoftmaxWithLossOptions options;
  std::vector<int64_t> cutoffs;  ///< those of the options, and n_classes
  int64_t shortlist_size = 0, n_clusters = 0, head_size = 0;
  Linear head = nullptr;
  ModuleList tail = nullptr;  ///< of each cluster a Sequential of two Linears

 private:
  Tensor cluster(size_t i, const Tensor& input) const;
  Tensor full_log_prob(const Tensor& input, const Tensor& head_output) const;
};
TAPIR_BUILTIN_MODULE(AdaptiveLogSoftmaxWithLoss);

}  // namespace tapir::nn
