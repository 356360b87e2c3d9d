#include "tapir/optim/adadelta.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void AdadeltaOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("rho", rho_);
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("maximize", maximize_);
}

void AdadeltaOptions::check() const {
  detail::check_not_negative("Adadelta", {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}});
  detail::check_option("Adadelta", "rho", rho_, rho_ >= 0 && rho_ <= 1, "a number in [0, 1]");
}

void AdadeltaParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("square_avg", square_avg_);
  visitor.field("acc_delta", acc_delta_);
}

Update Adadelta::formula() const { return Update::Adadelta; }

void Adadelta::plan(const Tensor& param, const AdadeltaOptions& o, AdadeltaParamState& state,
                    UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.square_avg(), param);
  update.states[1] = detail::use_state(state.acc_delta(), param);
  ++state.step();
  detail::set_factors(update, {-o.lr(), o.rho(), 1 - o.rho(), o.eps()});
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
