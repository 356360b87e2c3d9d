#include "tapir/nn/vision.h"

#include "tapir/autograd/functions/grid_sample.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn::functional {

Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  const bool linear = o.mode() == kBilinear, nearest = o.mode() == kNearest;
  TAPIR_CHECK_AS(ValueError, linear || nearest || o.mode() == kBicubic,
                 "grid_sample: mode is \"{}\", expected kBilinear, kNearest or kBicubic",
                 InterpolationMode(o.mode()).name());
  return grid_sampler(input, grid,
                      linear    ? 0
                      : nearest ? 1
                                : 2,
                      o.padding_mode().number(), o.align_corners().value_or(false));
}
Tensor affine_grid(const Tensor& theta, IntArrayRef size, bool align_corners) {
  CallSite site(TAPIR_HERE);
  return affine_grid_generator(theta, size, align_corners);
}

}  // namespace tapir::nn::functional
