#include "tapir/optim/cyclic_lr.h"

#include <cmath>
#include <numbers>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

namespace {

// Throws where a group's options have no momentum.
void check_momentum(const Optimizer& optimizer) {
  for (const OptimizerParamGroup& g : optimizer.param_groups()) static_cast<void>(g.options().get_momentum());
}

// What get_lrs returns must have one number per group.
void check_groups(const Optimizer& optimizer, size_t n, const char* op) {
  TAPIR_CHECK_AS(
      ValueError, optimizer.param_groups().size() == n,
      "{}: made for {} parameter groups, there are {}; make the scheduler after the last add_param_group", op,
      n, optimizer.param_groups().size());
}

}  // namespace

CyclicLR::CyclicLR(Optimizer& optimizer, CyclicLROptions options)
    : LRScheduler(optimizer), options_(std::move(options)) {
  CyclicLROptions& o = options_;
  const size_t n = optimizer.param_groups().size();
  const int64_t up = o.step_size_up(), down = o.step_size_down().value_or(up);
  TAPIR_CHECK_AS(ValueError, up > 0 && down > 0,
                 "CyclicLR: step_size_up is {}, step_size_down {}, expected at least 1", up, down);
  o.step_size_down(down);
  const std::vector<double> base = o.base_lr().of(n, "CyclicLR", "base_lr");
  max_lrs_ = o.max_lr().of(n, "CyclicLR", "max_lr");
  if (o.cycle_momentum()) {
    base_momenta_ = o.base_momentum().of(n, "CyclicLR", "base_momentum");
    max_momenta_ = o.max_momentum().of(n, "CyclicLR", "max_momentum");
    check_momentum(optimizer);
  }
  base_lrs_ = base;
  if (is_first()) set_initial_lrs(base);  // as in PyTorch
  CyclicLR::start();
}

double CyclicLR::scale(double cycle) const {
  const auto t = static_cast<double>(last_epoch_);
  if (options_.scale_fn())
    return options_.scale_fn()(options_.scale_mode() == CyclicScaleMode::kCycle ? cycle : t);
  switch (options_.mode()) {
    case CyclicMode::kTriangular:
      return 1;
    case CyclicMode::kTriangular2:
      return 1 / std::pow(2.0, cycle - 1);
    case CyclicMode::kExpRange:
      return std::pow(options_.gamma(), t);
  }
  return 1;
}

std::vector<double> CyclicLR::get_lrs() {
  check_groups(optimizer(), base_lrs_.size(), "CyclicLR");
  const auto up = static_cast<double>(options_.step_size_up()),
             total = up + static_cast<double>(*options_.step_size_down());
  const double ratio = up / total, t = static_cast<double>(last_epoch_) / total;
  const double cycle = std::floor(1 + t), x = 1 + t - cycle;
  const double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
  const double scaled = scale(cycle);
  std::vector<double> lrs, momenta;
  for (size_t i = 0; i < base_lrs_.size(); ++i)
    lrs.push_back(base_lrs_[i] + (max_lrs_[i] - base_lrs_[i]) * height * scaled);
  for (size_t i = 0; i < base_momenta_.size(); ++i)
    momenta.push_back(max_momenta_[i] - (max_momenta_[i] - base_momenta_[i]) * height * scaled);
  set_momenta(momenta);
  return lrs;
}

void CyclicLR::visit(FieldVisitor& visitor) {
  LRScheduler::visit(visitor);
  if (options_.cycle_momentum()) visit_momenta(visitor);
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, OneCycleLROptions options)
    : LRScheduler(optimizer), options_(std::move(options)) {
  auto& o = options_;
  const size_t n = optimizer.param_groups().size();
  if (o.total_steps() == 0) o.total_steps(o.epochs() * o.steps_per_epoch());
  TAPIR_CHECK_AS(
      ValueError, o.total_steps() > 0,
      "OneCycleLR: got total_steps {}, epochs {} and steps_per_epoch {}; give total_steps, or the other two",
      o.total_steps(), o.epochs(), o.steps_per_epoch());
  TAPIR_CHECK_AS(ValueError, o.pct_start() >= 0 && o.pct_start() <= 1,
                 "OneCycleLR: pct_start is {}, expected a number in [0, 1]", o.pct_start());
  max_lrs_ = o.max_lr().of(n, "OneCycleLR", "max_lr");
  if (o.cycle_momentum()) {
    base_momenta_ = o.base_momentum().of(n, "OneCycleLR", "base_momentum");
    max_momenta_ = o.max_momentum().of(n, "OneCycleLR", "max_momentum");
    check_momentum(optimizer);
  }
  for (size_t i = 0; i < n; ++i) base_lrs_[i] = max_lrs_[i] / o.div_factor();
  set_initial_lrs(base_lrs_);
  OneCycleLR::start();
}

std::vector<double> OneCycleLR::get_lrs() {
  const auto& o = options_;
  const auto total = static_cast<double>(o.total_steps()), t = static_cast<double>(last_epoch_);
  TAPIR_CHECK_AS(ValueError, last_epoch_ <= o.total_steps(), "OneCycleLR: step {} of a schedule of {} steps",
                 last_epoch_, o.total_steps());
  check_groups(optimizer(), base_lrs_.size(), "OneCycleLR");
  // Where each phase ends, and what it goes from and to.
  enum Rate { kInitial, kMax, kFinal };
  enum Momentum { kLow, kHigh };
  struct Phase {
    double last;
    Rate from, to;
    Momentum from_momentum, to_momentum;
  };
  const double rise = o.pct_start() * total - 1;
  std::vector<Phase> phases = {{rise, kInitial, kMax, kHigh, kLow}};
  if (o.three_phase()) {
    phases.push_back({2 * o.pct_start() * total - 2, kMax, kInitial, kLow, kHigh});
    phases.push_back({total - 1, kInitial, kFinal, kHigh, kHigh});
  } else {
    phases.push_back({total - 1, kMax, kFinal, kLow, kHigh});
  }
  size_t p = 0;
  double begin = 0;
  while (p + 1 < phases.size() && t > phases[p].last) begin = phases[p++].last;
  const Phase& phase = phases[p];
  const double done = (t - begin) / (phase.last - begin);
  const auto between = [&](double from, double to) {
    return o.anneal_strategy() == Annealing::kLinear
               ? (to - from) * done + from
               : to + (from - to) / 2.0 * (std::cos(std::numbers::pi * done) + 1);
  };
  std::vector<double> lrs, momenta;
  for (size_t i = 0; i < max_lrs_.size(); ++i) {
    const double rates[] = {base_lrs_[i], max_lrs_[i], base_lrs_[i] / o.final_div_factor()};
    lrs.push_back(between(rates[phase.from], rates[phase.to]));
  }
  for (size_t i = 0; i < max_momenta_.size(); ++i) {
    const double two[] = {base_momenta_[i], max_momenta_[i]};
    momenta.push_back(between(two[phase.from_momentum], two[phase.to_momentum]));
  }
  set_momenta(momenta);
  return lrs;
}

void OneCycleLR::visit(FieldVisitor& visitor) {
  LRScheduler::visit(visitor);
  if (options_.cycle_momentum()) visit_momenta(visitor);
}

}  // namespace tapir::optim
