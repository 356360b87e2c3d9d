#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::nn::utils {

/// Scales all gradients together by max_norm / (total norm + 1e-6) where that is below 1 (Pascanu et al.
/// 2013). The total norm, which is returned, is that of all gradients as one vector: norm_type 2, or any
/// other p, or infinity. With error_if_nonfinite, a norm that is NaN or infinite throws ValueError and
/// nothing is changed. Parameters without a gradient are passed over.
TAPIR_API double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type = 2,
                                 bool error_if_nonfinite = false);
TAPIR_API double clip_grad_norm_(const Tensor& parameter, double max_norm, double norm_type = 2,
                                 bool error_if_nonfinite = false);
/// Cuts every element of the gradients to [-clip_value, clip_value].
TAPIR_API void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);
TAPIR_API void clip_grad_value_(const Tensor& parameter, double clip_value);

}  // namespace tapir::nn::utils
