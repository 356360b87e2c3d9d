#pragma once

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, weight_decay >= 0. t0: the step at which averaging starts.
class TAPIR_API ASGDOptions : public OptimizerCloneableOptions<ASGDOptions> {
 public:
  ASGDOptions(double lr = 1e-2) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(double, lambd) = 1e-4;
  TAPIR_ARG(double, alpha) = 0.75;
  TAPIR_ARG(double, t0) = 1e6;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, maximize) = false;

 public:
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API ASGDParamState : public OptimizerCloneableParamState<ASGDParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(double, eta) = 0;  ///< for the next step; 0 before the first
  TAPIR_ARG(double, mu) = 1;   ///< likewise
  TAPIR_ARG(Tensor, ax);       ///< averaged parameter

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Averaged stochastic gradient descent (Polyak and Juditsky 1992), with the average in the state's ax:
///   g = grad + weight_decay * p;  p -= eta_t (g + lambd * p);  ax += mu_t (p - ax)
///   eta_1 = lr, eta_(t+1) = lr / (1 + lambd * lr * t)^alpha;  mu_(t+1) = 1 / max(1, t - t0)
class TAPIR_API ASGD : public ElementwiseOptimizer<ASGDOptions, ASGDParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const ASGDOptions& options, ASGDParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "ASGD"; }
};

}  // namespace tapir::optim
