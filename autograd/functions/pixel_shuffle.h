// Moving elements between the channels and the places of images, of any dtype. Derivatives of any order.
// Throws ShapeError, ValueError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// x (..., C r^2, H, W) as (..., C, H r, W r) for r = upscale_factor: element (i, j) of each square of r x r
/// places comes from channel i r + j of its group of r^2 (Shi et al. 2016).
TAPIR_API Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor);
/// The reverse: x (..., C, H r, W r) as (..., C r^2, H, W) for r = downscale_factor.
TAPIR_API Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor);
/// x (N, C, ...) with its channels in another order: as `groups` rows, read by columns (Zhang et al. 2018).
TAPIR_API Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace tapir
