// Batch norm and instance norm layers.
#pragma once

#include <optional>

#include "tapir/nn/module.h"

namespace tapir::nn {

struct TAPIR_API BatchNormOptions {
  BatchNormOptions(int64_t num_features) : num_features_(num_features) {}  // NOLINT
  TAPIR_ARG(int64_t, num_features);
  TAPIR_ARG(double, eps) = 1e-5;
  /// nullopt: the running statistics are means over all batches.
  TAPIR_ARG(std::optional<double>, momentum) = 0.1;
  TAPIR_ARG(bool, affine) = true;
  TAPIR_ARG(bool, track_running_stats) = true;
};
using BatchNorm1dOptions = BatchNormOptions;
using BatchNorm2dOptions = BatchNormOptions;
using BatchNorm3dOptions = BatchNormOptions;

struct TAPIR_API InstanceNormOptions {
  InstanceNormOptions(int64_t num_features) : num_features_(num_features) {}  // NOLINT
  TAPIR_ARG(int64_t, num_features);
  TAPIR_ARG(double, eps) = 1e-5;
  TAPIR_ARG(double, momentum) = 0.1;
  TAPIR_ARG(bool, affine) = false;
  TAPIR_ARG(bool, track_running_stats) = false;
};
using InstanceNorm1dOptions = InstanceNormOptions;
using InstanceNorm2dOptions = InstanceNormOptions;
using InstanceNorm3dOptions = InstanceNormOptions;

namespace detail {
/// What the two share: weight (ones) and bias (zeros) with affine, the buffers running_mean (zeros),
/// running_var (ones) and num_batches_tracked with track_running_stats.
template <class Options, class Derived>
class TAPIR_API ChannelNormImpl : public Cloneable<Derived> {
 public:
  explicit ChannelNormImpl(const Options& options);
  void reset() override;
  void reset_parameters();
  void reset_running_stats();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  Options options;
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
};
}  // namespace detail

/// batch_norm of x (N, C) or (N, C, L), (N, C, H, W), (N, C, D, H, W): by the batch's statistics while
/// training or without running ones, which training keeps up to date. Throws ShapeError for other sizes,
/// ValueError for one value per channel while training. instance_norm likewise of x with or without a batch;
/// by the sample's own statistics, but in eval with track_running_stats.
#define TAPIR_CHANNEL_NORM(Name, Options)                                                \
  class TAPIR_API Name##Impl : public detail::ChannelNormImpl<Options, Name##Impl> {     \
   public:                                                                               \
    Name##Impl(int64_t num_features) : Name##Impl(Options(num_features)) {} /* NOLINT */ \
    explicit Name##Impl(const Options& options) : ChannelNormImpl(options) {}            \
  };                                                                                     \
  extern template class detail::ChannelNormImpl<Options, Name##Impl>;                    \
  TAPIR_BUILTIN_MODULE(Name)
TAPIR_CHANNEL_NORM(BatchNorm1d, BatchNormOptions);
TAPIR_CHANNEL_NORM(BatchNorm2d, BatchNormOptions);
TAPIR_CHANNEL_NORM(BatchNorm3d, BatchNormOptions);
TAPIR_CHANNEL_NORM(InstanceNorm1d, InstanceNormOptions);
TAPIR_CHANNEL_NORM(InstanceNorm2d, InstanceNormOptions);
TAPIR_CHANNEL_NORM(InstanceNorm3d, InstanceNormOptions);
#undef TAPIR_CHANNEL_NORM

namespace functional {
struct BatchNormFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(bool, training) = false;
  TAPIR_ARG(std::optional<double>, momentum) = 0.1;
  TAPIR_ARG(double, eps) = 1e-5;
};
/// See batch_norm in autograd/functions/batch_norm.h. Throws ValueError for one value per channel in
/// training.
TAPIR_API Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                            const BatchNormFuncOptions& options = {});
struct InstanceNormFuncOptions {
  TAPIR_ARG(Tensor, running_mean) = Tensor();
  TAPIR_ARG(Tensor, running_var) = Tensor();
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(bool, use_input_stats) = true;
  TAPIR_ARG(double, momentum) = 0.1;
  TAPIR_ARG(double, eps) = 1e-5;
};
/// See instance_norm there. Throws ValueError for one value per channel of a sample.
TAPIR_API Tensor instance_norm(const Tensor& input, const InstanceNormFuncOptions& options = {});
}  // namespace functional

}  // namespace tapir::nn
