// Convolutions. x, weight and bias have one floating-point dtype and one device. Derivatives of any order:
// each of a convolution, its transpose and its gradient by the weight is linear in both of its inputs and
// made of the other two.
//
// A list of one number for stride, padding, dilation or output_padding stands for one for each spatial
// dimension.
#pragma once

#include <concepts>
#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

/// "same" or "valid"; unlike a std::string_view not made from the number 0.
struct PaddingName {
  template <class S>
  requires std::convertible_to<const S&, std::string_view> PaddingName(const S& s) : name(s) {}  // NOLINT
  std::string_view name;
};

/// Cross-correlation of x (N, C, L...) or (C, L...) with weight (O, C / groups, K...):
///   y[n][o][p] = bias[o] + sum over c, k of x[n][c][p * stride - padding + k * dilation] * weight[o][c][k],
/// with zeros around x; output sizes floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1. Output
/// channels o of group g see that group's input channels alone. bias (O) or undefined. padding "same" keeps
/// the sizes (stride 1 only; where the padding is odd the larger half stands behind), "valid" is none. Throws
/// ShapeError, ValueError, DTypeError, DeviceError.
TAPIR_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                        int64_t groups = 1);
TAPIR_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                        int64_t groups = 1);
TAPIR_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                        int64_t groups = 1);
TAPIR_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        const PaddingName& padding, IntArrayRef dilation = 1, int64_t groups = 1);
TAPIR_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        const PaddingName& padding, IntArrayRef dilation = 1, int64_t groups = 1);
TAPIR_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                        const PaddingName& padding, IntArrayRef dilation = 1, int64_t groups = 1);

/// The transpose of that map (Zeiler et al. 2010), from x (N, C, L...) or (C, L...) with weight (C, O /
/// groups, K...) to O channels: each element of x, times the kernel, is added into y at p * stride - padding
/// + k * dilation. Output sizes (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1;
/// output_padding, smaller than stride or dilation, says which of the sizes that a convolution maps to L is
/// meant.
TAPIR_API Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                  IntArrayRef stride = 1, IntArrayRef padding = 0,
                                  IntArrayRef output_padding = 0, int64_t groups = 1,
                                  IntArrayRef dilation = 1);
TAPIR_API Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                  IntArrayRef stride = 1, IntArrayRef padding = 0,
                                  IntArrayRef output_padding = 0, int64_t groups = 1,
                                  IntArrayRef dilation = 1);
TAPIR_API Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                  IntArrayRef stride = 1, IntArrayRef padding = 0,
                                  IntArrayRef output_padding = 0, int64_t groups = 1,
                                  IntArrayRef dilation = 1);

/// Both, with as many spatial dimensions as weight has; x (N, C, L...). output_padding counts where
/// `transposed`.
TAPIR_API Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                             IntArrayRef padding, IntArrayRef dilation, bool transposed,
                             IntArrayRef output_padding, int64_t groups);

}  // namespace tapir
