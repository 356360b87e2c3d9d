// One step of a recurrent cell of any kind, in one node.
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/autograd/functions/rnn_parts.h"
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
[[noreturn]] TAPIR_COLD void wrong_features(const char* op, const Tensor& x, const Tensor& w_ih) {
  throw_error<ShapeError>("{}: the input has {} features, expected {} (w_ih is {})", op, x.size(1),
                          w_ih.size(1), w_ih.sizes());
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

void check_rnn(const char* op, RnnMode mode, const RnnInputs& in, int64_t batch) {
  TAPIR_CHECK_AS(ShapeError, in.x.dim() == 2 && in.w_hh.dim() == 2,
                 "{}: the input has sizes {} and w_hh {}, expected two dimensions each", op, in.x.sizes(),
                 in.w_hh.sizes());
  TAPIR_CHECK_AS(DTypeError, in.x.is_floating_point(), "{}: the input is {}, expected a floating-point dtype",
                 op, in.x.dtype());
  const int64_t out = in.w_hh.size(1);  // columns of h
  int64_t hidden = out;
  if (in.w_hr.defined()) {
    TAPIR_CHECK_AS(ShapeError, in.w_hr.dim() == 2 && in.w_hr.size(0) == out,
                   "{}: w_hr has sizes {}, expected [{}, hidden_size]", op, in.w_hr.sizes(), out);
    hidden = in.w_hr.size(1);
  }
  const int64_t rows = rnn_gates(mode) * hidden;
  if (!has_sizes(in.w_hh, rows, out)) wrong_sizes(op, "w_hh", in.w_hh, rows, out);
  in.w_ih.dim();  // defined
  if (TAPIR_UNLIKELY(!has_sizes(in.w_ih, rows, in.x.size(1)))) {
    if (in.w_ih.dim() == 2 && in.w_ih.size(0) == rows) wrong_features(op, in.x, in.w_ih);
    wrong_sizes(op, "w_ih", in.w_ih, rows, in.x.size(1));
  }
  if (in.h.defined() && !has_sizes(in.h, batch, out)) wrong_sizes(op, "h", in.h, batch, out);
  if (in.c.defined() && !has_sizes(in.c, batch, hidden)) wrong_sizes(op, "c", in.c, batch, hidden);
  for (const Tensor* bias : {&in.b_ih, &in.b_hh})
    if (bias->defined() && !(bias->dim() == 1 && bias->size(0) == rows)) wrong_bias(op, *bias, rows);
  for (const Tensor* t : {&in.h, &in.c, &in.w_ih, &in.w_hh, &in.b_ih, &in.b_hh, &in.w_hr})
    if (t->defined() &&
        (t->impl()->dtype != in.x.impl()->dtype || !(t->impl()->device == in.x.impl()->device)))
      not_like_input(op, in.x, *t);
}

std::vector<Tensor> rnn_cell_composed(RnnMode mode, const std::vector<Tensor>& in) {
  const Tensor x_gates = linear(in[0], in[3], in[5]), h_gates = linear(in[1], in[4], in[6]);
  if (mode == RnnMode::GRU) {
    const std::vector<Tensor> x = chunk(x_gates, 3, 1), h = chunk(h_gates, 3, 1);
    const Tensor r = sigmoid(add(x[0], h[0])), z = sigmoid(add(x[1], h[1]));
    const Tensor n = tanh(add(x[2], mul(r, h[2])));
    return {add(n, mul(z, sub(in[1], n)))};
  }
  const Tensor gates = add(x_gates, h_gates);
  if (mode == RnnMode::Tanh) return {tanh(gates)};
  if (mode == RnnMode::ReLU) return {relu(gates)};
  const std::vector<Tensor> part = chunk(gates, 4, 1);
  const Tensor c_out = add(mul(sigmoid(part[1]), in[2]), mul(sigmoid(part[0]), tanh(part[2])));
  return {mul(sigmoid(part[3]), tanh(c_out)), c_out};
}

}  // namespace detail

namespace {

// The address of a contiguous array with the values of t, which `copy` holds where t is not one.
TAPIR_ALWAYS_INLINE std::byte* dense(const Tensor& t, Tensor& copy) {
  if (TAPIR_LIKELY(t.impl()->layout.contiguous)) return t.impl()->data;
  copy = raw::contiguous(t);
  return copy.impl()->data;
}

// Inputs and saved tensors: x, h, c (LSTM), w_ih, w_hh, b_ih, b_hh. Outputs: h', and c' of LSTM.
template <RnnMode kMode>
struct CellBackward final : NodeOf<7, 7, kMode == RnnMode::LSTM ? 2 : 1> {
  using Base = NodeOf<7, 7, kMode == RnnMode::LSTM ? 2 : 1>;
  static constexpr bool kLstm = kMode == RnnMode::LSTM, kGru = kMode == RnnMode::GRU;
  static constexpr int64_t kGates = rnn_gates(kMode);

  const char* type_name() const override {
    return kLstm ? "LstmCellBackward" : kGru ? "GruCellBackward" : "RnnCellBackward";
  }
  void release_saved() override {
    Base::release_saved();
    work.reset();
  }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = this->saved(0), h = this->saved(1), c = this->saved(2), w_ih = this->saved(3),
                 w_hh = this->saved(4);
    if (!sink.deferring()) {
      return backward_by_recomputing(
          g, sink, {x, h, c, w_ih, w_hh, this->saved(5), this->saved(6)},
          [](const std::vector<Tensor>& in) { return detail::rnn_cell_composed(kMode, in); });
    }
    const DType dtype = x.impl()->dtype;
    const Device device = x.impl()->device;
    const int64_t rows = this->outputs()[0].sizes[0], hidden = this->outputs()[0].sizes[1];
    const auto matrix = [&](int64_t columns) { return Tensor::empty({rows, columns}, dtype, device); };
    Tensor grad_gates = matrix(kGates * hidden);
    Tensor grad_state_gates = kGru ? matrix(kGates * hidden) : grad_gates;
    Tensor grad_h, grad_c;
    if (sink.wants(1)) grad_h = matrix(hidden);
    if (kLstm && sink.wants(2)) grad_c = matrix(hidden);
    Tensor copies[5];
    RnnCellBackwardArgs args{};
    args.mode = kMode;
    args.dtype = dtype;
    args.gates = work->data();
    args.saved = work->data() + static_cast<size_t>(kGates * rows * hidden) * item_size(dtype);
    if (kLstm) args.state = dense(c, copies[0]);
    if (kGru) args.state = dense(h, copies[0]);
    args.grad_h = g[0].defined() ? dense(g[0], copies[1]) : nullptr;
    if constexpr (kLstm) args.grad_c = g[1].defined() ? dense(g[1], copies[2]) : nullptr;
    args.grad_gates = grad_gates.impl()->data;
    if (kGru) args.grad_state_gates = grad_state_gates.impl()->data;
    if (const Tensor& direct = kLstm ? grad_c : grad_h; (kLstm || kGru) && direct.defined())
      args.grad_state = direct.impl()->data;
    args.batch = rows;
    args.hidden = hidden;
    if (rows && hidden) kernels(device).rnn_cell_backward(args);
    if (grad_c.defined()) sink.set(2, std::move(grad_c));
    // grad of x or h (rows, columns) = gates w + beta grad
    const auto through = [&](const Tensor& gates, const Tensor& weight, Tensor& copy, const Tensor& grad,
                             double beta) {
      detail::rnn_product(dtype, device, rows, grad.impl()->layout.sizes[1], kGates * hidden,
                          gates.impl()->data, dense(weight, copy), false, grad.impl()->data, beta);
    };
    if (sink.wants(0)) {
      Tensor grad_x = matrix(w_ih.impl()->layout.sizes[1]);
      through(grad_gates, w_ih, copies[3], grad_x, 0);
      sink.set(0, std::move(grad_x));
    }
    if (grad_h.defined()) {
      through(grad_state_gates, w_hh, copies[4], grad_h, kGru ? 1 : 0);
      sink.set(1, std::move(grad_h));
    }
    if constexpr (kGru) {
      sink.add_row_sum(5, grad_gates);
      sink.add_row_sum(6, grad_state_gates);
    } else {
      const Tensor grad_bias =
          rows == 1 || !(sink.wants(5) || sink.wants(6)) ? grad_gates : raw::sum(grad_gates, {0}, true);
      sink.add_row_sum(5, grad_bias);
      sink.add_row_sum(6, grad_bias);
    }
    sink.add_product(3, x, std::move(grad_gates));
    sink.add_product(4, h, std::move(grad_state_gates));
  }
  // (B, gates * H) after their functions; LSTM: tanh(c'), GRU: the state's part of n (B, H)
  Ref<StorageImpl> work;
};

struct CellResult {
  Tensor h, c;
};

template <RnnMode kMode>
TAPIR_ALWAYS_INLINE CellResult run_cell(const char* op, const void* site, const Tensor& x, const Tensor& h,
                                        const Tensor& c, const Tensor& w_ih, const Tensor& w_hh,
                                        const Tensor& b_ih, const Tensor& b_hh) {
  constexpr bool kLstm = kMode == RnnMode::LSTM, kGru = kMode == RnnMode::GRU;
  constexpr int64_t kGates = rnn_gates(kMode);
  h.dim();  // defined
  if (kLstm) c.dim();
  detail::check_rnn(op, kMode, {x, h, c, w_ih, w_hh, b_ih, b_hh, {}}, x.dim() == 2 ? x.size(0) : 0);
  const DType dtype = x.impl()->dtype;
  const Device device = x.impl()->device;
  const int64_t rows = x.impl()->layout.sizes[0], in = x.impl()->layout.sizes[1];
  const int64_t hidden = w_hh.impl()->layout.sizes[1];

  const bool record = recording(x, h, c, w_ih, w_hh, b_ih, b_hh);
  const size_t block = static_cast<size_t>(rows * hidden) * item_size(dtype);
  Ref<StorageImpl> work = StorageImpl::make((kGates + (kLstm || kGru)) * block, device);
  CellResult result;
  result.h = Tensor::empty({rows, hidden}, dtype, device);
  if (kLstm) result.c = Tensor::empty({rows, hidden}, dtype, device);
  if (rows && hidden) {
    Ref<StorageImpl> state_gates;
    if (kGru) state_gates = StorageImpl::make(kGates * block, device);
    Tensor copies[7];
    detail::rnn_product(dtype, device, rows, kGates * hidden, in, dense(x, copies[0]), dense(w_ih, copies[1]),
                        true, work->data(), 0, b_ih.defined() ? dense(b_ih, copies[2]) : nullptr);
    const std::byte* state = dense(h, copies[3]);
    detail::rnn_product(dtype, device, rows, kGates * hidden, hidden, state, dense(w_hh, copies[4]), true,
                        kGru ? state_gates->data() : work->data(), kGru ? 0 : 1,
                        b_hh.defined() ? dense(b_hh, copies[5]) : nullptr);
    if (kLstm) state = dense(c, copies[6]);
    RnnCellArgs args{};
    args.mode = kMode;
    args.dtype = dtype;
    args.gates = work->data();
    if (kGru) args.state_gates = state_gates->data();
    args.state = state;
    args.h_out = result.h.impl()->data;
    if (kLstm) args.c_out = result.c.impl()->data;
    if (kLstm || kGru) args.saved = record ? work->data() + kGates * block : nullptr;
    args.batch = rows;
    args.hidden = hidden;
    kernels(device).rnn_cell(args);
  }
  if (record) {
    auto* node = new CellBackward<kMode>;
    const auto owner = Ref<Node>::adopt(node);
    size_t i = 0;
    for (const Tensor* t : {&x, &h, &c, &w_ih, &w_hh, &b_ih, &b_hh}) {
      node->set_edge(i, *t);
      node->save_input(i++, *t);
    }
    node->set_call_site(site);
    node->work = std::move(work);
    set_history(result.h, owner, 0);
    if (kLstm) set_history(result.c, owner, 1);
  }
  return result;
}

}  // namespace

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih,
                                     const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  CellResult r = run_cell<RnnMode::LSTM>("lstm_cell", TAPIR_HERE, x, h, c, w_ih, w_hh, b_ih, b_hh);
  return {std::move(r.h), std::move(r.c)};
}

std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, TensorList hx, const Tensor& w_ih, const Tensor& w_hh,
                                     const Tensor& b_ih, const Tensor& b_hh) {
  TAPIR_CHECK_AS(ValueError, hx.size() == 2, "lstm_cell: hx holds {} tensors, expected h and c", hx.size());
  CallSite site(TAPIR_HERE);
  return lstm_cell(x, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh);
}

Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
                const Tensor& b_hh) {
  return run_cell<RnnMode::GRU>("gru_cell", TAPIR_HERE, x, h, {}, w_ih, w_hh, b_ih, b_hh).h;
}

Tensor rnn_tanh_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh) {
  return run_cell<RnnMode::Tanh>("rnn_tanh_cell", TAPIR_HERE, x, h, {}, w_ih, w_hh, b_ih, b_hh).h;
}

Tensor rnn_relu_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                     const Tensor& b_ih, const Tensor& b_hh) {
  return run_cell<RnnMode::ReLU>("rnn_relu_cell", TAPIR_HERE, x, h, {}, w_ih, w_hh, b_ih, b_hh).h;
}

}  // namespace tapir
