// Copies, casts and moves between devices, and filling: differentiable.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// A copy. Dense tensors keep their strides, others become row-major.
TAPIR_API Tensor clone(const Tensor& x);
/// x itself where it is row-major, else a row-major copy.
TAPIR_API Tensor contiguous(const Tensor& x);
/// x in another dtype or on another device; x itself where nothing changes, unless `copy`.
/// Floats become integers by cutting the fraction; a value out of range gives an unspecified one.
TAPIR_API Tensor to(const Tensor& x, DType dtype, bool copy = false);
TAPIR_API Tensor to(const Tensor& x, Device device, bool copy = false);
/// dst = src, broadcast and cast; the gradient of dst goes to src. Throws ShapeError.
TAPIR_API void copy_(const Tensor& dst, const Tensor& src);
/// Every element of x = value; cuts x from its history.
TAPIR_API void fill_(const Tensor& x, const Scalar& value);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::clone(std::optional<MemoryFormat> format) const {
  return format == MemoryFormat::Contiguous && !is_contiguous() ? tapir::contiguous(*this)
                                                                : tapir::clone(*this);
}
TAPIR_METHOD Tensor Tensor::contiguous(MemoryFormat) const { return tapir::contiguous(*this); }
TAPIR_METHOD Tensor& Tensor::copy_(const Tensor& source, bool) const {
  tapir::copy_(self(), source);
  return self();
}
TAPIR_METHOD Tensor& Tensor::zero_() const {
  tapir::fill_(self(), 0);
  return self();
}
TAPIR_METHOD Tensor& Tensor::fill_(const Scalar& value) const {
  tapir::fill_(self(), value);
  return self();
}
TAPIR_METHOD Tensor& Tensor::fill_(const Tensor& value) const {
  tapir::copy_(self(), value);
  return self();
}
TAPIR_METHOD Tensor Tensor::to(DType dtype, bool, bool copy) const { return tapir::to(*this, dtype, copy); }
TAPIR_METHOD Tensor Tensor::to(Device device, bool, bool copy) const {
  return tapir::to(*this, device, copy);
}
TAPIR_METHOD Tensor Tensor::to(DeviceType device, bool, bool copy) const {
  return tapir::to(*this, Device(device), copy);
}
TAPIR_METHOD Tensor Tensor::to(Device device, DType dtype, bool, bool copy) const {
  return tapir::to(tapir::to(*this, dtype), device, copy);
}
TAPIR_METHOD Tensor Tensor::to(const TensorOptions& options, bool, bool copy) const {
  return tapir::to(options.has_dtype() ? tapir::to(*this, options.dtype()) : *this,
                   options.has_device() ? options.device() : device(), copy);
}
TAPIR_METHOD Tensor Tensor::to(const Tensor& like, bool, bool copy) const {
  return tapir::to(tapir::to(*this, like.dtype()), like.device(), copy);
}
TAPIR_METHOD Tensor Tensor::toType(DType dtype) const { return tapir::to(*this, dtype); }
TAPIR_METHOD Tensor Tensor::type_as(const Tensor& other) const { return tapir::to(*this, other.dtype()); }
TAPIR_METHOD Tensor Tensor::cpu() const { return tapir::to(*this, Device(kCPU)); }
TAPIR_METHOD Tensor Tensor::cuda() const { return tapir::to(*this, Device(kCUDA)); }
TAPIR_METHOD Tensor& fill_(Tensor& x, const Tensor& value) { return x.fill_(value); }
TAPIR_METHOD Tensor& zero_(Tensor& x) { return x.zero_(); }
#undef TAPIR_METHOD

}  // namespace tapir
