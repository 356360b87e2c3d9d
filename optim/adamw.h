#pragma once

#include <tuple>

#include "tapir/optim/adam.h"
#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay >= 0; betas in [0, 1).
class TAPIR_API AdamWOptions : public OptimizerCloneableOptions<AdamWOptions> {
 public:
  AdamWOptions(double lr = 1e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 1e-2;
  TAPIR_ARG(bool, amsgrad) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

using AdamWParamState = AdamParamState;

/// AdamW (Loshchilov and Hutter 2019): Adam with p *= 1 - lr * weight_decay before each update, instead of
/// weight decay as part of the gradient.
class TAPIR_API AdamW : public ElementwiseOptimizer<AdamWOptions, AdamParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const AdamWOptions& options, AdamParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "AdamW"; }
};

}  // namespace tapir::optim
