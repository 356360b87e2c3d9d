// Layer norm and group norm.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance taken over the last dimensions,
/// whose sizes are normalized_shape (Ba et al. 2016); weight and bias have those sizes, or are undefined.
/// Throws ShapeError.
TAPIR_API Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight = {},
                            const Tensor& bias = {}, double eps = 1e-5, bool cudnn_enable = true);
/// The same over each of num_groups groups of the channels of x (N, C, ...); weight and bias have one value
/// for each channel (Wu and He 2018). Throws ShapeError, ValueError where num_groups does not divide C.
TAPIR_API Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {},
                            const Tensor& bias = {}, double eps = 1e-5, bool cudnn_enabled = true);

}  // namespace tapir
