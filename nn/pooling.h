// Pooling layers in one to three spatial dimensions; autograd/functions/pool.h has the formulas.
#pragma once

#include <optional>
#include <tuple>

#include "tapir/nn/expanding_array.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

template <size_t D>
struct TAPIR_API MaxPoolOptions {
  MaxPoolOptions(ExpandingArray<D> kernel_size)
      : kernel_size_(kernel_size), stride_(kernel_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride);  ///< kernel_size unless set
  TAPIR_ARG(ExpandingArray<D>, padding) = 0;
  TAPIR_ARG(ExpandingArray<D>, dilation) = 1;
  TAPIR_ARG(bool, ceil_mode) = false;
};
template <size_t D>
struct TAPIR_API AvgPoolOptions {
  AvgPoolOptions(ExpandingArray<D> kernel_size)
      : kernel_size_(kernel_size), stride_(kernel_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride);  ///< kernel_size unless set
  TAPIR_ARG(ExpandingArray<D>, padding) = 0;
  TAPIR_ARG(bool, ceil_mode) = false;
  TAPIR_ARG(bool, count_include_pad) = true;
  TAPIR_ARG(std::optional<int64_t>, divisor_override) = std::nullopt;
};
/// nullopt in output_size keeps the input's size there.
template <size_t D>
struct TAPIR_API AdaptiveAvgPoolOptions {
  AdaptiveAvgPoolOptions(ExpandingArrayWithOptionalElem<D> output_size)
      : output_size_(output_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArrayWithOptionalElem<D>, output_size);
};
template <size_t D>
struct TAPIR_API AdaptiveMaxPoolOptions {
  AdaptiveMaxPoolOptions(ExpandingArrayWithOptionalElem<D> output_size)
      : output_size_(output_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArrayWithOptionalElem<D>, output_size);
};
template <size_t D>
struct TAPIR_API MaxUnpoolOptions {
  MaxUnpoolOptions(ExpandingArray<D> kernel_size)
      : kernel_size_(kernel_size), stride_(kernel_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride);  ///< kernel_size unless set
  TAPIR_ARG(ExpandingArray<D>, padding) = 0;
};
template <size_t D>
struct TAPIR_API LPPoolOptions {
  LPPoolOptions(double norm_type, ExpandingArray<D> kernel_size)
      : norm_type_(norm_type), kernel_size_(kernel_size), stride_(kernel_size) {}
  TAPIR_ARG(double, norm_type);
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride);  ///< kernel_size unless set
  TAPIR_ARG(bool, ceil_mode) = false;
};
/// Either output_size, or output_ratio as parts of the input's sizes in (0, 1).
template <size_t D>
struct TAPIR_API FractionalMaxPoolOptions {
  FractionalMaxPoolOptions(ExpandingArray<D> kernel_size) : kernel_size_(kernel_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(std::optional<ExpandingArray<D>>, output_size) = std::nullopt;

 public:
  using Ratio = ExpandingArray<D, double>;
  TAPIR_ARG(std::optional<Ratio>, output_ratio) = std::nullopt;
  TAPIR_ARG(Tensor, _random_samples) = Tensor();
};

namespace functional {
template <size_t D>
struct TAPIR_API MaxUnpoolFuncOptions : MaxUnpoolOptions<D> {
  using MaxUnpoolOptions<D>::MaxUnpoolOptions;
  TAPIR_ARG(std::optional<std::vector<int64_t>>, output_size) = std::nullopt;

 public:  // the setters of MaxUnpoolOptions, which go on from here
  auto& stride(const ExpandingArray<D>& s) { return MaxUnpoolOptions<D>::stride(s), *this; }
  auto& padding(const ExpandingArray<D>& p) { return MaxUnpoolOptions<D>::padding(p), *this; }
  const ExpandingArray<D>& stride() const { return MaxUnpoolOptions<D>::stride(); }
  const ExpandingArray<D>& padding() const { return MaxUnpoolOptions<D>::padding(); }
};

#define TAPIR_POOL(D)                                                                                        \
  using MaxPool##D##dFuncOptions = MaxPoolOptions<D>;                                                        \
  using AvgPool##D##dFuncOptions = AvgPoolOptions<D>;                                                        \
  using AdaptiveAvgPool##D##dFuncOptions = AdaptiveAvgPoolOptions<D>;                                        \
  using AdaptiveMaxPool##D##dFuncOptions = AdaptiveMaxPoolOptions<D>;                                        \
  using MaxUnpool##D##dFuncOptions = MaxUnpoolFuncOptions<D>;                                                \
  TAPIR_API Tensor max_pool##D##d(const Tensor& input, const MaxPool##D##dFuncOptions& options);             \
  TAPIR_API std::tuple<Tensor, Tensor> max_pool##D##d_with_indices(const Tensor& input,                      \
                                                                   const MaxPool##D##dFuncOptions& options); \
  TAPIR_API Tensor avg_pool##D##d(const Tensor& input, const AvgPool##D##dFuncOptions& options);             \
  TAPIR_API Tensor adaptive_avg_pool##D##d(const Tensor& input,                                              \
                                           const AdaptiveAvgPool##D##dFuncOptions& options);                 \
  TAPIR_API Tensor adaptive_max_pool##D##d(const Tensor& input,                                              \
                                           const AdaptiveMaxPool##D##dFuncOptions& options);                 \
  TAPIR_API std::tuple<Tensor, Tensor> adaptive_max_pool##D##d_with_indices(                                 \
      const Tensor& input, const AdaptiveMaxPool##D##dFuncOptions& options);                                 \
  TAPIR_API Tensor max_unpool##D##d(const Tensor& input, const Tensor& indices,                              \
                                    const MaxUnpool##D##dFuncOptions& options)
TAPIR_POOL(1);
TAPIR_POOL(2);
TAPIR_POOL(3);
#undef TAPIR_POOL

/// (sum of |x|^p over each window)^(1 / p) with p = norm_type, PyTorch's sign for odd p included:
/// sign(s) relu(|s|) K, s the mean of x^p over a window of K elements, to the power 1 / p.
using LPPool1dFuncOptions = LPPoolOptions<1>;
using LPPool2dFuncOptions = LPPoolOptions<2>;
TAPIR_API Tensor lp_pool1d(const Tensor& input, const LPPool1dFuncOptions& options);
TAPIR_API Tensor lp_pool2d(const Tensor& input, const LPPool2dFuncOptions& options);

using FractionalMaxPool2dFuncOptions = FractionalMaxPoolOptions<2>;
using FractionalMaxPool3dFuncOptions = FractionalMaxPoolOptions<3>;
TAPIR_API Tensor fractional_max_pool2d(const Tensor& input, const FractionalMaxPool2dFuncOptions& options);
TAPIR_API Tensor fractional_max_pool3d(const Tensor& input, const FractionalMaxPool3dFuncOptions& options);
TAPIR_API std::tuple<Tensor, Tensor> fractional_max_pool2d_with_indices(
    const Tensor& input, const FractionalMaxPool2dFuncOptions& options);
TAPIR_API std::tuple<Tensor, Tensor> fractional_max_pool3d_with_indices(
    const Tensor& input, const FractionalMaxPool3dFuncOptions& options);
}  // namespace functional

namespace detail {
/// A pooling layer holds options only; forward is the function of its name.
template <class Options_, class Derived>
class TAPIR_API PoolImpl : public Cloneable<Derived> {
 public:
  /// The options, or what makes them: kernel_size, output_size, or norm_type and kernel_size.
  template <class... Args>
  requires std::is_constructible_v<Options_, Args...>
  explicit PoolImpl(Args&&... args) : options(std::forward<Args>(args)...) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Options_ options;
};
}  // namespace detail

#define TAPIR_POOL_LAYER(Name, D, function)                                                    \
  using Name##D##dOptions = Name##Options<D>;                                                  \
  class TAPIR_API Name##D##dImpl : public detail::PoolImpl<Name##Options<D>, Name##D##dImpl> { \
   public:                                                                                     \
    using PoolImpl::PoolImpl;                                                                  \
    Tensor forward(const Tensor& input) { return functional::function##D##d(input, options); } \
  };                                                                                           \
  extern template class detail::PoolImpl<Name##Options<D>, Name##D##dImpl>;                    \
  TAPIR_BUILTIN_MODULE(Name##D##d)
#define TAPIR_POOL_LAYER_WITH_INDICES(Name, D, function)                                       \
  using Name##D##dOptions = Name##Options<D>;                                                  \
  class TAPIR_API Name##D##dImpl : public detail::PoolImpl<Name##Options<D>, Name##D##dImpl> { \
   public:                                                                                     \
    using PoolImpl::PoolImpl;                                                                  \
    Tensor forward(const Tensor& input) { return functional::function##D##d(input, options); } \
    std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& input) {                     \
      return functional::function##D##d_with_indices(input, options);                          \
    }                                                                                          \
  };                                                                                           \
  extern template class detail::PoolImpl<Name##Options<D>, Name##D##dImpl>;                    \
  TAPIR_BUILTIN_MODULE(Name##D##d)
#define TAPIR_UNPOOL_LAYER(D)                                                                               \
  using MaxUnpool##D##dOptions = MaxUnpoolOptions<D>;                                                       \
  class TAPIR_API MaxUnpool##D##dImpl : public detail::PoolImpl<MaxUnpoolOptions<D>, MaxUnpool##D##dImpl> { \
   public:                                                                                                  \
    using PoolImpl::PoolImpl;                                                                               \
    Tensor forward(const Tensor& input, const Tensor& indices,                                              \
                   const std::optional<std::vector<int64_t>>& output_size = std::nullopt) {                 \
      functional::MaxUnpoolFuncOptions<D> o(options.kernel_size());                                         \
      return functional::max_unpool##D##d(                                                                  \
          input, indices, o.stride(options.stride()).padding(options.padding()).output_size(output_size));  \
    }                                                                                                       \
  };                                                                                                        \
  extern template class detail::PoolImpl<MaxUnpoolOptions<D>, MaxUnpool##D##dImpl>;                         \
  TAPIR_BUILTIN_MODULE(MaxUnpool##D##d)
#define TAPIR_POOL_LAYERS(D)                                            \
  TAPIR_POOL_LAYER_WITH_INDICES(MaxPool, D, max_pool);                  \
  TAPIR_POOL_LAYER(AvgPool, D, avg_pool);                               \
  TAPIR_POOL_LAYER(AdaptiveAvgPool, D, adaptive_avg_pool);              \
  TAPIR_POOL_LAYER_WITH_INDICES(AdaptiveMaxPool, D, adaptive_max_pool); \
  TAPIR_UNPOOL_LAYER(D)
TAPIR_POOL_LAYERS(1);
TAPIR_POOL_LAYERS(2);
TAPIR_POOL_LAYERS(3);
TAPIR_POOL_LAYER(LPPool, 1, lp_pool);
TAPIR_POOL_LAYER(LPPool, 2, lp_pool);
TAPIR_POOL_LAYER_WITH_INDICES(FractionalMaxPool, 2, fractional_max_pool);
TAPIR_POOL_LAYER_WITH_INDICES(FractionalMaxPool, 3, fractional_max_pool);
#undef TAPIR_POOL_LAYERS
#undef TAPIR_POOL_LAYER
#undef TAPIR_POOL_LAYER_WITH_INDICES
#undef TAPIR_UNPOOL_LAYER

}  // namespace tapir::nn
