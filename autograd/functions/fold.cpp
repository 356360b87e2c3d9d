#include "tapir/autograd/functions/fold.h"

#include "tapir/autograd/functions/spatial.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/conv.h"

namespace tapir {

namespace {

using raw::ConvShape;

Tensor apply(Conv op, const Tensor& from, const ConvShape& shape, const void* site);

struct FoldBackward final : NodeOf<1, 0> {
  const char* type_name() const override { return op == Conv::Forward ? "Im2ColBackward" : "Col2ImBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    sink.set(0, apply(op == Conv::Forward ? Conv::Data : Conv::Forward, grads[0], shape, TAPIR_HERE));
  }
  Conv op;
  ConvShape shape;
};

Tensor apply(Conv op, const Tensor& from, const ConvShape& shape, const void* site) {
  const Tensor y = raw::columns(op == Conv::Forward ? "im2col" : "col2im", op, from, shape);
  if (recording(from)) {
    auto* node = record<FoldBackward>(site, y, from);
    node->op = op;
    node->shape = shape;
  }
  return y;
}

/// What goes over images of sizes (N, C, H, W), of which C and the places are not known yet.
struct Window {
  Window(const char* op, IntArrayRef kernel_size, IntArrayRef dilation_in, IntArrayRef padding_in,
         IntArrayRef stride_in)
      : kernel(two(op, "kernel_size", kernel_size, 1)),
        dilation(two(op, "dilation", dilation_in, 1)),
        padding(two(op, "padding", padding_in, 0)),
        stride(two(op, "stride", stride_in, 1)) {}
  static Dims two(const char* op, const char* what, IntArrayRef given, int64_t least) {
    Dims d = numbers(op, what, given, 2, least);
    for (const int64_t v : d)
      TAPIR_CHECK_AS(ValueError, v < (int64_t{1} << 31), "{}: {} is {}, expected less than 2^31", op, what,
                     given);
    return d;
  }
  /// All sizes, for images of (batch, channels, sizes...).
  ConvShape over(const char* op, int64_t batch, int64_t channels, const Dims& sizes) const {
    ConvShape s;
    s.stride = stride;
    s.padding = padding;
    s.dilation = dilation;
    s.w = {1, 1, kernel[0], kernel[1]};
    s.x = {batch, channels, sizes[0], sizes[1]};
    s.y = {batch, channels * kernel[0] * kernel[1]};
    for (size_t d = 0; d < 2; ++d) {
      const int64_t left = sizes[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
      TAPIR_CHECK_AS(ShapeError, left >= 0,
                     "{}: no window of kernel_size {} and dilation {} fits into images of {} with padding {}",
                     op, IntArrayRef(kernel), IntArrayRef(dilation), IntArrayRef(sizes),
                     IntArrayRef(padding));
      s.y.push_back(left / stride[d] + 1);
    }
    return s;
  }
  Dims kernel, dilation, padding, stride;
};

}  // namespace

Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation, IntArrayRef padding,
              IntArrayRef stride) {
  CallSite site(TAPIR_HERE);
  const Window window("im2col", kernel_size, dilation, padding, stride);
  const bool batched = x.dim() == 4;
  TAPIR_CHECK_AS(ShapeError, (batched || x.dim() == 3) && x.size(-1) > 0 && x.size(-2) > 0 && x.size(-3) > 0,
                 "im2col: input has sizes {}, expected (N, C, H, W) or (C, H, W) with an empty batch at most",
                 x.sizes());
  const Tensor images = batched ? x : unsqueeze(x, 0);
  const Tensor y =
      apply(Conv::Forward, images,
            window.over("im2col", images.size(0), images.size(1), {x.size(-2), x.size(-1)}), TAPIR_HERE);
  return batched ? y : squeeze(y, 0);
}

Tensor col2im(const Tensor& columns, IntArrayRef output_size, IntArrayRef kernel_size, IntArrayRef dilation,
              IntArrayRef padding, IntArrayRef stride) {
  CallSite site(TAPIR_HERE);
  const Window window("col2im", kernel_size, dilation, padding, stride);
  const Dims sizes = Window::two("col2im", "output_size", output_size, 1);
  const int64_t elements = window.kernel[0] * window.kernel[1];
  const bool batched = columns.dim() == 3;
  TAPIR_CHECK_AS(ShapeError, (batched || columns.dim() == 2) && columns.size(-2) > 0,
                 "col2im: input has sizes {}, expected (N, C K, L) or (C K, L) with an empty batch at most",
                 columns.sizes());
  TAPIR_CHECK_AS(ShapeError, columns.size(-2) % elements == 0,
                 "col2im: input of sizes {} has {} rows, expected a multiple of the {} elements of "
                 "kernel_size {}",
                 columns.sizes(), columns.size(-2), elements, kernel_size);
  const Tensor all = batched ? columns : unsqueeze(columns, 0);
  const ConvShape s = window.over("col2im", all.size(0), all.size(1) / elements, sizes);
  TAPIR_CHECK_AS(
      ShapeError, all.size(2) == s.y[2] * s.y[3],
      "col2im: input of sizes {} has {} columns, expected {}, for {} times {} places of the window "
      "in images of {}",
      columns.sizes(), all.size(2), s.y[2] * s.y[3], s.y[2], s.y[3], IntArrayRef(sizes));
  const Tensor y = apply(Conv::Data, all, s, TAPIR_HERE);
  return batched ? y : squeeze(y, 0);
}

}  // namespace tapir
