#include "tapir/autograd/functions/rnn.h"

#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/rnn_check.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/recompute.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

namespace detail {

namespace {

[[noreturn]] TAPIR_COLD void wrong_sizes(const char* op, const char* what, const Tensor& got, int64_t rows,
                                         int64_t columns) {
  throw_error<ShapeError>("{}: {} has sizes {}, expected [{}, {}]", op, what, got.sizes(), rows, columns);
}
[[noreturn]] TAPIR_COLD void wrong_bias(const char* op, const Tensor& got, int64_t n) {
  throw_error<ShapeError>("{}: a bias has sizes {}, expected [{}]", op, got.sizes(), n);
}
[[noreturn]] TAPIR_COLD void not_like_input(const char* op, const Tensor& x, const Tensor& got) {
  if (got.dtype() != x.dtype())
    throw_error<DTypeError>("{}: the input is {}, a state or parameter is {}; cast one with to(dtype)", op,
                            x.dtype(), got.dtype());
  throw_error<DeviceError>("{}: the input is on {}, a state or parameter on {}", op, x.device(),
                           got.device());
}

TAPIR_ALWAYS_INLINE bool has_sizes(const Tensor& t, int64_t rows, int64_t columns) {
  const Dims& s = t.impl()->layout.sizes;
  return s.size() == 2 && s[0] == rows && s[1] == columns;
}

}  // namespace

void check_rnn(const char* op, const RnnInputs& in, int64_t batch, int64_t gates) {
  TAPIR_CHECK_AS(ShapeError, in.x.dim() == 2 && in.w_hh.dim() == 2,
                 "{}: the input has sizes {} and w_hh {}, expected two dimensions each", op, in.x.sizes(),
                 in.w_hh.sizes());
  TAPIR_CHECK_AS(DTypeError, in.x.is_floating_point(), "{}: the input is {}, expected a floating-point dtype",
                 op, in.x.dtype());
  const int64_t hidden = in.w_hh.size(1);
  if (!has_sizes(in.w_hh, gates * hidden, hidden)) wrong_sizes(op, "w_hh", in.w_hh, gates * hidden, hidden);
  in.w_ih.dim();  // defined
  if (!has_sizes(in.w_ih, gates * hidden, in.x.size(1)))
    wrong_sizes(op, "w_ih", in.w_ih, gates * hidden, in.x.size(1));
  for (const Tensor* state : {&in.h, &in.c})
    if (state->defined() && !has_sizes(*state, batch, hidden))
      wrong_sizes(op, state == &in.h ? "h" : "c", *state, batch, hidden);
  for (const Tensor* bias : {&in.b_ih, &in.b_hh})
    if (bias->defined() && !(bias->dim() == 1 && bias->size(0) == gates * hidden))
      wrong_bias(op, *bias, gates * hidden);
  for (const Tensor* t : {&in.h, &in.c, &in.w_ih, &in.w_hh, &in.b_ih, &in.b_hh})
    if (t->defined() &&
        (t->impl()->dtype != in.x.impl()->dtype || !(t->impl()->device == in.x.impl()->device)))
      not_like_input(op, in.x, *t);
}

std::vector<Tensor> lstm_cell_composed(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih,
                                       const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  const Tensor gates = add(linear(x, w_ih, b_ih), linear(h, w_hh, b_hh));
  const std::vector<Tensor> part = chunk(gates, 4, 1);
  const Tensor c_out = add(mul(sigmoid(part[1]), c), mul(sigmoid(part[0]), tanh(part[2])));
  return {mul(sigmoid(part[3]), tanh(c_out)), c_out};
}

}  // namespace detail

namespace {

// c (m, n) = a op(b) + beta c + bias
void product(const Tensor& like, int64_t m, int64_t n, int64_t k, const void* a, const void* b, bool trans_b,
             void* c, double beta, const void* bias) {
  GemmArgs g{};
  g.dtype = like.impl()->dtype;
  g.trans_b = trans_b;
  g.m = m;
  g.n = n;
  g.k = k;
  g.alpha = 1;
  g.beta = beta;
  g.a = a;
  g.lda = k;
  g.b = b;
  g.ldb = trans_b ? k : n;
  g.c = c;
  g.ldc = n;
  g.bias = bias;
  g.batch = 1;
  kernels(like.impl()->device).gemm(g);
}

// The address of a contiguous array with the values of t, which `copy` holds where t is not one.
TAPIR_ALWAYS_INLINE std::byte* dense(const Tensor& t, Tensor& copy) {
  if (TAPIR_LIKELY(t.impl()->layout.contiguous)) return t.impl()->data;
  copy = raw::contiguous(t);
  return copy.impl()->data;
}

// Inputs and saved tensors: x, h, c, w_ih, w_hh, b_ih, b_hh. Outputs: h', c'.
struct LstmCellBackward final : NodeOf<7, 7, 2> {
  const char* name() const override { return "LstmCellBackward"; }
  void release_saved() override {
    NodeOf::release_saved();
    work.reset();
  }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = saved(0), h = saved(1), c = saved(2), w_ih = saved(3), w_hh = saved(4);
    if (!sink.deferring()) {
      return backward_by_recomputing(
          g, sink, {x, h, c, w_ih, w_hh, saved(5), saved(6)}, [](const std::vector<Tensor>& in) {
            return detail::lstm_cell_composed(in[0], in[1], in[2], in[3], in[4], in[5], in[6]);
          });
    }
    const DType dtype = x.impl()->dtype;
    const Device device = x.impl()->device;
    const int64_t rows = outputs()[0].sizes[0], hidden = outputs()[0].sizes[1];
    Tensor grad_gates = Tensor::empty({rows, 4 * hidden}, dtype, device);
    Tensor grad_c;
    if (sink.wants(2)) grad_c = Tensor::empty({rows, hidden}, dtype, device);
    Tensor copies[5];
    LstmCellBackwardArgs args;
    args.dtype = dtype;
    args.gates = work->data();
    args.tanh_c = work->data() + static_cast<size_t>(4 * rows * hidden) * item_size(dtype);
    args.c = dense(c, copies[0]);
    args.grad_h = g[0].defined() ? dense(g[0], copies[1]) : nullptr;
    args.grad_c = g[1].defined() ? dense(g[1], copies[2]) : nullptr;
    args.grad_gates = grad_gates.impl()->data;
    args.grad_c_in = grad_c.defined() ? grad_c.impl()->data : nullptr;
    args.batch = rows;
    args.hidden = hidden;
    if (rows && hidden) kernels(device).lstm_cell_backward(args);
    if (grad_c.defined()) sink.set(2, std::move(grad_c));
    const auto through = [&](size_t input, const Tensor& weight, Tensor& copy) {
      if (!sink.wants(input)) return;
      const int64_t columns = weight.impl()->layout.sizes[1];
      Tensor grad = Tensor::empty({rows, columns}, dtype, device);
      product(x, rows, columns, 4 * hidden, grad_gates.impl()->data, dense(weight, copy), false,
              grad.impl()->data, 0, nullptr);
      sink.set(input, std::move(grad));
    };
    through(0, w_ih, copies[3]);
    through(1, w_hh, copies[4]);
    const Tensor grad_bias =
        rows == 1 || !(sink.wants(5) || sink.wants(6)) ? grad_gates : raw::sum(grad_gates, {0}, true);
    sink.add_row_sum(5, grad_bias);
    sink.add_row_sum(6, grad_bias);
    sink.add_product(3, x, grad_gates);
    sink.add_product(4, h, std::move(grad_gates));
  }
  Ref<StorageImpl> work;  // the gates (B, 4H) after their functions, and tanh(c') (B, H)
};

}  // namespace

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih,
                                     const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  const void* site = TAPIR_HERE;
  h.dim();  // defined
  c.dim();
  detail::check_rnn("lstm_cell", {x, h, c, w_ih, w_hh, b_ih, b_hh}, x.dim() == 2 ? x.size(0) : 0, 4);
  const DType dtype = x.impl()->dtype;
  const Device device = x.impl()->device;
  const int64_t rows = x.impl()->layout.sizes[0], in = x.impl()->layout.sizes[1];
  const int64_t hidden = w_hh.impl()->layout.sizes[1];

  const bool record = recording(x, h, c, w_ih, w_hh, b_ih, b_hh);
  const size_t block = static_cast<size_t>(rows * hidden) * item_size(dtype);
  Ref<StorageImpl> work = StorageImpl::make(5 * block, device);
  Tensor h_out = Tensor::empty({rows, hidden}, dtype, device);
  Tensor c_out = Tensor::empty({rows, hidden}, dtype, device);
  if (rows && hidden) {
    Tensor copies[7];
    product(x, rows, 4 * hidden, in, dense(x, copies[0]), dense(w_ih, copies[1]), true, work->data(), 0,
            b_ih.defined() ? dense(b_ih, copies[2]) : nullptr);
    product(x, rows, 4 * hidden, hidden, dense(h, copies[3]), dense(w_hh, copies[4]), true, work->data(), 1,
            b_hh.defined() ? dense(b_hh, copies[5]) : nullptr);
    LstmCellArgs args;
    args.dtype = dtype;
    args.gates = work->data();
    args.c = dense(c, copies[6]);
    args.h_out = h_out.impl()->data;
    args.c_out = c_out.impl()->data;
    args.tanh_c_out = record ? work->data() + 4 * block : nullptr;
    args.batch = rows;
    args.hidden = hidden;
    kernels(device).lstm_cell(args);
  }
  if (record) {
    auto* node = new LstmCellBackward;
    const auto owner = Ref<Node>::adopt(node);
    size_t i = 0;
    for (const Tensor* t : {&x, &h, &c, &w_ih, &w_hh, &b_ih, &b_hh}) {
      node->set_edge(i, *t);
      node->save_input(i++, *t);
    }
    node->set_call_site(site);
    node->work = std::move(work);
    set_history(h_out, owner, 0);
    set_history(c_out, owner, 1);
  }
  return {std::move(h_out), std::move(c_out)};
}

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, TensorList hx, const Tensor& w_ih, const Tensor& w_hh,
                                     const Tensor& b_ih, const Tensor& b_hh) {
  TAPIR_CHECK_AS(ValueError, hx.size() == 2, "lstm_cell: hx holds {} tensors, expected h and c", hx.size());
  CallSite site(TAPIR_HERE);
  return lstm_cell(x, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh);
}

}  // namespace tapir
