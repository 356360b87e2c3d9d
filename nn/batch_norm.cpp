#include "tapir/nn/batch_norm.h"

#include <ostream>

#include "tapir/autograd/functions/batch_norm.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

namespace {

/// Name and number of spatial dimensions of a layer.
template <class Layer>
struct Kind;
#define TAPIR_KIND(Name, n, is_batch)          \
  template <>                                  \
  struct Kind<Name##Impl> {                    \
    static constexpr const char* name = #Name; \
    static constexpr int64_t spatial = n;      \
    static constexpr bool batch = is_batch;    \
  }
TAPIR_KIND(BatchNorm1d, 1, true);
TAPIR_KIND(BatchNorm2d, 2, true);
TAPIR_KIND(BatchNorm3d, 3, true);
TAPIR_KIND(InstanceNorm1d, 1, false);
TAPIR_KIND(InstanceNorm2d, 2, false);
TAPIR_KIND(InstanceNorm3d, 3, false);
#undef TAPIR_KIND

void print_momentum(std::ostream& stream, const std::optional<double>& momentum) {
  momentum ? stream << *momentum : stream << "None";
}

}  // namespace

namespace detail {

template <class Options, class Derived>
ChannelNormImpl<Options, Derived>::ChannelNormImpl(const Options& o) : options(o) {
  ChannelNormImpl::reset();
}

template <class Options, class Derived>
void ChannelNormImpl<Options, Derived>::reset() {
  TAPIR_CHECK_AS(ValueError, options.num_features() >= 0,
                 "{}: num_features is {}, expected none to be negative", Kind<Derived>::name,
                 options.num_features());
  const DType dtype = get_default_dtype();
  const auto make = [&](bool there) {
    return there ? Tensor::empty({options.num_features()}, dtype) : Tensor();
  };
  weight = this->register_parameter("weight", make(options.affine()), options.affine());
  bias = this->register_parameter("bias", make(options.affine()), options.affine());
  const bool tracks = options.track_running_stats();
  running_mean = this->register_buffer("running_mean", make(tracks));
  running_var = this->register_buffer("running_var", make(tracks));
  num_batches_tracked = this->register_buffer("num_batches_tracked", tracks ? zeros({}, kInt64) : Tensor());
  reset_parameters();
}
template <class Options, class Derived>
void ChannelNormImpl<Options, Derived>::reset_running_stats() {
  if (!options.track_running_stats()) return;
  running_mean.zero_();
  running_var.fill_(1);
  num_batches_tracked.zero_();
}
template <class Options, class Derived>
void ChannelNormImpl<Options, Derived>::reset_parameters() {
  reset_running_stats();
  if (!options.affine()) return;
  init::ones_(weight);
  init::zeros_(bias);
}
template <class Options, class Derived>
void ChannelNormImpl<Options, Derived>::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::" << Kind<Derived>::name << '(' << options.num_features()
         << ", eps=" << options.eps() << ", momentum=";
  print_momentum(stream, options.momentum());
  stream << ", affine=" << options.affine() << ", track_running_stats=" << options.track_running_stats()
         << ')';
}
template <class Options, class Derived>
Tensor ChannelNormImpl<Options, Derived>::forward(const Tensor& input) {
  using K = Kind<Derived>;
  CallSite site(TAPIR_HERE);
  const int64_t n = K::spatial, fewer = n + 1, most = n + 2;
  TAPIR_CHECK_AS(ShapeError, input.dim() == most || (input.dim() == fewer && (n == 1 || !K::batch)),
                 "{}: input has sizes {}, expected {} dimensions{}", K::name, input.sizes(), most,
                 K::batch ? (n == 1 ? ", or 2" : "") : ", or one less for a sample without a batch");
  if constexpr (K::batch) {
    double momentum = options.momentum().value_or(0);
    if (this->is_training() && num_batches_tracked.defined()) {
      num_batches_tracked.add_(1);
      if (!options.momentum())
        momentum = 1.0 / static_cast<double>(num_batches_tracked.template item<int64_t>());
    }
    const bool own = this->is_training() || !running_mean.defined();
    // Running statistics that are there are left alone in eval, and not touched by a layer that does not
    // track.
    const bool pass = !this->is_training() || options.track_running_stats();
    return functional::batch_norm(
        input, pass ? running_mean : Tensor(), pass ? running_var : Tensor(),
        functional::BatchNormFuncOptions().weight(weight).bias(bias).training(own).momentum(momentum).eps(
            options.eps()));
  } else {
    const bool batched = input.dim() == most;
    const Tensor x = batched ? input : unsqueeze(input, 0);
    const Tensor y = functional::instance_norm(
        x, functional::InstanceNormFuncOptions()
               .running_mean(running_mean)
               .running_var(running_var)
               .weight(weight)
               .bias(bias)
               .use_input_stats(this->is_training() || !options.track_running_stats())
               .momentum(options.momentum())
               .eps(options.eps()));
    return batched ? y : squeeze(y, 0);
  }
}

template class ChannelNormImpl<BatchNormOptions, BatchNorm1dImpl>;
template class ChannelNormImpl<BatchNormOptions, BatchNorm2dImpl>;
template class ChannelNormImpl<BatchNormOptions, BatchNorm3dImpl>;
template class ChannelNormImpl<InstanceNormOptions, InstanceNorm1dImpl>;
template class ChannelNormImpl<InstanceNormOptions, InstanceNorm2dImpl>;
template class ChannelNormImpl<InstanceNormOptions, InstanceNorm3dImpl>;

}  // namespace detail

namespace functional {

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  if (options.training() && input.dim() >= 2) {
    int64_t values = input.size(0);
    for (int64_t d = 2; d < input.dim(); ++d) values *= input.size(d);
    TAPIR_CHECK_AS(ValueError, values != 1,
                   "batch_norm: expected more than one value per channel when training, got {}",
                   input.sizes());
  }
  return tapir::batch_norm(input, options.weight(), options.bias(), running_mean, running_var,
                           options.training(), options.momentum().value_or(0), options.eps());
}

Tensor instance_norm(const Tensor& input, const InstanceNormFuncOptions& options) {
  CallSite site(TAPIR_HERE);
  if (options.use_input_stats() && input.dim() >= 3) {
    int64_t values = 1;
    for (int64_t d = 2; d < input.dim(); ++d) values *= input.size(d);
    TAPIR_CHECK_AS(ValueError, values != 1,
                   "instance_norm: expected more than one value per channel of a sample, got {}",
                   input.sizes());
  }
  return tapir::instance_norm(input, options.weight(), options.bias(), options.running_mean(),
                              options.running_var(), options.use_input_stats(), options.momentum(),
                              options.eps());
}

}  // namespace functional

}  // namespace tapir::nn
