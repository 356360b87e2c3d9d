#pragma once

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// All >= 0.
class TAPIR_API AdagradOptions : public OptimizerCloneableOptions<AdagradOptions> {
 public:
  AdagradOptions(double lr = 1e-2) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(double, lr_decay) = 0;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(double, initial_accumulator_value) = 0;
  TAPIR_ARG(double, eps) = 1e-10;
  TAPIR_ARG(bool, maximize) = false;

 public:
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API AdagradParamState : public OptimizerCloneableParamState<AdagradParamState> {
  TAPIR_ARG(Tensor, sum);  ///< of the squared gradients
  TAPIR_ARG(int64_t, step) = 0;

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Adagrad (Duchi et al. 2011):
///   g = grad + weight_decay * p;  s += g^2, from initial_accumulator_value
///   p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)
class TAPIR_API Adagrad : public ElementwiseOptimizer<AdagradOptions, AdagradParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  TakesRows takes_rows(const OptimizerOptions& options) const override;
  void plan(const Tensor& param, const AdagradOptions& options, AdagradParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "Adagrad"; }
};

}  // namespace tapir::optim
