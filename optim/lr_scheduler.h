// SchedulerBase and LRScheduler, on which the schedules of the learning rate are built. The schedules are in
// schedules.h, cyclic_lr.h, reduce_lr_on_plateau.h and combined_lr.h.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "tapir/optim/optimizer.h"

namespace tapir::optim {

/// A number for all parameter groups, or a list with one for each.
class TAPIR_API PerGroup {
 public:
  PerGroup() = default;                                                                  ///< none given
  PerGroup(double value) : values_{value}, for_all_(true) {}                             // NOLINT
  PerGroup(std::initializer_list<double> values) : values_(values) {}                    // NOLINT
  PerGroup(std::vector<double> values) : values_(std::move(values)) {}                   // NOLINT
  PerGroup(const std::vector<float>& values) : values_(values.begin(), values.end()) {}  // NOLINT
  bool empty() const { return values_.empty(); }
  /// The numbers of n groups. Throws ValueError, with the names given, where a list has another length.
  std::vector<double> of(size_t n, const char* scheduler, const char* argument) const;

 private:
  std::vector<double> values_;
  bool for_all_ = false;
};

/// What all schedulers have: an optimizer whose groups' rates they set, and a state.
///
/// A scheduler refers to its optimizer and does not keep it alive. It follows one that is moved; once it is
/// gone, whatever would have to change it throws ValueError. Make a scheduler after the last
/// add_param_group.
class TAPIR_API SchedulerBase {
 public:
  virtual ~SchedulerBase();
  SchedulerBase(const SchedulerBase&) = delete;
  /// The rates that this scheduler set last, one per group.
  const std::vector<double>& get_last_lr() const { return last_lrs_; }
  /// How often step() was called.
  int64_t last_epoch() const { return last_epoch_; }
  /// Throws ValueError where it is gone.
  Optimizer& optimizer() const;

  /// What a checkpoint must hold beside the optimizer's state: numbers by name, all that step() changes.
  /// Functions and constructor arguments are not in it.
  OrderedDict<std::string, double> state_dict() const;
  /// Into a scheduler made with the same arguments. Sets the optimizer's rates (and momenta, where the
  /// schedule has those) too, so that the optimizer's state may be loaded before or after. Throws ValueError
  /// that lists missing and unexpected entries, and changes nothing then.
  void load_state_dict(const OrderedDict<std::string, double>& state);
  /// Shows every number of the state to the visitor.
  virtual void visit(FieldVisitor& visitor);

 protected:
  explicit SchedulerBase(Optimizer& optimizer);
  /// The rates now in use, one per group.
  std::vector<double> get_current_lrs() const;
  void set_lrs(const std::vector<double>& lrs);
  /// Sets the groups' initial_lr, for the schedulers that come after this one.
  void set_initial_lrs(const std::vector<double>& lrs);
  /// Whether a group had no initial_lr before this scheduler was made.
  bool is_first() const { return first_; }
  /// Sets the groups' momenta (get_momentum of their options).
  void set_momenta(const std::vector<double>& momenta);
  /// For visit(): shows the groups' momenta, and sets them to what was read.
  void visit_momenta(FieldVisitor& visitor);

  std::vector<double> base_lrs_;  ///< the groups' initial_lr
  int64_t last_epoch_ = 0;

 private:
  bool first_ = false;
  std::vector<double> last_lrs_;
  std::shared_ptr<Optimizer*> optimizer_;
};

/// Base of the schedules that depend on how often they were stepped. One of your own overrides get_lrs().
class TAPIR_API LRScheduler : public SchedulerBase {
 public:
  explicit LRScheduler(Optimizer& optimizer) : SchedulerBase(optimizer) {}
  /// Sets the rates of the next epoch. Call it after the epoch's optimizer.step(), once per epoch or batch.
  /// Throws what get_lrs() throws, and changes nothing then.
  virtual void step();

 protected:
  friend class ChainedScheduler;
  friend class SequentialLR;
  /// The rates for last_epoch_, one per group. May use get_current_lrs() and base_lrs_.
  virtual std::vector<double> get_lrs() = 0;
  /// Sets the rates of epoch 0, from those now in use. Constructors call it.
  virtual void start();
  /// The same from the rates at the beginning: when a SequentialLR comes to this schedule.
  virtual void restart();
  /// The steps completed, as libtorch's schedulers count: 0 in the get_lrs() of the first step().
  unsigned step_count_ = 0;
};

}  // namespace tapir::optim
