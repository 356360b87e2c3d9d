#pragma once

#include <tuple>

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay >= 0; betas in [0, 1).
class TAPIR_API AdamOptions : public OptimizerCloneableOptions<AdamOptions> {
 public:
  AdamOptions(double lr = 1e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, amsgrad) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API AdamParamState : public OptimizerCloneableParamState<AdamParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, exp_avg);         ///< running average of the gradient
  TAPIR_ARG(Tensor, exp_avg_sq);      ///< and of its square
  TAPIR_ARG(Tensor, max_exp_avg_sq);  ///< with amsgrad, else undefined

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Adam (Kingma and Ba 2015), with weight decay as part of the gradient:
///   g = grad + weight_decay * p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
///   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
/// amsgrad (Reddi et al. 2018) takes the largest v so far.
class TAPIR_API Adam : public ElementwiseOptimizer<AdamOptions, AdamParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const AdamOptions& options, AdamParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "Adam"; }
};

}  // namespace tapir::optim
