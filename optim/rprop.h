#pragma once

#include <tuple>

#include "tapir/optim/elementwise.h"

namespace tapir::optim {

/// lr >= 0; 0 < eta minus < 1 < eta plus; step_sizes: the smallest and the largest.
class TAPIR_API RpropOptions : public OptimizerCloneableOptions<RpropOptions> {
 public:
  RpropOptions(double lr = 1e-2) : lr_(lr) {}  // NOLINT
  using Pair = std::tuple<double, double>;
  TAPIR_ARG(double, lr);
  TAPIR_ARG(Pair, etas) = Pair(0.5, 1.2);
  TAPIR_ARG(Pair, step_sizes) = Pair(1e-6, 50);
  TAPIR_ARG(bool, maximize) = false;

 public:
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

class TAPIR_API RpropParamState : public OptimizerCloneableParamState<RpropParamState> {
  TAPIR_ARG(int64_t, step) = 0;
  TAPIR_ARG(Tensor, prev);       ///< the last gradient, 0 where it had turned
  TAPIR_ARG(Tensor, step_size);  ///< s

 public:
  void visit(FieldVisitor& visitor) override;
};

/// Resilient backpropagation (Riedmiller and Braun 1993), for gradients over all data:
///   where g has the sign of the last step's, s *= eta plus; where it has turned, s *= eta minus and g = 0
///   p -= sign(g) * s, with s starting at lr and clamped to step_sizes
class TAPIR_API Rprop : public ElementwiseOptimizer<RpropOptions, RpropParamState> {
 public:
  using ElementwiseOptimizer::ElementwiseOptimizer;

 protected:
  Update formula() const override;
  void plan(const Tensor& param, const RpropOptions& options, RpropParamState& state,
            UpdateTensor& update) const override;
  const char* name() const override { return "Rprop"; }
};

}  // namespace tapir::optim
