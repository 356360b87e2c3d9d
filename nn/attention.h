// Multi-head attention.
#pragma once

#include <tuple>

#include "tapir/nn/any.h"
#include "tapir/nn/linear.h"

namespace tapir::nn {

struct MultiheadAttentionOptions {
  MultiheadAttentionOptions(int64_t embed_dim, int64_t num_heads)
      : embed_dim_(embed_dim), num_heads_(num_heads) {}
  TAPIR_ARG(int64_t, embed_dim);
  TAPIR_ARG(int64_t, num_heads);
  TAPIR_ARG(double, dropout) = 0;                          ///< of the attention weights, while training
  TAPIR_ARG(bool, bias) = true;                            ///< of the projections
  TAPIR_ARG(bool, add_bias_kv) = false;                    ///< one learnt key and value more
  TAPIR_ARG(bool, add_zero_attn) = false;                  ///< one key and value of zeros more
  TAPIR_ARG(std::optional<int64_t>, kdim) = std::nullopt;  ///< features of the keys, embed_dim by default
  TAPIR_ARG(std::optional<int64_t>, vdim) = std::nullopt;
  TAPIR_ARG(bool, batch_first) = false;  ///< (N, L, E) instead of (L, N, E)
};

/// Attention by num_heads heads, each over embed_dim / num_heads features (Vaswani et al. 2017). Parameters,
/// names and first values are those of PyTorch's nn.MultiheadAttention.
class TAPIR_API MultiheadAttentionImpl : public Cloneable<MultiheadAttentionImpl> {
 public:
  MultiheadAttentionImpl(int64_t embed_dim, int64_t num_heads)
      : MultiheadAttentionImpl(MultiheadAttentionOptions(embed_dim, num_heads)) {}
  explicit MultiheadAttentionImpl(const MultiheadAttentionOptions& options);
  void reset() override;
  void _reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  /// query (L, N, E), key (S, N, kdim) and value (S, N, vdim), or without N, give the result (L, N, E) and
  /// the weights (N, L, S), averaged over the heads unless average_attn_weights is false ((N, heads, L, S)).
  /// Without need_weights they are undefined, and the matrix of scores is never made. key_padding_mask (N,
  /// S): true, or -inf added, leaves a key out. attn_mask (L, S) or (N * heads, L, S): true leaves a pair
  /// out, numbers are added to the scores.
  std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& key_padding_mask = {}, bool need_weights = true,
                                     const Tensor& attn_mask = {}, bool average_attn_weights = true);
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  MultiheadAttentionOptions options;
  bool _qkv_same_embed_dim = true;
  int64_t head_dim = 0;
  Tensor in_proj_weight;  ///< (3 E, E) for query, key and value, where their features are as many
  Tensor in_proj_bias;    ///< (3 E)
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  ///< where they are not
  Tensor bias_k, bias_v;                               ///< (1, 1, E)
  Linear out_proj = nullptr;
};
TAPIR_BUILTIN_MODULE(MultiheadAttention);

namespace functional {
struct MultiheadAttentionForwardFuncOptions {
  MultiheadAttentionForwardFuncOptions(int64_t embed_dim_to_check, int64_t num_heads, Tensor in_proj_weight,
                                       Tensor in_proj_bias, Tensor bias_k, Tensor bias_v, bool add_zero_attn,
                                       double dropout_p, Tensor out_proj_weight, Tensor out_proj_bias)
      : embed_dim_to_check_(embed_dim_to_check),
        num_heads_(num_heads),
        in_proj_weight_(std::move(in_proj_weight)),
        in_proj_bias_(std::move(in_proj_bias)),
        bias_k_(std::move(bias_k)),
        bias_v_(std::move(bias_v)),
        add_zero_attn_(add_zero_attn),
        dropout_p_(dropout_p),
        out_proj_weight_(std::move(out_proj_weight)),
        out_proj_bias_(std::move(out_proj_bias)) {}
  TAPIR_ARG(int64_t, embed_dim_to_check);
  TAPIR_ARG(int64_t, num_heads);
  TAPIR_ARG(Tensor, in_proj_weight);
  TAPIR_ARG(Tensor, in_proj_bias);
  TAPIR_ARG(Tensor, bias_k);
  TAPIR_ARG(Tensor, bias_v);
  TAPIR_ARG(bool, add_zero_attn);
  TAPIR_ARG(double, dropout_p);
  TAPIR_ARG(Tensor, out_proj_weight);
  TAPIR_ARG(Tensor, out_proj_bias);
  TAPIR_ARG(bool, training) = true;
  TAPIR_ARG(Tensor, key_padding_mask) = Tensor();
  TAPIR_ARG(bool, need_weights) = true;
  TAPIR_ARG(Tensor, attn_mask) = Tensor();
  TAPIR_ARG(bool, use_separate_proj_weight) = false;
  TAPIR_ARG(Tensor, q_proj_weight) = Tensor();
  TAPIR_ARG(Tensor, k_proj_weight) = Tensor();
  TAPIR_ARG(Tensor, v_proj_weight) = Tensor();
  /// (N * heads, S, head_dim), in place of the projected keys and values.
  TAPIR_ARG(Tensor, static_k) = Tensor();
  TAPIR_ARG(Tensor, static_v) = Tensor();
  TAPIR_ARG(bool, average_attn_weights) = true;
};
/// What MultiheadAttention's forward computes (steps first), with the given weights.
TAPIR_API std::tuple<Tensor, Tensor> multi_head_attention_forward(
    const Tensor& query, const Tensor& key, const Tensor& value,
    const MultiheadAttentionForwardFuncOptions& options);
}  // namespace functional

}  // namespace tapir::nn
