#include "tapir/nn/functional_activation.h"

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::nn::functional {

Tensor elu(Tensor input, const ELUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::elu_(input, o.alpha()) : tapir::elu(input, o.alpha());
}
Tensor selu(Tensor input, const SELUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::selu_(input) : tapir::selu(input);
}
Tensor celu(Tensor input, const CELUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::celu_(input, o.alpha()) : tapir::celu(input, o.alpha());
}
Tensor hardtanh(Tensor input, const HardtanhFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::hardtanh_(input, o.min_val(), o.max_val())
                     : tapir::hardtanh(input, o.min_val(), o.max_val());
}
Tensor hardsigmoid(Tensor input, const HardsigmoidFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::hardsigmoid_(input) : tapir::hardsigmoid(input);
}
Tensor hardswish(Tensor input, const HardswishFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::hardswish_(input) : tapir::hardswish(input);
}
Tensor leaky_relu(Tensor input, const LeakyReLUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::leaky_relu_(input, o.negative_slope())
                     : tapir::leaky_relu(input, o.negative_slope());
}
Tensor relu6(Tensor input, const ReLU6FuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::relu6_(input) : tapir::relu6(input);
}
Tensor rrelu(Tensor input, const RReLUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? tapir::rrelu_(input, o.lower(), o.upper(), o.training())
                     : tapir::rrelu(input, o.lower(), o.upper(), o.training());
}
Tensor gelu(const Tensor& input, const GELUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::gelu(input, o.approximate());
}
Tensor glu(const Tensor& input, const GLUFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::glu(input, o.dim());
}
Tensor hardshrink(const Tensor& input, const HardshrinkFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::hardshrink(input, o.lambda());
}
Tensor softplus(const Tensor& input, const SoftplusFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::softplus(input, o.beta(), o.threshold());
}
Tensor softshrink(const Tensor& input, const SoftshrinkFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::softshrink(input, o.lambda());
}
Tensor logsigmoid(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::log_sigmoid(input);
}
Tensor mish(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::mish(input);
}
Tensor silu(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::silu(input);
}
Tensor softsign(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::softsign(input);
}
Tensor tanhshrink(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::tanhshrink(input);
}
Tensor prelu(const Tensor& input, const Tensor& weight) {
  CallSite site(TAPIR_HERE);
  return tapir::prelu(input, weight);
}
Tensor threshold(Tensor input, const ThresholdFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  const auto cut = [&](const Tensor& x) -> Tensor {
    return where(le(x, Scalar(o.threshold())), Scalar(o.value()), x);
  };
  if (!o.inplace()) return cut(input);
  detail::assign_inplace(input, "threshold_", cut);
  return input;
}
Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  logits.layout_of().wrap_dim(o.dim(), "gumbel_softmax");
  // -log of an exponential is Gumbel's distribution. PyTorch draws the exponential as such, which takes other
  // random numbers than -log(1 - u) of a uniform u.
  const Tensor drawn = Tensor::empty(logits.sizes(), logits.dtype(), logits.device());
  raw::exponential_(drawn);
  const Tensor noise = -log(drawn);
  const Tensor soft = tapir::softmax(div(add(logits, noise), Scalar(o.tau())), o.dim());
  if (!o.hard()) return soft;
  const Tensor at = std::get<1>(max(soft.detach(), o.dim(), true));
  const Tensor zeros = raw::zeros(soft.sizes(), soft.dtype(), soft.device());
  const Tensor hard = scatter_add(zeros, o.dim(), at, raw::full(at.sizes(), 1, soft.dtype(), soft.device()));
  return add(sub(hard, soft.detach()), soft);
}

}  // namespace tapir::nn::functional
