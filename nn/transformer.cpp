#include "tapir/nn/transformer.h"

#include <limits>
#include <ostream>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::nn {

TransformerActivation::TransformerActivation(Nonlinearity kind) {
  TAPIR_CHECK_AS(ValueError, kind == kReLU || kind == kGELU,
                 "TransformerActivation: expected kReLU, kGELU or a function of a tensor");
  if (kind == kReLU)
    function_ = [](const Tensor& x) { return relu(x); };
  else
    function_ = [](const Tensor& x) { return gelu(x); };
}

namespace {

MultiheadAttention attention_of(const TransformerEncoderLayerOptions& o) {
  return MultiheadAttention(
      MultiheadAttentionOptions(o.d_model(), o.nhead()).dropout(o.dropout()).batch_first(o.batch_first()));
}
LayerNorm norm_of(const TransformerEncoderLayerOptions& o) {
  return LayerNorm(LayerNormOptions({o.d_model()}).eps(o.layer_norm_eps()));
}
Tensor attend(const MultiheadAttention& attention, const Tensor& query, const Tensor& memory,
              const Tensor& mask, const Tensor& padding) {
  return std::get<0>(attention(query, memory, memory, padding, false, mask));
}
void print_layer(std::ostream& stream, const char* name, const TransformerEncoderLayerOptions& o) {
  stream << "tapir::nn::" << name << "(d_model=" << o.d_model() << ", nhead=" << o.nhead() << ")";
}

/// New random numbers for what a layer or a stack is made of.
void reset_children(const Module& module) {
  for (const auto& child : module.children()) {
    if (auto* attention = child->as<MultiheadAttention>())
      attention->_reset_parameters();
    else if (auto* linear = child->as<Linear>())
      linear->reset_parameters();
    else if (auto* norm = child->as<LayerNorm>())
      norm->reset_parameters();
    else
      reset_children(*child);
  }
}

}  // namespace

// --- layers ---

void TransformerEncoderLayerImpl::reset_parameters() { reset_children(*this); }
void TransformerDecoderLayerImpl::reset_parameters() { reset_children(*this); }
void TransformerEncoderImpl::reset_parameters() { reset_children(*this); }
void TransformerDecoderImpl::reset_parameters() { reset_children(*this); }

TransformerEncoderLayerImpl::TransformerEncoderLayerImpl(const TransformerEncoderLayerOptions& o)
    : options(o) {
  TransformerEncoderLayerImpl::reset();
}
void TransformerEncoderLayerImpl::reset() {
  self_attn = register_module("self_attn", attention_of(options));
  linear1 = register_module("linear1", Linear(options.d_model(), options.dim_feedforward()));
  dropout = register_module("dropout", Dropout(options.dropout()));
  linear2 = register_module("linear2", Linear(options.dim_feedforward(), options.d_model()));
  norm1 = register_module("norm1", norm_of(options));
  norm2 = register_module("norm2", norm_of(options));
  dropout1 = register_module("dropout1", Dropout(options.dropout()));
  dropout2 = register_module("dropout2", Dropout(options.dropout()));
}
void TransformerEncoderLayerImpl::pretty_print(std::ostream& stream) const {
  print_layer(stream, "TransformerEncoderLayerImpl", options);
}
Tensor TransformerEncoderLayerImpl::forward(const Tensor& src, const Tensor& mask, const Tensor& padding) {
  CallSite site(TAPIR_HERE);
  const auto attended = [&](const Tensor& x) { return dropout1(attend(self_attn, x, x, mask, padding)); };
  const auto fed = [&](const Tensor& x) {
    return dropout2(linear2(dropout(options.activation()(linear1(x)))));
  };
  if (options.norm_first()) {
    const Tensor x = add(src, attended(norm1(src)));
    return add(x, fed(norm2(x)));
  }
  const Tensor x = norm1(add(src, attended(src)));
  return norm2(add(x, fed(x)));
}

TransformerDecoderLayerImpl::TransformerDecoderLayerImpl(const TransformerDecoderLayerOptions& o)
    : options(o) {
  TransformerDecoderLayerImpl::reset();
}
void TransformerDecoderLayerImpl::reset() {
  self_attn = register_module("self_attn", attention_of(options));
  multihead_attn = register_module("multihead_attn", attention_of(options));
  linear1 = register_module("linear1", Linear(options.d_model(), options.dim_feedforward()));
  dropout = register_module("dropout", Dropout(options.dropout()));
  linear2 = register_module("linear2", Linear(options.dim_feedforward(), options.d_model()));
  norm1 = register_module("norm1", norm_of(options));
  norm2 = register_module("norm2", norm_of(options));
  norm3 = register_module("norm3", norm_of(options));
  dropout1 = register_module("dropout1", Dropout(options.dropout()));
  dropout2 = register_module("dropout2", Dropout(options.dropout()));
  dropout3 = register_module("dropout3", Dropout(options.dropout()));
}
void TransformerDecoderLayerImpl::pretty_print(std::ostream& stream) const {
  print_layer(stream, "TransformerDecoderLayerImpl", options);
}
Tensor TransformerDecoderLayerImpl::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask,
                                            const Tensor& memory_mask, const Tensor& tgt_padding,
                                            const Tensor& memory_padding) {
  CallSite site(TAPIR_HERE);
  const auto attended = [&](const Tensor& x) {
    return dropout1(attend(self_attn, x, x, tgt_mask, tgt_padding));
  };
  const auto looked_up = [&](const Tensor& x) {
    return dropout2(attend(multihead_attn, x, memory, memory_mask, memory_padding));
  };
  const auto fed = [&](const Tensor& x) {
    return dropout3(linear2(dropout(options.activation()(linear1(x)))));
  };
  if (options.norm_first()) {
    Tensor x = add(tgt, attended(norm1(tgt)));
    x = add(x, looked_up(norm2(x)));
    return add(x, fed(norm3(x)));
  }
  Tensor x = norm1(add(tgt, attended(tgt)));
  x = norm2(add(x, looked_up(x)));
  return norm3(add(x, fed(x)));
}

// --- stacks ---

namespace {
template <class Layer>
ModuleList copies(const Layer& layer, int64_t n, const char* name) {
  TAPIR_CHECK_AS(ValueError, n >= 1, "{}: num_layers is {}, expected at least 1", name, n);
  ModuleList layers;
  for (int64_t i = 0; i < n; ++i) layers->push_back(layer->clone());
  return layers;
}
}  // namespace

TransformerEncoderImpl::TransformerEncoderImpl(TransformerEncoderOptions o) : options(std::move(o)) {
  TransformerEncoderImpl::reset();
}
void TransformerEncoderImpl::reset() {
  layers =
      register_module("layers", copies(options.encoder_layer(), options.num_layers(), "TransformerEncoder"));
  if (options.norm().is_empty()) return;
  norm = options.norm().clone();
  register_module("norm", norm.ptr());
}
void TransformerEncoderImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::TransformerEncoderImpl(num_layers=" << layers->size() << ")";
}
Tensor TransformerEncoderImpl::forward(const Tensor& src, const Tensor& mask, const Tensor& padding) {
  CallSite site(TAPIR_HERE);
  Tensor x = src;
  for (size_t i = 0; i < layers->size(); ++i)
    x = layers->at<TransformerEncoderLayer>(i).forward(x, mask, padding);
  return norm.is_empty() ? x : norm.forward(x);
}

TransformerDecoderImpl::TransformerDecoderImpl(TransformerDecoderOptions o) : options(std::move(o)) {
  TransformerDecoderImpl::reset();
}
void TransformerDecoderImpl::reset() {
  layers =
      register_module("layers", copies(options.decoder_layer(), options.num_layers(), "TransformerDecoder"));
  if (options.norm().is_empty()) return;
  norm = options.norm().clone();
  register_module("norm", norm.ptr());
}
void TransformerDecoderImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::TransformerDecoderImpl(num_layers=" << layers->size() << ")";
}
Tensor TransformerDecoderImpl::forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask,
                                       const Tensor& memory_mask, const Tensor& tgt_padding,
                                       const Tensor& memory_padding) {
  CallSite site(TAPIR_HERE);
  Tensor x = tgt;
  for (size_t i = 0; i < layers->size(); ++i)
    x = layers->at<TransformerDecoderLayer>(i).forward(x, memory, tgt_mask, memory_mask, tgt_padding,
                                                       memory_padding);
  return norm.is_empty() ? x : norm.forward(x);
}

TransformerImpl::TransformerImpl(TransformerOptions o) : options(std::move(o)) { TransformerImpl::reset(); }

void TransformerImpl::reset() {
  const auto layer = TransformerEncoderLayerOptions(options.d_model(), options.nhead())
                         .dim_feedforward(options.dim_feedforward())
                         .dropout(options.dropout())
                         .activation(options.activation())
                         .layer_norm_eps(options.layer_norm_eps())
                         .batch_first(options.batch_first())
                         .norm_first(options.norm_first());
  if (options.custom_encoder().is_empty())
    encoder = AnyModule(TransformerEncoder(
        TransformerEncoderOptions(layer, options.num_encoder_layers()).norm(AnyModule(norm_of(layer)))));
  else
    encoder = options.custom_encoder().clone();
  register_module("encoder", encoder.ptr());
  if (options.custom_decoder().is_empty())
    decoder = AnyModule(TransformerDecoder(
        TransformerDecoderOptions(layer, options.num_decoder_layers()).norm(AnyModule(norm_of(layer)))));
  else
    decoder = options.custom_decoder().clone();
  register_module("decoder", decoder.ptr());
  reset_parameters();
}
void TransformerImpl::reset_parameters() {
  for (const Tensor& p : parameters())
    if (p.dim() > 1) init::xavier_uniform_(p);
}
void TransformerImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::TransformerImpl(d_model=" << options.d_model() << ", nhead=" << options.nhead()
         << ")";
}
Tensor TransformerImpl::forward(const Tensor& src, const Tensor& tgt, const Tensor& src_mask,
                                const Tensor& tgt_mask, const Tensor& memory_mask, const Tensor& src_padding,
                                const Tensor& tgt_padding, const Tensor& memory_padding) {
  CallSite site(TAPIR_HERE);
  const int64_t batch_dim = options.batch_first() ? 0 : 1;
  TAPIR_CHECK_AS(
      ShapeError,
      src.dim() == 3 && tgt.dim() == 3 && src.size(batch_dim) == tgt.size(batch_dim) &&
          src.size(2) == options.d_model() && tgt.size(2) == options.d_model(),
      "Transformer: src has sizes {} and tgt {}; expected three dimensions, as many batches, and {} features",
      src.sizes(), tgt.sizes(), options.d_model());
  const Tensor memory = encoder.forward<Tensor>(src, src_mask, src_padding);
  return decoder.forward<Tensor>(tgt, memory, tgt_mask, memory_mask, tgt_padding, memory_padding);
}

Tensor TransformerImpl::generate_square_subsequent_mask(int64_t size) {
  TAPIR_CHECK_AS(ValueError, size >= 0, "generate_square_subsequent_mask: size is {}", size);
  const Tensor i = raw::arange(0, size, 1, kInt64), seen = ge(i.unsqueeze(1), i);
  return where(seen, raw::full({}, 0, get_default_dtype()), Scalar(-std::numeric_limits<double>::infinity()));
}

// --- what may be left out when they are called through AnyModule ---

std::vector<std::pair<size_t, AnyValue>> TransformerEncoderLayerImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}, {2, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> TransformerDecoderLayerImpl::forward_default_args_() {
  return {{2, AnyValue(Tensor())}, {3, AnyValue(Tensor())}, {4, AnyValue(Tensor())}, {5, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> TransformerEncoderImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}, {2, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> TransformerDecoderImpl::forward_default_args_() {
  return {{2, AnyValue(Tensor())}, {3, AnyValue(Tensor())}, {4, AnyValue(Tensor())}, {5, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> TransformerImpl::forward_default_args_() {
  return {{2, AnyValue(Tensor())}, {3, AnyValue(Tensor())}, {4, AnyValue(Tensor())},
          {5, AnyValue(Tensor())}, {6, AnyValue(Tensor())}, {7, AnyValue(Tensor())}};
}

}  // namespace tapir::nn
