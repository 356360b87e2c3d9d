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

/// Everything that attention by heads takes besides its inputs.
struct Heads {
  int64_t embed_dim, num_heads;
  Tensor in_weight;  ///< of query, key and value together; undefined where each has its own
  Tensor q_weight, k_weight, v_weight;
  Tensor in_bias, bias_k, bias_v;
  Tensor out_weight, out_bias;
  Tensor static_k, static_v;  ///< (N * heads, S, head_dim) in place of projected keys and values
  bool add_zero_attn = false, batch_first = false;
  double dropout = 0;
};

std::tuple<Tensor, Tensor> attend(const Heads& o, const Tensor& query_in, const Tensor& key_in,
                                  const Tensor& value_in, const Tensor& padding, bool need_weights,
                                  const Tensor& attn_mask, bool average) {
  const bool single = query_in.dim() == 2;
  TAPIR_CHECK_AS(
      ShapeError,
      (single || query_in.dim() == 3) && key_in.dim() == query_in.dim() && value_in.dim() == query_in.dim(),
      "MultiheadAttention: query has sizes {}, key {} and value {}; expected three dimensions each, or two",
      query_in.sizes(), key_in.sizes(), value_in.sizes());
  const int64_t batch_dim = single ? 1 : o.batch_first ? 0 : 1, step_dim = 1 - batch_dim;
  const auto batched = [&](const Tensor& x) { return single ? unsqueeze(x, 1) : x; };
  const bool self = query_in.is_same(key_in) && key_in.is_same(value_in), same_kv = key_in.is_same(value_in);
  const Tensor query = batched(query_in), key = self ? query : batched(key_in),
               value = same_kv ? key : batched(value_in);
  const int64_t E = o.embed_dim, H = o.num_heads, head_dim = E / H;
  const int64_t kdim = o.in_weight.defined() ? E : o.k_weight.size(1),
                vdim = o.in_weight.defined() ? E : o.v_weight.size(1);
  const int64_t N = query.size(batch_dim), L = query.size(step_dim), S = key.size(step_dim);
  TAPIR_CHECK_AS(
      ShapeError,
      query.size(2) == E && key.size(2) == kdim && value.size(2) == vdim && key.size(batch_dim) == N &&
          value.size(batch_dim) == N && value.size(step_dim) == S,
      "MultiheadAttention: query has sizes {}, key {} and value {}; embed_dim is {}, kdim {} and vdim {}",
      query_in.sizes(), key_in.sizes(), value_in.sizes(), E, kdim, vdim);
  // The projections, as PyTorch packs them.
  Tensor q, k, v;
  const auto part = [&](const Tensor& t, int64_t i, int64_t n) {
    return t.defined() ? narrow(t, 0, i * E, n * E) : t;
  };
  if (!o.in_weight.defined()) {
    q = linear(query, o.q_weight, part(o.in_bias, 0, 1));
    k = linear(key, o.k_weight, part(o.in_bias, 1, 1));
    v = linear(value, o.v_weight, part(o.in_bias, 2, 1));
  } else if (self) {
    const std::vector<Tensor> qkv = chunk(linear(query, o.in_weight, o.in_bias), 3, -1);
    q = qkv[0], k = qkv[1], v = qkv[2];
  } else {
    q = linear(query, part(o.in_weight, 0, 1), part(o.in_bias, 0, 1));
    if (same_kv) {
      const std::vector<Tensor> kv =
          chunk(linear(key, part(o.in_weight, 1, 2), part(o.in_bias, 1, 2)), 2, -1);
      k = kv[0], v = kv[1];
    } else {
      k = linear(key, part(o.in_weight, 1, 1), part(o.in_bias, 1, 1));
      v = linear(value, part(o.in_weight, 2, 1), part(o.in_bias, 2, 1));
    }
  }
  const auto by_head = [&](const Tensor& t) {  // (N, H, steps, E / H), a view
    const Tensor split = view(t, {t.size(0), t.size(1), H, head_dim});
    return o.batch_first && !single ? permute(split, {0, 2, 1, 3}) : permute(split, {1, 2, 0, 3});
  };
  int64_t keys = S;
  const auto append = [&](Tensor& t, const Tensor& row) {  // row: (1, 1, E)
    Dims sizes = t.sizes();
    sizes[static_cast<size_t>(step_dim)] = 1;
    t = cat({t, expand(row, sizes)}, step_dim);
  };
  if (o.bias_k.defined()) {
    append(k, o.bias_k);
    append(v, o.bias_v);
    ++keys;
  }
  if (o.add_zero_attn) {
    const Tensor zeros = raw::zeros({1, 1, E}, k.dtype(), k.device());
    append(k, zeros);
    append(v, zeros);
    ++keys;
  }
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
  const auto given = [&](const Tensor& t, const char* what) {
    TAPIR_CHECK_AS(ShapeError,
                   !o.bias_k.defined() && !o.add_zero_attn && t.dim() == 3 && t.size(0) == N * H &&
                       t.size(1) == S && t.size(2) == head_dim,
                   "MultiheadAttention: {} has sizes {}, expected [{}, {}, {}], and nothing to append to it",
                   what, t.sizes(), N * H, S, head_dim);
    return reshape(t, {N, H, S, head_dim});
  };
  const double dropout_p = o.dropout;
  const Tensor qh = by_head(q), kh = o.static_k.defined() ? given(o.static_k, "static_k") : by_head(k),
               vh = o.static_v.defined() ? given(o.static_v, "static_v") : by_head(v);
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
  const Tensor joined = o.batch_first && !single ? reshape(permute(heads, {0, 2, 1, 3}), {N, L, E})
                                                 : reshape(permute(heads, {2, 0, 1, 3}), {L, N, E});
  const Tensor out = linear(joined, o.out_weight, o.out_bias);
  return {single ? squeeze(out, 1) : out, weights};
}

}  // namespace

std::tuple<Tensor, Tensor> MultiheadAttentionImpl::forward(const Tensor& query, const Tensor& key,
                                                           const Tensor& value, const Tensor& padding,
                                                           bool need_weights, const Tensor& attn_mask,
                                                           bool average) {
  CallSite site(TAPIR_HERE);
  Heads o{options.embed_dim(),
          options.num_heads(),
          in_proj_weight,
          q_proj_weight,
          k_proj_weight,
          v_proj_weight,
          in_proj_bias,
          bias_k,
          bias_v,
          out_proj->weight,
          out_proj->bias,
          {},
          {}};
  o.add_zero_attn = options.add_zero_attn();
  o.batch_first = options.batch_first();
  o.dropout = is_training() ? options.dropout() : 0;
  return attend(o, query, key, value, padding, need_weights, attn_mask, average);
}

std::tuple<Tensor, Tensor> functional::multi_head_attention_forward(
    const Tensor& query, const Tensor& key, const Tensor& value,
    const MultiheadAttentionForwardFuncOptions& given) {
  CallSite site(TAPIR_HERE);
  const int64_t e = given.embed_dim_to_check();
  TAPIR_CHECK_AS(
      ValueError, given.num_heads() > 0 && e > 0 && e % given.num_heads() == 0,
      "multi_head_attention_forward: embed_dim_to_check is {}, expected a multiple of num_heads, {}", e,
      given.num_heads());
  TAPIR_CHECK_AS(ValueError, given.bias_k().defined() == given.bias_v().defined(),
                 "multi_head_attention_forward: expected both bias_k and bias_v, or neither");
  const auto fits = [&](const Tensor& w, std::optional<int64_t> columns, const char* what, int64_t rows) {
    TAPIR_CHECK_AS(
        ShapeError,
        w.defined() && w.dim() == 2 && w.size(0) == rows && w.size(1) == columns.value_or(w.size(1)),
        "multi_head_attention_forward: {} does not fit embed_dim_to_check {}", what, e);
  };
  const bool apart = given.use_separate_proj_weight();
  if (apart) {
    fits(given.q_proj_weight(), e, "q_proj_weight", e);
    fits(given.k_proj_weight(), std::nullopt, "k_proj_weight", e);
    fits(given.v_proj_weight(), std::nullopt, "v_proj_weight", e);
  } else {
    fits(given.in_proj_weight(), e, "in_proj_weight", 3 * e);
  }
  fits(given.out_proj_weight(), e, "out_proj_weight", e);
  Heads o{e,
          given.num_heads(),
          apart ? Tensor() : given.in_proj_weight(),
          given.q_proj_weight(),
          given.k_proj_weight(),
          given.v_proj_weight(),
          given.in_proj_bias(),
          given.bias_k(),
          given.bias_v(),
          given.out_proj_weight(),
          given.out_proj_bias(),
          given.static_k(),
          given.static_v()};
  o.add_zero_attn = given.add_zero_attn();
  o.dropout = given.training() ? given.dropout_p() : 0;
  return attend(o, query, key, value, given.key_padding_mask(), given.need_weights(), given.attn_mask(),
                given.average_attn_weights());
}

// --- what may be left out when they are called through AnyModule ---

std::vector<std::pair<size_t, AnyValue>> MultiheadAttentionImpl::forward_default_args_() {
  return {{3, AnyValue(Tensor())}, {4, AnyValue(true)}, {5, AnyValue(Tensor())}, {6, AnyValue(true)}};
}

}  // namespace tapir::nn
