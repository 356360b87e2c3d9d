#include "tapir/nn/sequential.h"

#include <ostream>

#include "tapir/tensor/error_format.h"

namespace tapir::nn {

std::shared_ptr<Module> SequentialImpl::clone(const std::optional<Device>& device) const {
  auto copy = std::make_shared<SequentialImpl>();
  const auto names = named_children().keys();
  for (size_t i = 0; i < modules_.size(); ++i) copy->push_back(names[i], modules_[i].clone(device));
  if (!is_training()) copy->train(false);
  return copy;
}

void SequentialImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Sequential"; }

SequentialImpl::ForwardOfTensor SequentialImpl::whole_forward() {
  return &SequentialImpl::forward<Tensor, const Tensor&>;
}

Tensor SequentialImpl::map(const Tensor& x) {
  Tensor y = modules_[0].map(x);
  for (size_t i = 1; i < modules_.size(); ++i) y = modules_[i].map(y);
  return y;
}

AnyValue SequentialImpl::run(std::vector<AnyValue>&& values) {
  TAPIR_CHECK_AS(ValueError, !modules_.empty(), "Sequential: it holds no module; push_back one first");
  AnyValue result = modules_[0].forward_values(std::move(values));
  for (size_t i = 1; i < modules_.size(); ++i) {
    std::vector<AnyValue> next;
    next.push_back(std::move(result));
    result = modules_[i].forward_values(std::move(next));
  }
  return result;
}

void SequentialImpl::append(std::string name, AnyModule module) {
  register_module(std::move(name), module.ptr());
  all_map_ = (modules_.empty() || all_map_) && module.maps_tensor();
  modules_.push_back(std::move(module));
}

AnyModule& SequentialImpl::checked(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < modules_.size(), "Sequential: index {} of {} modules", index,
                 modules_.size());
  return modules_[index];
}

}  // namespace tapir::nn
