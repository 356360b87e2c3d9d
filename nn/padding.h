// Padding layers; nn::functional::pad in functional.h is their function.
#pragma once

#include "tapir/nn/expanding_array.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

/// How many elements a layer puts before and after in the last dimension, then in the one before it, and so
/// on; one number stands for all of them, and negative ones cut off.
template <size_t D>
struct TAPIR_API ReflectionPadOptions {
  ReflectionPadOptions(ExpandingArray<2 * D> padding) : padding_(padding) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<2 * D>, padding);
};
template <size_t D>
using ReplicationPadOptions = ReflectionPadOptions<D>;
using ZeroPad2dOptions = ReflectionPadOptions<2>;
template <size_t D>
struct TAPIR_API ConstantPadOptions {
  ConstantPadOptions(ExpandingArray<2 * D> padding, double value) : padding_(padding), value_(value) {}
  TAPIR_ARG(ExpandingArray<2 * D>, padding);
  TAPIR_ARG(double, value);
};

#define TAPIR_PAD_LAYER(Name, D, Options)                                        \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {                    \
   public:                                                                       \
    Name##Impl(ExpandingArray<2 * D> padding) : options(padding) {} /* NOLINT */ \
    explicit Name##Impl(const Options& o) : options(o) {}                        \
    void reset() override {}                                                     \
    void pretty_print(std::ostream& stream) const override;                      \
    Tensor forward(const Tensor& input);                                         \
    Options options;                                                             \
  };                                                                             \
  TAPIR_BUILTIN_MODULE(Name)
// ReflectionPad: x (N, C, L...) or (C, L...) mirrored without its edge. ReplicationPad: with its edge going
// on. ConstantPad: with `value` around the last dimensions of any x. They throw ShapeError for other sizes.
#define TAPIR_PAD_LAYERS(D)                                                                         \
  using ReflectionPad##D##dOptions = ReflectionPadOptions<D>;                                       \
  using ReplicationPad##D##dOptions = ReplicationPadOptions<D>;                                     \
  using ConstantPad##D##dOptions = ConstantPadOptions<D>;                                           \
  TAPIR_PAD_LAYER(ReflectionPad##D##d, D, ReflectionPadOptions<D>);                                 \
  TAPIR_PAD_LAYER(ReplicationPad##D##d, D, ReplicationPadOptions<D>);                               \
  class TAPIR_API ConstantPad##D##dImpl : public Cloneable<ConstantPad##D##dImpl> {                 \
   public:                                                                                          \
    ConstantPad##D##dImpl(ExpandingArray<2 * D> padding, double value) : options(padding, value) {} \
    explicit ConstantPad##D##dImpl(const ConstantPadOptions<D>& o) : options(o) {}                  \
    void reset() override {}                                                                        \
    void pretty_print(std::ostream& stream) const override;                                         \
    Tensor forward(const Tensor& input);                                                            \
    ConstantPadOptions<D> options;                                                                  \
  };                                                                                                \
  TAPIR_BUILTIN_MODULE(ConstantPad##D##d)
TAPIR_PAD_LAYERS(1);
TAPIR_PAD_LAYERS(2);
TAPIR_PAD_LAYERS(3);
/// Zeros around the last two dimensions of any x.
TAPIR_PAD_LAYER(ZeroPad2d, 2, ZeroPad2dOptions);
#undef TAPIR_PAD_LAYERS
#undef TAPIR_PAD_LAYER

}  // namespace tapir::nn
