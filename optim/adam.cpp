#include "tapir/optim/adam.h"

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
  const auto [beta1, beta2] = betas_;
  detail::check_option("Adam", "lr", lr_, lr_ >= 0, "at least 0");
  detail::check_option("Adam", "beta1", beta1, beta1 >= 0 && beta1 < 1, "a number in [0, 1)");
  detail::check_option("Adam", "beta2", beta2, beta2 >= 0 && beta2 < 1, "a number in [0, 1)");
  detail::check_option("Adam", "eps", eps_, eps_ >= 0, "at least 0");
  detail::check_option("Adam", "weight_decay", weight_decay_, weight_decay_ >= 0, "at least 0");
}

void AdamParamState::visit(FieldVisitor& visitor) {
  visitor.field("step", step);
  visitor.field("exp_avg", exp_avg);
  visitor.field("exp_avg_sq", exp_avg_sq);
  visitor.field("max_exp_avg_sq", max_exp_avg_sq);
}

void detail::adam_update(const Tensor& param, const Tensor& grad, AdamArgs& args, bool amsgrad,
                         AdamParamState& state) {
  ensure_zeros(state.exp_avg, param);
  ensure_zeros(state.exp_avg_sq, param);
  if (amsgrad) ensure_zeros(state.max_exp_avg_sq, param);
  args.dtype = param.dtype();
  args.exp_avg = state.exp_avg.data_ptr();
  args.exp_avg_sq = state.exp_avg_sq.data_ptr();
  args.max_exp_avg_sq = amsgrad ? state.max_exp_avg_sq.data_ptr() : nullptr;
  args.n = param.numel();
  args.step = state.step + 1;
  update_contiguous(param, grad, [&](void* p, const void* g) {
    args.param = p;
    args.grad = g;
    kernels(param.device()).adam(args);
  });
  ++state.step;
}

Adam::Adam(std::vector<Tensor> params, AdamOptions defaults)
    : Optimizer(std::move(params), defaults.clone()) {}
Adam::Adam(const std::vector<OptimizerParamGroup>& groups, AdamOptions defaults)
    : Optimizer(groups, defaults.clone()) {}

std::unique_ptr<OptimizerParamState> Adam::make_state() const { return std::make_unique<AdamParamState>(); }
bool Adam::takes(const OptimizerOptions& options) const {
  return dynamic_cast<const AdamOptions*>(&options) != nullptr;
}

void Adam::update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
                  OptimizerParamState& state) {
  const auto& o = static_cast<const AdamOptions&>(options);
  AdamArgs args;
  args.lr = o.lr();
  std::tie(args.beta1, args.beta2) = o.betas();
  args.eps = o.eps();
  args.weight_decay = o.weight_decay();
  args.maximize = o.maximize();
  args.decoupled = false;
  detail::adam_update(param, grad, args, o.amsgrad(), static_cast<AdamParamState&>(state));
}

}  // namespace tapir::optim
