#pragma once

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, momentum, weight_decay >= 0; nesterov needs momentum > 0 and dampening 0.
class TAPIR_API SGDOptions : public OptimizerCloneableOptions<SGDOptions> {
 public:
  SGDOptions(double lr) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(double, momentum) = 0;
  TAPIR_ARG(double, dampening) = 0;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, nesterov) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return momentum_; }
  void set_momentum(double m) override { momentum_ = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API SGDParamState : public OptimizerCloneableParamState<SGDParamState> {
  TAPIR_ARG(Tensor, momentum_buffer);  ///< undefined without momentum, and before the first step

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Stochastic gradient descent (Sutskever et al. 2013 for Nesterov's form):
///   g = grad + weight_decay * p;  b = momentum * b + (1 - dampening) * g, at the first step b = g
///   p -= lr * (nesterov ? g + momentum * b : b)
class TAPIR_API SGD : public ElementwiseOptimizer<SGDOptions, SGDParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  TakesRows takes_rows(const OptimizerOptions& options) const override;
  void plan(const Tensor& param, const SGDOptions& options, SGDParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "SGD"; }
};

}  // namespace tapir::optim
