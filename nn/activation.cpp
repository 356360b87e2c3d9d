#include "tapir/nn/activation.h"

#include <ostream>

#include "tapir/autograd/functions/pointwise.h"

namespace tapir::nn {

void ReLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::ReLU(" << (options.inplace() ? "inplace" : "") << ")";
}
Tensor ReLUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return options.inplace() ? input.relu_() : relu(input);
}

void TanhImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Tanh()"; }
Tensor TanhImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tanh(input);
}

void SigmoidImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Sigmoid()"; }
Tensor SigmoidImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return sigmoid(input);
}

}  // namespace tapir::nn
