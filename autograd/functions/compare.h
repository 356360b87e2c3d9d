// Comparison of whole tensors.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// True where sizes and all values agree; NaN agrees with nothing. Throws DTypeError, DeviceError for mixed
/// arguments.
TAPIR_API bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol * |b| for each element, bool; infinities of one sign are close, NaNs with
/// equal_nan. Sizes broadcast. Throws DTypeError for mixed dtypes, ValueError for a negative tolerance.
TAPIR_API Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                         bool equal_nan = false);
/// True where all elements are close.
TAPIR_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                        bool equal_nan = false);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD bool Tensor::equal(const Tensor& other) const { return tapir::equal(*this, other); }
TAPIR_METHOD Tensor Tensor::isclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return tapir::isclose(*this, other, rtol, atol, equal_nan);
}
TAPIR_METHOD bool Tensor::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return tapir::allclose(*this, other, rtol, atol, equal_nan);
}
#undef TAPIR_METHOD

}  // namespace tapir
