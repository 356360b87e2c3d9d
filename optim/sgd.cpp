#include "tapir/optim/sgd.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void SGDOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("momentum", momentum_);
  visitor.field("dampening", dampening_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("nesterov", nesterov_);
  visitor.field("maximize", maximize_);
}

void SGDOptions::check() const {
  detail::check_not_negative("SGD", {{"lr", lr_}, {"momentum", momentum_}, {"weight_decay", weight_decay_}});
  detail::check_option("SGD", "momentum", momentum_, !nesterov_ || momentum_ > 0,
                       "more than 0 with nesterov");
  detail::check_option("SGD", "dampening", dampening_, !nesterov_ || dampening_ == 0, "0 with nesterov");
}

void SGDParamState::visit(FieldVisitor& visitor) { visitor.field("momentum_buffer", momentum_buffer_); }

Update SGD::formula() const { return Update::Sgd; }

SGD::TakesRows SGD::takes_rows(const OptimizerOptions& options) const {
  const auto& o = static_cast<const SGDOptions&>(options);
  return o.momentum() == 0 && o.weight_decay() == 0 ? TakesRows::kYes : TakesRows::kNo;
}

void SGD::plan(const Tensor& param, const SGDOptions& o, SGDParamState& state, UpdateTensor& update) const {
  const bool keeps = o.momentum() != 0, first = keeps && !state.momentum_buffer().defined();
  if (keeps) update.states[0] = detail::use_state(state.momentum_buffer(), param);
  detail::set_factors(update, {-o.lr(), o.momentum(), first ? 1 : 1 - o.dampening()});
  update.flag = o.nesterov();
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
