// Schedules of the learning rate by a formula. They give the numbers of PyTorch's classes of the same names;
// t is last_epoch(), the number of steps.
#pragma once

#include <functional>
#include <vector>

#include "tapir/optim/lr_scheduler.h"

namespace tapir::optim {

/// lr *= gamma every step_size epochs: with the step_size-th call of step(), as in Python (libtorch's StepLR
/// does so one call later).
class TAPIR_API StepLR : public LRScheduler {
 public:
  /// Throws ValueError for step_size < 1.
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t step_size_;
  double gamma_;
};

/// lr *= gamma at each milestone, twice at one that is listed twice.
class TAPIR_API MultiStepLR : public LRScheduler {
 public:
  MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);

 protected:
  std::vector<double> get_lrs() override;

 private:
  std::vector<int64_t> milestones_;
  double gamma_;
};

/// lr *= gamma each epoch.
class TAPIR_API ExponentialLR : public LRScheduler {
 public:
  ExponentialLR(Optimizer& optimizer, double gamma);

 protected:
  std::vector<double> get_lrs() override;

 private:
  double gamma_;
};

/// lr * factor until epoch total_iters, then lr.
class TAPIR_API ConstantLR : public LRScheduler {
 public:
  /// Throws ValueError for a factor outside [0, 1].
  explicit ConstantLR(Optimizer& optimizer, double factor = 1.0 / 3, int64_t total_iters = 5);

 protected:
  std::vector<double> get_lrs() override;

 private:
  double factor_;
  int64_t total_iters_;
};

/// lr times a factor that goes from start_factor to end_factor in total_iters epochs, on a straight line.
class TAPIR_API LinearLR : public LRScheduler {
 public:
  /// Throws ValueError for a start_factor outside (0, 1], an end_factor outside [0, 1], total_iters < 1.
  explicit LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1,
                    int64_t total_iters = 5);

 protected:
  std::vector<double> get_lrs() override;

 private:
  double start_factor_, end_factor_;
  int64_t total_iters_;
};

/// lr * (1 - t / total_iters)^power, 0 from epoch total_iters on.
class TAPIR_API PolynomialLR : public LRScheduler {
 public:
  /// Throws ValueError for total_iters < 1.
  explicit PolynomialLR(Optimizer& optimizer, int64_t total_iters = 5, double power = 1);

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t total_iters_;
  double power_;
};

/// A function of the epoch.
using LRLambda = std::function<double(int64_t)>;

/// initial lr * f(t), with one function for all groups or one per group.
class TAPIR_API LambdaLR : public LRScheduler {
 public:
  LambdaLR(Optimizer& optimizer, LRLambda lr_lambda);
  /// Throws ValueError where there is not one function per group.
  LambdaLR(Optimizer& optimizer, std::vector<LRLambda> lr_lambdas);

 protected:
  std::vector<double> get_lrs() override;

 private:
  std::vector<LRLambda> lambdas_;
};

/// lr *= f(t) each epoch, with one function for all groups or one per group.
class TAPIR_API MultiplicativeLR : public LRScheduler {
 public:
  MultiplicativeLR(Optimizer& optimizer, LRLambda lr_lambda);
  /// Throws ValueError where there is not one function per group.
  MultiplicativeLR(Optimizer& optimizer, std::vector<LRLambda> lr_lambdas);

 protected:
  std::vector<double> get_lrs() override;
  void restart() override;  // from the rates in use, as in PyTorch

 private:
  std::vector<LRLambda> lambdas_;
};

/// lr_t = eta_min + (lr_0 - eta_min) * (1 + cos(pi t / T_max)) / 2 (Loshchilov and Hutter 2017, without
/// restarts), computed from lr_{t-1} as PyTorch does, so that it can be combined with other schedules.
class TAPIR_API CosineAnnealingLR : public LRScheduler {
 public:
  /// Throws ValueError for T_max < 1.
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t T_max_;
  double eta_min_;
};

/// The same with restarts: after T_0 epochs the cosine begins anew, each time T_mult times as long.
class TAPIR_API CosineAnnealingWarmRestarts : public LRScheduler {
 public:
  /// Throws ValueError for T_0 < 1 or T_mult < 1.
  CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t T_0, int64_t T_mult = 1, double eta_min = 0);
  void visit(FieldVisitor& visitor) override;

 protected:
  std::vector<double> get_lrs() override;

 private:
  int64_t T_0_, T_mult_;
  double eta_min_;
  int64_t T_cur_ = 0, T_i_;  // epochs since the last restart, and of this period
};

}  // namespace tapir::optim
