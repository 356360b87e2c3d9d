#include "tapir/optim/rmsprop.h"

#include "tapir/optim/update.h"

namespace tapir::optim {

void RMSpropOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("alpha", alpha_);
  visitor.field("eps", eps_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("momentum", momentum_);
  visitor.field("centered", centered_);
  visitor.field("maximize", maximize_);
}

void RMSpropOptions::check() const {
  detail::check_not_negative("RMSprop", {{"lr", lr_},
                                         {"alpha", alpha_},
                                         {"eps", eps_},
                                         {"weight_decay", weight_decay_},
                                         {"momentum", momentum_}});
}

void RMSpropParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("square_avg", square_avg_);
  visitor.field("momentum_buffer", momentum_buffer_);
  visitor.field("grad_avg", grad_avg_);
}

Update RMSprop::formula() const { return Update::RMSprop; }

void RMSprop::plan(const Tensor& param, const RMSpropOptions& o, RMSpropParamState& state,
                   UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.square_avg(), param);
  if (o.centered()) update.states[1] = detail::use_state(state.grad_avg(), param);
  if (o.momentum() > 0) update.states[2] = detail::use_state(state.momentum_buffer(), param);
  ++state.step();
  detail::set_factors(update, {-o.lr(), o.alpha(), 1 - o.alpha(), o.eps(), o.momentum()});
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
