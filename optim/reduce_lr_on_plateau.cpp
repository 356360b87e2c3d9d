#include "tapir/optim/reduce_lr_on_plateau.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

ReduceLROnPlateauScheduler::ReduceLROnPlateauScheduler(Optimizer& optimizer, SchedulerMode mode,
                                                       double factor, int64_t patience, double threshold,
                                                       ThresholdMode threshold_mode, int64_t cooldown,
                                                       const PerGroup& min_lr, double eps, bool verbose)
    : SchedulerBase(optimizer),
      mode_(mode),
      factor_(factor),
      patience_(patience),
      threshold_(threshold),
      threshold_mode_(threshold_mode),
      cooldown_(cooldown),
      eps_(eps),
      verbose_(verbose),
      best_((mode == min ? 1 : -1) * std::numeric_limits<double>::infinity()) {
  TAPIR_CHECK_AS(ValueError, factor < 1, "ReduceLROnPlateau: factor is {}, expected less than 1", factor);
  const size_t n = optimizer.param_groups().size();
  min_lrs_ = (min_lr.empty() ? PerGroup(0.0) : min_lr).of(n, "ReduceLROnPlateau", "min_lr");
}

bool ReduceLROnPlateauScheduler::is_better(double metric) const {
  const double by = mode_ == min ? -threshold_ : threshold_;
  const double bound = threshold_mode_ == rel ? best_ * (1 + by) : best_ + by;
  return mode_ == min ? metric < bound : metric > bound;
}

void ReduceLROnPlateauScheduler::step(double metric) {
  std::vector<double> lrs = get_current_lrs();
  TAPIR_CHECK_AS(
      ValueError, lrs.size() == min_lrs_.size(),
      "ReduceLROnPlateau: made for {} parameter groups, there are {}; make the scheduler after the last "
      "add_param_group",
      min_lrs_.size(), lrs.size());
  ++last_epoch_;
  if (is_better(metric)) {
    best_ = metric;
    num_bad_epochs_ = 0;
  } else {
    ++num_bad_epochs_;
  }
  if (cooldown_counter_ > 0) {
    --cooldown_counter_;
    num_bad_epochs_ = 0;
  }
  if (num_bad_epochs_ > patience_) {
    for (size_t i = 0; i < lrs.size(); ++i) {
      const double reduced = std::max(lrs[i] * factor_, min_lrs_[i]);
      if (!(lrs[i] - reduced > eps_)) continue;
      lrs[i] = reduced;
      if (verbose_)
        std::printf("Epoch %lld: reducing learning rate of group %zu to %.4g\n",
                    static_cast<long long>(last_epoch_), i, reduced);
    }
    cooldown_counter_ = cooldown_;
    num_bad_epochs_ = 0;
  }
  set_lrs(lrs);
}

void ReduceLROnPlateauScheduler::step(const Tensor& metric) { step(metric.item<double>()); }

void ReduceLROnPlateauScheduler::visit(FieldVisitor& visitor) {
  SchedulerBase::visit(visitor);
  visitor.field("best", best_);
  visitor.field("num_bad_epochs", num_bad_epochs_);
  visitor.field("cooldown_counter", cooldown_counter_);
}

}  // namespace tapir::optim
