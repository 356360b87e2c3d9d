#include "tapir/nn/functional.h"

#include "tapir/autograd/functions/dropout.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/loss.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn::functional {

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  CallSite site(TAPIR_HERE);
  return tapir::linear(input, weight, bias);
}

Tensor relu(Tensor input, const ReLUFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return options.inplace() ? input.relu_() : tapir::relu(input);
}
Tensor tanh(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::tanh(input);
}
Tensor sigmoid(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::sigmoid(input);
}

Tensor softmax(const Tensor& input, const SoftmaxFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return tapir::softmax(input, options.dim(), options.dtype());
}
Tensor log_softmax(const Tensor& input, const LogSoftmaxFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return tapir::log_softmax(input, options.dim(), options.dtype());
}

Tensor dropout(Tensor input, const DropoutFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return options.inplace() ? dropout_(input, options.p(), options.training())
                           : tapir::dropout(input, options.p(), options.training());
}

Tensor embedding(const Tensor& input, const Tensor& weight, const EmbeddingFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  int64_t padding = -1;
  if (options.padding_idx()) {
    const int64_t rows = weight.size(0);
    padding = *options.padding_idx();
    TAPIR_CHECK_AS(ValueError, padding >= -rows && padding < rows,
                   "embedding: padding_idx is {}, expected one of {} rows", padding, rows);
    if (padding < 0) padding += rows;
  }
  if (options.max_norm()) embedding_renorm_(weight, input, *options.max_norm(), options.norm_type());
  return tapir::embedding(weight, input, padding, options.scale_grad_by_freq(), options.sparse());
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const CrossEntropyFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return tapir::cross_entropy(input, target, options.weight(), static_cast<int64_t>(options.reduction()),
                              options.ignore_index(), options.label_smoothing());
}
Tensor nll_loss(const Tensor& input, const Tensor& target, const NLLLossFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return tapir::nll_loss(input, target, options.weight(), static_cast<int64_t>(options.reduction()),
                         options.ignore_index());
}
Tensor mse_loss(const Tensor& input, const Tensor& target, const MSELossFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  return tapir::mse_loss(input, target, static_cast<int64_t>(options.reduction()));
}

}  // namespace tapir::nn::functional
