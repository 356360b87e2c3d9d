#pragma once

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay >= 0; rho in [0, 1].
class TAPIR_API AdadeltaOptions : public OptimizerCloneableOptions<AdadeltaOptions> {
 public:
  AdadeltaOptions(double lr = 1.0) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(double, rho) = 0.9;
  TAPIR_ARG(double, eps) = 1e-6;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, maximize) = false;

 public:
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API AdadeltaParamState : public OptimizerCloneableParamState<AdadeltaParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, square_avg);  ///< running average of the squared gradient, v
  TAPIR_ARG(Tensor, acc_delta);   ///< and of the squared step, u

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Adadelta (Zeiler 2012):
///   g = grad + weight_decay * p;  v = rho v + (1 - rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) * g
///   u = rho u + (1 - rho) d^2;  p -= lr * d
class TAPIR_API Adadelta : public ElementwiseOptimizer<AdadeltaOptions, AdadeltaParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const AdadeltaOptions& options, AdadeltaParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "Adadelta"; }
};

}  // namespace tapir::optim
