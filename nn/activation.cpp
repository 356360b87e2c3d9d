#include "tapir/nn/activation.h"

#include <ostream>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"

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

namespace {
const char* in_place(bool yes, bool first = false) {
  return !yes ? "" : first ? "inplace=true" : ", inplace=true";
}
}  // namespace

void ELUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::ELU("
         << "alpha=" << options.alpha() << in_place(options.inplace()) << ")";
}
Tensor ELUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::elu(std::move(input), options);
}
void SELUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::SELU(" << in_place(options.inplace(), true) << ")";
}
Tensor SELUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::selu(std::move(input), options);
}
void CELUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::CELU("
         << "alpha=" << options.alpha() << in_place(options.inplace()) << ")";
}
Tensor CELUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::celu(std::move(input), options);
}
void HardsigmoidImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Hardsigmoid(" << in_place(options.inplace(), true) << ")";
}
Tensor HardsigmoidImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::hardsigmoid(std::move(input), options);
}
void HardswishImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Hardswish(" << in_place(options.inplace(), true) << ")";
}
Tensor HardswishImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::hardswish(std::move(input), options);
}
void LeakyReLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::LeakyReLU("
         << "negative_slope=" << options.negative_slope() << in_place(options.inplace()) << ")";
}
Tensor LeakyReLUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::leaky_relu(std::move(input), options);
}
void ReLU6Impl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::ReLU6(" << in_place(options.inplace(), true) << ")";
}
Tensor ReLU6Impl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::relu6(std::move(input), options);
}
void HardtanhImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Hardtanh("
         << "min_val=" << options.min_val() << ", max_val=" << options.max_val()
         << in_place(options.inplace()) << ")";
}
Tensor HardtanhImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::hardtanh(std::move(input), options);
}
void ThresholdImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Threshold("
         << "threshold=" << options.threshold() << ", value=" << options.value()
         << in_place(options.inplace()) << ")";
}
Tensor ThresholdImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::threshold(std::move(input), options);
}
void GELUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::GELU("
         << ")";
}
Tensor GELUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::gelu(std::move(input), options);
}
void GLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::GLU("
         << "dim=" << options.dim() << ")";
}
Tensor GLUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::glu(std::move(input), options);
}
void HardshrinkImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Hardshrink(" << options.lambda() << ")";
}
Tensor HardshrinkImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::hardshrink(std::move(input), options);
}
void SoftshrinkImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Softshrink(" << options.lambda() << ")";
}
Tensor SoftshrinkImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::softshrink(std::move(input), options);
}
void SoftplusImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Softplus("
         << "beta=" << options.beta() << ", threshold=" << options.threshold() << ")";
}
Tensor SoftplusImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::softplus(std::move(input), options);
}
void LogSigmoidImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::LogSigmoid("
         << ")";
}
Tensor LogSigmoidImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return log_sigmoid(input);
}
void MishImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Mish("
         << ")";
}
Tensor MishImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return mish(input);
}
void SiLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::SiLU("
         << ")";
}
Tensor SiLUImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return silu(input);
}
void SoftsignImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Softsign("
         << ")";
}
Tensor SoftsignImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return softsign(input);
}
void TanhshrinkImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Tanhshrink("
         << ")";
}
Tensor TanhshrinkImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tanhshrink(input);
}
void SoftmaxImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Softmax("
         << "dim=" << options.dim() << ")";
}
Tensor SoftmaxImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return softmax(input, options.dim());
}
void SoftminImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Softmin("
         << "dim=" << options.dim() << ")";
}
Tensor SoftminImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return softmax(neg(input), options.dim());
}
void LogSoftmaxImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::LogSoftmax("
         << "dim=" << options.dim() << ")";
}
Tensor LogSoftmaxImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return log_softmax(input, options.dim());
}
void PReLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::PReLU("
         << "num_parameters=" << options.num_parameters() << ")";
}
Tensor PReLUImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return prelu(input, weight);
}
void PReLUImpl::reset() {
  TAPIR_CHECK_AS(ValueError, options.num_parameters() > 0,
                 "PReLU: num_parameters is {}, expected more than 0", options.num_parameters());
  weight = register_parameter("weight", Tensor::empty({options.num_parameters()}, get_default_dtype()));
  init::constant_(weight, options.init());
}
void HardtanhImpl::reset() {
  TAPIR_CHECK_AS(ValueError, options.min_val() < options.max_val(),
                 "Hardtanh: min_val is {}, expected less than max_val, {}", options.min_val(),
                 options.max_val());
}
void RReLUImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::RReLU(lower=" << options.lower() << ", upper=" << options.upper()
         << in_place(options.inplace()) << ")";
}
Tensor RReLUImpl::forward(Tensor input) {
  CallSite site(TAPIR_HERE);
  return functional::rrelu(std::move(input), functional::RReLUFuncOptions()
                                                 .lower(options.lower())
                                                 .upper(options.upper())
                                                 .training(is_training())
                                                 .inplace(options.inplace()));
}
void Softmax2dImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Softmax2d()"; }
Tensor Softmax2dImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() == 3 || input.dim() == 4,
                 "Softmax2d: got sizes {}, expected (N, C, H, W) or (C, H, W)", input.sizes());
  return softmax(input, -3);
}

}  // namespace tapir::nn
