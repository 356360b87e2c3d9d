// Sampling of images at the places of a grid, without gradient.
#pragma once

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

struct GridSampling {
  GridMode mode;
  GridPadding padding;
  bool aligned;
};
/// x (N, C, L...) at grid (N, O..., 2 or 3) as (N, C, O...); see GridSampleArgs. The sizes were checked.
TAPIR_API Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampling& how);
/// The gradients for `grad` of the result, where they are wanted.
struct GridSampleGrads {
  Tensor x, grid;
};
TAPIR_API GridSampleGrads grid_sample_backward(const Tensor& x, const Tensor& grid, const Tensor& grad,
                                               const GridSampling& how, bool wants_x, bool wants_grid);

}  // namespace tapir::raw
