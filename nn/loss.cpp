#include "tapir/nn/loss.h"

#include <ostream>

#include "tapir/autograd/node.h"

namespace tapir::nn {

namespace {
// The same memory under an identity of its own, so that a clone does not change the original's buffer.
Tensor own(const Tensor& t) { return t.defined() ? t.detach() : t; }
}  // namespace

CrossEntropyLossImpl::CrossEntropyLossImpl(CrossEntropyLossOptions o) : options(std::move(o)) {
  CrossEntropyLossImpl::reset();
}
void CrossEntropyLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void CrossEntropyLossImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CrossEntropyLoss()";
}
Tensor CrossEntropyLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::cross_entropy(input, target, CrossEntropyLossOptions(options).weight(weight));
}

NLLLossImpl::NLLLossImpl(NLLLossOptions o) : options(std::move(o)) { NLLLossImpl::reset(); }
void NLLLossImpl::reset() { weight = register_buffer("weight", own(options.weight())); }
void NLLLossImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::NLLLoss()"; }
Tensor NLLLossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::nll_loss(input, target, NLLLossOptions(options).weight(weight));
}

void MSELossImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::MSELoss()"; }
Tensor MSELossImpl::forward(const Tensor& input, const Tensor& target) {
  CallSite site(TAPIR_HERE);
  return functional::mse_loss(input, target, options);
}

}  // namespace tapir::nn
