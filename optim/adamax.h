#pragma once

#include <tuple>

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps, weight_decay >= 0; betas in [0, 1).
class TAPIR_API AdamaxOptions : public OptimizerCloneableOptions<AdamaxOptions> {
 public:
  AdamaxOptions(double lr = 2e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(double, weight_decay) = 0;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API AdamaxParamState : public OptimizerCloneableParamState<AdamaxParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, exp_avg);  ///< running average of the gradient
  TAPIR_ARG(Tensor, exp_inf);  ///< its decayed largest magnitude

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Adamax (Kingma and Ba 2015), Adam by the infinity norm:
///   g = grad + weight_decay * p;  m = b1 m + (1 - b1) g;  u = max(b2 u, |g| + eps)
///   p -= lr / (1 - b1^t) * m / u
class TAPIR_API Adamax : public ElementwiseOptimizer<AdamaxOptions, AdamaxParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const AdamaxOptions& options, AdamaxParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "Adamax"; }
};

}  // namespace tapir::optim
