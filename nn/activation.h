// Activations as modules.
#pragma once

#include "tapir/nn/module.h"

namespace tapir::nn {

struct ReLUOptions {
  ReLUOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};

/// max(x, 0)
class TAPIR_API ReLUImpl : public Cloneable<ReLUImpl> {
 public:
  explicit ReLUImpl(const ReLUOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  ReLUOptions options;
};
TAPIR_MODULE(ReLU);

/// tanh(x)
class TAPIR_API TanhImpl : public Cloneable<TanhImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
};
TAPIR_MODULE(Tanh);

/// 1 / (1 + e^-x)
class TAPIR_API SigmoidImpl : public Cloneable<SigmoidImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
};
TAPIR_MODULE(Sigmoid);

}  // namespace tapir::nn
