#include "tapir/optim/lr_scheduler.h"

#include <algorithm>
#include <set>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

std::vector<double> PerGroup::of(size_t n, const char* scheduler, const char* argument) const {
  if (for_all_) return std::vector<double>(n, values_[0]);
  TAPIR_CHECK_AS(ValueError, values_.size() == n,
                 "{}: {} has {} values, expected one for all or {}, one per group", scheduler, argument,
                 values_.size(), n);
  return values_;
}

SchedulerBase::SchedulerBase(Optimizer& optimizer) {
  if (!optimizer.self_) optimizer.self_ = std::make_shared<Optimizer*>(&optimizer);
  optimizer_ = optimizer.self_;
  last_lrs_ = get_current_lrs();
  for (OptimizerParamGroup& g : optimizer.param_groups()) {
    if (!g.initial_lr()) {
      first_ = true;
      g.initial_lr() = g.options().get_lr();
    }
    base_lrs_.push_back(*g.initial_lr());
  }
}

SchedulerBase::~SchedulerBase() = default;

Optimizer& SchedulerBase::optimizer() const {
  TAPIR_CHECK_AS(ValueError, *optimizer_ != nullptr,
                 "scheduler: its optimizer no longer exists; keep the optimizer as long as its schedulers");
  return **optimizer_;
}

std::vector<double> SchedulerBase::get_current_lrs() const {
  std::vector<double> lrs;
  for (const OptimizerParamGroup& g : optimizer().param_groups()) lrs.push_back(g.options().get_lr());
  return lrs;
}

void SchedulerBase::set_lrs(const std::vector<double>& lrs) {
  auto& groups = optimizer().param_groups();
  TAPIR_CHECK_AS(
      ValueError, lrs.size() == groups.size(),
      "scheduler: {} rates for {} parameter groups; make the scheduler after the last add_param_group",
      lrs.size(), groups.size());
  for (size_t i = 0; i < lrs.size(); ++i) groups[i].options().set_lr(lrs[i]);
  last_lrs_ = lrs;
}

void SchedulerBase::set_initial_lrs(const std::vector<double>& lrs) {
  for (size_t i = 0; i < lrs.size(); ++i) optimizer().param_groups().at(i).initial_lr() = lrs[i];
}

void SchedulerBase::set_momenta(const std::vector<double>& momenta) {
  auto& groups = optimizer().param_groups();
  for (size_t i = 0; i < std::min(momenta.size(), groups.size()); ++i)
    groups[i].options().set_momentum(momenta[i]);
}

void SchedulerBase::visit_momenta(FieldVisitor& visitor) {
  std::vector<double> momenta;
  for (const OptimizerParamGroup& g : optimizer().param_groups())
    momenta.push_back(g.options().get_momentum());
  const std::vector<double> before = momenta;
  visitor.field("momentum", momenta);
  if (momenta != before) set_momenta(momenta);
}

void SchedulerBase::visit(FieldVisitor& visitor) {
  visitor.field("last_epoch", last_epoch_);
  visitor.field("base_lrs", base_lrs_);
  visitor.field("last_lr", last_lrs_);
}

namespace {

using State = OrderedDict<std::string, double>;

struct Numbers : FieldVisitor {
  using FieldVisitor::field;
  void field(const char*, Tensor&) override {}
};
struct Writer final : Numbers {
  using FieldVisitor::field;
  void field(const char* name, double& value) override { state.insert(name, value); }
  State state{"Entry"};
};
struct Checker final : Numbers {
  using FieldVisitor::field;
  void field(const char* name, double&) override { names.insert(name); }
  std::set<std::string> names;
};
struct Reader final : Numbers {
  explicit Reader(const State& s) : state(s) {}
  using FieldVisitor::field;
  void field(const char* name, double& value) override { value = state[std::string(name)]; }
  const State& state;
};

}  // namespace

OrderedDict<std::string, double> SchedulerBase::state_dict() const {
  Writer writer;
  const_cast<SchedulerBase&>(*this).visit(writer);
  return std::move(writer.state);
}

void SchedulerBase::load_state_dict(const OrderedDict<std::string, double>& state) {
  Checker checker;
  visit(checker);
  std::string problems;
  for (const std::string& name : checker.names)
    if (!state.contains(name)) problems += "\n  missing: " + name;
  for (const auto& item : state)
    if (!checker.names.contains(item.key())) problems += "\n  unexpected: " + item.key();
  TAPIR_CHECK_AS(ValueError, problems.empty(),
                 "scheduler: load_state_dict: the entries do not fit; nothing was loaded:{}", problems);
  optimizer();  // throws where it is gone, before anything is changed
  Reader reader(state);
  visit(reader);
  set_lrs(std::vector<double>(last_lrs_));
}

void LRScheduler::step() {
  step_count_ = static_cast<unsigned>(std::max<int64_t>(last_epoch_, 0));
  ++last_epoch_;
  try {
    set_lrs(get_lrs());
  } catch (...) {
    --last_epoch_;
    throw;
  }
  step_count_ = static_cast<unsigned>(last_epoch_);
}

void LRScheduler::start() {
  last_epoch_ = 0;
  step_count_ = 0;
  set_lrs(get_lrs());
}

void LRScheduler::restart() {
  set_lrs(base_lrs_);
  start();
}

}  // namespace tapir::optim
