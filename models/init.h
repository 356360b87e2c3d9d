// The initial weights that torchvision's models share; private to their sources.
#pragma once

#include <optional>

#include "tapir/nn/module.h"

namespace tapir::models {

/// Convolutions: kaiming_normal_ by their fan-out and zero biases (He et al. 2015); linear layers, where
/// linear_std is given: normal with mean 0 and that deviation, zero biases. Drawn in the order of modules().
void init_weights(nn::Module& module, std::optional<double> linear_std = std::nullopt);

}  // namespace tapir::models
