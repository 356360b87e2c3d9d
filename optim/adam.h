#pragma once

#include <tuple>

#include "tapir/optim/optimizer.h"

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
 public:
  void visit(FieldVisitor& visitor) override;
  int64_t step = 0;
  Tensor exp_avg, exp_avg_sq;  ///< running averages of the gradient and of its square
  Tensor max_exp_avg_sq;       ///< with amsgrad, else undefined
};

// namespace detail

/// Adam (Kingma and Ba 2015), with weight decay as part of the gradient:
///   g = grad + weight_decay * p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
///   p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
/// amsgrad (Reddi et al. 2018) takes the largest v so far.
class TAPIR_API Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Tensor> params, AdamOptions defaults = {});
  explicit Adam(const std::vector<OptimizerParamGroup>& groups, AdamOptions defaults = {});

 protected:
  std::unique_ptr<OptimizerParamState> make_state() const override;
  void update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
              OptimizerParamState& state) override;
  bool takes(const OptimizerOptions& options) const override;
  const char* name() const override { return "Adam"; }
};

}  // namespace tapir::optim
