#include "tapir/optim/nadam.h"

#include <cmath>

#include "tapir/optim/update.h"

namespace tapir::optim {

void NAdamOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("momentum_decay", momentum_decay_);
  visitor.field("decoupled_weight_decay", decoupled_weight_decay_);
  visitor.field("maximize", maximize_);
}

void NAdamOptions::check() const {
  detail::check_not_negative(
      "NAdam",
      {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}, {"momentum_decay", momentum_decay_}});
  detail::check_betas("NAdam", betas_);
}

void NAdamParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("mu_product", mu_product_);
  visitor.field("exp_avg", exp_avg_);
  visitor.field("exp_avg_sq", exp_avg_sq_);
}

Update NAdam::formula() const { return Update::NAdam; }

void NAdam::plan(const Tensor& param, const NAdamOptions& o, NAdamParamState& state,
                 UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.exp_avg(), param);
  update.states[1] = detail::use_state(state.exp_avg_sq(), param);
  const auto t = static_cast<double>(++state.step());
  const auto [beta1, beta2] = o.betas();
  const auto mu = [&, beta1 = beta1](double at) {
    return beta1 * (1 - 0.5 * std::pow(0.96, at * o.momentum_decay()));
  };
  state.mu_product() *= mu(t);
  const double next = mu(t + 1), c = std::sqrt(1 - std::pow(beta2, t));
  detail::set_factors(
      update, {o.decoupled_weight_decay() ? 1 - o.lr() * o.weight_decay() : 1, 1 - beta1, beta2, 1 - beta2,
               o.eps() * c, -o.lr() * (1 - mu(t)) / (1 - state.mu_product()) * c,
               -o.lr() * next / (1 - state.mu_product() * next) * c});
  update.maximize = o.maximize();
  if (!o.decoupled_weight_decay()) update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
