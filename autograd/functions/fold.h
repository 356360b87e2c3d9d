// The columns of a convolution over images: each place of a window as a column, and back. Of each floating
// dtype; each is the other's derivative, to any order. One number for both dimensions stands for two. Throws
// ShapeError, ValueError, DTypeError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// x (N, C, H, W) or (C, H, W) as columns (N, C K0 K1, L): row (c, i, j) holds at each of L places of the
/// window, row by row, x[c][p0 stride - padding + i dilation][p1 stride - padding + j dilation], and zero
/// outside of x.
TAPIR_API Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation, IntArrayRef padding,
                        IntArrayRef stride);
/// The transpose: columns (N, C K0 K1, L) or (C K0 K1, L) summed into images (N, C, output_size...).
TAPIR_API Tensor col2im(const Tensor& columns, IntArrayRef output_size, IntArrayRef kernel_size,
                        IntArrayRef dilation, IntArrayRef padding, IntArrayRef stride);

}  // namespace tapir
