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
  const auto [beta1, beta2] = betas_;
  detail::check_option("AdamW", "lr", lr_, lr_ >= 0, "at least 0");
  detail::check_option("AdamW", "beta1", beta1, beta1 >= 0 && beta1 < 1, "a number in [0, 1)");
  detail::check_option("AdamW", "beta2", beta2, beta2 >= 0 && beta2 < 1, "a number in [0, 1)");
  detail::check_option("AdamW", "eps", eps_, eps_ >= 0, "at least 0");
  detail::check_option("AdamW", "weight_decay", weight_decay_, weight_decay_ >= 0, "at least 0");
}

AdamW::AdamW(std::vector<Tensor> params, AdamWOptions defaults)
    : Optimizer(std::move(params), defaults.clone()) {}
AdamW::AdamW(const std::vector<OptimizerParamGroup>& groups, AdamWOptions defaults)
    : Optimizer(groups, defaults.clone()) {}

std::unique_ptr<OptimizerParamState> AdamW::make_state() const { return std::make_unique<AdamWParamState>(); }
bool AdamW::takes(const OptimizerOptions& options) const {
  return dynamic_cast<const AdamWOptions*>(&options) != nullptr;
}

void AdamW::update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
                   OptimizerParamState& state) {
  const auto& o = static_cast<const AdamWOptions&>(options);
  AdamArgs args;
  args.lr = o.lr();
  std::tie(args.beta1, args.beta2) = o.betas();
  args.eps = o.eps();
  args.weight_decay = o.weight_decay();
  args.maximize = o.maximize();
  args.decoupled = true;
  detail::adam_update(param, grad, args, o.amsgrad(), static_cast<AdamParamState&>(state));
}

}  // namespace tapir::optim
