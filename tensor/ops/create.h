// Factories without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

TAPIR_API Tensor zeros(IntArrayRef sizes, DType dtype, Device device = kCPU);
TAPIR_API Tensor full(IntArrayRef sizes, const Scalar& value, DType dtype, Device device = kCPU);
/// start, start + step, ... below end.
TAPIR_API Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype,
                        Device device = kCPU);
TAPIR_API Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, DType dtype,
                          Device device = kCPU);
TAPIR_API Tensor eye(int64_t n, int64_t m, DType dtype, Device device = kCPU);
/// A CPU tensor of `dtype` from n values laid out row-major, cast.
template <class T>
Tensor from_values(const T* values, IntArrayRef sizes, DType dtype);

}  // namespace tapir::raw
