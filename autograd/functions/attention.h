// Scaled dot-product attention.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// dropout(softmax(q k^T * scale + mask)) v over the last two dimensions (Vaswani et al. 2017): q (..., L,
/// E), k (..., S, E), v (..., S, W) give (..., L, W); the dimensions before are equal. attn_mask broadcasts
/// to (..., L, S): of bool it says which keys take part, else it is added. is_causal: query i sees keys 0 to
/// i, and no mask is given. scale is 1 / sqrt(E) by default. A row that sees no key gives NaN.
///
/// By tiles, and without the matrix of scores, forward and backward: memory grows with L + S (with dropout,
/// one byte for each weight tells which are kept, drawn as PyTorch draws them). A backward that is recorded
/// itself, and half types, take the matrix. Throws ShapeError, DTypeError, ValueError.
TAPIR_API Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                              const Tensor& attn_mask = {}, double dropout_p = 0,
                                              bool is_causal = false,
                                              std::optional<double> scale = std::nullopt);

}  // namespace tapir
