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
  detail::check_option("SGD", "lr", lr_, lr_ >= 0, "at least 0");
  detail::check_option("SGD", "momentum", momentum_, momentum_ >= 0, "at least 0");
  detail::check_option("SGD", "weight_decay", weight_decay_, weight_decay_ >= 0, "at least 0");
  detail::check_option("SGD", "momentum", momentum_, !nesterov_ || momentum_ > 0,
                       "more than 0 with nesterov");
  detail::check_option("SGD", "dampening", dampening_, !nesterov_ || dampening_ == 0, "0 with nesterov");
}

void SGDParamState::visit(FieldVisitor& visitor) { visitor.field("momentum_buffer", momentum_buffer); }

SGD::SGD(std::vector<Tensor> params, SGDOptions defaults) : Optimizer(std::move(params), defaults.clone()) {}
SGD::SGD(const std::vector<OptimizerParamGroup>& groups, SGDOptions defaults)
    : Optimizer(groups, defaults.clone()) {}

std::unique_ptr<OptimizerParamState> SGD::make_state() const { return std::make_unique<SGDParamState>(); }
bool SGD::takes(const OptimizerOptions& options) const {
  return dynamic_cast<const SGDOptions*>(&options) != nullptr;
}

void SGD::update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
                 OptimizerParamState& state) {
  const auto& o = static_cast<const SGDOptions&>(options);
  Tensor& buffer = static_cast<SGDParamState&>(state).momentum_buffer;
  SgdArgs args;
  args.first_step = o.momentum() != 0 && !buffer.defined();
  if (args.first_step) buffer = Tensor::empty(param.sizes(), param.dtype(), param.device());
  args.dtype = param.dtype();
  args.momentum_buffer = o.momentum() != 0 ? buffer.data_ptr() : nullptr;
  args.n = param.numel();
  args.lr = o.lr();
  args.momentum = o.momentum();
  args.dampening = o.dampening();
  args.weight_decay = o.weight_decay();
  args.nesterov = o.nesterov();
  args.maximize = o.maximize();
  detail::update_contiguous(param, grad, [&](void* p, const void* g) {
    args.param = p;
    args.grad = g;
    kernels(param.device()).sgd(args);
  });
}

}  // namespace tapir::optim
