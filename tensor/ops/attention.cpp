#include "tapir/tensor/ops/attention.h"

#include <algorithm>

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

/// x itself where its rows lie together, else a copy.
Tensor with_dense_rows(const Tensor& x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : clone_contiguous(x);
}

/// Uninitialised, of the given sizes, its dimensions (but the last) in memory in the order of those of x.
Tensor in_order_of(const Tensor& x, IntArrayRef sizes) {
  int64_t order[3] = {0, 1, 2};
  std::stable_sort(order, order + 3, [&](int64_t a, int64_t b) { return x.stride(a) > x.stride(b); });
  Dims strides{0, 0, 0, 1};
  int64_t step = sizes[3];
  for (int i = 3; i-- > 0;) {
    strides[static_cast<size_t>(order[i])] = step;
    step *= sizes[static_cast<size_t>(order[i])];
  }
  return Tensor::empty({step}, x.dtype(), x.device()).alias(Layout::strided(sizes, strides, 0));
}

void take_strides(const Tensor& t, int64_t* strides, int n = 3) {
  for (int i = 0; i < n; ++i) strides[i] = t.stride(i);
}

AttentionArgs arguments(const Attention& a, const Tensor& out, const Tensor& log_sum) {
  AttentionArgs args{};
  args.dtype = a.q.dtype();
  args.q = a.q.data_ptr();
  args.k = a.k.data_ptr();
  args.v = a.v.data_ptr();
  args.out = out.data_ptr();
  args.log_sum = log_sum.data_ptr();
  take_strides(a.q, args.q_strides);
  take_strides(a.k, args.k_strides);
  take_strides(a.v, args.v_strides);
  take_strides(out, args.out_strides);
  args.batch = a.q.size(0);
  args.heads = a.q.size(1);
  args.queries = a.q.size(2);
  args.keys = a.k.size(2);
  args.depth = a.q.size(3);
  args.width = a.v.size(3);
  if (a.mask.defined()) {
    args.mask = a.mask.data_ptr();
    const int64_t sizes[] = {args.batch, args.heads, args.queries, args.keys}, skipped = 4 - a.mask.dim();
    for (int64_t i = skipped; i < 4; ++i)
      args.mask_strides[i] =
          a.mask.size(i - skipped) == sizes[i] && sizes[i] != 1 ? a.mask.stride(i - skipped) : 0;
  }
  args.keep = a.keep.defined() ? static_cast<const uint8_t*>(a.keep.data_ptr()) : nullptr;
  args.keep_scale = a.keep_scale;
  args.causal = a.causal;
  args.scale = a.scale;
  return args;
}

}  // namespace

AttentionResult attention(const Attention& in) {
  Attention a = in;
  for (Tensor* t : {&a.q, &a.k, &a.v}) *t = with_dense_rows(*t);
  const IntArrayRef s = a.q.sizes();
  AttentionResult r{in_order_of(a.q, {s[0], s[1], s[2], a.v.size(3)}),
                    Tensor::empty({s[0], s[1], s[2]}, a.q.dtype(), a.q.device())};
  require(&KernelTable::attention, a.q.device(),
          "scaled_dot_product_attention")(arguments(a, r.out, r.log_sum));
  return r;
}

AttentionGrads attention_backward(const Attention& in, const Tensor& out, const Tensor& log_sum,
                                  const Tensor& grad_in, bool want_mask) {
  Attention a = in;
  for (Tensor* t : {&a.q, &a.k, &a.v}) *t = with_dense_rows(*t);
  const Tensor grad = with_dense_rows(grad_in);
  AttentionGrads r{in_order_of(a.q, a.q.sizes()), in_order_of(a.k, a.k.sizes()),
                   in_order_of(a.v, a.v.sizes()), Tensor()};
  if (want_mask)
    r.mask = Tensor::empty({a.q.size(0), a.q.size(1), a.q.size(2), a.k.size(2)}, a.q.dtype(), a.q.device());
  AttentionBackwardArgs args{};
  args.forward = arguments(a, out, log_sum);
  args.grad_out = grad.data_ptr();
  args.grad_q = r.q.data_ptr();
  args.grad_k = r.k.data_ptr();
  args.grad_v = r.v.data_ptr();
  take_strides(grad, args.grad_out_strides);
  take_strides(r.q, args.grad_q_strides);
  take_strides(r.k, args.grad_k_strides);
  take_strides(r.v, args.grad_v_strides);
  args.grad_mask = want_mask ? r.mask.data_ptr() : nullptr;
  require(&KernelTable::attention_backward, a.q.device(), "scaled_dot_product_attention")(args);
  return r;
}

}  // namespace tapir::raw
