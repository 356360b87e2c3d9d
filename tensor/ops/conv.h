// Convolution without gradient.
#pragma once

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// The sizes of the three arrays of a convolution, and how its kernel walks; see ConvArgs.
struct ConvShape {
  Dims x, w, y;
  Dims stride, padding, dilation;  ///< one for each spatial dimension
  int64_t groups = 1;
};

/// The array that `op` names from the other two, in the order x, w, y: Forward (x, w), Data (w, y), Weight
/// (x, y). `bias` is added by Forward; Weight writes the bias's gradient into *bias_grad where that is not
/// null. The sizes were checked. Throws DTypeError for what is not floating-point or not of one dtype,
/// DeviceError.
TAPIR_API Tensor conv(const char* name, Conv op, const Tensor& first, const Tensor& second,
                      const ConvShape& shape, const Tensor& bias = {}, Tensor* bias_grad = nullptr);

/// The columns (N, C K..., L) of images x (N, C, L...) for Forward, the images that columns sum to for Data;
/// see KernelTable::columns. Of `shape`, w gives the kernel's sizes alone, and y those of the columns with
/// the places by dimension. Throws DTypeError for what is not floating-point, DeviceError.
TAPIR_API Tensor columns(const char* name, Conv op, const Tensor& from, const ConvShape& shape);

}  // namespace tapir::raw
