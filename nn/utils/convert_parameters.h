// Parameters as one vector, and back.
#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::nn::utils {

/// All elements, one parameter after the other, as one vector; recorded.
TAPIR_API Tensor parameters_to_vector(const std::vector<Tensor>& parameters);
/// Gives the parameters the values of `vector`, whose elements they then share as PyTorch's do: each
/// parameter's data becomes its part of it. Throws ShapeError unless vector has one dimension and as many
/// elements as all parameters, ValueError unless device and dtype agree.
TAPIR_API void vector_to_parameters(const Tensor& vector, const std::vector<Tensor>& parameters);

}  // namespace tapir::nn::utils
