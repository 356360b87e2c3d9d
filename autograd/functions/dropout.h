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

/// Dropout of whole channels: each (n, c) of x (N, C, ...) is zero or scaled as one. Throws ShapeError below
/// two dimensions.
TAPIR_API Tensor feature_dropout(const Tensor& x, double p, bool train);
TAPIR_API Tensor& feature_dropout_(Tensor& x, double p, bool train);

/// Dropout that keeps mean 0 and variance 1 (Klambauer et al. 2017): dropped elements become SELU's limit
/// -1.7581, then a x + b with a = 1 / sqrt((1 - p)(1 + 1.7581^2 p)) and b = 1.7581 a p. With p = 1, zeros.
TAPIR_API Tensor alpha_dropout(const Tensor& x, double p, bool train);
TAPIR_API Tensor& alpha_dropout_(Tensor& x, double p, bool train);
/// The same for whole channels.
TAPIR_API Tensor feature_alpha_dropout(const Tensor& x, double p, bool train);
TAPIR_API Tensor& feature_alpha_dropout_(Tensor& x, double p, bool train);

}  // namespace tapir
