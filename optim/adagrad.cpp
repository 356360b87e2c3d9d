#include "tapir/optim/adagrad.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void AdagradOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("lr_decay", lr_decay_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("initial_accumulator_value", initial_accumulator_value_);
  visitor.field("eps", eps_);
  visitor.field("maximize", maximize_);
}

void AdagradOptions::check() const {
  detail::check_not_negative("Adagrad", {{"lr", lr_},
                                         {"lr_decay", lr_decay_},
                                         {"weight_decay", weight_decay_},
                                         {"initial_accumulator_value", initial_accumulator_value_},
                                         {"eps", eps_}});
}

void AdagradParamState::visit(FieldVisitor& visitor) {
  visitor.field("sum", sum_);
  visitor.field("step", step_);
}

Update Adagrad::formula() const { return Update::Adagrad; }

Adagrad::TakesRows Adagrad::takes_rows(const OptimizerOptions& options) const {
  const auto& o = static_cast<const AdagradOptions&>(options);
  return o.weight_decay() == 0 ? TakesRows::kYes : TakesRows::kNo;
}

void Adagrad::plan(const Tensor& param, const AdagradOptions& o, AdagradParamState& state,
                   UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.sum(), param, o.initial_accumulator_value());
  const auto t = static_cast<double>(++state.step());
  detail::set_factors(update, {-o.lr() / (1 + (t - 1) * o.lr_decay()), o.eps()});
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
