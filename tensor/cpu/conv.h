// The two ways to a convolution on the CPU; conv.cpp chooses.
#pragma once

#include "tapir/tensor/kernels.h"

namespace tapir::cpu {

inline int64_t volume(const int64_t (&sizes)[kMaxSpatial]) { return sizes[0] * sizes[1] * sizes[2]; }

/// A kernel of one element that visits each place: x is its own matrix of columns.
inline bool is_product(const ConvArgs& a) {
  for (int d = 0; d < kMaxSpatial; ++d)
    if (a.kernel[d] != 1 || a.stride[d] != 1 || a.padding[d] != 0 || a.in[d] != a.out[d]) return false;
  return true;
}

/// With oneDNN, in float. False where it has no fast kernel for these sizes; nothing was written then.
bool conv_onednn(const ConvArgs& args);
/// As matrix products over columns, for float and double, of any sizes.
void conv_columns(const ConvArgs& args);

}  // namespace tapir::cpu
