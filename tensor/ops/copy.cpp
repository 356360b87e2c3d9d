#include "tapir/tensor/ops/copy.h"

#include "tapir/tensor/cuda_seam.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir::raw {

namespace {

// Copies within one device; dst was checked.
void copy_elements(const Tensor& dst, const Tensor& src) {
  CopyArgs args;
  args.dst = dst.data_ptr();
  args.src = src.data_ptr();
  args.dst_dtype = dst.dtype();
  args.src_dtype = src.dtype();
  args.numel = dst.numel();
  if (args.numel == 0) return;
  const Layout &d = dst.layout_of(), &s = src.layout_of();
  if (d.sizes == s.sizes && d.contiguous && s.contiguous) {
    args.ndim = 1;
    args.sizes[0] = args.numel;
    args.dst_strides[0] = args.src_strides[0] = 1;
  } else {
    const Layout from = d.sizes == s.sizes ? s : s.expand(d.sizes);
    const int64_t* in[] = {d.strides.data(), from.strides.data()};
    int64_t* out[] = {args.dst_strides, args.src_strides};
    merge_dims(d.sizes, 2, in, args.ndim, args.sizes, out);
  }
  kernels(dst.device()).copy(args);
}

}  // namespace

void copy_into(const Tensor& dst, const Tensor& src, const char* op) {
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(src.sizes(), dst.sizes()),
                 "{}: sizes {} do not broadcast to those of the destination, {}", op, src.sizes(),
                 dst.sizes());
  check_writable(dst, op);
  if (dst.device() == src.device()) {
    const bool shared = dst.impl()->storage.get() == src.impl()->storage.get();
    if (shared && dst.impl()->data == src.impl()->data && dst.layout_of().sizes == src.layout_of().sizes &&
        dst.layout_of().strides == src.layout_of().strides)
      return;
    copy_elements(dst, shared ? clone(src) : src);
  } else {
    // Across devices: equal dtype and a row-major block on both sides, then one copy of bytes.
    const Tensor from = contiguous(cast(src, dst.dtype()));
    const bool direct = dst.is_contiguous() && from.layout_of().sizes == dst.layout_of().sizes;
    const Tensor to = direct ? dst : Tensor::empty(from.sizes(), dst.dtype(), dst.device());
    if (to.numel())
      cuda_seam().copy_bytes(to.data_ptr(), to.device(), from.data_ptr(), from.device(),
                             static_cast<size_t>(to.nbytes()));
    if (!direct) copy_elements(dst, to);
  }
  mark_changed(dst, op);
}

Tensor clone(const Tensor& x) {
  const Layout& l = x.layout_of();
  if (l.contiguous || !l.dense()) return clone_contiguous(x);
  Layout to = l;
  to.offset = 0;
  Tensor out = Tensor::from_layout(std::move(to), x.dtype(), x.device());
  copy_elements(out, x);
  return out;
}

Tensor clone_contiguous(const Tensor& x) {
  Tensor out = Tensor::empty(x.sizes(), x.dtype(), x.device());
  copy_elements(out, x);
  return out;
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone_contiguous(x); }

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Layout to = x.layout_of();
  if (!to.contiguous && !to.dense()) to = Layout::of(to.sizes);
  to.offset = 0;
  Tensor out = Tensor::from_layout(std::move(to), dtype, x.device());
  copy_elements(out, x);
  return out;
}

Tensor to_device(const Tensor& x, Device device) {
  if (x.device() == device || (device.is_cuda() && !device.has_index() && x.is_cuda())) return x;
  Tensor out = Tensor::empty(x.sizes(), x.dtype(), device);
  copy_into(out, x);
  return out;
}

void check_fits(const char* op, const Scalar& value, DType dtype) {
  if (TAPIR_LIKELY(!is_integral(dtype))) return;
  const bool fits = visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::integral<T>) return value.fits<T>();
    return true;
  });
  TAPIR_CHECK_AS(ValueError, fits, "{}: the value {} does not fit {}; use a wider dtype", op,
                 detail::stream_text(value), dtype);
}

void fill(const Tensor& dst, const Scalar& value, const char* op) {
  const Layout& l = dst.layout_of();
  check_fits(op, value, dst.dtype());
  dst.impl()->storage->check_changeable(op);
  if (l.numel > 0) {
    if (l.contiguous || l.dense()) {
      kernels(dst.device()).fill(dst.data_ptr(), dst.dtype(), l.numel, {value.to_double(), value.to_int64()});
    } else {
      Tensor one = Tensor::empty({}, dst.dtype(), dst.device());
      kernels(dst.device()).fill(one.data_ptr(), dst.dtype(), 1, {value.to_double(), value.to_int64()});
      copy_elements(dst, one);
    }
  }
  mark_changed(dst, op);
}

Scalar item(const Tensor& x) {
  TAPIR_CHECK_AS(ShapeError, x.numel() == 1,
                 "item: sizes {} hold {} elements, expected exactly one; index the tensor first", x.sizes(),
                 x.numel());
  const KernelScalar v = kernels(x.device()).read(x.data_ptr(), x.dtype());
  if (tapir::is_floating_point(x.dtype())) return Scalar(v.real);
  if (x.dtype() == kBool) return Scalar(v.integer != 0);
  return Scalar(v.integer);
}

}  // namespace tapir::raw
