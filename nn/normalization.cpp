#include "tapir/nn/normalization.h"

#include <algorithm>
#include <memory>
#include <ostream>

#include "tapir/autograd/functions/banded.h"
#include "tapir/autograd/functions/norm.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

LayerNormImpl::LayerNormImpl(LayerNormOptions o) : options(std::move(o)) { LayerNormImpl::reset(); }

void LayerNormImpl::reset() {
  TAPIR_CHECK_AS(ValueError, !options.normalized_shape().empty(), "LayerNorm: normalized_shape is empty");
  const auto make = [&] {
    return options.elementwise_affine() ? Tensor::empty(options.normalized_shape(), get_default_dtype())
                                        : Tensor();
  };
  weight = register_parameter("weight", make(), options.elementwise_affine());
  bias = register_parameter("bias", make(), options.elementwise_affine());
  reset_parameters();
}
void LayerNormImpl::reset_parameters() {
  if (!options.elementwise_affine()) return;
  init::ones_(weight);
  init::zeros_(bias);
}
void LayerNormImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::LayerNorm([";
  for (size_t i = 0; i < options.normalized_shape().size(); ++i)
    stream << (i ? ", " : "") << options.normalized_shape()[i];
  stream << "], eps=" << options.eps() << ", elementwise_affine=" << options.elementwise_affine() << ")";
}
Tensor LayerNormImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return layer_norm(input, options.normalized_shape(), weight, bias, options.eps());
}

GroupNormImpl::GroupNormImpl(const GroupNormOptions& o) : options(o) { GroupNormImpl::reset(); }

void GroupNormImpl::reset() {
  TAPIR_CHECK_AS(ValueError, options.num_groups() > 0 && options.num_channels() % options.num_groups() == 0,
                 "GroupNorm: {} groups do not divide {} channels", options.num_groups(),
                 options.num_channels());
  const auto make = [&] {
    return options.affine() ? Tensor::empty({options.num_channels()}, get_default_dtype()) : Tensor();
  };
  weight = register_parameter("weight", make(), options.affine());
  bias = register_parameter("bias", make(), options.affine());
  reset_parameters();
}
void GroupNormImpl::reset_parameters() {
  if (!options.affine()) return;
  init::ones_(weight);
  init::zeros_(bias);
}
void GroupNormImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::GroupNorm(" << options.num_groups() << ", "
         << options.num_channels() << ", eps=" << options.eps() << ", affine=" << options.affine() << ")";
}
Tensor GroupNormImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return group_norm(input, options.num_groups(), weight, bias, options.eps());
}

namespace {

/// x / (k + alpha / size * s)^beta, s the sum of x^2 over channels c - before to c + after.
Tensor response_norm(const char* op, const Tensor& x, int64_t before, int64_t after, int64_t size,
                     double alpha, double beta, double k) {
  TAPIR_CHECK_AS(ValueError, size >= 1, "{}: size is {}, expected at least 1", op, size);
  const int64_t channels = x.size(1);
  const auto sums = std::make_shared<raw::Band>();
  sums->columns = channels;
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t first = std::max<int64_t>(0, c - before), last = std::min(channels - 1, c + after);
    sums->add_row(
        first, std::vector<double>(static_cast<size_t>(last - first + 1), alpha / static_cast<double>(size)));
  }
  const Tensor s = banded(op, "LocalResponseNormBackward", mul(x, x), 1, sums, TAPIR_HERE);
  return div(x, pow(add(s, Scalar(k)), Scalar(beta)));
}
template <class Options>
void show_response_norm(std::ostream& stream, const char* name, const Options& o) {
  stream << "tapir::nn::" << name << '(' << o.size() << ", alpha=" << o.alpha() << ", beta=" << o.beta()
         << ", k=" << o.k() << ')';
}

}  // namespace

void LocalResponseNormImpl::pretty_print(std::ostream& stream) const {
  show_response_norm(stream, "LocalResponseNorm", options);
}
Tensor LocalResponseNormImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return functional::local_response_norm(input, options);
}
void CrossMapLRN2dImpl::pretty_print(std::ostream& stream) const {
  show_response_norm(stream, "CrossMapLRN2d", options);
}
Tensor CrossMapLRN2dImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() == 4,
                 "CrossMapLRN2d: input has sizes {}, expected (N, C, H, W); LocalResponseNorm takes others",
                 input.sizes());
  const int64_t reach = (options.size() - 1) / 2;
  return response_norm("CrossMapLRN2d", input, reach, reach, options.size(), options.alpha(), options.beta(),
                       static_cast<double>(options.k()));
}

namespace functional {
Tensor local_response_norm(const Tensor& input, const LocalResponseNormFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() >= 3,
                 "local_response_norm: input has sizes {}, expected (N, C, L...)", input.sizes());
  return response_norm("local_response_norm", input, o.size() / 2, (o.size() - 1) / 2, o.size(), o.alpha(),
                       o.beta(), o.k());
}
Tensor layer_norm(const Tensor& input, const LayerNormFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::layer_norm(input, o.normalized_shape(), o.weight(), o.bias(), o.eps());
}
Tensor group_norm(const Tensor& input, const GroupNormFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::group_norm(input, o.num_groups(), o.weight(), o.bias(), o.eps());
}
Tensor normalize(const Tensor& input, const NormalizeFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  input.layout_of().wrap_dim(o.dim(), "normalize");
  const Tensor length = clamp_min(norm(input, Scalar(o.p()), o.dim(), true), Scalar(o.eps()));
  if (!o.out()) return div(input, length);
  Tensor out = *o.out();
  return div_out(out, input, length);
}
}  // namespace functional

}  // namespace tapir::nn
