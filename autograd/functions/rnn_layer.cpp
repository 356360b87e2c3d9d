// Whole sequences through a recurrent layer in one node.
//
// Forward does the input's part of all gates in one product, then one small product per step for the state's
// part. Backward walks the steps in reverse, leaving the gradients of all gates in one matrix, from which the
// input's gradient and those of the weights are one product each.
#include <algorithm>

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/autograd/functions/rnn_parts.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/recompute.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

namespace {

// Where the rows of each step lie, and which step comes before it.
struct Steps {
  std::vector<int64_t> sizes, offsets;
  bool reverse = false;
  int64_t count() const { return static_cast<int64_t>(sizes.size()); }
  int64_t size(int64_t t) const { return sizes[static_cast<size_t>(t)]; }
  int64_t offset(int64_t t) const { return offsets[static_cast<size_t>(t)]; }
  int64_t batch() const { return sizes[0]; }
  /// The step done i-th.
  int64_t step(int64_t i) const { return reverse ? count() - 1 - i : i; }
  /// Rows of step(i) whose state comes from step(i - 1); the others start from h0 and c0.
  int64_t continued(int64_t i) const { return i == 0 ? 0 : std::min(size(step(i)), size(step(i - 1))); }
  /// The first row of step(i) whose sequence ends there.
  int64_t ended(int64_t i) const { return i + 1 == count() ? 0 : std::min(size(step(i)), size(step(i + 1))); }
};

Steps make_steps(const char* op, IntArrayRef batch_sizes, int64_t rows, bool reverse) {
  Steps s;
  s.reverse = reverse;
  TAPIR_CHECK_AS(ValueError, !batch_sizes.empty(), "{}: batch_sizes is empty, expected one size per step",
                 op);
  int64_t offset = 0;
  for (size_t t = 0; t < batch_sizes.size(); ++t) {
    TAPIR_CHECK_AS(ValueError, batch_sizes[t] >= 0 && (t == 0 || batch_sizes[t] <= batch_sizes[t - 1]),
                   "{}: batch_sizes must not grow, got {}", op, batch_sizes);
    s.offsets.push_back(offset);
    offset += batch_sizes[t];
  }
  TAPIR_CHECK_AS(ValueError, offset == rows, "{}: batch_sizes {} add up to {}, but the input has {} rows", op,
                 batch_sizes, offset, rows);
  s.sizes = batch_sizes.vec();
  return s;
}

// Rows of contiguous matrices of one dtype and device, by address.
struct Rows {
  DType dtype;
  Device device;
  /// Null for an undefined matrix.
  std::byte* at(const Tensor& t, int64_t row) const {
    if (!t.defined()) return nullptr;
    return t.impl()->data + static_cast<size_t>(row * t.impl()->layout.sizes[1]) * item_size(dtype);
  }
  Tensor matrix(int64_t rows, int64_t columns) const { return Tensor::empty({rows, columns}, dtype, device); }
  Tensor zeros(int64_t rows, int64_t columns) const { return raw::zeros({rows, columns}, dtype, device); }
  void copy(const Tensor& dst, int64_t to, const Tensor& src, int64_t from, int64_t rows) const {
    if (rows <= 0) return;
    CopyArgs args;
    args.dst = at(dst, to);
    args.src = at(src, from);
    args.dst_dtype = args.src_dtype = dtype;
    args.ndim = 1;
    args.numel = args.sizes[0] = rows * dst.impl()->layout.sizes[1];
    args.dst_strides[0] = args.src_strides[0] = 1;
    if (args.numel) kernels(device).copy(args);
  }
  /// c (rows, n) = a (rows, k) w^T + beta c + bias for w (n, k)
  void times_transposed(int64_t rows, const void* a, const Tensor& w, void* c, double beta,
                        const Tensor& bias = {}) const {
    detail::rnn_product(dtype, device, rows, w.size(0), w.size(1), a, w.impl()->data, true, c, beta,
                        bias.defined() ? bias.impl()->data : nullptr);
  }
  /// c (rows, n) = a (rows, k) w + beta c for w (k, n)
  void times(int64_t rows, const void* a, const Tensor& w, void* c, double beta) const {
    detail::rnn_product(dtype, device, rows, w.size(1), w.size(0), a, w.impl()->data, false, c, beta);
  }
};

Tensor dense_or_undefined(const Tensor& t) { return t.defined() ? raw::contiguous(t) : t; }
Tensor narrow_rows(const Tensor& t, int64_t start, int64_t n) { return narrow(t, 0, start, n); }

// The layer written with differentiable ops, step by step. in: as RnnInputs.
std::vector<Tensor> layer_composed(RnnMode mode, const Steps& s, const std::vector<Tensor>& in) {
  const bool lstm = mode == RnnMode::LSTM;
  const Tensor &x = in[0], &w_hh = in[4], &w_hr = in[7];
  const int64_t out = w_hh.size(1), hidden = w_hr.defined() ? w_hr.size(1) : out;
  const auto or_zeros = [&](const Tensor& state, int64_t columns) {
    return state.defined() ? state : raw::zeros({s.batch(), columns}, x.dtype(), x.device());
  };
  const Tensor h0 = or_zeros(in[1], out), c0 = lstm ? or_zeros(in[2], hidden) : Tensor();
  std::vector<Tensor> outputs(s.sizes.size()), h_ends, c_ends;
  Tensor h, c;                                         // of the last step
  const auto end = [&](int64_t first, int64_t rows) {  // of sequences
    h_ends.push_back(narrow_rows(h, first, rows));
    if (lstm) c_ends.push_back(narrow_rows(c, first, rows));
  };
  for (int64_t i = 0; i < s.count(); ++i) {
    const int64_t t = s.step(i), rows = s.size(t), continued = s.continued(i);
    const auto state = [&](const Tensor& last, const Tensor& first) {
      if (!first.defined()) return Tensor();
      if (continued == 0) return narrow_rows(first, 0, rows);
      const Tensor old = narrow_rows(last, 0, continued);
      return continued == rows ? old : cat({old, narrow_rows(first, continued, rows - continued)}, 0);
    };
    if (!s.reverse && i > 0 && rows < h.size(0)) end(rows, h.size(0) - rows);
    auto next = detail::rnn_cell_composed(
        mode, {narrow_rows(x, s.offset(t), rows), state(h, h0), state(c, c0), in[3], w_hh, in[5], in[6]});
    h = w_hr.defined() ? linear(next[0], w_hr) : next[0];
    if (lstm) c = next[1];
    outputs[static_cast<size_t>(t)] = h;
  }
  end(0, h.size(0));
  std::reverse(h_ends.begin(), h_ends.end());
  std::reverse(c_ends.begin(), c_ends.end());
  return {cat(outputs, 0), cat(h_ends, 0), lstm ? cat(c_ends, 0) : Tensor()};
}

// What the forward leaves to the backward, rows as in the input.
struct LayerWork {
  Tensor gates;  // (N, gates * H) after their functions
  Tensor cells;  // LSTM: c' (N, H)
  Tensor kept;   // LSTM: tanh(c'), GRU: the state's part of n (N, H)
  Tensor raw_h;  // h' before the projection (N, H); the output where there is none
};

// Inputs and saved tensors: x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, and the output. Outputs: output, h_n,
// c_n.
struct RnnBackward final : NodeOf<8, 9, 3> {
  const char* type_name() const override {
    return mode == RnnMode::LSTM ? "LstmBackward" : mode == RnnMode::GRU ? "GruBackward" : "RnnBackward";
  }
  void release_saved() override {
    NodeOf::release_saved();
    work = {};
  }
  void backward(Grads g, GradSink& sink) override;
  void backward_through_time(const Tensor& grad_out, const Tensor& grad_c, GradSink& sink);
  RnnMode mode;
  Steps steps;
  LayerWork work;  // without the tensors that are the output itself
};

// Adds the gradients of the last states, `ends`, to those of the rows of the output that they are.
void add_ends(const Steps& steps, const Tensor& grad_out, const Tensor& ends) {
  for (int64_t i = 0; i < steps.count(); ++i) {
    const int64_t t = steps.step(i), first = steps.ended(i), n = steps.size(t) - first;
    if (n == 0) continue;
    const Tensor part = grad_out.alias(grad_out.layout_of().narrow(0, steps.offset(t) + first, n));
    raw::pointwise_into(Pointwise::add, part, {part, ends.alias(ends.layout_of().narrow(0, first, n))},
                        Scalar(1));
  }
}

void RnnBackward::backward(Grads g, GradSink& sink) {
  if (!sink.deferring()) {
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < 8; ++i) inputs.push_back(saved(i));
    return backward_by_recomputing(g, sink, std::move(inputs), [this](const std::vector<Tensor>& in) {
      return layer_composed(mode, steps, in);
    });
  }
  const Tensor x = saved(0), output = saved(8);
  const Rows r{x.dtype(), x.device()};
  const int64_t batch = steps.batch();
  // The gradient of the output of each step, to which that of the next step's state is added.
  const Tensor grad_out =
      g[0].defined() ? raw::clone_contiguous(g[0]) : r.zeros(output.size(0), output.size(1));
  if (g[1].defined()) add_ends(steps, grad_out, raw::contiguous(g[1]));
  Tensor grad_c;
  if (mode == RnnMode::LSTM)
    grad_c = g[2].defined() ? raw::clone_contiguous(g[2]) : r.zeros(batch, work.cells.size(1));
  backward_through_time(grad_out, grad_c, sink);
}

void RnnBackward::backward_through_time(const Tensor& grad_out, const Tensor& grad_c, GradSink& sink) {
  const bool lstm = mode == RnnMode::LSTM, gru = mode == RnnMode::GRU;
  const Tensor x = raw::contiguous(saved(0)), w_ih = raw::contiguous(saved(3)),
               w_hh = raw::contiguous(saved(4)), w_hr = dense_or_undefined(saved(7)), output = saved(8);
  const Rows r{x.dtype(), x.device()};
  const int64_t rows = x.size(0), batch = steps.batch(), out = w_hh.size(1);
  const int64_t hidden = w_hr.defined() ? w_hr.size(1) : out, columns = rnn_gates(mode) * hidden;
  const Tensor& gates = work.gates.defined() ? work.gates : output;
  const Tensor h0 = saved(1).defined() ? raw::contiguous(saved(1)) : r.zeros(batch, out);
  const Tensor c0 = !lstm                ? Tensor()
                    : saved(2).defined() ? raw::contiguous(saved(2))
                                         : r.zeros(batch, hidden);
  const Tensor grad_gates = r.matrix(rows, columns);
  const Tensor grad_state_gates = gru ? r.matrix(rows, columns) : grad_gates;
  const Tensor grad_raw = w_hr.defined() ? r.matrix(batch, hidden) : Tensor();
  const Tensor grad_h0 = sink.wants(1) ? r.matrix(batch, out) : Tensor();
  const Tensor h_before = sink.wants(4) ? r.matrix(rows, out) : Tensor();
  for (int64_t i = steps.count() - 1; i >= 0; --i) {
    const int64_t t = steps.step(i), at = steps.offset(t), n = steps.size(t), continued = steps.continued(i);
    const int64_t before = i > 0 ? steps.offset(steps.step(i - 1)) : 0;
    if (w_hr.defined()) r.times(n, r.at(grad_out, at), w_hr, r.at(grad_raw, 0), 0);
    // Rows first to end of this step, whose state was `state` from `state_row` on.
    const auto part = [&](int64_t first, int64_t end, const Tensor& state, int64_t state_row,
                          std::byte* grad_state) {
      if (first == end || hidden == 0) return;
      RnnCellBackwardArgs args{};
      args.mode = mode;
      args.dtype = r.dtype;
      args.gates = r.at(gates, at + first);
      args.saved = r.at(work.kept, at + first);
      args.state = r.at(state, state_row);
      args.grad_h = w_hr.defined() ? r.at(grad_raw, first) : r.at(grad_out, at + first);
      args.grad_c = r.at(grad_c, first);
      args.grad_gates = r.at(grad_gates, at + first);
      args.grad_state_gates = gru ? r.at(grad_state_gates, at + first) : nullptr;
      args.grad_state = grad_state;
      args.add_grad_state = first < continued;
      args.batch = end - first;
      args.hidden = hidden;
      kernels(r.device).rnn_cell_backward(args);
    };
    const Tensor none;
    const Tensor &states = lstm ? work.cells : output, &first_states = lstm ? c0 : h0;
    // What takes the gradient of a state other than through the gates.
    const Tensor &grad_states = lstm  ? grad_c
                                : gru ? grad_out
                                      : none,
                 &grad_first = lstm  ? grad_c
                               : gru ? grad_h0
                                     : none;
    part(0, continued, states, before, r.at(grad_states, lstm ? 0 : before));
    part(continued, n, first_states, continued, r.at(grad_first, continued));
    r.times(continued, r.at(grad_state_gates, at), w_hh, r.at(grad_out, before), 1);
    if (grad_h0.defined())
      r.times(n - continued, r.at(grad_state_gates, at + continued), w_hh, r.at(grad_h0, continued),
              gru ? 1 : 0);
    if (!h_before.defined()) continue;
    r.copy(h_before, at, output, before, continued);
    r.copy(h_before, at + continued, h0, continued, n - continued);
  }
  if (sink.wants(0)) {
    Tensor grad_x = r.matrix(rows, x.size(1));
    r.times(rows, r.at(grad_gates, 0), w_ih, r.at(grad_x, 0), 0);
    sink.set(0, std::move(grad_x));
  }
  if (grad_h0.defined()) sink.set(1, grad_h0);
  if (sink.wants(2)) sink.set(2, grad_c);
  if (gru) {
    sink.add_row_sum(5, grad_gates);
    sink.add_row_sum(6, grad_state_gates);
  } else if (sink.wants(5) || sink.wants(6)) {
    const Tensor grad_bias = raw::sum(grad_gates, {0}, true);
    sink.add_row_sum(5, grad_bias);
    sink.add_row_sum(6, grad_bias);
  }
  sink.add_product(3, x, grad_gates);
  if (h_before.defined()) sink.add_product(4, h_before, grad_state_gates);
  if (w_hr.defined()) sink.add_product(7, work.raw_h, grad_out);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> detail::rnn_layer(const char* op, const void* site, RnnMode mode,
                                                     const RnnInputs& in, IntArrayRef batch_sizes,
                                                     bool reverse) {
  const bool lstm = mode == RnnMode::LSTM, gru = mode == RnnMode::GRU, projects = in.w_hr.defined();
  check_rnn(op, mode, in, batch_sizes.empty() ? 0 : batch_sizes[0]);
  Steps steps = make_steps(op, batch_sizes, in.x.size(0), reverse);
  const Rows r{in.x.dtype(), in.x.device()};
  const Tensor x = raw::contiguous(in.x), w_ih = raw::contiguous(in.w_ih), w_hh = raw::contiguous(in.w_hh),
               w_hr = dense_or_undefined(in.w_hr);
  const int64_t rows = x.size(0), batch = steps.batch(), out = w_hh.size(1);
  const int64_t hidden = projects ? w_hr.size(1) : out, columns = rnn_gates(mode) * hidden;
  Tensor h0 = dense_or_undefined(in.h), c0 = dense_or_undefined(in.c);
  if (gru && !h0.defined()) h0 = r.zeros(batch, out);
  if (lstm && !c0.defined()) c0 = r.zeros(batch, hidden);

  const Tensor output = r.matrix(rows, out), h_n = r.matrix(batch, out);
  const Tensor c_n = lstm ? r.matrix(batch, hidden) : Tensor();
  LayerWork work;
  if (lstm || gru) work.gates = r.matrix(rows, columns);
  if (lstm || gru) work.kept = r.matrix(rows, hidden);
  if (lstm) work.cells = r.matrix(rows, hidden);
  if (projects) work.raw_h = r.matrix(rows, hidden);
  const Tensor& gates = work.gates.defined() ? work.gates : output;  // Elman's gate is its output
  const Tensor& raw_h = projects ? work.raw_h : output;
  const Tensor state_gates = gru ? r.matrix(batch, columns) : Tensor();

  // The state's bias is added with the input's, but for GRU, where the reset gate scales it.
  Tensor bias = in.b_ih, state_bias = gru ? dense_or_undefined(in.b_hh) : Tensor();
  if (!gru && in.b_hh.defined())
    bias = bias.defined() ? raw::binary(Pointwise::add, bias, in.b_hh, Scalar(1)) : in.b_hh;
  r.times_transposed(rows, r.at(x, 0), w_ih, r.at(gates, 0), 0, dense_or_undefined(bias));
  for (int64_t i = 0; i < steps.count(); ++i) {
    const int64_t t = steps.step(i), at = steps.offset(t), n = steps.size(t), continued = steps.continued(i);
    const int64_t before = i > 0 ? steps.offset(steps.step(i - 1)) : 0;
    // Rows first to end, whose state h, or c of LSTM, are those from state_row on.
    const auto part = [&](int64_t first, int64_t end, const Tensor& h, const Tensor& c, int64_t state_row) {
      if (first == end || hidden == 0) return;
      if (gru)
        r.times_transposed(end - first, r.at(h, state_row), w_hh, r.at(state_gates, first), 0, state_bias);
      else if (h.defined())
        r.times_transposed(end - first, r.at(h, state_row), w_hh, r.at(gates, at + first), 1);
      RnnCellArgs args{};
      args.mode = mode;
      args.dtype = r.dtype;
      args.gates = r.at(gates, at + first);
      args.state_gates = r.at(state_gates, first);
      args.state = r.at(lstm ? c : h, state_row);
      args.h_out = r.at(raw_h, at + first);
      args.c_out = r.at(work.cells, at + first);
      args.saved = r.at(work.kept, at + first);
      args.batch = end - first;
      args.hidden = hidden;
      kernels(r.device).rnn_cell(args);
    };
    part(0, continued, output, work.cells, before);
    part(continued, n, h0, c0, continued);
    if (projects) r.times_transposed(n, r.at(raw_h, at), w_hr, r.at(output, at), 0);
    const int64_t ended = steps.ended(i);
    r.copy(h_n, ended, output, at + ended, n - ended);
    if (lstm) r.copy(c_n, ended, work.cells, at + ended, n - ended);
  }
  if (recording(in.x, in.h, in.c, in.w_ih, in.w_hh, in.b_ih, in.b_hh, in.w_hr)) {
    auto* node = new RnnBackward;
    const auto owner = Ref<Node>::adopt(node);
    size_t i = 0;
    for (const Tensor* t : {&in.x, &in.h, &in.c, &in.w_ih, &in.w_hh, &in.b_ih, &in.b_hh, &in.w_hr}) {
      node->set_edge(i, *t);
      node->save_input(i++, *t);
    }
    node->save_output(8, output, 0);
    node->set_call_site(site);
    node->mode = mode;
    node->steps = std::move(steps);
    node->work = std::move(work);
    set_history(output, owner, 0);
    set_history(h_n, owner, 1);
    if (lstm) set_history(c_n, owner, 2);
  }
  return {output, h_n, c_n};
}

std::tuple<Tensor, Tensor, Tensor> lstm_layer(const Tensor& x, IntArrayRef batch_sizes, const Tensor& h0,
                                              const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh,
                                              const Tensor& b_ih, const Tensor& b_hh, bool reverse,
                                              const Tensor& w_hr) {
  return detail::rnn_layer("lstm", TAPIR_HERE, RnnMode::LSTM, {x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr},
                           batch_sizes, reverse);
}

}  // namespace tapir
