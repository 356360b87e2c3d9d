#pragma once

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// All numbers >= 0.
class TAPIR_API RMSpropOptions : public OptimizerCloneableOptions<RMSpropOptions> {
 public:
  RMSpropOptions(double lr = 1e-2) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(double, alpha) = 0.99;
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(double, momentum) = 0;
  TAPIR_ARG(bool, centered) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return momentum_; }
  void set_momentum(double m) override { momentum_ = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API RMSpropParamState : public OptimizerCloneableParamState<RMSpropParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, square_avg);       ///< running average of the squared gradient, v
  TAPIR_ARG(Tensor, momentum_buffer);  ///< b; undefined without momentum
  TAPIR_ARG(Tensor, grad_avg);         ///< a; undefined unless centered

 public:
  void visit(FieldVisitor& visitor) override;
};

/// RMSprop (Hinton's lecture; centered: Graves 2013):
///   g = grad + weight_decay * p;  v = alpha v + (1 - alpha) g^2
///   centered: a = alpha a + (1 - alpha) g, and v - a^2 in place of v
///   b = momentum * b + g / (sqrt(v) + eps);  p -= lr * b
class TAPIR_API RMSprop : public ElementwiseOptimizer<RMSpropOptions, RMSpropParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const RMSpropOptions& options, RMSpropParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "RMSprop"; }
};

}  // namespace tapir::optim
