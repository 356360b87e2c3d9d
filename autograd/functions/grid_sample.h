// Images seen through a grid of places. Throws ShapeError, ValueError, DTypeError, DeviceError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// The grid (N, H, W, 2) or (N, D, H, W, 3) that the affine maps theta (N, 2, 3) or (N, 3, 4) make of the
/// places of an image of sizes `size` (N, C, H, W) or (N, C, D, H, W), for grid_sampler. Coordinates, the
/// last dimension's first, go from -1 to 1: the centres of the first and last elements with align_corners,
/// else their outer edges. Derivatives of any order.
TAPIR_API Tensor affine_grid_generator(const Tensor& theta, IntArrayRef size, bool align_corners);

/// x (N, C, H, W) or (N, C, D, H, W) at the places of grid (N, H', W', 2) or (N, D', H', W', 3), as (N, C,
/// H', W') or (N, C, D', H', W'); coordinates as above, of which NaN stands for -1. interpolation_mode 0:
/// linearly between the elements, 1: the nearest, 2: bicubic (four dimensions only; Keys 1981 with a = -3/4).
/// padding_mode, outside of x: 0 zeros, 1 the element at the border, 2 x mirrored. There is no second
/// derivative, as in PyTorch; the nearest gives grid a gradient of zeros.
TAPIR_API Tensor grid_sampler(const Tensor& x, const Tensor& grid, int64_t interpolation_mode,
                              int64_t padding_mode, bool align_corners);
TAPIR_API Tensor grid_sampler_2d(const Tensor& x, const Tensor& grid, int64_t interpolation_mode,
                                 int64_t padding_mode, bool align_corners);
TAPIR_API Tensor grid_sampler_3d(const Tensor& x, const Tensor& grid, int64_t interpolation_mode,
                                 int64_t padding_mode, bool align_corners);

}  // namespace tapir
