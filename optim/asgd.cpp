#include "tapir/optim/asgd.h"

#include <algorithm>
#include <cmath>

#include "tapir/optim/update.h"

namespace tapir::optim {

void ASGDOptions::visit(FieldVisitor& visitor) {
  visitor.field("lr", lr_);
  visitor.field("lambd", lambd_);
  visitor.field("alpha", alpha_);
  visitor.field("t0", t0_);
  visitor.field("weight_decay", weight_decay_);
  visitor.field("maximize", maximize_);
}

void ASGDOptions::check() const {
  detail::check_not_negative("ASGD", {{"lr", lr_}, {"weight_decay", weight_decay_}});
}

void ASGDParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step_);
  visitor.field("eta", eta_);
  visitor.field("mu", mu_);
  visitor.field("ax", ax_);
}

Update ASGD::formula() const { return Update::Asgd; }

void ASGD::plan(const Tensor& param, const ASGDOptions& o, ASGDParamState& state,
                UpdateTensor& update) const {
  update.states[0] = detail::use_state(state.ax(), param);
  const auto t = static_cast<double>(++state.step());
  const double eta = state.step() == 1 ? o.lr() : state.eta();
  detail::set_factors(update, {1 - o.lambd() * eta, -eta, state.mu()});
  update.flag = state.mu() == 1;
  state.eta(o.lr() / std::pow(1 + o.lambd() * o.lr() * t, o.alpha()));
  state.mu(1 / std::max(1.0, t - o.t0()));
  update.maximize = o.maximize();
  update.weight_decay = o.weight_decay();
}

}  // namespace tapir::optim
