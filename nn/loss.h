// Losses as modules.
#pragma once

#include "tapir/nn/functional.h"
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
TAPIR_MODULE(CrossEntropyLoss);

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
TAPIR_MODULE(NLLLoss);

/// (input - target)^2, its mean by default.
class TAPIR_API MSELossImpl : public Cloneable<MSELossImpl> {
 public:
  explicit MSELossImpl(MSELossOptions o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& target);
  MSELossOptions options;
};
TAPIR_MODULE(MSELoss);

}  // namespace tapir::nn
