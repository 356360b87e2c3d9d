// Batch norm and instance norm.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// (x - mean) / sqrt(var + eps) * weight + bias for each channel of x (N, C, ...) (Ioffe and Szegedy 2015);
/// weight and bias (C) or undefined. `training`: mean and (biased) variance are taken over the channel, and
/// running_mean and running_var (C), where defined, become (1 - momentum) running + momentum new, the
/// variance with n - 1; they count as changed in place. Otherwise the running ones are read; undefined ones
/// are refused. Throws ShapeError, ValueError, DTypeError.
TAPIR_API Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& running_mean, const Tensor& running_var, bool training,
                            double momentum, double eps, bool cudnn_enabled = true);

/// The same for each channel of each sample alone (Ulyanov et al. 2016). The running statistics become means
/// over the samples; use_input_stats false reads them.
TAPIR_API Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                               const Tensor& running_mean, const Tensor& running_var, bool use_input_stats,
                               double momentum, double eps, bool cudnn_enabled = true);

}  // namespace tapir
