#pragma once

#include <tuple>

#include "tapir/optim/adam.h"
#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr, eps >= 0; betas in [0, 1).
class TAPIR_API SparseAdamOptions : public OptimizerCloneableOptions<SparseAdamOptions> {
 public:
  SparseAdamOptions(double lr = 1e-3) : lr_(lr) {}  // NOLINT
  using Betas = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Betas, betas) = Betas(0.9, 0.999);
  TAPIR_ARG(double, eps) = 1e-8;
  TAPIR_ARG(bool, maximize) = false;

 public:
  double get_momentum() const override { return std::get<0>(betas_); }
  void set_momentum(double m) override { std::get<0>(betas_) = m; }
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

/// Adam for gradients by rows, those of embeddings with sparse(true): rows without a gradient keep their
/// averages and their values. For the others, with t counting the parameter's steps,
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p -= lr sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)
/// A step throws ValueError for a parameter with a dense gradient.
class TAPIR_API SparseAdam : public ElementwiseOptimizer<SparseAdamOptions, AdamParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  TakesRows takes_rows(const OptimizerOptions& options) const override;
  void plan(const Tensor& param, const SparseAdamOptions& options, AdamParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "SparseAdam"; }
};

}  // namespace tapir::optim
