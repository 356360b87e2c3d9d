// ElementwiseOptimizer: base of the optimizers whose update is a formula of the elements.
#pragma once

#include "tapir/optim/optimizer.h"

namespace tapir {

enum class Update : uint8_t;  // both in tensor/kernels.h
struct UpdateTensor;

namespace optim {

/// Updates all parameters in one pass with one formula of tensor/updates.def. A parameter that is not
/// contiguous is updated as a copy, which is then written back; half types are computed in float.
class TAPIR_API ElementwiseOptimizerBase : public Optimizer {
 public:
  using Optimizer::Optimizer;

 protected:
  void update_all(const std::vector<Item>& items) final;
  virtual Update formula() const = 0;
  virtual void plan(const Item& item, UpdateTensor& update) const = 0;
};

/// What remains for an optimizer is its formula() and plan().
template <class Options, class State>
class ElementwiseOptimizer : public ElementwiseOptimizerBase {
 public:
  explicit ElementwiseOptimizer(std::vector<Tensor> params, Options defaults = {})
      : ElementwiseOptimizerBase(std::move(params), std::make_unique<Options>(std::move(defaults))) {}
  explicit ElementwiseOptimizer(const std::vector<OptimizerParamGroup>& groups, Options defaults = {})
      : ElementwiseOptimizerBase(groups, std::make_unique<Options>(std::move(defaults))) {}

 protected:
  std::unique_ptr<OptimizerParamState> make_state() const override { return std::make_unique<State>(); }
  bool takes(const OptimizerOptions& options) const override {
    return dynamic_cast<const Options*>(&options) != nullptr;
  }
  void plan(const Item& item, UpdateTensor& update) const final {
    plan(item.param, static_cast<const Options&>(item.options), static_cast<State&>(item.state), update);
  }
  /// Makes the states that are missing, counts the step and writes the parameter's numbers into `update`.
  virtual void plan(const Tensor& param, const Options& options, State& state,
                    UpdateTensor& update) const = 0;
};

}  // namespace optim
}  // namespace tapir
