// Stacks of recurrent layers, over padded and packed sequences.
#include "tapir/autograd/functions/rnn.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/dropout.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/rnn_parts.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

// output, h_n, and c_n of LSTM
using Result = std::tuple<Tensor, Tensor, Tensor>;

struct Layers {
  const char* op;
  RnnMode mode;
  Tensor h0, c0;  // (layers * directions, B, columns), or undefined
  TensorList params;
  bool has_biases;
  int64_t num_layers;
  double dropout;
  bool train, bidirectional;
};

void check_state(const Layers& a, const char* name, const Tensor& state, int64_t cells, int64_t batch,
                 int64_t columns) {
  const Dims expected{cells, batch, columns};
  TAPIR_CHECK_AS(ShapeError, !state.defined() || state.layout_of().sizes == expected,
                 "{}: {} has sizes {}, expected {}", a.op, name, state.sizes(), IntArrayRef(expected));
}

Result run_layers(const Layers& a, Tensor x, IntArrayRef batch_sizes) {
  TAPIR_CHECK_AS(ValueError, a.num_layers > 0, "{}: num_layers is {}, expected at least 1", a.op,
                 a.num_layers);
  const int64_t directions = a.bidirectional ? 2 : 1, cells = a.num_layers * directions;
  // Of each cell: w_ih, w_hh, b_ih and b_hh if there are biases, w_hr if there is a projection.
  const auto all = static_cast<int64_t>(a.params.size());
  const int64_t plain = a.has_biases ? 4 : 2;
  const bool projects = a.mode == RnnMode::LSTM && all == cells * (plain + 1);
  const int64_t each = plain + projects;
  TAPIR_CHECK_AS(ValueError, all == cells * each,
                 "{}: {} parameters, expected {} for {} layers in {} directions {} biases", a.op, all,
                 cells * plain, a.num_layers, directions, a.has_biases ? "with" : "without");
  const auto param = [&](int64_t cell, int64_t i) { return a.params[static_cast<size_t>(cell * each + i)]; };
  const int64_t batch = batch_sizes.empty() ? 0 : batch_sizes[0], out = param(0, 1).size(-1);
  check_state(a, "h0", a.h0, cells, batch, out);
  check_state(a, "c0", a.c0, cells, batch, projects ? param(0, plain).size(-1) : out);

  std::vector<Tensor> h_ends, c_ends;
  for (int64_t layer = 0; layer < a.num_layers; ++layer) {
    std::vector<Tensor> outputs;
    for (int64_t d = 0; d < directions; ++d) {
      const int64_t cell = layer * directions + d;
      const auto state = [&](const Tensor& s) {
        if (!s.defined()) return s;
        return cells == 1 ? view(s, {s.size(1), s.size(2)}) : select(s, 0, cell);
      };
      const Tensor h0 = state(a.h0), c0 = state(a.c0), none;
      auto [y, h, c] =
          detail::rnn_layer(a.op, TAPIR_HERE, a.mode,
                            {x, h0, c0, param(cell, 0), param(cell, 1), a.has_biases ? param(cell, 2) : none,
                             a.has_biases ? param(cell, 3) : none, projects ? param(cell, plain) : none},
                            batch_sizes, d == 1);
      outputs.push_back(std::move(y));
      h_ends.push_back(std::move(h));
      if (c.defined()) c_ends.push_back(std::move(c));
    }
    x = directions == 1 ? std::move(outputs[0]) : cat(outputs, 1);
    if (a.dropout > 0 && a.train && layer + 1 < a.num_layers) x = dropout(x, a.dropout, true);
  }
  const auto together = [](const std::vector<Tensor>& ends) {
    if (ends.empty()) return Tensor();
    return ends.size() == 1 ? view(ends[0], {1, ends[0].size(0), ends[0].size(1)}) : stack(ends, 0);
  };
  return {std::move(x), together(h_ends), together(c_ends)};
}

Result run_padded(const Layers& a, const Tensor& input, bool batch_first) {
  TAPIR_CHECK_AS(ShapeError, input.dim() == 3, "{}: the input has sizes {}, expected {}", a.op, input.sizes(),
                 batch_first ? "(batch, steps, features)" : "(steps, batch, features)");
  const Tensor x = batch_first ? contiguous(transpose(input, 0, 1)) : input;
  const int64_t steps = x.size(0), batch = x.size(1);
  TAPIR_CHECK_AS(ShapeError, steps > 0, "{}: the input has sizes {}, expected at least one step", a.op,
                 input.sizes());
  const std::vector<int64_t> batch_sizes(static_cast<size_t>(steps), batch);
  auto [y, h, c] = run_layers(a, reshape(x, {steps * batch, x.size(2)}), batch_sizes);
  y = view(y, {steps, batch, y.size(1)});
  return {batch_first ? transpose(y, 0, 1) : std::move(y), std::move(h), std::move(c)};
}

Result run_packed(const Layers& a, const Tensor& data, const Tensor& batch_sizes) {
  TAPIR_CHECK_AS(DTypeError, batch_sizes.dtype() == kInt64 && batch_sizes.is_cpu(),
                 "{}: batch_sizes is {} on {}, expected int64 on the CPU", a.op, batch_sizes.dtype(),
                 batch_sizes.device());
  TAPIR_CHECK_AS(ShapeError, batch_sizes.dim() == 1 && data.dim() == 2,
                 "{}: data has sizes {} and batch_sizes {}, expected two dimensions and one", a.op,
                 data.sizes(), batch_sizes.sizes());
  const Tensor sizes = raw::contiguous(batch_sizes);
  return run_layers(a, data, IntArrayRef(sizes.data_ptr<int64_t>(), static_cast<size_t>(sizes.numel())));
}

Tensor lstm_state(TensorList hx, size_t i) {
  TAPIR_CHECK_AS(ValueError, hx.empty() || hx.size() == 2, "lstm: hx holds {} tensors, expected h0 and c0",
                 hx.size());
  return hx.empty() ? Tensor() : hx[i];
}

std::tuple<Tensor, Tensor> without_cell(Result r) {
  return {std::move(std::get<0>(r)), std::move(std::get<1>(r))};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, TensorList hx, TensorList params,
                                        bool has_biases, int64_t num_layers, double dropout, bool train,
                                        bool bidirectional, bool batch_first) {
  CallSite site(TAPIR_HERE);
  return run_padded({"lstm", RnnMode::LSTM, lstm_state(hx, 0), lstm_state(hx, 1), params, has_biases,
                     num_layers, dropout, train, bidirectional},
                    input, batch_first);
}
std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& data, const Tensor& batch_sizes, TensorList hx,
                                        TensorList params, bool has_biases, int64_t num_layers,
                                        double dropout, bool train, bool bidirectional) {
  CallSite site(TAPIR_HERE);
  return run_packed({"lstm", RnnMode::LSTM, lstm_state(hx, 0), lstm_state(hx, 1), params, has_biases,
                     num_layers, dropout, train, bidirectional},
                    data, batch_sizes);
}

// The others differ in name and kind alone.
#define TAPIR_RNN_LAYERS(name, mode)                                                                         \
  std::tuple<Tensor, Tensor> name(const Tensor& input, const Tensor& hx, TensorList params, bool has_biases, \
                                  int64_t num_layers, double dropout, bool train, bool bidirectional,        \
                                  bool batch_first) {                                                        \
    CallSite site(TAPIR_HERE);                                                                               \
    return without_cell(                                                                                     \
        run_padded({#name, mode, hx, {}, params, has_biases, num_layers, dropout, train, bidirectional},     \
                   input, batch_first));                                                                     \
  }                                                                                                          \
  std::tuple<Tensor, Tensor> name(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,           \
                                  TensorList params, bool has_biases, int64_t num_layers, double dropout,    \
                                  bool train, bool bidirectional) {                                          \
    CallSite site(TAPIR_HERE);                                                                               \
    return without_cell(                                                                                     \
        run_packed({#name, mode, hx, {}, params, has_biases, num_layers, dropout, train, bidirectional},     \
                   data, batch_sizes));                                                                      \
  }
TAPIR_RNN_LAYERS(gru, RnnMode::GRU)
TAPIR_RNN_LAYERS(rnn_tanh, RnnMode::Tanh)
TAPIR_RNN_LAYERS(rnn_relu, RnnMode::ReLU)
#undef TAPIR_RNN_LAYERS

}  // namespace tapir
