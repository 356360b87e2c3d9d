#include "tapir/optim/adamax.h"

#include <cmath>

#include "tapir/optim/update.h"

namespace tapir::optim {

void AdamaxOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("maximize", maximize_);
}

void AdamaxOptions::check() const {
  detail::check_not_negative("Adamax", {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}});
  detail::check_betas("Adamax", betas_);
}

void AdamaxParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("exp_avg", exp_avg_);
  visitor.field("exp_inf", exp_inf_);
}

Update Adamax::formula() const { return Update::Adamax; }

void Adamax::plan(const Tensor& param, const AdamaxOptions& o, AdamaxParamState& state,
                  UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.exp_avg(), param);
  update.states[1] = detail::use_state(state.exp_inf(), param);
  const auto t = static_cast<double>(++state.step());
  const auto [beta1, beta2] = o.betas();
  detail::set_factors(update, {beta1, 1 - beta1, beta2, o.eps(), -o.lr() / (1 - std::pow(beta1, t))});
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
