#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tapir/optim/optimizer.h"

namespace tapir::optim {

/// lr, tolerance_grad, tolerance_change >= 0; max_iter, max_eval, history_size >= 1; line_search_fn:
/// "strong_wolfe" or none, a step of length lr.
class TAPIR_API LBFGSOptions : public OptimizerCloneableOptions<LBFGSOptions> {
 public:
  LBFGSOptions(double lr = 1) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
  TAPIR_ARG(int64_t, max_iter) = 20;            ///< iterations per step()
  TAPIR_ARG(std::optional<int64_t>, max_eval);  ///< evaluations per step(); without: max_iter * 5 / 4
  TAPIR_ARG(double, tolerance_grad) = 1e-7;     ///< ends where no element of the gradient is larger
  TAPIR_ARG(double, tolerance_change) = 1e-9;   ///< or where parameters or loss change by less
  TAPIR_ARG(int64_t, history_size) = 100;       ///< pairs kept, each twice as large as the parameters
  TAPIR_ARG(std::optional<std::string>, line_search_fn);

 public:
  void visit(FieldVisitor& visitor) override;
  void check() const override;
};

/// The state of all parameters, flat and one after the other; it stands with the first.
class TAPIR_API LBFGSParamState : public OptimizerCloneableParamState<LBFGSParamState> {
  TAPIR_ARG(int64_t, func_evals) = 0;  ///< evaluations of the closure so far
  TAPIR_ARG(int64_t, n_iter) = 0;      ///< iterations so far
  TAPIR_ARG(double, t) = 0;            ///< length of the last step
  TAPIR_ARG(double, prev_loss) = 0;    ///< before it
  TAPIR_ARG(Tensor, d);                ///< its direction
  TAPIR_ARG(Tensor, H_diag);           ///< scale of the first estimate of the inverse Hessian, no dimensions
  TAPIR_ARG(Tensor, prev_flat_grad);   ///< gradient before it
  TAPIR_ARG(std::vector<Tensor>, old_dirs);           ///< differences of gradients, y
  TAPIR_ARG(std::vector<Tensor>, old_stps);           ///< and of parameters, s
  TAPIR_ARG(std::vector<Tensor>, ro);                 ///< 1 / (y . s), no dimensions
  TAPIR_ARG(std::optional<std::vector<Tensor>>, al);  ///< of the last iteration; not saved, since made anew

 public:
  explicit LBFGSParamState(int64_t numel = 0) : numel_(numel) {}
  void visit(FieldVisitor& visitor) override;

 private:
  int64_t numel_;
};

/// Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), with a line search for the strong Wolfe
/// conditions (algorithms 3.5 and 3.6, cubic interpolation) where it is asked for. Takes one group of
/// parameters of one dtype and device.
///
///   LBFGS lbfgs(net->parameters(), LBFGSOptions(1).line_search_fn("strong_wolfe"));
///   lbfgs.step([&] { lbfgs.zero_grad(); Tensor loss = f(); loss.backward(); return loss; });
class TAPIR_API LBFGS : public Optimizer {
 public:
  explicit LBFGS(std::vector<Tensor> params, LBFGSOptions defaults = {});
  /// Throws ValueError for more than one group.
  explicit LBFGS(const std::vector<OptimizerParamGroup>& groups, LBFGSOptions defaults = {});
  /// Up to max_iter iterations, each of one evaluation of the closure or, with a line search, of several.
  /// Returns the loss at the start. Throws ValueError without a closure or parameters, DTypeError or
  /// DeviceError for parameters of several dtypes or devices. Where the closure throws, parameters and state
  /// are as they were.
  Tensor step(LossClosure closure) override;
  /// Throws ValueError: there can be only one.
  void add_param_group(const OptimizerParamGroup& group) override;

 protected:
  std::unique_ptr<OptimizerParamState> make_state() const override;
  bool takes(const OptimizerOptions& options) const override;
  const char* name() const override { return "LBFGS"; }

 private:
  void set_max_eval();
  int64_t numel() const;
};

}  // namespace tapir::optim
