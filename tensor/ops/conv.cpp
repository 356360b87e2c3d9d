#include "tapir/tensor/ops/conv.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

ConvArgs args_of(Conv op, DType dtype, const ConvShape& s) {
  ConvArgs a{};
  a.op = op;
  a.dtype = dtype;
  a.batch = s.x[0];
  a.groups = s.groups;
  a.in_channels = s.x[1];
  a.out_channels = s.w[0];
  const size_t spatial = s.stride.size();
  for (size_t d = 0; d < kMaxSpatial; ++d) {
    const bool there = d + spatial >= kMaxSpatial;
    const size_t i = d + spatial - kMaxSpatial;
    a.in[d] = there ? s.x[i + 2] : 1;
    a.kernel[d] = there ? s.w[i + 2] : 1;
    a.out[d] = there ? s.y[i + 2] : 1;
    a.stride[d] = there ? s.stride[i] : 1;
    a.padding[d] = there ? s.padding[i] : 0;
    a.dilation[d] = there ? s.dilation[i] : 1;
  }
  return a;
}

void check_floating(const char* name, DType dtype) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(dtype),
                 "{}: got a tensor of {}, expected a floating-point dtype; cast it with to(dtype)", name,
                 dtype);
}

}  // namespace

Tensor conv(const char* name, Conv op, const Tensor& first_in, const Tensor& second_in, const ConvShape& s,
            const Tensor& bias_in, Tensor* bias_grad) {
  const DType dtype = first_in.dtype();
  const Device device = first_in.device();
  check_floating(name, dtype);
  for (const Tensor* t : {&second_in, &bias_in}) {
    if (!t->defined()) continue;
    TAPIR_CHECK_AS(DTypeError, t->dtype() == dtype,
                   "{}: got tensors of {} and {}, expected one dtype; cast with to(dtype)", name, dtype,
                   t->dtype());
    TAPIR_CHECK_AS(DeviceError, t->device() == device, "{}: got tensors on {} and {}, expected one device",
                   name, device, t->device());
  }
  const Tensor first = contiguous(first_in), second = contiguous(second_in),
               bias = bias_in.defined() ? contiguous(bias_in) : Tensor();
  const Tensor out = Tensor::empty(op == Conv::Forward ? s.y : op == Conv::Data ? s.x : s.w, dtype, device);
  if (bias_grad) *bias_grad = Tensor::empty({s.w[0]}, dtype, device);

  ConvArgs a = args_of(op, dtype, s);
  a.x = (op == Conv::Data ? out : first).data_ptr();
  a.w = (op == Conv::Weight ? out : op == Conv::Data ? first : second).data_ptr();
  a.y = (op == Conv::Forward ? out : second).data_ptr();
  a.bias = bias_grad ? bias_grad->data_ptr() : bias.defined() ? bias.data_ptr() : nullptr;
  if (out.numel() == 0 && !bias_grad) return out;
  if (first.numel() == 0 || second.numel() == 0) {
    // An empty sum, to which the bias is added.
    fill(out, 0);
    if (bias_grad) fill(*bias_grad, 0);
    if (bias.defined()) {
      Dims sizes = Dims::filled(s.y.size(), 1);
      sizes[1] = bias.numel();
      copy_into(out, bias.alias(Layout::of(sizes)));
    }
    return out;
  }
  require(&KernelTable::conv, device, name)(a);
  return out;
}

Tensor columns(const char* name, Conv op, const Tensor& from_in, const ConvShape& s) {
  check_floating(name, from_in.dtype());
  const Tensor from = contiguous(from_in);
  const Tensor out = Tensor::empty(op == Conv::Forward ? Dims{s.y[0], s.y[1], s.y[2] * s.y[3]} : s.x,
                                   from.dtype(), from.device());
  if (out.numel() == 0) return out;
  ConvArgs a = args_of(op, from.dtype(), s);
  a.x = (op == Conv::Forward ? from : out).data_ptr();
  a.y = (op == Conv::Forward ? out : from).data_ptr();
  require(&KernelTable::columns, from.device(), name)(a);
  return out;
}

}  // namespace tapir::raw
