#pragma once

#include <tuple>

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay, momentum_decay >= 0; betas in [0, 1). decoupled_weight_decay: as AdamW.
class TAPIR_API NAdamOptions : public OptimizerCloneableOptions<NAdamOptions> {
 public:
  NAdamOptions(double lr = 2e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(double, momentum_decay) = 4e-3;
  TAPIR_ARG(bool, decoupled_weight_decay) = false;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API NAdamParamState : public OptimizerCloneableParamState<NAdamParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(double, mu_product) = 1;  ///< mu_1 ... mu_t
  TAPIR_ARG(Tensor, exp_avg);         ///< running average of the gradient
  TAPIR_ARG(Tensor, exp_avg_sq);      ///< and of its square

 public:
  void visit(FieldVisitor& visitor) override;
};

/// NAdam (Dozat 2016), Adam with Nesterov's momentum, as PyTorch 2 computes it:
///   mu_t = b1 (1 - 0.96^(t momentum_decay) / 2);  M_t = mu_1 ... mu_t;  g, m, v as in Adam
///   p -= lr ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m) / (sqrt(v / (1 - b2^t)) + eps)
class TAPIR_API NAdam : public ElementwiseOptimizer<NAdamOptions, NAdamParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const NAdamOptions& options, NAdamParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "NAdam"; }
};

}  // namespace tapir::optim
