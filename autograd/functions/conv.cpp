#include "tapir/autograd/functions/conv.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/spatial.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/conv.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir {

namespace {

using raw::ConvShape;

Tensor apply(Conv op, const char* label, const Tensor& first, const Tensor& second, const Tensor& bias,
             const ConvShape& shape, const void* site);

/// A bias (channels) as it broadcasts over (N, channels, ...).
Tensor over_channels(const Tensor& bias, const Dims& sizes) {
  Dims d = Dims::filled(sizes.size(), 1);
  d[1] = sizes[1];
  return reshape(bias, d);
}

/// What the bias gets from the gradient g of an output (N, channels, ...).
Tensor sum_over_places(const Tensor& g) {
  Dims dims{0};
  for (int64_t d = 2; d < g.dim(); ++d) dims.push_back(d);
  return sum(g, dims);
}

struct ConvolutionBackward final : NodeOf<3, 2> {
  const char* type_name() const override { return label; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], first = saved(0), second = saved(1);
    // g stands for the array that the op computed; each of the other two comes from g and the third.
    if (op == Conv::Forward) {
      if (sink.wants(0)) sink.set(0, apply(Conv::Data, label, second, g, {}, shape, TAPIR_HERE));
      if (sink.wants(1) && sink.wants(2) && !recording(g, first)) {
        Tensor bias;
        sink.set(1, raw::conv(label, Conv::Weight, first, g, shape, {}, &bias));
        return sink.set(2, std::move(bias));
      }
      if (sink.wants(1)) sink.set(1, apply(Conv::Weight, label, first, g, {}, shape, TAPIR_HERE));
    } else if (op == Conv::Data) {  // first: w, second: y
      if (sink.wants(0)) sink.set(0, apply(Conv::Weight, label, g, second, {}, shape, TAPIR_HERE));
      if (sink.wants(1)) sink.set(1, apply(Conv::Forward, label, g, first, {}, shape, TAPIR_HERE));
    } else {  // first: x, second: y
      if (sink.wants(0)) sink.set(0, apply(Conv::Data, label, g, second, {}, shape, TAPIR_HERE));
      if (sink.wants(1)) sink.set(1, apply(Conv::Forward, label, first, g, {}, shape, TAPIR_HERE));
    }
    if (sink.wants(2)) sink.set(2, sum_over_places(g));
  }
  Conv op;
  const char* label;
  ConvShape shape;
};

Tensor apply(Conv op, const char* label, const Tensor& first, const Tensor& second, const Tensor& bias,
             const ConvShape& shape, const void* site) {
  Tensor y = raw::conv(label, op, first, second, shape, op == Conv::Forward ? bias : Tensor());
  if (op == Conv::Data && bias.defined()) {
    NoGradGuard guard;
    y.add_(over_channels(bias.detach(), y.sizes()));
  }
  if (recording(first, second, bias)) {
    auto* node = record<ConvolutionBackward>(site, y, first, second, bias);
    node->save(first, second);
    node->op = op;
    node->label = label;
    node->shape = shape;
  }
  return y;
}

struct Options {
  IntArrayRef stride, padding, dilation, output_padding;
  int64_t groups;
  bool transposed;
};

/// x (N, C, L...), weight as it is; checks all and gives the sizes. x_like is what the user gave, for
/// messages.
ConvShape shape_of(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const Options& o, IntArrayRef x_like) {
  const auto n = static_cast<size_t>(weight.dim() - 2);
  ConvShape s;
  s.stride = numbers(op, "stride", o.stride, n, 1);
  s.padding = numbers(op, "padding", o.padding, n, 0);
  s.dilation = numbers(op, "dilation", o.dilation, n, 1);
  s.groups = o.groups;
  const int64_t in = x.size(1), w0 = weight.size(0), w1 = weight.size(1);
  TAPIR_CHECK_AS(ValueError, o.groups >= 1, "{}: groups is {}, expected at least 1", op, o.groups);
  TAPIR_CHECK_AS(ValueError, w0 % o.groups == 0, "{}: {} groups do not divide the first size of weight {}",
                 op, o.groups, weight.sizes());
  const int64_t expected = o.transposed ? w0 : w1 * o.groups, out = o.transposed ? w1 * o.groups : w0;
  TAPIR_CHECK_AS(ShapeError, in == expected,
                 "{}: input of sizes {} has {} channels, expected {} for weight of sizes {} and groups {}",
                 op, x_like, in, expected, weight.sizes(), o.groups);
  TAPIR_CHECK_AS(ShapeError, !bias.defined() || (bias.dim() == 1 && bias.size(0) == out),
                 "{}: bias has sizes {}, expected ({}) for weight of sizes {}", op,
                 bias.defined() ? bias.sizes() : IntArrayRef(), out, weight.sizes());
  Dims result{x.size(0), out};
  const Dims more = o.transposed ? numbers(op, "output_padding", o.output_padding, n, 0) : Dims::filled(n, 0);
  for (size_t d = 0; d < n; ++d) {
    const int64_t size = x.size(static_cast<int64_t>(d) + 2),
                  kernel = weight.size(static_cast<int64_t>(d) + 2), reach = s.dilation[d] * (kernel - 1) + 1;
    TAPIR_CHECK_AS(ShapeError, kernel >= 1 && size >= 1,
                   "{}: input of sizes {} and weight of sizes {}, expected no empty spatial dimension", op,
                   x_like, weight.sizes());
    if (o.transposed) {
      TAPIR_CHECK_AS(ValueError, more[d] < std::max(s.stride[d], s.dilation[d]),
                     "{}: output_padding {}, expected less than stride {} or dilation {}", op,
                     IntArrayRef(more), IntArrayRef(s.stride), IntArrayRef(s.dilation));
      result.push_back((size - 1) * s.stride[d] - 2 * s.padding[d] + reach + more[d]);
      TAPIR_CHECK_AS(
          ShapeError, result[d + 2] >= 1,
          "{}: output size {} in dimension {} for input of sizes {} and weight of sizes {}; give less "
          "padding than {}",
          op, result[d + 2], d + 2, x_like, weight.sizes(), IntArrayRef(s.padding));
    } else {
      const int64_t padded = size + 2 * s.padding[d];
      TAPIR_CHECK_AS(
          ShapeError, padded >= reach,
          "{}: kernel size can't be greater than the padded input: {} (weight {}, dilation {}) over {} "
          "(input {}, padding {})",
          op, reach, weight.sizes(), IntArrayRef(s.dilation), padded, x_like, IntArrayRef(s.padding));
      result.push_back((padded - reach) / s.stride[d] + 1);
    }
  }
  s.w = weight.sizes();
  s.x = o.transposed ? result : Dims(x.sizes());
  s.y = o.transposed ? Dims(x.sizes()) : result;
  return s;
}

Tensor run(const char* op, const Tensor& x_in, const Tensor& weight, const Tensor& bias, int64_t spatial,
           const Options& o, const void* site) {
  CallSite here(site);
  TAPIR_CHECK_AS(ShapeError, weight.dim() == spatial + 2,
                 "{}: weight has sizes {}, expected {} dimensions: (out, in / groups, kernel...)", op,
                 weight.sizes(), spatial + 2);
  TAPIR_CHECK_AS(ShapeError, x_in.dim() == spatial + 2 || x_in.dim() == spatial + 1,
                 "{}: input has sizes {}, expected {} dimensions, or {} for one sample without a batch", op,
                 x_in.sizes(), spatial + 2, spatial + 1);
  const bool batched = x_in.dim() == spatial + 2;
  const Tensor x = batched ? x_in : unsqueeze(x_in, 0);
  const ConvShape s = shape_of(op, x, weight, bias, o, x_in.sizes());
  const Tensor y = o.transposed ? apply(Conv::Data, "ConvTransposeBackward", weight, x, bias, s, TAPIR_HERE)
                                : apply(Conv::Forward, "ConvolutionBackward", x, weight, bias, s, TAPIR_HERE);
  return batched ? y : squeeze(y, 0);
}

Tensor run_named(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t spatial,
                 IntArrayRef stride, std::string_view padding, IntArrayRef dilation_in, int64_t groups,
                 const void* site) {
  CallSite here(site);
  TAPIR_CHECK_AS(ValueError, padding == "same" || padding == "valid",
                 "{}: padding is \"{}\", expected \"same\", \"valid\" or numbers", op, padding);
  if (padding == "valid")
    return run(op, x, weight, bias, spatial, {stride, 0, dilation_in, 0, groups, false}, site);
  TAPIR_CHECK_AS(ShapeError, weight.dim() == spatial + 2,
                 "{}: weight has sizes {}, expected {} dimensions: (out, in / groups, kernel...)", op,
                 weight.sizes(), spatial + 2);
  const auto n = static_cast<size_t>(spatial);
  const Dims dilation = numbers(op, "dilation", dilation_in, n, 1);
  for (const int64_t s : numbers(op, "stride", stride, n, 1))
    TAPIR_CHECK_AS(ValueError, s == 1, "{}: padding \"same\" with stride {}, expected stride 1; give numbers",
                   op, stride);
  Dims even = Dims::uninitialized(n), rest = Dims::filled(2 * n, 0);
  bool odd = false;
  for (size_t d = 0; d < n; ++d) {
    const int64_t total = dilation[d] * (weight.size(static_cast<int64_t>(d) + 2) - 1);
    even[d] = total / 2;
    rest[2 * (n - 1 - d) + 1] = total % 2;
    odd = odd || total % 2;
  }
  return run(op, odd ? constant_pad_nd(x, rest) : x, weight, bias, spatial,
             {1, even, dilation, 0, groups, false}, site);
}

}  // namespace

#define TAPIR_CONV(n)                                                                                        \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,           \
                    IntArrayRef padding, IntArrayRef dilation, int64_t groups) {                             \
    return run("conv" #n "d", x, weight, bias, n, {stride, padding, dilation, 0, groups, false},             \
               TAPIR_HERE);                                                                                  \
  }                                                                                                          \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,           \
                    const PaddingName& padding, IntArrayRef dilation, int64_t groups) {                      \
    return run_named("conv" #n "d", x, weight, bias, n, stride, padding.name, dilation, groups, TAPIR_HERE); \
  }                                                                                                          \
  Tensor conv_transpose##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, \
                              IntArrayRef padding, IntArrayRef output_padding, int64_t groups,               \
                              IntArrayRef dilation) {                                                        \
    return run("conv_transpose" #n "d", x, weight, bias, n,                                                  \
               {stride, padding, dilation, output_padding, groups, true}, TAPIR_HERE);                       \
  }
TAPIR_CONV(1)
TAPIR_CONV(2)
TAPIR_CONV(3)
#undef TAPIR_CONV

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed, IntArrayRef output_padding,
                   int64_t groups) {
  TAPIR_CHECK_AS(ShapeError, weight.dim() >= 3 && weight.dim() <= 5 && x.dim() == weight.dim(),
                 "convolution: input has sizes {}, weight {}, expected 3 to 5 dimensions and as many of each",
                 x.sizes(), weight.sizes());
  return run("convolution", x, weight, bias, weight.dim() - 2,
             {stride, padding, dilation, output_padding, groups, transposed}, TAPIR_HERE);
}

}  // namespace tapir
