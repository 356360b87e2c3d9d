// Fills parameters with their first values, in place and outside autograd. The random ones draw from the
// device's default generator, as PyTorch's do: the same seed gives the same values.
#pragma once

#include <utility>

#include "tapir/nn/enums.h"
#include "tapir/tensor/tensor.h"

namespace tapir::nn::init {

/// Uniform in [low, high).
TAPIR_API Tensor uniform_(Tensor tensor, double low = 0, double high = 1);
TAPIR_API Tensor normal_(Tensor tensor, double mean = 0, double std = 1);
TAPIR_API Tensor constant_(Tensor tensor, Scalar value);
TAPIR_API Tensor ones_(Tensor tensor);
TAPIR_API Tensor zeros_(Tensor tensor);
/// The identity. Throws ShapeError unless there are two dimensions.
TAPIR_API Tensor eye_(Tensor matrix);

/// Zeros with a one in the middle of the kernel of output i from input i: a convolution by it passes its
/// first channels on. Throws ShapeError unless there are three to five dimensions.
TAPIR_API Tensor dirac_(Tensor tensor);
/// Normal with standard deviation `std`, with ceil(sparsity * rows) elements of each column set to zero
/// (Martens 2010). Throws ShapeError unless there are two dimensions, ValueError unless sparsity is within
/// [0, 1].
TAPIR_API Tensor sparse_(Tensor tensor, double sparsity, double std = 0.01);

/// The factor by which a layer before this function should be scaled: 1; tanh 5/3; ReLU sqrt(2); leaky ReLU
/// sqrt(2 / (1 + param^2)) for slope `param`; SELU 3/4.
TAPIR_API double calculate_gain(Nonlinearity nonlinearity, double param = 0.01);
using NonlinearityType = Nonlinearity;
using FanModeType = FanMode;
/// Inputs and outputs of each unit of a weight (out, in, kernel...). Throws ShapeError below two dimensions.
TAPIR_API std::pair<int64_t, int64_t> calculate_fan_in_and_fan_out(const Tensor& tensor);
inline std::pair<int64_t, int64_t> _calculate_fan_in_and_fan_out(const Tensor& tensor) {
  return calculate_fan_in_and_fan_out(tensor);
}

/// Uniform with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
TAPIR_API Tensor xavier_uniform_(Tensor tensor, double gain = 1);
/// Normal with the same variance.
TAPIR_API Tensor xavier_normal_(Tensor tensor, double gain = 1);
/// Uniform with variance gain(nonlinearity, a)^2 / fan (He et al. 2015).
TAPIR_API Tensor kaiming_uniform_(Tensor tensor, double a = 0, FanMode mode = kFanIn,
                                  Nonlinearity nonlinearity = kLeakyReLU);
/// Normal with the same variance.
TAPIR_API Tensor kaiming_normal_(Tensor tensor, double a = 0, FanMode mode = kFanIn,
                                 Nonlinearity nonlinearity = kLeakyReLU);
/// gain times a random matrix with orthonormal rows or columns, whichever are fewer; dimensions past the
/// first count as one (Saxe et al. 2014).
TAPIR_API Tensor orthogonal_(Tensor tensor, double gain = 1);

}  // namespace tapir::nn::init
