#include "tapir/nn/dropout.h"

#include <ostream>

#include "tapir/autograd/node.h"
#include "tapir/nn/functional.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

DropoutImpl::DropoutImpl(const DropoutOptions& o) : options(o) { DropoutImpl::reset(); }

void DropoutImpl::reset() {
  TAPIR_CHECK_AS(ValueError, options.p() >= 0 && options.p() <= 1, "Dropout: p is {}, expected a probability",
                 options.p());
}

void DropoutImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::Dropout(p=" << options.p() << ", inplace=" << options.inplace()
         << ")";
}

Tensor DropoutImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::dropout(
      std::move(input),
      functional::DropoutFuncOptions().p(options.p()).training(is_training()).inplace(options.inplace()));
}

}  // namespace tapir::nn
