#include "tapir/optim/adamw.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void AdamWOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("beta1", std::get<0>(betas_));
  visitor.field("beta2", std::get<1>(betas_));
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("amsgrad", amsgrad_);
  visitor.field("maximize", maximize_);
}

void AdamWOptions::check() const {
  detail::check_not_negative("AdamW", {{"lr", lr_}, {"eps", eps_}, {"weight_decay", weight_decay_}});
  detail::check_betas("AdamW", betas_);
}

Update AdamW::formula() const { return Update::Adam; }

void AdamW::plan(const Tensor& param, const AdamWOptions& o, AdamParamState& state,
                 UpdateTensor& update) const {
  detail::plan_adam(param, o, state, update);
  update.factors[0] = 1 - o.lr() * o.weight_decay();
}

}  // namespace tapir::optim
