#include "tapir/optim/combined_lr.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"

namespace tapir::optim {

namespace {

using Schedulers = std::vector<std::shared_ptr<LRScheduler>>;

// The schedulers' optimizer.
Optimizer& optimizer_of(const Schedulers& schedulers, const char* op) {
  TAPIR_CHECK_AS(ValueError, !schedulers.empty(), "{}: got no schedulers", op);
  for (size_t i = 0; i < schedulers.size(); ++i) {
    TAPIR_CHECK_AS(ValueError, schedulers[i] != nullptr, "{}: scheduler {} is a null pointer", op, i);
    TAPIR_CHECK_AS(ValueError, &schedulers[i]->optimizer() == &schedulers[0]->optimizer(),
                   "{}: schedulers 0 and {} have different optimizers, expected one", op, i);
  }
  return schedulers[0]->optimizer();
}

// Shows another's fields under a longer name.
struct Prefixed final : FieldVisitor {
  Prefixed(FieldVisitor& v, std::string p) : visitor(v), prefix(std::move(p)) {}
  using FieldVisitor::field;
  void field(const char* name, double& value) override { visitor.field((prefix + name).c_str(), value); }
  void field(const char* name, Tensor& value) override { visitor.field((prefix + name).c_str(), value); }
  FieldVisitor& visitor;
  std::string prefix;
};

void visit_each(const Schedulers& schedulers, FieldVisitor& visitor) {
  for (size_t i = 0; i < schedulers.size(); ++i) {
    Prefixed prefixed(visitor, fmt::format("schedulers.{}.", i));
    schedulers[i]->visit(prefixed);
  }
}

}  // namespace

ChainedScheduler::ChainedScheduler(Schedulers schedulers)
    : LRScheduler(optimizer_of(schedulers, "ChainedScheduler")), schedulers_(std::move(schedulers)) {}

void ChainedScheduler::step() {
  for (const auto& s : schedulers_) s->step();
  LRScheduler::step();
}
std::vector<double> ChainedScheduler::get_lrs() { return get_current_lrs(); }

void ChainedScheduler::start() {
  for (const auto& s : schedulers_) s->start();
  LRScheduler::start();
}

void ChainedScheduler::visit(FieldVisitor& visitor) {
  LRScheduler::visit(visitor);
  visit_each(schedulers_, visitor);
}

SequentialLR::SequentialLR(Optimizer& optimizer, Schedulers schedulers, std::vector<int64_t> milestones)
    : LRScheduler(optimizer), schedulers_(std::move(schedulers)), milestones_(std::move(milestones)) {
  TAPIR_CHECK_AS(ValueError, &optimizer_of(schedulers_, "SequentialLR") == &optimizer,
                 "SequentialLR: the schedulers have another optimizer");
  TAPIR_CHECK_AS(ValueError, milestones_.size() + 1 == schedulers_.size(),
                 "SequentialLR: got {} schedulers and {} milestones, expected one milestone fewer",
                 schedulers_.size(), milestones_.size());
  TAPIR_CHECK_AS(ValueError, std::is_sorted(milestones_.begin(), milestones_.end()),
                 "SequentialLR: the milestones do not rise");
  set_lrs(base_lrs_);
  SequentialLR::start();
}

void SequentialLR::step() {
  const int64_t t = last_epoch_ + 1;
  const auto i =
      static_cast<size_t>(std::upper_bound(milestones_.begin(), milestones_.end(), t) - milestones_.begin());
  LRScheduler& s = *schedulers_[i];
  if (i > 0 && milestones_[i - 1] == t) {
    s.restart();
  } else {
    s.step();
  }
  LRScheduler::step();
}
std::vector<double> SequentialLR::get_lrs() { return get_current_lrs(); }

void SequentialLR::start() {
  for (const auto& s : schedulers_) s->last_epoch_ = -1;  // begun by the first step() or restart()
  schedulers_[0]->start();
  LRScheduler::start();
}

void SequentialLR::visit(FieldVisitor& visitor) {
  LRScheduler::visit(visitor);
  visit_each(schedulers_, visitor);
}

}  // namespace tapir::optim
