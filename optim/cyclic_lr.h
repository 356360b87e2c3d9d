// CyclicLR and OneCycleLR: schedules that raise and lower the rate, and momentum the other way.
#pragma once

#include <functional>
#include <optional>

#include "tapir/optim/lr_scheduler.h"

namespace tapir::optim {

/// How far a cycle rises: each as far as the first; each half as far as the last; by gamma^t in step t.
enum class CyclicMode { kTriangular, kTriangular2, kExpRange };
/// What scale_fn is given: the number of the cycle, from 1, or the number of steps.
enum class CyclicScaleMode { kCycle, kIterations };

/// base_lr and max_lr, and the momenta, are numbers for all groups or lists with one per group.
struct TAPIR_API CyclicLROptions {
  CyclicLROptions(PerGroup base_lr, PerGroup max_lr)
      : base_lr_(std::move(base_lr)), max_lr_(std::move(max_lr)) {}
  TAPIR_ARG(PerGroup, base_lr);
  TAPIR_ARG(PerGroup, max_lr);
  TAPIR_ARG(int64_t, step_size_up) = 2000;
  TAPIR_ARG(std::optional<int64_t>, step_size_down);  ///< without: as step_size_up
  TAPIR_ARG(CyclicMode, mode) = CyclicMode::kTriangular;
  TAPIR_ARG(double, gamma) = 1;
  TAPIR_ARG(std::function<double(double)>, scale_fn);  ///< takes the place of mode
  TAPIR_ARG(CyclicScaleMode, scale_mode) = CyclicScaleMode::kCycle;
  TAPIR_ARG(bool, cycle_momentum) = true;
  TAPIR_ARG(PerGroup, base_momentum) = 0.8;
  TAPIR_ARG(PerGroup, max_momentum) = 0.9;
};

/// The rate goes from base_lr to max_lr in step_size_up steps and back in step_size_down, over and over;
/// momentum (SGD's momentum, Adam's beta1) from max_momentum to base_momentum and back (Smith 2017). The rise
/// is scaled by the mode, or by scale_fn.
class TAPIR_API CyclicLR : public LRScheduler {
 public:
  /// Throws ValueError for step sizes < 1, lists that do not fit the groups, and with cycle_momentum for an
  /// optimizer without momentum.
  CyclicLR(Optimizer& optimizer, CyclicLROptions options);
  CyclicLR(Optimizer& optimizer, PerGroup base_lr, PerGroup max_lr)
      : CyclicLR(optimizer, CyclicLROptions(std::move(base_lr), std::move(max_lr))) {}
  void visit(FieldVisitor& visitor) override;

 protected:
  std::vector<double> get_lrs() override;

 private:
  double scale(double cycle) const;
  CyclicLROptions options_;
  std::vector<double> max_lrs_, base_momenta_, max_momenta_;
};

enum class Annealing { kCosine, kLinear };

/// Give total_steps, or epochs and steps_per_epoch. max_lr and the momenta are numbers for all groups or
/// lists with one per group.
struct TAPIR_API OneCycleLROptions {
  OneCycleLROptions(PerGroup max_lr) : max_lr_(std::move(max_lr)) {}  // NOLINT
  OneCycleLROptions(PerGroup max_lr, int64_t total_steps)
      : max_lr_(std::move(max_lr)), total_steps_(total_steps) {}
  TAPIR_ARG(PerGroup, max_lr);
  TAPIR_ARG(int64_t, total_steps) = 0;
  TAPIR_ARG(int64_t, epochs) = 0;
  TAPIR_ARG(int64_t, steps_per_epoch) = 0;
  TAPIR_ARG(double, pct_start) = 0.3;
  TAPIR_ARG(Annealing, anneal_strategy) = Annealing::kCosine;
  TAPIR_ARG(bool, cycle_momentum) = true;
  TAPIR_ARG(PerGroup, base_momentum) = 0.85;
  TAPIR_ARG(PerGroup, max_momentum) = 0.95;
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
  /// Throws ValueError without a number of steps, for pct_start outside [0, 1], lists that do not fit the
  /// groups, and with cycle_momentum for an optimizer without momentum.
  OneCycleLR(Optimizer& optimizer, OneCycleLROptions options);
  OneCycleLR(Optimizer& optimizer, PerGroup max_lr, int64_t total_steps)
      : OneCycleLR(optimizer, OneCycleLROptions(std::move(max_lr), total_steps)) {}
  void visit(FieldVisitor& visitor) override;

 protected:
  std::vector<double> get_lrs() override;

 private:
  OneCycleLROptions options_;
  std::vector<double> max_lrs_, base_momenta_, max_momenta_;
};

}  // namespace tapir::optim
