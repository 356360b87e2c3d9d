#include "tapir/nn/conv.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/conv.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/nn/functional.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn {

namespace {

template <size_t D, class Options>
void check_options(const char* name, const Options& o) {
  TAPIR_CHECK_AS(ValueError, o.groups() >= 1, "{}{}d: groups is {}, expected at least 1", name, D,
                 o.groups());
  TAPIR_CHECK_AS(ValueError, o.in_channels() >= 0 && o.out_channels() >= 0,
                 "{}{}d: got in_channels {} and out_channels {}, expected none to be negative", name, D,
                 o.in_channels(), o.out_channels());
  TAPIR_CHECK_AS(ValueError, o.in_channels() % o.groups() == 0 && o.out_channels() % o.groups() == 0,
                 "{}{}d: {} groups do not divide in_channels {} and out_channels {}", name, D, o.groups(),
                 o.in_channels(), o.out_channels());
  for (size_t d = 0; d < D; ++d)
    TAPIR_CHECK_AS(ValueError, o.kernel_size()[d] >= 1, "{}{}d: kernel_size is {}, expected at least 1", name,
                   D, IntArrayRef(o.kernel_size()));
}

/// (first, second, kernel_size...)
template <size_t D>
Tensor weight_of(int64_t first, int64_t second, const ExpandingArray<D>& kernel_size) {
  Dims sizes{first, second};
  for (size_t d = 0; d < D; ++d) sizes.push_back(kernel_size[d]);
  return Tensor::empty(sizes, get_default_dtype());
}

void start(Tensor& weight, Tensor& bias) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const auto fan_in = static_cast<double>(weight.size(0) ? weight.numel() / weight.size(0) : 0);
  const double bound = fan_in > 0 ? 1 / std::sqrt(fan_in) : 0;
  init::uniform_(bias, -bound, bound);
}

void print(std::ostream& stream, const char* name, IntArrayRef numbers) {
  stream << ", " << name << "=[";
  for (size_t i = 0; i < numbers.size(); ++i) stream << (i ? ", " : "") << numbers[i];
  stream << ']';
}
template <size_t D, class Options>
void print_start(std::ostream& stream, const char* name, const Options& o) {
  stream << "tapir::nn::" << name << D << "d(" << o.in_channels() << ", " << o.out_channels();
  print(stream, "kernel_size", o.kernel_size());
  print(stream, "stride", o.stride());
}
template <size_t D, class Options>
void print_end(std::ostream& stream, const Options& o) {
  if (o.groups() != 1) stream << ", groups=" << o.groups();
  if (!o.bias()) stream << ", bias=false";
  constexpr const char* kModes[] = {"kZeros", "kReflect", "kReplicate", "kCircular"};
  if (!o.padding_mode().zeros())
    stream << ", padding_mode=" << kModes[static_cast<size_t>(o.padding_mode().mode())];
  stream << ')';
}

template <size_t D>
Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, const ExpandingArray<D>& stride,
                const ConvPadding<D>& padding, const ExpandingArray<D>& dilation, int64_t groups) {
  const auto run = [&](const auto& p) {
    if constexpr (D == 1) return tapir::conv1d(x, weight, bias, stride, p, dilation, groups);
    if constexpr (D == 2) return tapir::conv2d(x, weight, bias, stride, p, dilation, groups);
    if constexpr (D == 3) return tapir::conv3d(x, weight, bias, stride, p, dilation, groups);
  };
  if (!padding.named()) return run(IntArrayRef(padding.numbers()));
  return run(std::string_view(*padding.named() == kSame ? "same" : "valid"));
}

template <size_t D>
Tensor transposed(const Tensor& x, const Tensor& weight, const Tensor& bias, const ExpandingArray<D>& stride,
                  const ExpandingArray<D>& padding, const ExpandingArray<D>& output_padding, int64_t groups,
                  const ExpandingArray<D>& dilation) {
  if constexpr (D == 1)
    return tapir::conv_transpose1d(x, weight, bias, stride, padding, output_padding, groups, dilation);
  if constexpr (D == 2)
    return tapir::conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation);
  if constexpr (D == 3)
    return tapir::conv_transpose3d(x, weight, bias, stride, padding, output_padding, groups, dilation);
}

}  // namespace

template <size_t D, class Derived>
ConvNdImpl<D, Derived>::ConvNdImpl(ConvOptions<D> o) : options(std::move(o)) {
  ConvNdImpl::reset();
}

template <size_t D, class Derived>
void ConvNdImpl<D, Derived>::reset() {
  check_options<D>("Conv", options);
  if (options.padding().named() == kSame)
    for (size_t d = 0; d < D; ++d)
      TAPIR_CHECK_AS(ValueError, options.stride()[d] == 1,
                     "Conv{}d: padding kSame with stride {}, expected stride 1; give the padding as numbers",
                     D, IntArrayRef(options.stride()));
  weight = this->register_parameter(
      "weight",
      weight_of(options.out_channels(), options.in_channels() / options.groups(), options.kernel_size()));
  bias = this->register_parameter(
      "bias", options.bias() ? Tensor::empty({options.out_channels()}, get_default_dtype()) : Tensor(),
      options.bias());
  reset_parameters();
}

template <size_t D, class Derived>
void ConvNdImpl<D, Derived>::reset_parameters() {
  start(weight, bias);
}

template <size_t D, class Derived>
void ConvNdImpl<D, Derived>::pretty_print(std::ostream& stream) const {
  print_start<D>(stream, "Conv", options);
  if (options.padding().named())
    stream << ", padding=" << (*options.padding().named() == kSame ? "'same'" : "'valid'");
  else if (!(options.padding().numbers() == ExpandingArray<D>(0)))
    print(stream, "padding", options.padding().numbers());
  if (!(options.dilation() == ExpandingArray<D>(1))) print(stream, "dilation", options.dilation());
  print_end<D>(stream, options);
}

template <size_t D, class Derived>
Tensor ConvNdImpl<D, Derived>::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  if (options.padding_mode().zeros())
    return convolve<D>(input, weight, bias, options.stride(), options.padding(), options.dilation(),
                       options.groups());
  std::vector<int64_t> around(2 * D);  // the last dimension's first
  for (size_t d = 0; d < D; ++d) {
    const int64_t total = options.dilation()[d] * (options.kernel_size()[d] - 1);
    const bool same = options.padding().named() == kSame;
    around[2 * (D - 1 - d)] = same ? total / 2 : options.padding().numbers()[d];
    around[2 * (D - 1 - d) + 1] = same ? total - total / 2 : options.padding().numbers()[d];
  }
  const Tensor padded =
      functional::pad(input, functional::PadFuncOptions(around).mode(options.padding_mode().mode()));
  return convolve<D>(padded, weight, bias, options.stride(), 0, options.dilation(), options.groups());
}

template <size_t D, class Derived>
ConvTransposeNdImpl<D, Derived>::ConvTransposeNdImpl(ConvTransposeOptions<D> o) : options(std::move(o)) {
  ConvTransposeNdImpl::reset();
}

template <size_t D, class Derived>
void ConvTransposeNdImpl<D, Derived>::reset() {
  check_options<D>("ConvTranspose", options);
  TAPIR_CHECK_AS(ValueError, options.padding_mode().zeros(),
                 "ConvTranspose{}d: only the padding mode kZeros is supported", D);
  weight = this->register_parameter(
      "weight",
      weight_of(options.in_channels(), options.out_channels() / options.groups(), options.kernel_size()));
  bias = this->register_parameter(
      "bias", options.bias() ? Tensor::empty({options.out_channels()}, get_default_dtype()) : Tensor(),
      options.bias());
  reset_parameters();
}

template <size_t D, class Derived>
void ConvTransposeNdImpl<D, Derived>::reset_parameters() {
  start(weight, bias);
}

template <size_t D, class Derived>
void ConvTransposeNdImpl<D, Derived>::pretty_print(std::ostream& stream) const {
  print_start<D>(stream, "ConvTranspose", options);
  if (!(options.padding() == ExpandingArray<D>(0))) print(stream, "padding", options.padding());
  if (!(options.dilation() == ExpandingArray<D>(1))) print(stream, "dilation", options.dilation());
  if (!(options.output_padding() == ExpandingArray<D>(0)))
    print(stream, "output_padding", options.output_padding());
  print_end<D>(stream, options);
}

template <size_t D, class Derived>
std::vector<std::pair<size_t, AnyValue>> ConvTransposeNdImpl<D, Derived>::forward_default_args_() {
  return {{1, AnyValue(OptionalIntArrayRef())}};
}

template <size_t D, class Derived>
Tensor ConvTransposeNdImpl<D, Derived>::forward(const Tensor& input, OptionalIntArrayRef output_size) {
  CallSite site(TAPIR_HERE);
  ExpandingArray<D> more = options.output_padding();
  if (output_size) {
    IntArrayRef wanted = *output_size;
    if (wanted.size() == static_cast<size_t>(input.dim())) wanted = wanted.slice(wanted.size() - D);
    TAPIR_CHECK_AS(
        ValueError, wanted.size() == D,
        "ConvTranspose{}d: output_size {}, expected {} spatial sizes, or {} with batch and channels", D,
        *output_size, D, input.dim());
    for (size_t d = 0; d < D; ++d) {
      const int64_t size = input.size(static_cast<int64_t>(d) - static_cast<int64_t>(D)),
                    least = (size - 1) * options.stride()[d] - 2 * options.padding()[d] +
                            options.dilation()[d] * (options.kernel_size()[d] - 1) + 1;
      TAPIR_CHECK_AS(
          ValueError, wanted[d] >= least && wanted[d] < least + options.stride()[d],
          "ConvTranspose{}d: output size {} in spatial dimension {} for input of sizes {}, expected {} to "
          "{}",
          D, wanted[d], d, input.sizes(), least, least + options.stride()[d] - 1);
      (*more)[d] = wanted[d] - least;
    }
  }
  return transposed<D>(input, weight, bias, options.stride(), options.padding(), more, options.groups(),
                       options.dilation());
}

#define TAPIR_CONV_LAYER(Name, Base, Options, D) \
  template class Base<D, Name##Impl>;            \
  Name##Impl::Name##Impl(Options<D> options) : Base<D, Name##Impl>(std::move(options)) {}
TAPIR_CONV_LAYER(Conv1d, ConvNdImpl, ConvOptions, 1)
TAPIR_CONV_LAYER(Conv2d, ConvNdImpl, ConvOptions, 2)
TAPIR_CONV_LAYER(Conv3d, ConvNdImpl, ConvOptions, 3)
TAPIR_CONV_LAYER(ConvTranspose1d, ConvTransposeNdImpl, ConvTransposeOptions, 1)
TAPIR_CONV_LAYER(ConvTranspose2d, ConvTransposeNdImpl, ConvTransposeOptions, 2)
TAPIR_CONV_LAYER(ConvTranspose3d, ConvTransposeNdImpl, ConvTransposeOptions, 3)
#undef TAPIR_CONV_LAYER

namespace functional {

#define TAPIR_CONV(D)                                                                                      \
  Tensor conv##D##d(const Tensor& input, const Tensor& weight, const ConvFuncOptions<D>& o) {              \
    CallSite site(TAPIR_HERE);                                                                             \
    return convolve<D>(input, weight, o.bias(), o.stride(), o.padding(), o.dilation(), o.groups());        \
  }                                                                                                        \
  Tensor conv_transpose##D##d(const Tensor& input, const Tensor& weight,                                   \
                              const ConvTransposeFuncOptions<D>& o) {                                      \
    CallSite site(TAPIR_HERE);                                                                             \
    return transposed<D>(input, weight, o.bias(), o.stride(), o.padding(), o.output_padding(), o.groups(), \
                         o.dilation());                                                                    \
  }
TAPIR_CONV(1)
TAPIR_CONV(2)
TAPIR_CONV(3)
#undef TAPIR_CONV

}  // namespace functional

}  // namespace tapir::nn
