// Scaled dot-product attention without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// What both directions are given: q (B, H, L, E), k (B, H, S, E), v (B, H, S, W) of float32 or float64, L,
/// S, E and W not 0; mask of the same dtype that broadcasts to (B, H, L, S), or undefined; keep (B, H, L, S)
/// of bool, or undefined.
struct Attention {
  Tensor q, k, v, mask, keep;
  double keep_scale = 1;
  bool causal = false;
  double scale = 1;
};
struct AttentionResult {
  Tensor out, log_sum;  ///< (B, H, L, W) with dimensions in memory as in q, and (B, H, L)
};
TAPIR_API AttentionResult attention(const Attention& a);
struct AttentionGrads {
  Tensor q, k, v, mask;  ///< mask: (B, H, L, S), where wanted
};
TAPIR_API AttentionGrads attention_backward(const Attention& a, const Tensor& out, const Tensor& log_sum,
                                            const Tensor& grad, bool want_mask);

}  // namespace tapir::raw
