#include "tapir/nn/functional.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/dropout.h"
#include "tapir/autograd/functions/embedding_bag.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/loss.h"
#include "tapir/autograd/functions/loss_elementwise.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

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

Tensor softmin(const Tensor& input, const SoftminFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  input.layout_of().wrap_dim(options.dim(), "softmin");
  return tapir::softmax(neg(input), options.dim(), options.dtype());
}

Tensor dropout2d(Tensor input, const Dropout2dFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? feature_dropout_(input, o.p(), o.training())
                     : feature_dropout(input, o.p(), o.training());
}
Tensor dropout3d(Tensor input, const Dropout3dFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return dropout2d(std::move(input), o);
}
Tensor alpha_dropout(Tensor input, const AlphaDropoutFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? alpha_dropout_(input, o.p(), o.training())
                     : tapir::alpha_dropout(input, o.p(), o.training());
}
Tensor feature_alpha_dropout(Tensor input, const FeatureAlphaDropoutFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return o.inplace() ? feature_alpha_dropout_(input, o.p(), o.training())
                     : tapir::feature_alpha_dropout(input, o.p(), o.training());
}
Tensor detail::alpha_dropout(Tensor input, double p, bool training, bool inplace) {
  CallSite site(TAPIR_HERE);
  return functional::alpha_dropout(std::move(input),
                                   AlphaDropoutFuncOptions().p(p).training(training).inplace(inplace));
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

Tensor embedding_bag(const Tensor& input, const Tensor& weight, const EmbeddingBagFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  Tensor indices = input, offsets = o.offsets(), factors = o.per_sample_weights();
  TAPIR_CHECK_AS(ShapeError, !factors.defined() || factors.sizes() == input.sizes(),
                 "embedding_bag: per_sample_weights has sizes {}, expected those of input, {}",
                 factors.sizes(), input.sizes());
  if (input.dim() == 2) {
    TAPIR_CHECK_AS(ValueError, !offsets.defined(),
                   "embedding_bag: with two-dimensional input each row is a bag, and there are no offsets");
    indices = reshape(input, {-1});
    if (factors.defined()) factors = reshape(factors, {-1});
    const int64_t step = std::max<int64_t>(input.size(1), 1);
    offsets = input.size(1) > 0 ? raw::arange(0, input.size(0) * step, step, kInt64)
                                : raw::zeros({input.size(0)}, kInt64);
  } else {
    TAPIR_CHECK_AS(ShapeError, input.dim() == 1,
                   "embedding_bag: input has sizes {}, expected one or two dimensions", input.sizes());
    TAPIR_CHECK_AS(ValueError, offsets.defined(), "embedding_bag: one-dimensional input needs offsets");
  }
  if (o.max_norm()) embedding_renorm_(weight, indices, *o.max_norm(), o.norm_type());
  return std::get<0>(tapir::embedding_bag(weight, indices, offsets, o.scale_grad_by_freq(), o.mode().number(),
                                          o.sparse(), factors, input.dim() == 1 && o.include_last_offset(),
                                          o.padding_idx()));
}

Tensor pad(const Tensor& input, const PadFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  constexpr const char* kNames[] = {"constant", "reflect", "replicate", "circular"};
  return o.mode() == kConstant ? constant_pad_nd(input, o.pad(), Scalar(o.value()))
                               : tapir::pad(input, o.pad(), kNames[static_cast<size_t>(o.mode())]);
}
Tensor one_hot(const Tensor& t, int64_t num_classes) { return tapir::one_hot(t, num_classes); }
Tensor pdist(const Tensor& input, double p) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() == 2, "pdist: got sizes {}, expected (n, d)", input.sizes());
  TAPIR_CHECK_AS(ValueError, p >= 0, "pdist: p is {}, expected no negative number", p);
  const int64_t n = input.size(0);
  const Tensor pairs = triu_indices(n, n, 1).to(input.device());
  const Tensor apart =
      sub(index_select(input, 0, select(pairs, 0, 0)), index_select(input, 0, select(pairs, 0, 1)));
  return norm(apart, Scalar(p), {1});
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
