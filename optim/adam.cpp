#include "tapir/optim/adam.h"

#include <cmath>

#include "tapir/optim/adamw.h"
#include "tapir/optim/update.h"

namespace tapir::optim {

void AdamOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("amsgrad", amsgrad_);
  visitor.field("maximize", maximize_);
}

void AdamOptions::check() const {
  detail::check_not_negative("Adam", {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}});
  detail::check_betas("Adam", betas_);
}

void AdamParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("exp_avg", exp_avg_);
  visitor.field("exp_avg_sq", exp_avg_sq_);
  visitor.field("max_exp_avg_sq", max_exp_avg_sq_);
}

// Adam's and AdamW's options have the same names.
template <class Options>
void detail::plan_adam(const Tensor& param, const Options& o, AdamParamState& state, UpdateTensor& update) {
  update.states[0] = use_state(state.exp_avg(), param);
  update.states[1] = use_state(state.exp_avg_sq(), param);
  if (o.amsgrad()) update.states[2] = use_state(state.max_exp_avg_sq(), param);
  const auto t = static_cast<double>(++state.step());
  const auto [beta1, beta2] = o.betas();
  const double c = std::sqrt(1 - std::pow(beta2, t));
  set_factors(update,
              {1, beta1, 1 - beta1, beta2, 1 - beta2, -o.lr() / (1 - std::pow(beta1, t)) * c, o.eps() * c});
  update.maximize = o.maximize();
}
template void detail::plan_adam(const Tensor&, const AdamOptions&, AdamParamState&, UpdateTensor&);
template void detail::plan_adam(const Tensor&, const AdamWOptions&, AdamParamState&, UpdateTensor&);

Update Adam::formula() const { return Update::Adam; }

void Adam::plan(const Tensor& param, const AdamOptions& o, AdamParamState& state,
                UpdateTensor& update) const {
  detail::plan_adam(param, o, state, update);
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
