#include "tapir/optim/radam.h"

#include <cmath>

#include "tapir/optim/update.h"

namespace tapir::optim {

void RAdamOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("decoupled_weight_decay", decoupled_weight_decay_);
  visitor.field("maximize", maximize_);
}

void RAdamOptions::check() const {
  detail::check_not_negative("RAdam", {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}});
  detail::check_betas("RAdam", betas_);
}

void RAdamParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("exp_avg", exp_avg_);
  visitor.field("exp_avg_sq", exp_avg_sq_);
}

Update RAdam::formula() const { return Update::RAdam; }

void RAdam::plan(const Tensor& param, const RAdamOptions& o, RAdamParamState& state,
                 UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.exp_avg(), param);
  update.states[1] = detail::use_state(state.exp_avg_sq(), param);
  const auto t = static_cast<double>(++state.step());
  const auto [beta1, beta2] = o.betas();
  const double correction2 = 1 - std::pow(beta2, t), n = 2 / (1 - beta2) - 1;
  const double r = n - 2 * t * std::pow(beta2, t) / correction2;
  double rate = -o.lr() / (1 - std::pow(beta1, t));
  update.flag = r > 5;
  if (update.flag)
    rate *= std::sqrt((r - 4) * (r - 2) * n / ((n - 4) * (n - 2) * r)) * std::sqrt(correction2);
  detail::set_factors(update, {o.decoupled_weight_decay() ? 1 - o.lr() * o.weight_decay() : 1, beta1,
                               1 - beta1, beta2, 1 - beta2, o.eps(), rate});
  update.maximize = o.maximize();
  if (!o.decoupled_weight_decay()) update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
