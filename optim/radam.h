#pragma once

#include <tuple>

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay >= 0; betas in [0, 1). decoupled_weight_decay: as AdamW.
class TAPIR_API RAdamOptions : public OptimizerCloneableOptions<RAdamOptions> {
 public:
  RAdamOptions(double lr = 1e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, decoupled_weight_decay) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API RAdamParamState : public OptimizerCloneableParamState<RAdamParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, exp_avg);     ///< running average of the gradient
  TAPIR_ARG(Tensor, exp_avg_sq);  ///< and of its square

 public:
  void visit(FieldVisitor& visitor) override;
};

/// RAdam (Liu et al. 2020), Adam with a rectified variance; g, m, v as in Adam:
///   n = 2 / (1 - b2) - 1;  r = n - 2 t b2^t / (1 - b2^t)
///   r > 5:  p -= lr / (1 - b1^t) * m * R sqrt(1 - b2^t) / (sqrt(v) + eps),
///           R = sqrt((r - 4) (r - 2) n / ((n - 4) (n - 2) r));     else  p -= lr / (1 - b1^t) * m
class TAPIR_API RAdam : public ElementwiseOptimizer<RAdamOptions, RAdamParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const RAdamOptions& options, RAdamParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "RAdam"; }
};

}  // namespace tapir::optim
