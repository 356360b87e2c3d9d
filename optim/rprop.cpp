#include "tapir/optim/rprop.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void RpropOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("eta_minus", std::get<0>(etas_));
  visitor.field("eta_plus", std::get<1>(etas_));
  visitor.field("step_size_min", std::get<0>(step_sizes_));
  visitor.field("step_size_max", std::get<1>(step_sizes_));
  visitor.field("maximize", maximize_);
}

void RpropOptions::check() const {
  detail::check_not_negative("Rprop", {{"lr", lr_}});
  detail::check_option("Rprop", "eta minus", std::get<0>(etas_),
                       std::get<0>(etas_) > 0 && std::get<0>(etas_) < 1, "a number in (0, 1)");
  detail::check_option("Rprop", "eta plus", std::get<1>(etas_), std::get<1>(etas_) > 1, "more than 1");
}

void RpropParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("prev", prev_);
  visitor.field("step_size", step_size_);
}

Update Rprop::formula() const { return Update::Rprop; }

void Rprop::plan(const Tensor& param, const RpropOptions& o, RpropParamState& state,
                 UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.prev(), param);
  update.states[1] = detail::use_state(state.step_size(), param, o.lr());
  ++state.step();
  const auto [shrink, grow] = o.etas();
  const auto [smallest, largest] = o.step_sizes();
  detail::set_factors(update, {shrink, grow, smallest, largest});
  update.maximize = o.maximize();
}

}  // namespace tapir::optim
