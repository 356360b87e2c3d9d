// Convolution layers and their transposes, in one to three spatial dimensions; conv1d to conv_transpose3d in
// autograd/functions/conv.h have the formulas.
#pragma once

#include <optional>

#include "tapir/nn/any.h"
#include "tapir/nn/enums.h"
#include "tapir/nn/expanding_array.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

/// The padding of a convolution: numbers, kSame or kValid.
template <size_t D>
class ConvPadding {
 public:
  template <class T>
  requires std::constructible_from<ExpandingArray<D>, T> ConvPadding(T&& numbers)
      : numbers_(std::forward<T>(numbers)) {}                                 // NOLINT
  ConvPadding(std::initializer_list<int64_t> numbers) : numbers_(numbers) {}  // NOLINT
  ConvPadding(NamedPadding named) : numbers_(0), named_(named) {}             // NOLINT
  const ExpandingArray<D>& numbers() const { return numbers_; }
  std::optional<NamedPadding> named() const { return named_; }

 private:
  ExpandingArray<D> numbers_;
  std::optional<NamedPadding> named_;
};

/// What stands around the input: kZeros, kReflect, kReplicate or kCircular.
class ConvPaddingMode {
 public:
  constexpr ConvPaddingMode(ZeroPadding) : mode_(PadMode::Constant) {}  // NOLINT
  constexpr ConvPaddingMode(PadMode mode) : mode_(mode) {}              // NOLINT
  constexpr bool zeros() const { return mode_ == PadMode::Constant; }
  constexpr PadMode mode() const { return mode_; }

 private:
  PadMode mode_;
};

template <size_t D>
struct ConvOptions {
  ConvOptions(int64_t in_channels, int64_t out_channels, ExpandingArray<D> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  TAPIR_ARG(int64_t, in_channels);
  TAPIR_ARG(int64_t, out_channels);
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride) = 1;
  TAPIR_ARG(ConvPadding<D>, padding) = 0;
  TAPIR_ARG(ExpandingArray<D>, dilation) = 1;
  TAPIR_ARG(int64_t, groups) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(ConvPaddingMode, padding_mode) = kZeros;
};
using Conv1dOptions = ConvOptions<1>;
using Conv2dOptions = ConvOptions<2>;
using Conv3dOptions = ConvOptions<3>;

template <size_t D>
struct ConvTransposeOptions {
  ConvTransposeOptions(int64_t in_channels, int64_t out_channels, ExpandingArray<D> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  TAPIR_ARG(int64_t, in_channels);
  TAPIR_ARG(int64_t, out_channels);
  TAPIR_ARG(ExpandingArray<D>, kernel_size);
  TAPIR_ARG(ExpandingArray<D>, stride) = 1;
  TAPIR_ARG(ExpandingArray<D>, padding) = 0;
  TAPIR_ARG(ExpandingArray<D>, output_padding) = 0;
  TAPIR_ARG(int64_t, groups) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(ExpandingArray<D>, dilation) = 1;
  /// Only kZeros has a meaning; the layer refuses the others.
  TAPIR_ARG(ConvPaddingMode, padding_mode) = kZeros;
};
using ConvTranspose1dOptions = ConvTransposeOptions<1>;
using ConvTranspose2dOptions = ConvTransposeOptions<2>;
using ConvTranspose3dOptions = ConvTransposeOptions<3>;

/// conv1d, conv2d or conv3d of x (N, in_channels, L...) or (in_channels, L...). weight (out_channels,
/// in_channels / groups, kernel_size...) and bias (out_channels) start uniform in +-1 / sqrt(in_channels /
/// groups * volume of the kernel). Throws ValueError where groups do not divide the channels.
template <size_t D, class Derived>
class TAPIR_API ConvNdImpl : public Cloneable<Derived> {
 public:
  explicit ConvNdImpl(ConvOptions<D> options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  ConvOptions<D> options;
  Tensor weight, bias;
};

/// conv_transpose1d, 2d or 3d. weight (in_channels, out_channels / groups, kernel_size...), started in the
/// same way with the fan of its own sizes.
template <size_t D, class Derived>
class TAPIR_API ConvTransposeNdImpl : public Cloneable<Derived> {
 public:
  explicit ConvTransposeNdImpl(ConvTransposeOptions<D> options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// With output_size (the spatial sizes, or all of the output's), that size among those that the options
  /// leave open; options.output_padding is not looked at then. Throws ValueError for a size that cannot be.
  Tensor forward(const Tensor& input, OptionalIntArrayRef output_size = std::nullopt);
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();
  ConvTransposeOptions<D> options;
  Tensor weight, bias;
};

#define TAPIR_CONV_LAYER(Name, Base, Options, D)                                         \
  class TAPIR_API Name##Impl : public Base<D, Name##Impl> {                              \
   public:                                                                               \
    Name##Impl(int64_t in_channels, int64_t out_channels, ExpandingArray<D> kernel_size) \
        : Name##Impl(Options<D>(in_channels, out_channels, kernel_size)) {}              \
    explicit Name##Impl(Options<D> options);                                             \
  };                                                                                     \
  extern template class Base<D, Name##Impl>;                                             \
  TAPIR_BUILTIN_MODULE(Name)
TAPIR_CONV_LAYER(Conv1d, ConvNdImpl, ConvOptions, 1);
TAPIR_CONV_LAYER(Conv2d, ConvNdImpl, ConvOptions, 2);
TAPIR_CONV_LAYER(Conv3d, ConvNdImpl, ConvOptions, 3);
TAPIR_CONV_LAYER(ConvTranspose1d, ConvTransposeNdImpl, ConvTransposeOptions, 1);
TAPIR_CONV_LAYER(ConvTranspose2d, ConvTransposeNdImpl, ConvTransposeOptions, 2);
TAPIR_CONV_LAYER(ConvTranspose3d, ConvTransposeNdImpl, ConvTransposeOptions, 3);
#undef TAPIR_CONV_LAYER

namespace functional {

template <size_t D>
struct ConvFuncOptions {
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(ExpandingArray<D>, stride) = 1;
  TAPIR_ARG(ConvPadding<D>, padding) = 0;
  TAPIR_ARG(ExpandingArray<D>, dilation) = 1;
  TAPIR_ARG(int64_t, groups) = 1;
};
using Conv1dFuncOptions = ConvFuncOptions<1>;
using Conv2dFuncOptions = ConvFuncOptions<2>;
using Conv3dFuncOptions = ConvFuncOptions<3>;
TAPIR_API Tensor conv1d(const Tensor& input, const Tensor& weight, const Conv1dFuncOptions& options = {});
TAPIR_API Tensor conv2d(const Tensor& input, const Tensor& weight, const Conv2dFuncOptions& options = {});
TAPIR_API Tensor conv3d(const Tensor& input, const Tensor& weight, const Conv3dFuncOptions& options = {});

template <size_t D>
struct ConvTransposeFuncOptions {
  TAPIR_ARG(Tensor, bias) = Tensor();
  TAPIR_ARG(ExpandingArray<D>, stride) = 1;
  TAPIR_ARG(ExpandingArray<D>, padding) = 0;
  TAPIR_ARG(ExpandingArray<D>, output_padding) = 0;
  TAPIR_ARG(int64_t, groups) = 1;
  TAPIR_ARG(ExpandingArray<D>, dilation) = 1;
};
using ConvTranspose1dFuncOptions = ConvTransposeFuncOptions<1>;
using ConvTranspose2dFuncOptions = ConvTransposeFuncOptions<2>;
using ConvTranspose3dFuncOptions = ConvTransposeFuncOptions<3>;
TAPIR_API Tensor conv_transpose1d(const Tensor& input, const Tensor& weight,
                                  const ConvTranspose1dFuncOptions& options = {});
TAPIR_API Tensor conv_transpose2d(const Tensor& input, const Tensor& weight,
                                  const ConvTranspose2dFuncOptions& options = {});
TAPIR_API Tensor conv_transpose3d(const Tensor& input, const Tensor& weight,
                                  const ConvTranspose3dFuncOptions& options = {});

}  // namespace functional

}  // namespace tapir::nn
