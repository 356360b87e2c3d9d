// Dropout.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// Training: each element zero with probability p, else x / (1 - p), drawn from the device's default
/// generator as PyTorch draws them; x itself otherwise, and for p = 0. Floating dtypes. Throws ValueError for
/// p outside [0, 1].
TAPIR_API Tensor dropout(const Tensor& x, double p, bool train);
/// The same in place.
TAPIR_API Tensor& dropout_(Tensor& x, double p, bool train);

}  // namespace tapir
