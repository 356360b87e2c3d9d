#include "tapir/nn/attention.h"

#include <cmath>
#include <limits>
#include <ostream>

#include "tapir/autograd/functions/attention.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/dropout.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::nn {

MultiheadAttentionImpl::MultiheadAttentionImpl(const MultiheadAttentionOptions& o) : options(o) {
  MultiheadAttentionImpl::reset();
}

void MultiheadAttentionImpl::reset() {
  const int64_t e = options.embed_dim();
  TAPIR_CHECK_AS(ValueError, e > 0 && options.num_heads() > 0 && e % options.num_heads() == 0,
                 "MultiheadAttention: embed_dim is {}, expected a multiple of num_heads, {}", e,
                 options.num_heads());
  head_dim = e / options.num_heads();
  const int64_t k = options.kdim().value_or(e), v = options.vdim().value_or(e);
  _qkv_same_embed_dim = k == e && v == e;
  const DType dtype = get_default_dtype();
  const auto weight = [&](const char* name, bool there, int64_t rows, int64_t columns) {
    return register_parameter(name, there ? Tensor::empty({rows, columns}, dtype) : Tensor(), there);
  };
  in_proj_weight = weight("in_proj_weight", _qkv_same_embed_dim, 3 * e, e);
  q_proj_weight = weight("q_proj_weight", !_qkv_same_embed_dim, e, e);
  k_proj_weight = weight("k_proj_weight", !_qkv_same_embed_dim, e, k);
  v_proj_weight = weight("v_proj_weight", !_qkv_same_embed_dim, e, v);
  in_proj_bias = register_parameter("in_proj_bias", options.bias() ? Tensor::empty({3 * e}, dtype) : Tensor(),
                                    options.bias());
  const bool more = options.add_bias_kv();
  bias_k = register_parameter("bias_k", more ? Tensor::empty({1, 1, e}, dtype) : Tensor(), more);
  bias_v = register_parameter("bias_v", more ? Tensor::empty({1, 1, e}, dtype) : Tensor(), more);
  out_proj = register_module("out_proj", Linear(LinearOptions(e, e).bias(options.bias())));
  _reset_parameters();
}

void MultiheadAttentionImpl::_reset_parameters() {
  for (const Tensor* w : {&in_proj_weight, &q_proj_weight, &k_proj_weight, &v_proj_weight})
    if (w->defined()) init::xavier_uniform_(*w);
  if (in_proj_bias.defined()) {
    init::zeros_(in_proj_bias);
    init::zeros_(out_proj->bias);
  }
  for (const Tensor* b : {&bias_k, &bias_v})
    if (b->defined()) init::xavier_normal_(*b);
}

void MultiheadAttentionImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::MultiheadAttention(embed_dim=" << options.embed_dim()
         << ", num_heads=" << options.num_heads() << ")";
}

namespace {

/// What is added to the scores for a mask: itself, or -inf where it is true.
Tensor as_addend(const Tensor& mask, DType dtype, const char* what) {
  if (mask.dtype() == kBool)
    return where(mask, Scalar(-std::numeric_limits<double>::infinity()),
                 raw::full({}, 0, dtype, mask.device()));
  TAPIR_CHECK_AS(DTypeError, is_floating_point(mask.dtype()),
                 "MultiheadAttention: {} of {}, expected bool or a floating-point dtype", what, mask.dtype());
  return to(mask, dtype);
}

}  // namespace

std::tuple<Tensor, Tensor> MultiheadAttentionImpl::forward(const Tensor& query_in, const Tensor& key_in,
                                                           const Tensor& value_in, const Tensor& padding,
                                                           bool need_weights, const Tensor& attn_mask,
                                                           bool average) {
  CallSite site(TAPIR_HERE);
  const bool single = query_in.dim() == 2;
  TAPIR_CHECK_AS(
      ShapeError,
      (single || query_in.dim() == 3) && key_in.dim() == query_in.dim() && value_in.dim() == query_in.dim(),
      "MultiheadAttention: query has sizes {}, key {} and value {}; expected three dimensions each, or two",
      query_in.sizes(), key_in.sizes(), value_in.sizes());
  const int64_t batch_dim = single ? 1 : options.batch_first() ? 0 : 1, step_dim = 1 - batch_dim;
  const auto batched = [&](const Tensor& x) { return single ? unsqueeze(x, 1) : x; };
  const bool self = query_in.is_same(key_in) && key_in.is_same(value_in), same_kv = key_in.is_same(value_in);
  const Tensor query = batched(query_in), key = self ? query : batched(key_in),
               value = same_kv ? key : batched(value_in);
  const int64_t E = options.embed_dim(), H = options.num_heads();
  const int64_t N = query.size(batch_dim), L = query.size(step_dim), S = key.size(step_dim);
  TAPIR_CHECK_AS(
      ShapeError,
      query.size(2) == E && key.size(2) == options.kdim().value_or(E) &&
          value.size(2) == options.vdim().value_or(E) && key.size(batch_dim) == N &&
          value.size(batch_dim) == N && value.size(step_dim) == S,
      "MultiheadAttention: query has sizes {}, key {} and value {}; embed_dim is {}, kdim {} and vdim {}",
      query_in.sizes(), key_in.sizes(), value_in.sizes(), E, options.kdim().value_or(E),
      options.vdim().value_or(E));
  // The projections, as PyTorch packs them.
  Tensor q, k, v;
  const auto part = [&](const Tensor& t, int64_t i, int64_t n) {
    return t.defined() ? narrow(t, 0, i * E, n * E) : t;
  };
  if (!_qkv_same_embed_dim) {
    q = linear(query, q_proj_weight, part(in_proj_bias, 0, 1));
    k = linear(key, k_proj_weight, part(in_proj_bias, 1, 1));
    v = linear(value, v_proj_weight, part(in_proj_bias, 2, 1));
  } else if (self) {
    const std::vector<Tensor> qkv = chunk(linear(query, in_proj_weight, in_proj_bias), 3, -1);
    q = qkv[0], k = qkv[1], v = qkv[2];
  } else {
    q = linear(query, part(in_proj_weight, 0, 1), part(in_proj_bias, 0, 1));
    if (same_kv) {
      const std::vector<Tensor> kv =
          chunk(linear(key, part(in_proj_weight, 1, 2), part(in_proj_bias, 1, 2)), 2, -1);
      k = kv[0], v = kv[1];
    } else {
      k = linear(key, part(in_proj_weight, 1, 1), part(in_proj_bias, 1, 1));
      v = linear(value, part(in_proj_weight, 2, 1), part(in_proj_bias, 2, 1));
    }
  }
  int64_t keys = S;
  const auto append = [&](Tensor& t, const Tensor& row) {  // row: (1, 1, E)
    Dims sizes = t.sizes();
    sizes[static_cast<size_t>(step_dim)] = 1;
    t = cat({t, expand(row, sizes)}, step_dim);
  };
  if (options.add_bias_kv()) {
    append(k, bias_k);
    append(v, bias_v);
    ++keys;
  }
  if (options.add_zero_attn()) {
    const Tensor zeros = raw::zeros({1, 1, E}, k.dtype(), k.device());
    append(k, zeros);
    append(v, zeros);
    ++keys;
  }
  const auto by_head = [&](const Tensor& t) {  // (N, H, steps, E / H), a view
    const Tensor split = view(t, {t.size(0), t.size(1), H, head_dim});
    return options.batch_first() && !single ? permute(split, {0, 2, 1, 3}) : permute(split, {1, 2, 0, 3});
  };
  // Both masks as one that is added.
  Tensor mask;
  const auto widen = [&](Tensor m) {
    return keys == S ? m
                     : cat({m, raw::zeros(
                                   [&] {
                                     Dims d = m.sizes();
                                     d[d.size() - 1] = keys - S;
                                     return d;
                                   }(),
                                   m.dtype(), m.device())},
                           -1);
  };
  if (attn_mask.defined()) {
    const bool flat = attn_mask.dim() == 2 && attn_mask.size(0) == L && attn_mask.size(1) == S;
    TAPIR_CHECK_AS(ShapeError,
                   flat || (attn_mask.dim() == 3 && attn_mask.size(0) == N * H && attn_mask.size(1) == L &&
                            attn_mask.size(2) == S),
                   "MultiheadAttention: attn_mask has sizes {}, expected [{}, {}] or [{}, {}, {}]",
                   attn_mask.sizes(), L, S, N * H, L, S);
    mask = widen(as_addend(attn_mask, q.dtype(), "attn_mask"));
    if (!flat) mask = view(contiguous(mask), {N, H, L, keys});
  }
  if (padding.defined()) {
    const Tensor rows = single && padding.dim() == 1 ? unsqueeze(padding, 0) : padding;
    TAPIR_CHECK_AS(ShapeError, rows.dim() == 2 && rows.size(0) == N && rows.size(1) == S,
                   "MultiheadAttention: key_padding_mask has sizes {}, expected [{}, {}]", padding.sizes(), N,
                   S);
    const Tensor addend =
        view(widen(contiguous(as_addend(rows, q.dtype(), "key_padding_mask"))), {N, 1, 1, keys});
    mask = mask.defined() ? add(mask, addend) : addend;
  }
  const double dropout_p = is_training() ? options.dropout() : 0;
  const Tensor qh = by_head(q), kh = by_head(k), vh = by_head(v);
  Tensor heads, weights;
  if (need_weights) {
    Tensor scores =
        matmul(mul(qh, Scalar(1 / std::sqrt(static_cast<double>(head_dim)))), transpose(kh, -2, -1));
    if (mask.defined()) scores = add(scores, mask);
    weights = dropout(softmax(scores, -1), dropout_p, true);
    heads = matmul(weights, vh);
    if (average) weights = mean(weights, 1);
    if (single) weights = squeeze(weights, 0);
  } else {
    heads = scaled_dot_product_attention(qh, kh, vh, mask, dropout_p);
  }
  const Tensor joined = options.batch_first() && !single ? reshape(permute(heads, {0, 2, 1, 3}), {N, L, E})
                                                         : reshape(permute(heads, {2, 0, 1, 3}), {L, N, E});
  const Tensor out = out_proj(joined);
  return {single ? squeeze(out, 1) : out, weights};
}

}  // namespace tapir::nn
