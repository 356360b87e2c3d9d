#include "tapir/optim/sparse_adam.h"

#include <cmath>

#include "tapir/optim/update.h"

namespace tapir::optim {

void SparseAdamOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("maximize", maximize_);
}

void SparseAdamOptions::check() const {
  detail::check_not_negative("SparseAdam", {{"lr", lr_}, {"eps", eps_}});
  detail::check_betas("SparseAdam", betas_);
}

Update SparseAdam::formula() const { return Update::Adam; }

SparseAdam::TakesRows SparseAdam::takes_rows(const OptimizerOptions&) const { return TakesRows::kOnly; }

void SparseAdam::plan(const Tensor& param, const SparseAdamOptions& o, AdamParamState& state,
                      UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.exp_avg(), param);
  update.states[1] = detail::use_state(state.exp_avg_sq(), param);
  const auto t = static_cast<double>(++state.step());
  const auto [beta1, beta2] = o.betas();
  const double correction1 = 1 - std::pow(beta1, t), correction2 = 1 - std::pow(beta2, t);
  detail::set_factors(update, {1, beta1, 1 - beta1, beta2, 1 - beta2,
                               -o.lr() * std::sqrt(correction2) / correction1, o.eps()});
  update.maximize = o.maximize();
}

}  // namespace tapir::optim
