// Images seen through a grid of places; autograd/functions/grid_sample.h has the formulas.
#pragma once

#include <optional>

#include "tapir/nn/enums.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::nn::functional {

struct GridSampleFuncOptions {
  TAPIR_ARG(Interpolation, mode) = kBilinear;  ///< or kNearest or kBicubic; kBilinear also in 3-D
  TAPIR_ARG(GridPaddingMode, padding_mode) = kZeros;
  TAPIR_ARG(std::optional<bool>, align_corners) = std::nullopt;  ///< false unless set
};
/// grid_sampler
TAPIR_API Tensor grid_sample(const Tensor& input, const Tensor& grid,
                             const GridSampleFuncOptions& options = {});
/// affine_grid_generator
TAPIR_API Tensor affine_grid(const Tensor& theta, IntArrayRef size, bool align_corners = false);

}  // namespace tapir::nn::functional
