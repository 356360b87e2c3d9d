// Whole sequences through an LSTM layer in one node.
//
// Forward does the input's part of all gates in one product, then one small product per step for the state's
// part. Backward walks the steps in reverse, leaving the gradients of all gates in one matrix, from which the
// input's gradient and those of the weights are one product each.
#include <algorithm>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/dropout.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/autograd/functions/rnn_check.h"
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
};

Steps make_steps(IntArrayRef batch_sizes, int64_t rows, bool reverse) {
  Steps s;
  s.reverse = reverse;
  TAPIR_CHECK_AS(ValueError, !batch_sizes.empty(), "lstm: batch_sizes is empty, expected one size per step");
  int64_t offset = 0;
  for (size_t t = 0; t < batch_sizes.size(); ++t) {
    TAPIR_CHECK_AS(ValueError, batch_sizes[t] >= 0 && (t == 0 || batch_sizes[t] <= batch_sizes[t - 1]),
                   "lstm: batch_sizes must not grow, got {}", batch_sizes);
    s.offsets.push_back(offset);
    offset += batch_sizes[t];
  }
  TAPIR_CHECK_AS(ValueError, offset == rows, "lstm: batch_sizes {} add up to {}, but the input has {} rows",
                 batch_sizes, offset, rows);
  s.sizes = batch_sizes.vec();
  return s;
}

// Rows of contiguous matrices of one dtype and device, by address.
struct Rows {
  DType dtype;
  Device device;
  int64_t hidden;
  std::byte* at(const Tensor& t, int64_t row) const {
    return t.impl()->data + static_cast<size_t>(row * t.impl()->layout.sizes[1]) * item_size(dtype);
  }
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
  /// c (rows, n) = a (rows, k) op(b) + beta c
  void product(int64_t rows, int64_t n, int64_t k, const void* a, const Tensor& b, bool trans_b, void* c,
               double beta, const void* bias = nullptr) const {
    if (rows <= 0 || n <= 0) return;
    GemmArgs g{};
    g.dtype = dtype;
    g.trans_b = trans_b;
    g.m = rows;
    g.n = n;
    g.k = k;
    g.alpha = 1;
    g.beta = beta;
    g.a = a;
    g.lda = k;
    g.b = b.impl()->data;
    g.ldb = trans_b ? k : n;
    g.c = c;
    g.ldc = n;
    g.bias = bias;
    g.batch = 1;
    kernels(device).gemm(g);
  }
};

Tensor narrow_rows(const Tensor& t, int64_t start, int64_t n) { return narrow(t, 0, start, n); }

// The layer written with differentiable ops, step by step.
std::vector<Tensor> layer_composed(const Steps& s, const std::vector<Tensor>& in) {
  const Tensor &x = in[0], &w_hh = in[4];
  const int64_t hidden = w_hh.size(1);
  const Tensor zeros = raw::zeros({s.batch(), hidden}, x.dtype(), x.device());
  const Tensor h0 = in[1].defined() ? in[1] : zeros, c0 = in[2].defined() ? in[2] : zeros;
  std::vector<Tensor> outputs(s.sizes.size()), h_ends, c_ends;
  Tensor h, c;  // of the last step
  for (int64_t i = 0; i < s.count(); ++i) {
    const int64_t t = s.step(i), rows = s.size(t), continued = s.continued(i);
    const auto state = [&](const Tensor& last, const Tensor& first) {
      if (continued == 0) return narrow_rows(first, 0, rows);
      const Tensor old = narrow_rows(last, 0, continued);
      return continued == rows ? old : cat({old, narrow_rows(first, continued, rows - continued)}, 0);
    };
    if (!s.reverse && i > 0 && rows < h.size(0)) {  // sequences that ended
      h_ends.push_back(narrow_rows(h, rows, h.size(0) - rows));
      c_ends.push_back(narrow_rows(c, rows, c.size(0) - rows));
    }
    auto next = detail::lstm_cell_composed(narrow_rows(x, s.offset(t), rows), state(h, h0), state(c, c0),
                                           in[3], w_hh, in[5], in[6]);
    h = next[0];
    c = next[1];
    outputs[static_cast<size_t>(t)] = h;
  }
  h_ends.push_back(h);
  c_ends.push_back(c);
  std::reverse(h_ends.begin(), h_ends.end());
  std::reverse(c_ends.begin(), c_ends.end());
  return {cat(outputs, 0), cat(h_ends, 0), cat(c_ends, 0)};
}

// Inputs and saved tensors: x, h0, c0, w_ih, w_hh, b_ih, b_hh, and the output. Outputs: output, h_n, c_n.
struct LstmBackward final : NodeOf<7, 8, 3> {
  const char* name() const override { return "LstmBackward"; }
  void release_saved() override {
    NodeOf::release_saved();
    gates.reset();
    cells.reset();
    tanh_cells.reset();
  }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = raw::contiguous(saved(0)), w_ih = raw::contiguous(saved(3)),
                 w_hh = raw::contiguous(saved(4));
    if (!sink.deferring()) {
      return backward_by_recomputing(
          g, sink, {saved(0), saved(1), saved(2), saved(3), saved(4), saved(5), saved(6)},
          [this](const std::vector<Tensor>& in) { return layer_composed(steps, in); });
    }
    const Tensor output = saved(7);
    const int64_t rows = x.size(0), batch = steps.batch(), hidden = w_hh.size(1), in = x.size(1);
    const Rows r{x.dtype(), x.device(), hidden};
    const auto zeros = [&](int64_t n) { return raw::zeros({n, hidden}, r.dtype, r.device); };
    const Tensor h0 = saved(1).defined() ? raw::contiguous(saved(1)) : zeros(batch);
    const Tensor c0 = saved(2).defined() ? raw::contiguous(saved(2)) : zeros(batch);

    // The gradient of the output of each step, to which that of the next step's state is added.
    const Tensor grad_h = g[0].defined() ? raw::clone_contiguous(g[0]) : zeros(rows);
    const Tensor grad_c = g[2].defined() ? raw::clone_contiguous(g[2]) : zeros(batch);
    const Tensor grad_h0 = Tensor::empty({batch, hidden}, r.dtype, r.device);
    const Tensor grad_gates = Tensor::empty({rows, 4 * hidden}, r.dtype, r.device);
    if (g[1].defined()) {
      const Tensor ends = raw::contiguous(g[1]);
      for (int64_t i = 0; i < steps.count(); ++i) {
        const int64_t t = steps.step(i);
        const int64_t first =
            i + 1 == steps.count() ? 0 : std::min(steps.size(t), steps.size(steps.step(i + 1)));
        const int64_t n = steps.size(t) - first;
        if (n == 0) continue;
        const Tensor part = grad_h.alias(grad_h.layout_of().narrow(0, steps.offset(t) + first, n));
        raw::pointwise_into(Pointwise::add, part, {part, ends.alias(ends.layout_of().narrow(0, first, n))},
                            Scalar(1));
      }
    }
    const Tensor h_before = Tensor::empty({rows, hidden}, r.dtype, r.device);
    for (int64_t i = steps.count() - 1; i >= 0; --i) {
      const int64_t t = steps.step(i), at = steps.offset(t), n = steps.size(t),
                    continued = steps.continued(i);
      const int64_t before = i > 0 ? steps.offset(steps.step(i - 1)) : 0;
      const auto part = [&](int64_t first, int64_t end, const Tensor& c, int64_t c_row) {
        if (first == end || hidden == 0) return;
        LstmCellBackwardArgs args;
        args.dtype = r.dtype;
        args.gates = r.at(gates, at + first);
        args.c = r.at(c, c_row);
        args.tanh_c = r.at(tanh_cells, at + first);
        args.grad_h = r.at(grad_h, at + first);
        args.grad_c = r.at(grad_c, first);
        args.grad_gates = r.at(grad_gates, at + first);
        args.grad_c_in = r.at(grad_c, first);
        args.batch = end - first;
        args.hidden = hidden;
        kernels(r.device).lstm_cell_backward(args);
      };
      part(0, continued, cells, before);
      part(continued, n, c0, continued);
      r.product(continued, hidden, 4 * hidden, r.at(grad_gates, at), w_hh, false, r.at(grad_h, before), 1);
      if (sink.wants(1))
        r.product(n - continued, hidden, 4 * hidden, r.at(grad_gates, at + continued), w_hh, false,
                  r.at(grad_h0, continued), 0);
      r.copy(h_before, at, output, before, continued);
      r.copy(h_before, at + continued, h0, continued, n - continued);
    }
    if (sink.wants(0)) {
      Tensor grad_x = Tensor::empty({rows, in}, r.dtype, r.device);
      r.product(rows, in, 4 * hidden, grad_gates.data_ptr(), w_ih, false, grad_x.data_ptr(), 0);
      sink.set(0, std::move(grad_x));
    }
    sink.set(1, grad_h0);
    sink.set(2, grad_c);
    if (sink.wants(5) || sink.wants(6)) {
      const Tensor grad_bias = raw::sum(grad_gates, {0}, true);
      sink.add_row_sum(5, grad_bias);
      sink.add_row_sum(6, grad_bias);
    }
    sink.add_product(3, x, grad_gates);
    sink.add_product(4, h_before, grad_gates);
  }
  Steps steps;
  Tensor gates, cells, tanh_cells;  // (N, 4H) after their functions, (N, H), (N, H)
};

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lstm_layer(const Tensor& x, IntArrayRef batch_sizes, const Tensor& h0,
                                              const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh,
                                              const Tensor& b_ih, const Tensor& b_hh, bool reverse) {
  const void* site = TAPIR_HERE;
  detail::check_rnn("lstm", {x, h0, c0, w_ih, w_hh, b_ih, b_hh}, batch_sizes.empty() ? 0 : batch_sizes[0], 4);
  Steps steps = make_steps(batch_sizes, x.size(0), reverse);
  const int64_t rows = x.size(0), in = x.size(1), batch = steps.batch(), hidden = w_hh.size(1);
  const Rows r{x.dtype(), x.device(), hidden};
  const auto matrix = [&](int64_t n, int64_t columns) {
    return Tensor::empty({n, columns}, r.dtype, r.device);
  };
  const Tensor input = raw::contiguous(x), recurrent = raw::contiguous(w_hh);
  const Tensor h_first = h0.defined() ? raw::contiguous(h0) : h0;
  const Tensor c_first = c0.defined() ? raw::contiguous(c0) : raw::zeros({batch, hidden}, r.dtype, r.device);
  const Tensor output = matrix(rows, hidden), h_n = matrix(batch, hidden), c_n = matrix(batch, hidden);
  const Tensor gates = matrix(rows, 4 * hidden), cells = matrix(rows, hidden),
               tanh_cells = matrix(rows, hidden);

  Tensor bias = b_ih.defined() ? b_ih : b_hh;
  if (b_ih.defined() && b_hh.defined()) bias = raw::binary(Pointwise::add, b_ih, b_hh, Scalar(1));
  if (bias.defined()) bias = raw::contiguous(bias);
  r.product(rows, 4 * hidden, in, input.data_ptr(), raw::contiguous(w_ih), true, gates.data_ptr(), 0,
            bias.defined() ? bias.data_ptr() : nullptr);
  for (int64_t i = 0; i < steps.count(); ++i) {
    const int64_t t = steps.step(i), at = steps.offset(t), n = steps.size(t), continued = steps.continued(i);
    const int64_t before = i > 0 ? steps.offset(steps.step(i - 1)) : 0;
    r.product(continued, 4 * hidden, hidden, r.at(output, before), recurrent, true, r.at(gates, at), 1);
    if (h_first.defined())
      r.product(n - continued, 4 * hidden, hidden, r.at(h_first, continued), recurrent, true,
                r.at(gates, at + continued), 1);
    const auto part = [&](int64_t first, int64_t end, const Tensor& c, int64_t c_row) {
      if (first == end || hidden == 0) return;
      LstmCellArgs args;
      args.dtype = r.dtype;
      args.gates = r.at(gates, at + first);
      args.c = r.at(c, c_row);
      args.h_out = r.at(output, at + first);
      args.c_out = r.at(cells, at + first);
      args.tanh_c_out = r.at(tanh_cells, at + first);
      args.batch = end - first;
      args.hidden = hidden;
      kernels(r.device).lstm_cell(args);
    };
    part(0, continued, cells, before);
    part(continued, n, c_first, continued);
    // The rows of sequences that end here.
    const int64_t next = i + 1 == steps.count() ? 0 : std::min(n, steps.size(steps.step(i + 1)));
    r.copy(h_n, next, output, at + next, n - next);
    r.copy(c_n, next, cells, at + next, n - next);
  }
  if (recording(x, h0, c0, w_ih, w_hh, b_ih, b_hh)) {
    auto* node = new LstmBackward;
    const auto owner = Ref<Node>::adopt(node);
    size_t i = 0;
    for (const Tensor* t : {&x, &h0, &c0, &w_ih, &w_hh, &b_ih, &b_hh}) {
      node->set_edge(i, *t);
      node->save_input(i++, *t);
    }
    node->save_output(7, output, 0);
    node->set_call_site(site);
    node->steps = std::move(steps);
    node->gates = gates;
    node->cells = cells;
    node->tanh_cells = tanh_cells;
    set_history(output, owner, 0);
    set_history(h_n, owner, 1);
    set_history(c_n, owner, 2);
  }
  return {output, h_n, c_n};
}

namespace {

struct LayersArgs {
  TensorList hx, params;
  bool has_biases;
  int64_t num_layers;
  double dropout;
  bool train, bidirectional;
};

std::tuple<Tensor, Tensor, Tensor> run_layers(Tensor x, IntArrayRef batch_sizes, const LayersArgs& a) {
  const size_t directions = a.bidirectional ? 2 : 1, each = a.has_biases ? 4 : 2;
  TAPIR_CHECK_AS(ValueError, a.num_layers > 0, "lstm: num_layers is {}, expected at least 1", a.num_layers);
  const size_t cells = static_cast<size_t>(a.num_layers) * directions;
  TAPIR_CHECK_AS(ValueError, a.params.size() == cells * each,
                 "lstm: {} parameters, expected {} for {} layers in {} directions", a.params.size(),
                 cells * each, a.num_layers, directions);
  TAPIR_CHECK_AS(ValueError, a.hx.empty() || a.hx.size() == 2,
                 "lstm: hx holds {} tensors, expected h0 and c0", a.hx.size());
  for (const Tensor& state : a.hx) {
    const int64_t hidden = a.params[1].size(1);
    const Dims expected{static_cast<int64_t>(cells), batch_sizes.empty() ? 0 : batch_sizes[0], hidden};
    TAPIR_CHECK_AS(ShapeError, !state.defined() || state.layout_of().sizes == expected,
                   "lstm: a state has sizes {}, expected {}", state.sizes(), IntArrayRef(expected));
  }
  std::vector<Tensor> h_ends, c_ends;
  for (int64_t layer = 0; layer < a.num_layers; ++layer) {
    std::vector<Tensor> outputs;
    for (size_t d = 0; d < directions; ++d) {
      const int64_t cell = layer * static_cast<int64_t>(directions) + static_cast<int64_t>(d);
      const auto state = [&](size_t which) {
        if (a.hx.empty() || !a.hx[which].defined()) return Tensor();
        const Tensor& s = a.hx[which];
        return s.size(0) == 1 ? view(s, {s.size(1), s.size(2)}) : select(s, 0, cell);
      };
      const auto param = [&](size_t i) {
        return i < each ? a.params[static_cast<size_t>(cell) * each + i] : Tensor();
      };
      auto [y, h, c] =
          lstm_layer(x, batch_sizes, state(0), state(1), param(0), param(1), param(2), param(3), d == 1);
      outputs.push_back(std::move(y));
      h_ends.push_back(std::move(h));
      c_ends.push_back(std::move(c));
    }
    x = directions == 1 ? std::move(outputs[0]) : cat(outputs, 1);
    if (a.dropout > 0 && a.train && layer + 1 < a.num_layers) x = dropout(x, a.dropout, true);
  }
  const auto together = [](const std::vector<Tensor>& ends) {
    return ends.size() == 1 ? view(ends[0], {1, ends[0].size(0), ends[0].size(1)}) : stack(ends, 0);
  };
  return {std::move(x), together(h_ends), together(c_ends)};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, TensorList hx, TensorList params,
                                        bool has_biases, int64_t num_layers, double dropout, bool train,
                                        bool bidirectional, bool batch_first) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() == 3,
                 "lstm: the input has sizes {}, expected (steps, batch, features)", input.sizes());
  const Tensor x = batch_first ? contiguous(transpose(input, 0, 1)) : input;
  const int64_t steps = x.size(0), batch = x.size(1);
  TAPIR_CHECK_AS(ShapeError, steps > 0, "lstm: the input has sizes {}, expected at least one step",
                 input.sizes());
  const std::vector<int64_t> batch_sizes(static_cast<size_t>(steps), batch);
  auto [y, h, c] = run_layers(reshape(x, {steps * batch, x.size(2)}), batch_sizes,
                              {hx, params, has_biases, num_layers, dropout, train, bidirectional});
  y = view(y, {steps, batch, y.size(1)});
  return {batch_first ? transpose(y, 0, 1) : std::move(y), std::move(h), std::move(c)};
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& data, const Tensor& batch_sizes, TensorList hx,
                                        TensorList params, bool has_biases, int64_t num_layers,
                                        double dropout, bool train, bool bidirectional) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(DTypeError, batch_sizes.dtype() == kInt64 && batch_sizes.is_cpu(),
                 "lstm: batch_sizes is {} on {}, expected int64 on the CPU", batch_sizes.dtype(),
                 batch_sizes.device());
  TAPIR_CHECK_AS(ShapeError, batch_sizes.dim() == 1 && data.dim() == 2,
                 "lstm: data has sizes {} and batch_sizes {}, expected two dimensions and one", data.sizes(),
                 batch_sizes.sizes());
  const Tensor sizes = raw::contiguous(batch_sizes);
  return run_layers(data, IntArrayRef(sizes.data_ptr<int64_t>(), static_cast<size_t>(sizes.numel())),
                    {hx, params, has_biases, num_layers, dropout, train, bidirectional});
}

}  // namespace tapir
