// Sums of products over named indices. The work is done by bmm.
#pragma once

#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

/// einsum("ij,jk->ik", {a, b}): letters name dimensions, those that the output does not have are summed, and
/// one that an operand has twice stands for its diagonal. "..." stands for the dimensions that no letter
/// names, which broadcast; so do sizes of 1. Without "->" the output has "..." and the letters that occur
/// once, capitals before small ones. Operands are multiplied two by two, left to right, or as `path` says,
/// which lists pairs of places to multiply, the product going to the end. One dtype and device for all
/// (DTypeError, DeviceError). Throws ValueError for an equation that cannot be read, ShapeError where it does
/// not fit the sizes.
TAPIR_API Tensor einsum(std::string_view equation, TensorList operands, IntArrayRef path = {});

/// Sum over dims_a[i] of a and dims_b[i] of b; the result has the other dimensions of a, then those of b.
TAPIR_API Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b);
/// Over the last `dims` dimensions of a and the first of b.
TAPIR_API Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims = 2);

}  // namespace tapir
