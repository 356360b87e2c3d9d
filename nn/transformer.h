// The Transformer and its layers (Vaswani et al. 2017).
#pragma once

#include <functional>

#include "tapir/nn/attention.h"
#include "tapir/nn/containers.h"
#include "tapir/nn/dropout.h"
#include "tapir/nn/enums.h"
#include "tapir/nn/normalization.h"

namespace tapir::nn {

/// The function between the two linear layers: kReLU, kGELU, or any of a tensor.
class TAPIR_API TransformerActivation {
 public:
  TransformerActivation(Nonlinearity kind = kReLU);  // NOLINT: throws ValueError for others
  template <class F>
  requires(std::is_invocable_r_v<Tensor, F, const Tensor&>) TransformerActivation(F f)  // NOLINT
      : function_(std::move(f)) {}
  Tensor operator()(const Tensor& x) const { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

struct TransformerEncoderLayerOptions {
  TransformerEncoderLayerOptions(int64_t d_model, int64_t nhead) : d_model_(d_model), nhead_(nhead) {}
  TAPIR_ARG(int64_t, d_model);
  TAPIR_ARG(int64_t, nhead);
  TAPIR_ARG(int64_t, dim_feedforward) = 2048;
  TAPIR_ARG(double, dropout) = 0.1;
  TAPIR_ARG(TransformerActivation, activation) = kReLU;
  TAPIR_ARG(double, layer_norm_eps) = 1e-5;
  TAPIR_ARG(bool, batch_first) = false;  ///< (N, L, E) instead of (L, N, E)
  TAPIR_ARG(bool,
            norm_first) = false;  ///< normalises what goes into each part rather than its sum with the input
};
using TransformerDecoderLayerOptions = TransformerEncoderLayerOptions;

/// Self-attention and two linear layers, each with dropout, added to its input and normalised.
class TAPIR_API TransformerEncoderLayerImpl : public Cloneable<TransformerEncoderLayerImpl> {
 public:
  TransformerEncoderLayerImpl(int64_t d_model, int64_t nhead)
      : TransformerEncoderLayerImpl(TransformerEncoderLayerOptions(d_model, nhead)) {}
  explicit TransformerEncoderLayerImpl(const TransformerEncoderLayerOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// Masks as in MultiheadAttention.
  Tensor forward(const Tensor& src, const Tensor& src_mask = {}, const Tensor& src_key_padding_mask = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  TransformerEncoderLayerOptions options;
  MultiheadAttention self_attn = nullptr;
  Linear linear1 = nullptr;
  Dropout dropout = nullptr;
  Linear linear2 = nullptr;
  LayerNorm norm1 = nullptr, norm2 = nullptr;
  Dropout dropout1 = nullptr, dropout2 = nullptr;
};
TAPIR_BUILTIN_MODULE(TransformerEncoderLayer);

/// The same with attention to the encoder's result, `memory`, in between.
class TAPIR_API TransformerDecoderLayerImpl : public Cloneable<TransformerDecoderLayerImpl> {
 public:
  TransformerDecoderLayerImpl(int64_t d_model, int64_t nhead)
      : TransformerDecoderLayerImpl(TransformerDecoderLayerOptions(d_model, nhead)) {}
  explicit TransformerDecoderLayerImpl(const TransformerDecoderLayerOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {},
                 const Tensor& memory_mask = {}, const Tensor& tgt_key_padding_mask = {},
                 const Tensor& memory_key_padding_mask = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  TransformerDecoderLayerOptions options;
  MultiheadAttention self_attn = nullptr, multihead_attn = nullptr;
  Linear linear1 = nullptr;
  Dropout dropout = nullptr;
  Linear linear2 = nullptr;
  LayerNorm norm1 = nullptr, norm2 = nullptr, norm3 = nullptr;
  Dropout dropout1 = nullptr, dropout2 = nullptr, dropout3 = nullptr;
};
TAPIR_BUILTIN_MODULE(TransformerDecoderLayer);

struct TransformerEncoderOptions {
  /// num_layers copies of the layer.
  TransformerEncoderOptions(TransformerEncoderLayer encoder_layer, int64_t num_layers)
      : encoder_layer_(std::move(encoder_layer)), num_layers_(num_layers) {}
  TransformerEncoderOptions(const TransformerEncoderLayerOptions& layer, int64_t num_layers)
      : TransformerEncoderOptions(TransformerEncoderLayer(layer), num_layers) {}
  TAPIR_ARG(TransformerEncoderLayer, encoder_layer) = nullptr;
  TAPIR_ARG(int64_t, num_layers);
  TAPIR_ARG(AnyModule, norm);  ///< applied to the result, if any
};

/// Encoder layers, one after the other.
class TAPIR_API TransformerEncoderImpl : public Cloneable<TransformerEncoderImpl> {
 public:
  TransformerEncoderImpl(TransformerEncoderLayer encoder_layer, int64_t num_layers)
      : TransformerEncoderImpl(TransformerEncoderOptions(std::move(encoder_layer), num_layers)) {}
  explicit TransformerEncoderImpl(TransformerEncoderOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& src, const Tensor& src_mask = {}, const Tensor& src_key_padding_mask = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  TransformerEncoderOptions options;
  ModuleList layers = nullptr;
  AnyModule norm;
};
TAPIR_BUILTIN_MODULE(TransformerEncoder);

struct TransformerDecoderOptions {
  TransformerDecoderOptions(TransformerDecoderLayer decoder_layer, int64_t num_layers)
      : decoder_layer_(std::move(decoder_layer)), num_layers_(num_layers) {}
  TransformerDecoderOptions(const TransformerDecoderLayerOptions& layer, int64_t num_layers)
      : TransformerDecoderOptions(TransformerDecoderLayer(layer), num_layers) {}
  TAPIR_ARG(TransformerDecoderLayer, decoder_layer) = nullptr;
  TAPIR_ARG(int64_t, num_layers);
  TAPIR_ARG(AnyModule, norm);
};

/// Decoder layers, one after the other.
class TAPIR_API TransformerDecoderImpl : public Cloneable<TransformerDecoderImpl> {
 public:
  TransformerDecoderImpl(TransformerDecoderLayer decoder_layer, int64_t num_layers)
      : TransformerDecoderImpl(TransformerDecoderOptions(std::move(decoder_layer), num_layers)) {}
  explicit TransformerDecoderImpl(TransformerDecoderOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {},
                 const Tensor& memory_mask = {}, const Tensor& tgt_key_padding_mask = {},
                 const Tensor& memory_key_padding_mask = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  TransformerDecoderOptions options;
  ModuleList layers = nullptr;
  AnyModule norm;
};
TAPIR_BUILTIN_MODULE(TransformerDecoder);

struct TransformerOptions {
  TransformerOptions() = default;
  TransformerOptions(int64_t d_model, int64_t nhead) : d_model_(d_model), nhead_(nhead) {}
  TransformerOptions(int64_t d_model, int64_t nhead, int64_t num_encoder_layers, int64_t num_decoder_layers)
      : d_model_(d_model),
        nhead_(nhead),
        num_encoder_layers_(num_encoder_layers),
        num_decoder_layers_(num_decoder_layers) {}
  TAPIR_ARG(int64_t, d_model) = 512;
  TAPIR_ARG(int64_t, nhead) = 8;
  TAPIR_ARG(int64_t, num_encoder_layers) = 6;
  TAPIR_ARG(int64_t, num_decoder_layers) = 6;
  TAPIR_ARG(int64_t, dim_feedforward) = 2048;
  TAPIR_ARG(double, dropout) = 0.1;
  TAPIR_ARG(TransformerActivation, activation) = kReLU;
  TAPIR_ARG(AnyModule,
            custom_encoder);  ///< in the encoder's place: forward(src, src_mask, src_key_padding_mask)
  TAPIR_ARG(AnyModule, custom_decoder);
  TAPIR_ARG(double, layer_norm_eps) = 1e-5;
  TAPIR_ARG(bool, batch_first) = false;
  TAPIR_ARG(bool, norm_first) = false;
};

/// Encoder and decoder with a last norm each; all matrices start as xavier_uniform_ draws them.
class TAPIR_API TransformerImpl : public Cloneable<TransformerImpl> {
 public:
  explicit TransformerImpl(TransformerOptions options = {});
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// src (S, N, E) and tgt (T, N, E) give (T, N, E). Throws ShapeError.
  Tensor forward(const Tensor& src, const Tensor& tgt, const Tensor& src_mask = {},
                 const Tensor& tgt_mask = {}, const Tensor& memory_mask = {},
                 const Tensor& src_key_padding_mask = {}, const Tensor& tgt_key_padding_mask = {},
                 const Tensor& memory_key_padding_mask = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();
  /// (size, size): 0 on and below the diagonal, -inf above it.
  static Tensor generate_square_subsequent_mask(int64_t size);

  TransformerOptions options;
  AnyModule encoder, decoder;
};
TAPIR_BUILTIN_MODULE(Transformer);

}  // namespace tapir::nn
