// Layer norm and group norm.
#pragma once

#include <vector>

#include "tapir/nn/module.h"

namespace tapir::nn {

struct LayerNormOptions {
  LayerNormOptions(std::vector<int64_t> normalized_shape)  // NOLINT
      : normalized_shape_(std::move(normalized_shape)) {}
  TAPIR_ARG(std::vector<int64_t>, normalized_shape);
  TAPIR_ARG(double, eps) = 1e-5;
  TAPIR_ARG(bool, elementwise_affine) = true;
};

/// (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions; see layer_norm. weight starts as
/// ones, bias as zeros, both of the sizes normalized_shape; without elementwise_affine there are none.
class TAPIR_API LayerNormImpl : public Cloneable<LayerNormImpl> {
 public:
  LayerNormImpl(std::vector<int64_t> normalized_shape)
      : LayerNormImpl(LayerNormOptions(normalized_shape)) {}  // NOLINT
  explicit LayerNormImpl(LayerNormOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  LayerNormOptions options;
  Tensor weight, bias;
};
TAPIR_BUILTIN_MODULE(LayerNorm);

struct GroupNormOptions {
  GroupNormOptions(int64_t num_groups, int64_t num_channels)
      : num_groups_(num_groups), num_channels_(num_channels) {}
  TAPIR_ARG(int64_t, num_groups);
  TAPIR_ARG(int64_t, num_channels);
  TAPIR_ARG(double, eps) = 1e-5;
  TAPIR_ARG(bool, affine) = true;
};

/// The same over each group of channels of (N, C, ...); see group_norm. weight and bias have one value for
/// each channel.
class TAPIR_API GroupNormImpl : public Cloneable<GroupNormImpl> {
 public:
  GroupNormImpl(int64_t num_groups, int64_t num_channels)
      : GroupNormImpl(GroupNormOptions(num_groups, num_channels)) {}
  explicit GroupNormImpl(const GroupNormOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  GroupNormOptions options;
  Tensor weight, bias;
};
TAPIR_BUILTIN_MODULE(GroupNorm);

struct LocalResponseNormOptions {
  LocalResponseNormOptions(int64_t size) : size_(size) {}  // NOLINT
  TAPIR_ARG(int64_t, size);
  TAPIR_ARG(double, alpha) = 1e-4;
  TAPIR_ARG(double, beta) = 0.75;
  TAPIR_ARG(double, k) = 1;
};
struct CrossMapLRN2dOptions {
  CrossMapLRN2dOptions(int64_t size) : size_(size) {}  // NOLINT
  TAPIR_ARG(int64_t, size);
  TAPIR_ARG(double, alpha) = 1e-4;
  TAPIR_ARG(double, beta) = 0.75;
  TAPIR_ARG(int64_t, k) = 1;
};

#define TAPIR_RESPONSE_NORM(Name)                               \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {   \
   public:                                                      \
    Name##Impl(int64_t size) : options(size) {} /* NOLINT */    \
    explicit Name##Impl(const Name##Options& o) : options(o) {} \
    void reset() override {}                                    \
    void pretty_print(std::ostream& stream) const override;     \
    Tensor forward(const Tensor& input);                        \
    Name##Options options;                                      \
  };                                                            \
  TAPIR_BUILTIN_MODULE(Name)
/// functional::local_response_norm
TAPIR_RESPONSE_NORM(LocalResponseNorm);
/// The same for (N, C, H, W), the sum over channels c - (size - 1) / 2 to c + (size - 1) / 2.
TAPIR_RESPONSE_NORM(CrossMapLRN2d);
#undef TAPIR_RESPONSE_NORM

namespace functional {
using LocalResponseNormFuncOptions = LocalResponseNormOptions;
/// x / (k + alpha / size * s)^beta for x (N, C, L...), s the sum of x^2 over channels c - size / 2 to
/// c + (size - 1) / 2 at the same place (Krizhevsky et al. 2012).
TAPIR_API Tensor local_response_norm(const Tensor& input, const LocalResponseNormFuncOptions& options);
struct LayerNormFuncOptions {
  LayerNormFuncOptions(std::vector<int64_t> normalized_shape)  // NOLINT
      : normalized_shape_(std::move(normalized_shape)) {}
  TAPIR_ARG(std::vector<int64_t>, normalized_shape);
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(double, eps) = 1e-5;
};
TAPIR_API Tensor layer_norm(const Tensor& input, const LayerNormFuncOptions& options);
struct GroupNormFuncOptions {
  GroupNormFuncOptions(int64_t num_groups) : num_groups_(num_groups) {}  // NOLINT
  TAPIR_ARG(int64_t, num_groups);
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(double, eps) = 1e-5;
};
TAPIR_API Tensor group_norm(const Tensor& input, const GroupNormFuncOptions& options);
struct NormalizeFuncOptions {
  TAPIR_ARG(double, p) = 2;
  TAPIR_ARG(double, eps) = 1e-12;
  TAPIR_ARG(int64_t, dim) = 1;
  TAPIR_ARG(std::optional<Tensor>, out) = std::nullopt;
};
/// x / max(|x|_p, eps) along dim; into `out` where it is given.
TAPIR_API Tensor normalize(const Tensor& input, const NormalizeFuncOptions& options = {});
}  // namespace functional

}  // namespace tapir::nn
