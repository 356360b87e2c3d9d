#include "tapir/autograd/functions/attention.h"

#include <cmath>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/attention.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/random.h"

namespace tapir {

namespace {

constexpr const char* kOp = "scaled_dot_product_attention";

/// What is added to the scores: 0, or -inf where a key is not seen.
Tensor additive(const Tensor& seen, DType dtype) {
  return where(seen, raw::full({}, 0, dtype, seen.device()),
               Scalar(-std::numeric_limits<double>::infinity()));
}
Tensor causal_mask(int64_t queries, int64_t keys, DType dtype, Device device) {
  const Tensor i = raw::arange(0, queries, 1, kInt64, device), j = raw::arange(0, keys, 1, kInt64, device);
  return additive(ge(unsqueeze(i, 1), j), dtype);
}

// With the whole matrix of scores.
struct Whole {
  Tensor weights, dropped;  ///< after the softmax, and after dropout
};
Whole whole_weights(const raw::Attention& a) {
  Tensor scores = matmul(mul(a.q, Scalar(a.scale)), transpose(a.k, -2, -1));
  if (a.mask.defined()) scores = add(scores, a.mask);
  if (a.causal) scores = add(scores, causal_mask(a.q.size(-2), a.k.size(-2), a.q.dtype(), a.q.device()));
  Whole w;
  w.weights = softmax(scores, -1);
  w.dropped =
      a.keep.defined() ? mul(w.weights, mul(to(a.keep, a.q.dtype()), Scalar(a.keep_scale))) : w.weights;
  return w;
}

struct AttentionBackward final : NodeOf<4, 7> {  // q, k, v, mask; saves them, the result, log sums, keep
  const char* type_name() const override { return "ScaledDotProductAttentionBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor& g = grads[0];
    raw::Attention a{saved(0), saved(1), saved(2), saved(3), saved(6), keep_scale, causal, scale};
    if (recording(g, a.q, a.k, a.v, a.mask)) return recorded(a, g, sink);
    raw::AttentionGrads r = raw::attention_backward(a, saved(4), saved(5), g, sink.wants(3));
    if (sink.wants(0)) sink.set(0, std::move(r.q));
    if (sink.wants(1)) sink.set(1, std::move(r.k));
    if (sink.wants(2)) sink.set(2, std::move(r.v));
    if (sink.wants(3)) sink.set(3, std::move(r.mask));
  }
  static void recorded(const raw::Attention& a, const Tensor& g, GradSink& sink) {
    const Whole w = whole_weights(a);
    if (sink.wants(2)) sink.set(2, matmul(transpose(w.dropped, -2, -1), g));
    Tensor dw = matmul(g, transpose(a.v, -2, -1));
    if (a.keep.defined()) dw = mul(dw, mul(to(a.keep, dw.dtype()), Scalar(a.keep_scale)));
    const Tensor ds = mul(w.weights, sub(dw, sum(mul(dw, w.weights), -1, true)));
    if (sink.wants(0)) sink.set(0, mul(matmul(ds, a.k), Scalar(a.scale)));
    if (sink.wants(1)) sink.set(1, mul(matmul(transpose(ds, -2, -1), a.q), Scalar(a.scale)));
    if (sink.wants(3)) sink.set(3, ds);
  }
  double keep_scale, scale;
  bool causal;
};

/// (B, H, rows, columns) of a tensor with any number of dimensions before the last two.
Tensor as_four(const Tensor& x, const char* what) {
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "{}: {} has sizes {}, expected at least two dimensions", kOp, what,
                 x.sizes());
  if (x.dim() == 4) return x;
  if (x.dim() < 4) return x.dim() == 3 ? unsqueeze(x, 1) : unsqueeze(unsqueeze(x, 0), 0);
  return flatten(x, 0, x.dim() - 4);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale) {
  CallSite site(TAPIR_HERE);
  raw::Attention a{as_four(q, "query"), as_four(k, "key"), as_four(v, "value"), {}, {}};
  const int64_t d = q.dim();
  bool fits = k.dim() == d && v.dim() == d && q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2);
  for (int64_t i = 0; fits && i < d - 2; ++i) fits = q.size(i) == k.size(i) && q.size(i) == v.size(i);
  TAPIR_CHECK_AS(
      ShapeError, fits,
      "{}: query has sizes {}, key {} and value {}; expected (..., L, E), (..., S, E) and (..., S, W)", kOp,
      q.sizes(), k.sizes(), v.sizes());
  TAPIR_CHECK_AS(DTypeError, is_floating_point(q.dtype()) && k.dtype() == q.dtype() && v.dtype() == q.dtype(),
                 "{}: query of {}, key of {} and value of {}, expected one floating-point dtype", kOp,
                 q.dtype(), k.dtype(), v.dtype());
  TAPIR_CHECK_AS(DeviceError, k.device() == q.device() && v.device() == q.device(),
                 "{}: query on {}, key on {} and value on {}", kOp, q.device(), k.device(), v.device());
  TAPIR_CHECK_AS(ValueError, dropout_p >= 0 && dropout_p < 1,
                 "{}: dropout_p is {}, expected a number of [0, 1)", kOp, dropout_p);
  TAPIR_CHECK_AS(ValueError, !is_causal || !attn_mask.defined(),
                 "{}: is_causal and an attn_mask exclude each other", kOp);
  const int64_t L = q.size(-2), S = k.size(-2), E = q.size(-1);
  a.causal = is_causal;
  a.scale = scale ? *scale : 1 / std::sqrt(static_cast<double>(E));
  Dims whole = q.sizes();
  whole[static_cast<size_t>(d - 1)] = S;
  const Dims four{a.q.size(0), a.q.size(1), L, S};
  if (attn_mask.defined()) {
    TAPIR_CHECK_AS(DTypeError, attn_mask.dtype() == kBool || attn_mask.dtype() == q.dtype(),
                   "{}: attn_mask of {}, expected bool or {}", kOp, attn_mask.dtype(), q.dtype());
    TAPIR_CHECK_AS(DeviceError, attn_mask.device() == q.device(), "{}: query on {}, attn_mask on {}", kOp,
                   q.device(), attn_mask.device());
    TAPIR_CHECK_AS(ShapeError, is_expandable_to(attn_mask.sizes(), whole),
                   "{}: attn_mask has sizes {}, which do not broadcast to {}", kOp, attn_mask.sizes(),
                   IntArrayRef(whole));
    a.mask = attn_mask.dtype() == kBool ? additive(attn_mask, q.dtype()) : attn_mask;
    if (a.mask.dim() > 2 && d != 4) a.mask = as_four(expand(a.mask, whole), "attn_mask");
  }
  if (dropout_p > 0) {
    a.keep = Tensor::empty(four, kBool, q.device());
    raw::bernoulli_(a.keep, 1 - dropout_p);
    a.keep_scale = 1 / (1 - dropout_p);
  }
  Tensor y;
  const bool by_tiles =
      !is_half(q.dtype()) && q.numel() && k.numel() && v.numel() && kernels(q.device()).attention != nullptr;
  if (by_tiles) {
    raw::AttentionResult r = raw::attention(a);
    y = r.out;
    if (recording(a.q, a.k, a.v, a.mask)) {
      auto* node = record<AttentionBackward>(TAPIR_HERE, y, a.q, a.k, a.v, a.mask);
      node->save_input(0, a.q);
      node->save_input(1, a.k);
      node->save_input(2, a.v);
      node->save_input(3, a.mask);
      node->save_output(4, y);
      node->save_input(5, r.log_sum);
      node->save_input(6, a.keep);
      node->keep_scale = a.keep_scale;
      node->scale = a.scale;
      node->causal = a.causal;
    }
  } else {
    y = matmul(whole_weights(a).dropped, a.v);
  }
  if (d == 4) return y;
  Dims sizes = q.sizes();
  sizes[static_cast<size_t>(d - 1)] = v.size(-1);
  return reshape(y, sizes);
}

}  // namespace tapir
