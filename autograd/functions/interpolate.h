// Resampling of the spatial dimensions of x (N, C, L...). Derivatives of any order.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

/// x at `size` places in each spatial dimension, or at floor(L * scale_factor). Place p lies at
///   align_corners: p (L - 1) / (O - 1);  else (p + 1/2) L / O - 1/2, of which L / O is 1 / scale_factor
///   where that is given and recompute_scale_factor is false.
/// mode "nearest" (x[floor(p L / O)], any dtype), "nearest-exact" (x[floor((p + 1/2) L / O)]), "linear" (one
/// spatial dimension), "bilinear" (two), "trilinear" (three), "bicubic" (two; Keys 1981 with a = -3/4),
/// "area" (the mean of what a place covers, as adaptive_avg_pool). Throws ShapeError, ValueError.
TAPIR_API Tensor interpolate(const Tensor& x, std::optional<std::vector<int64_t>> size,
                             std::optional<std::vector<double>> scale_factor = std::nullopt,
                             std::string_view mode = "nearest",
                             std::optional<bool> align_corners = std::nullopt,
                             std::optional<bool> recompute_scale_factor = std::nullopt);

}  // namespace tapir
