#include "tapir/optim/lr_scheduler.h"

#include <cmath>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

LRScheduler::LRScheduler(Optimizer& optimizer) : optimizer_(optimizer), base_lrs_(current_lrs()) {}
LRScheduler::~LRScheduler() = default;

void LRScheduler::step() {
  ++last_epoch_;
  try {
    set_lrs(get_lrs());
  } catch (...) {
    --last_epoch_;
    throw;
  }
}

std::vector<double> LRScheduler::current_lrs() const {
  std::vector<double> lrs;
  for (const OptimizerParamGroup& g : optimizer_.param_groups()) lrs.push_back(g.options().get_lr());
  return lrs;
}

void LRScheduler::set_lrs(const std::vector<double>& lrs) {
  auto& groups = optimizer_.param_groups();
  TAPIR_CHECK_AS(
      ValueError, lrs.size() == groups.size(),
      "LRScheduler: {} rates for {} parameter groups; make the scheduler after the last add_param_group",
      lrs.size(), groups.size());
  for (size_t i = 0; i < lrs.size(); ++i) groups[i].options().set_lr(lrs[i]);
}

OrderedDict<std::string, double> LRScheduler::state_dict() const {
  OrderedDict<std::string, double> state;
  state.insert("last_epoch", static_cast<double>(last_epoch_));
  for (size_t i = 0; i < base_lrs_.size(); ++i) state.insert(fmt::format("base_lrs.{}", i), base_lrs_[i]);
  return state;
}

void LRScheduler::load_state_dict(const OrderedDict<std::string, double>& state) {
  std::vector<double> base = base_lrs_;
  const auto value = [&](const std::string& key) {
    const double* v = state.find(key);
    TAPIR_CHECK_AS(ValueError, v != nullptr, "LRScheduler: load_state_dict: no entry {}", key);
    return *v;
  };
  for (size_t i = 0; i < base.size(); ++i) base[i] = value(fmt::format("base_lrs.{}", i));
  last_epoch_ = static_cast<int64_t>(value("last_epoch"));
  base_lrs_ = std::move(base);
}

StepLR::StepLR(Optimizer& optimizer, int64_t step_size, double gamma)
    : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {
  TAPIR_CHECK_AS(ValueError, step_size > 0, "StepLR: step_size is {}, expected at least 1", step_size);
}

std::vector<double> StepLR::get_lrs() {
  std::vector<double> lrs = current_lrs();
  if (last_epoch_ != 0 && last_epoch_ % step_size_ == 0)
    for (double& lr : lrs) lr *= gamma_;
  return lrs;
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min)
    : LRScheduler(optimizer), T_max_(T_max), eta_min_(eta_min) {
  TAPIR_CHECK_AS(ValueError, T_max > 0, "CosineAnnealingLR: T_max is {}, expected at least 1", T_max);
}

std::vector<double> CosineAnnealingLR::get_lrs() {
  std::vector<double> lrs = current_lrs();
  const auto t = static_cast<double>(last_epoch_), period = static_cast<double>(T_max_);
  for (size_t i = 0; i < lrs.size(); ++i) {
    double& lr = lrs[i];
    if ((last_epoch_ - 1 - T_max_) % (2 * T_max_) == 0)  // the factor below would divide by zero
      lr += (base_lrs_.at(i) - eta_min_) * (1 - std::cos(M_PI / period)) / 2;
    else
      lr = (1 + std::cos(M_PI * t / period)) / (1 + std::cos(M_PI * (t - 1) / period)) * (lr - eta_min_) +
           eta_min_;
  }
  return lrs;
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, OneCycleLROptions options)
    : LRScheduler(optimizer), options_(std::move(options)) {
  auto& o = options_;
  if (o.total_steps() == 0) o.total_steps(o.epochs() * o.steps_per_epoch());
  TAPIR_CHECK_AS(
      ValueError, o.total_steps() > 0,
      "OneCycleLR: got total_steps {}, epochs {} and steps_per_epoch {}; give total_steps, or the other two",
      o.total_steps(), o.epochs(), o.steps_per_epoch());
  TAPIR_CHECK_AS(ValueError, o.pct_start() >= 0 && o.pct_start() <= 1,
                 "OneCycleLR: pct_start is {}, expected a number in [0, 1]", o.pct_start());
  if (o.cycle_momentum())
    for (const OptimizerParamGroup& g : optimizer.param_groups())
      static_cast<void>(g.options().get_momentum());
  base_lrs_.assign(base_lrs_.size(), o.max_lr() / o.div_factor());
  set_lrs(get_lrs());
}

std::vector<double> OneCycleLR::get_lrs() {
  const auto& o = options_;
  const auto total = static_cast<double>(o.total_steps()), t = static_cast<double>(last_epoch_);
  TAPIR_CHECK_AS(ValueError, last_epoch_ <= o.total_steps(), "OneCycleLR: step {} of a schedule of {} steps",
                 last_epoch_, o.total_steps());
  const double low = o.max_lr() / o.div_factor(), high = o.max_lr(), end = low / o.final_div_factor();
  struct Phase {
    double last, from_lr, to_lr, from_momentum, to_momentum;
  };
  std::vector<Phase> phases;
  phases.push_back({o.pct_start() * total - 1, low, high, o.max_momentum(), o.base_momentum()});
  if (o.three_phase()) {
    phases.push_back({2 * o.pct_start() * total - 2, high, low, o.base_momentum(), o.max_momentum()});
    phases.push_back({total - 1, low, end, o.max_momentum(), o.max_momentum()});
  } else {
    phases.push_back({total - 1, high, end, o.base_momentum(), o.max_momentum()});
  }
  size_t i = 0;
  double start = 0;
  while (i + 1 < phases.size() && t > phases[i].last) start = phases[i++].last;
  const Phase& p = phases[i];
  const double done = (t - start) / (p.last - start);
  const auto between = [&](double from, double to) {
    return o.anneal_strategy() == Annealing::kLinear ? (to - from) * done + from
                                                     : to + (from - to) / 2.0 * (std::cos(M_PI * done) + 1);
  };
  if (o.cycle_momentum())
    for (OptimizerParamGroup& g : optimizer_.param_groups())
      g.options().set_momentum(between(p.from_momentum, p.to_momentum));
  return std::vector<double>(base_lrs_.size(), between(p.from_lr, p.to_lr));
}

}  // namespace tapir::optim
