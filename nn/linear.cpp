#include "tapir/nn/linear.h"

#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

LinearImpl::LinearImpl(const LinearOptions& o) : options(o) { LinearImpl::reset(); }

void LinearImpl::reset() {
  TAPIR_CHECK_AS(ValueError, options.in_features() >= 0 && options.out_features() >= 0,
                 "Linear: got in_features {} and out_features {}, expected none to be negative",
                 options.in_features(), options.out_features());
  const DType dtype = get_default_dtype();
  weight =
      register_parameter("weight", Tensor::empty({options.out_features(), options.in_features()}, dtype));
  bias = register_parameter(
      "bias", options.bias() ? Tensor::empty({options.out_features()}, dtype) : Tensor(), options.bias());
  reset_parameters();
}

void LinearImpl::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const auto fan_in = static_cast<double>(weight.size(1));
  const double bound = fan_in > 0 ? 1 / std::sqrt(fan_in) : 0;
  init::uniform_(bias, -bound, bound);
}

void LinearImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::Linear(in_features=" << options.in_features()
         << ", out_features=" << options.out_features() << ", bias=" << options.bias() << ")";
}

Tensor LinearImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return linear(input, weight, bias);
}

void IdentityImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Identity()"; }

void FlattenImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Flatten(start_dim=" << options.start_dim() << ", end_dim=" << options.end_dim()
         << ")";
}
Tensor FlattenImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return flatten(input, options.start_dim(), options.end_dim());
}

}  // namespace tapir::nn
