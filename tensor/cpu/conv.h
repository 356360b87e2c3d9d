// The two ways to a convolution on the CPU; conv.cpp chooses.
#pragma once

#include "tapir/tensor/kernels.h"

namespace tapir::cpu {

inline int64_t volume(const int64_t (&sizes)[kMaxSpatial]) { return sizes[0] * sizes[1] * sizes[2]; }

/// With oneDNN, in float. False where it has no fast kernel for these sizes; nothing was written then.
bool conv_onednn(const ConvArgs& args);
/// As matrix products over columns, for float and double, of any sizes.
void conv_columns(const ConvArgs& args);

}  // namespace tapir::cpu
