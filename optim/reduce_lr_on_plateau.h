// ReduceLROnPlateauScheduler: lowers the rate when a metric no longer improves.
#pragma once

#include "tapir/optim/lr_scheduler.h"

namespace tapir::optim {

/// lr = max(lr * factor, min_lr) after more than `patience` epochs without an improvement of the metric,
/// where that changes lr by more than eps; the `cooldown` epochs that follow do not count. An improvement is
/// better than the best so far by the threshold: rel, by that fraction of it; abs, by that amount.
class TAPIR_API ReduceLROnPlateauScheduler : public SchedulerBase {
 public:
  enum SchedulerMode { min, max };
  enum ThresholdMode { rel, abs };
  /// min_lr: for all groups, or one per group; none: 0. verbose: tells of each change on stdout. Throws
  /// ValueError for factor >= 1, or min_lr that does not fit the groups.
  explicit ReduceLROnPlateauScheduler(Optimizer& optimizer, SchedulerMode mode = min, double factor = 0.1,
                                      int64_t patience = 10, double threshold = 1e-4,
                                      ThresholdMode threshold_mode = rel, int64_t cooldown = 0,
                                      const PerGroup& min_lr = {}, double eps = 1e-8, bool verbose = false);
  /// Call it after each epoch with what is to fall (min) or rise (max). NaN is no improvement.
  void step(double metric);
  /// A tensor of one element.
  void step(const Tensor& metric);
  void visit(FieldVisitor& visitor) override;

 private:
  bool is_better(double metric) const;
  SchedulerMode mode_;
  double factor_;
  int64_t patience_;
  double threshold_;
  ThresholdMode threshold_mode_;
  int64_t cooldown_;
  std::vector<double> min_lrs_;
  double eps_;
  bool verbose_;
  double best_;
  int64_t num_bad_epochs_ = 0, cooldown_counter_ = 0;
};

using ReduceLROnPlateau = ReduceLROnPlateauScheduler;

}  // namespace tapir::optim
