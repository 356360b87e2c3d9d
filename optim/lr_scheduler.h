// Schedules of the learning rate. Make one with an optimizer and call step() after each epoch or each batch;
// they give the numbers of PyTorch's classes of the same names.
#pragma once

#include "tapir/optim/optimizer.h"

namespace tapir::optim {

/// Base of the schedules: calls get_lrs() at each step and sets the groups' rates.
class TAPIR_API LRScheduler {
 public:
  explicit LRScheduler(Optimizer& optimizer);
  virtual ~LRScheduler();
  LRScheduler(const LRScheduler&) = delete;
  /// Sets the rates for the next epoch. Throws as get_lrs.
  void step();
  /// The rates now in use, one per group.
  std::vector<double> get_last_lr() const { return current_lrs(); }
  /// How often step() was called.
  int64_t last_epoch() const { return last_epoch_; }
  /// What a checkpoint must hold beside the optimizer's state.
  OrderedDict<std::string, double> state_dict() const;
  /// Throws ValueError where an entry is missing.
  void load_state_dict(const OrderedDict<std::string, double>& state);

 protected:
  /// The rates for last_epoch(), one per group.
  virtual std::vector<double> get_lrs() = 0;
  std::vector<double> current_lrs() const;
  void set_lrs(const std::vector<double>& lrs);
  Optimizer& optimizer_;
  std::vector<double> base_lrs_;  ///< the rates at the start
  int64_t last_epoch_ = 0;
};

/// lr *= gamma every step_size epochs.
class TAPIR_API StepLR : public LRScheduler {
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t step_size_;
  double gamma_;
};

/// lr_t = eta_min + (lr_0 - eta_min) * (1 + cos(pi t / T_max)) / 2 (Loshchilov and Hutter 2017, without
/// restarts), computed from lr_{t-1} as PyTorch does, so that it can be combined with other schedules.
class TAPIR_API CosineAnnealingLR : public LRScheduler {
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t T_max_;
  double eta_min_;
};

enum class Annealing { kCosine, kLinear };

/// Give total_steps, or epochs and steps_per_epoch.
struct TAPIR_API OneCycleLROptions {
  OneCycleLROptions(double max_lr) : max_lr_(max_lr) {}  // NOLINT
  OneCycleLROptions(double max_lr, int64_t total_steps) : max_lr_(max_lr), total_steps_(total_steps) {}
  TAPIR_ARG(double, max_lr);
  TAPIR_ARG(int64_t, total_steps) = 0;
  TAPIR_ARG(int64_t, epochs) = 0;
  TAPIR_ARG(int64_t, steps_per_epoch) = 0;
  TAPIR_ARG(double, pct_start) = 0.3;
  TAPIR_ARG(Annealing, anneal_strategy) = Annealing::kCosine;
  TAPIR_ARG(bool, cycle_momentum) = true;
  TAPIR_ARG(double, base_momentum) = 0.85;
  TAPIR_ARG(double, max_momentum) = 0.95;
  TAPIR_ARG(double, div_factor) = 25;
  TAPIR_ARG(double, final_div_factor) = 1e4;
  TAPIR_ARG(bool, three_phase) = false;
};

/// The rate rises from max_lr / div_factor to max_lr in the first pct_start of the steps and falls to
/// max_lr / (div_factor * final_div_factor) by the last; momentum (SGD's momentum, Adam's beta1) goes the
/// other way between max_momentum and base_momentum (Smith and Topin 2019). With three_phase, the fall first
/// mirrors the rise. The step after the last throws ValueError.
class TAPIR_API OneCycleLR : public LRScheduler {
 public:
  OneCycleLR(Optimizer& optimizer, OneCycleLROptions options);
  OneCycleLR(Optimizer& optimizer, double max_lr, int64_t total_steps)
      : OneCycleLR(optimizer, OneCycleLROptions(max_lr, total_steps)) {}

 protected:
  std::vector<double> get_lrs() override;

 private:
  OneCycleLROptions options_;
};

}  // namespace tapir::optim
