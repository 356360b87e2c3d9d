// ChainedScheduler and SequentialLR: schedules made of others, which they own a share of.
#pragma once

#include <memory>
#include <vector>

#include "tapir/optim/lr_scheduler.h"

namespace tapir::optim {

/// Schedules of one optimizer, each stepped after the other: factors multiply.
///   ChainedScheduler s({std::make_shared<LinearLR>(adam), std::make_shared<ExponentialLR>(adam, 0.9)});
class TAPIR_API ChainedScheduler : public LRScheduler {
 public:
  /// Throws ValueError for none, an empty pointer, or schedulers of different optimizers.
  explicit ChainedScheduler(std::vector<std::shared_ptr<LRScheduler>> schedulers);
  void step() override;
  void visit(FieldVisitor& visitor) override;

 protected:
  std::vector<double> get_lrs() override;
  void start() override;

 private:
  std::vector<std::shared_ptr<LRScheduler>> schedulers_;
};

/// Schedules of one optimizer, one after the other: the i-th begins anew at milestones[i - 1] steps, from the
/// rate at the beginning. The rates are set back to those at the beginning when this is made.
class TAPIR_API SequentialLR : public LRScheduler {
 public:
  /// Throws ValueError for none, an empty pointer, schedulers of another optimizer, or milestones that are
  /// not one fewer or do not rise.
  SequentialLR(Optimizer& optimizer, std::vector<std::shared_ptr<LRScheduler>> schedulers,
               std::vector<int64_t> milestones);
  void step() override;
  void visit(FieldVisitor& visitor) override;

 protected:
  std::vector<double> get_lrs() override;
  void start() override;

 private:
  std::vector<std::shared_ptr<LRScheduler>> schedulers_;
  std::vector<int64_t> milestones_;
};

}  // namespace tapir::optim
