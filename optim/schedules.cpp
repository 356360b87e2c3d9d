#include "tapir/optim/schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

using std::numbers::pi;

namespace {

std::vector<double> times(std::vector<double> lrs, double factor) {
  for (double& lr : lrs) lr *= factor;
  return lrs;
}

std::vector<LRLambda> checked(std::vector<LRLambda> lambdas, const Optimizer& optimizer, const char* op) {
  TAPIR_CHECK_AS(ValueError, lambdas.size() == optimizer.param_groups().size(),
                 "{}: got {} functions, expected {}, one per parameter group", op, lambdas.size(),
                 optimizer.param_groups().size());
  for (const LRLambda& f : lambdas) TAPIR_CHECK_AS(ValueError, f != nullptr, "{}: a function is empty", op);
  return lambdas;
}
std::vector<LRLambda> for_all(LRLambda lambda, const Optimizer& optimizer) {
  return std::vector<LRLambda>(optimizer.param_groups().size(), lambda);
}

// lrs[i] * f_i(t)
std::vector<double> times(std::vector<double> lrs, const std::vector<LRLambda>& lambdas, int64_t t) {
  TAPIR_CHECK_AS(ValueError, lrs.size() == lambdas.size(),
                 "scheduler: {} functions for {} parameter groups; make the scheduler after the last "
                 "add_param_group",
                 lambdas.size(), lrs.size());
  for (size_t i = 0; i < lrs.size(); ++i) lrs[i] *= lambdas[i](t);
  return lrs;
}

void check_positive(const char* scheduler, const char* argument, int64_t value) {
  TAPIR_CHECK_AS(ValueError, value > 0, "{}: {} is {}, expected at least 1", scheduler, argument, value);
}

}  // namespace

StepLR::StepLR(Optimizer& optimizer, int64_t step_size, double gamma)
    : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {
  check_positive("StepLR", "step_size", step_size);
}
std::vector<double> StepLR::get_lrs() {
  return times(get_current_lrs(), last_epoch_ != 0 && last_epoch_ % step_size_ == 0 ? gamma_ : 1);
}

MultiStepLR::MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma)
    : LRScheduler(optimizer), milestones_(std::move(milestones)), gamma_(gamma) {
  MultiStepLR::start();
}
std::vector<double> MultiStepLR::get_lrs() {
  const auto n = std::count(milestones_.begin(), milestones_.end(), last_epoch_);
  return times(get_current_lrs(), std::pow(gamma_, static_cast<double>(n)));
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma) : LRScheduler(optimizer), gamma_(gamma) {}
std::vector<double> ExponentialLR::get_lrs() {
  return times(get_current_lrs(), last_epoch_ == 0 ? 1 : gamma_);
}

ConstantLR::ConstantLR(Optimizer& optimizer, double factor, int64_t total_iters)
    : LRScheduler(optimizer), factor_(factor), total_iters_(total_iters) {
  TAPIR_CHECK_AS(ValueError, factor >= 0 && factor <= 1,
                 "ConstantLR: factor is {}, expected a number in [0, 1]", factor);
  ConstantLR::start();
}
std::vector<double> ConstantLR::get_lrs() {
  if (last_epoch_ == 0) return times(get_current_lrs(), factor_);
  if (last_epoch_ != total_iters_) return get_current_lrs();
  return factor_ == 0 ? base_lrs_ : times(get_current_lrs(), 1 / factor_);
}

LinearLR::LinearLR(Optimizer& optimizer, double start_factor, double end_factor, int64_t total_iters)
    : LRScheduler(optimizer),
      start_factor_(start_factor),
      end_factor_(end_factor),
      total_iters_(total_iters) {
  TAPIR_CHECK_AS(ValueError, start_factor > 0 && start_factor <= 1,
                 "LinearLR: start_factor is {}, expected a number in (0, 1]", start_factor);
  TAPIR_CHECK_AS(ValueError, end_factor >= 0 && end_factor <= 1,
                 "LinearLR: end_factor is {}, expected a number in [0, 1]", end_factor);
  check_positive("LinearLR", "total_iters", total_iters);
  LinearLR::start();
}
std::vector<double> LinearLR::get_lrs() {
  if (last_epoch_ == 0) return times(get_current_lrs(), start_factor_);
  if (last_epoch_ > total_iters_) return get_current_lrs();
  const auto t = static_cast<double>(last_epoch_), total = static_cast<double>(total_iters_);
  const double rise = end_factor_ - start_factor_;
  return times(get_current_lrs(), 1 + rise / (total * start_factor_ + (t - 1) * rise));
}

PolynomialLR::PolynomialLR(Optimizer& optimizer, int64_t total_iters, double power)
    : LRScheduler(optimizer), total_iters_(total_iters), power_(power) {
  check_positive("PolynomialLR", "total_iters", total_iters);
}
std::vector<double> PolynomialLR::get_lrs() {
  if (last_epoch_ == 0 || last_epoch_ > total_iters_) return get_current_lrs();
  const auto t = static_cast<double>(last_epoch_), total = static_cast<double>(total_iters_);
  return times(get_current_lrs(), std::pow((1 - t / total) / (1 - (t - 1) / total), power_));
}

LambdaLR::LambdaLR(Optimizer& optimizer, LRLambda lr_lambda)
    : LambdaLR(optimizer, for_all(std::move(lr_lambda), optimizer)) {}
LambdaLR::LambdaLR(Optimizer& optimizer, std::vector<LRLambda> lr_lambdas)
    : LRScheduler(optimizer), lambdas_(checked(std::move(lr_lambdas), optimizer, "LambdaLR")) {
  LambdaLR::start();
}
std::vector<double> LambdaLR::get_lrs() { return times(base_lrs_, lambdas_, last_epoch_); }

MultiplicativeLR::MultiplicativeLR(Optimizer& optimizer, LRLambda lr_lambda)
    : MultiplicativeLR(optimizer, for_all(std::move(lr_lambda), optimizer)) {}
MultiplicativeLR::MultiplicativeLR(Optimizer& optimizer, std::vector<LRLambda> lr_lambdas)
    : LRScheduler(optimizer), lambdas_(checked(std::move(lr_lambdas), optimizer, "MultiplicativeLR")) {}
std::vector<double> MultiplicativeLR::get_lrs() {
  return last_epoch_ > 0 ? times(get_current_lrs(), lambdas_, last_epoch_) : get_current_lrs();
}
void MultiplicativeLR::restart() { start(); }

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min)
    : LRScheduler(optimizer), T_max_(T_max), eta_min_(eta_min) {
  check_positive("CosineAnnealingLR", "T_max", T_max);
}
std::vector<double> CosineAnnealingLR::get_lrs() {
  std::vector<double> lrs = get_current_lrs();
  if (last_epoch_ == 0) return lrs;
  const auto t = static_cast<double>(last_epoch_), period = static_cast<double>(T_max_);
  for (size_t i = 0; i < lrs.size(); ++i) {
    double& lr = lrs[i];
    if ((last_epoch_ - 1 - T_max_) % (2 * T_max_) == 0)  // the factor below would divide by zero
      lr += (base_lrs_.at(i) - eta_min_) * (1 - std::cos(pi / period)) / 2;
    else
      lr = (1 + std::cos(pi * t / period)) / (1 + std::cos(pi * (t - 1) / period)) * (lr - eta_min_) +
           eta_min_;
  }
  return lrs;
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& optimizer, int64_t T_0, int64_t T_mult,
                                                         double eta_min)
    : LRScheduler(optimizer), T_0_(T_0), T_mult_(T_mult), eta_min_(eta_min), T_i_(T_0) {
  check_positive("CosineAnnealingWarmRestarts", "T_0", T_0);
  check_positive("CosineAnnealingWarmRestarts", "T_mult", T_mult);
  CosineAnnealingWarmRestarts::start();
}
std::vector<double> CosineAnnealingWarmRestarts::get_lrs() {
  if (last_epoch_ == 0) {
    T_cur_ = 0;
    T_i_ = T_0_;
  } else if (++T_cur_ >= T_i_) {
    T_cur_ -= T_i_;
    T_i_ *= T_mult_;
  }
  std::vector<double> lrs = base_lrs_;
  const double cosine = std::cos(pi * static_cast<double>(T_cur_) / static_cast<double>(T_i_));
  for (double& lr : lrs) lr = eta_min_ + (lr - eta_min_) * (1 + cosine) / 2;
  return lrs;
}
void CosineAnnealingWarmRestarts::visit(FieldVisitor& visitor) {
  LRScheduler::visit(visitor);
  visitor.field("T_cur", T_cur_);
  visitor.field("T_i", T_i_);
}

}  // namespace tapir::optim
