// Recurrent cells and layers, each one node: the gates of a cell are one matrix, and the gradients of the
// weights are gathered over the steps of a loop into one product.
//
// In what follows G is the number of gates (LSTM 4, GRU 3, Elman 1), x (B, I) the input, h and c (B, H) the
// states, w_ih (G H, I), w_hh (G H, H), and b_ih and b_hh (G H) or both undefined; one floating dtype. All
// throw ShapeError, DTypeError and DeviceError for inputs that do not fit each other.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// One step of a long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates):
///   i, f, g, o = x w_ih^T + b_ih + h w_hh^T + b_hh,  each of H columns
///   c' = sigmoid(f) * c + sigmoid(i) * tanh(g),      h' = sigmoid(o) * tanh(c')
/// Returns (h', c').
TAPIR_API std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c,
                                               const Tensor& w_ih, const Tensor& w_hh,
                                               const Tensor& b_ih = {}, const Tensor& b_hh = {});
/// The same with hx = {h, c}.
TAPIR_API std::tuple<Tensor, Tensor> lstm_cell(const Tensor& x, TensorList hx, const Tensor& w_ih,
                                               const Tensor& w_hh, const Tensor& b_ih = {},
                                               const Tensor& b_hh = {});

/// One step of a gated recurrent unit (Cho et al. 2014, with the reset gate after the product):
///   xr, xz, xn = x w_ih^T + b_ih,   hr, hz, hn = h w_hh^T + b_hh,  each of H columns
///   r = sigmoid(xr + hr),  z = sigmoid(xz + hz),  n = tanh(xn + r * hn),  h' = (1 - z) * n + z * h
TAPIR_API Tensor gru_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                          const Tensor& b_ih = {}, const Tensor& b_hh = {});

/// One step of Elman's network: h' = tanh(x w_ih^T + b_ih + h w_hh^T + b_hh)
TAPIR_API Tensor rnn_tanh_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                               const Tensor& b_ih = {}, const Tensor& b_hh = {});
/// The same with max(., 0) for tanh.
TAPIR_API Tensor rnn_relu_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                               const Tensor& b_ih = {}, const Tensor& b_hh = {});

/// One layer of LSTM in one direction over whole sequences, laid out step by step: x (N, I) holds the
/// batch_sizes[0] rows of step 0, then the batch_sizes[1] rows of step 1, and so on; batch_sizes do not grow,
/// and row j of each step belongs to sequence j. `reverse` runs each sequence from its end. h0 and c0 (B, H),
/// B = batch_sizes[0], may be undefined for zeros. Returns (output (N, H), h_n (B, H), c_n (B, H)), the last
/// two after the last step of each sequence. With w_hr (P, H), h' of each step is projected to h' w_hr^T, and
/// output, h_n, h0 and the columns of w_hh are P wide. Throws ValueError too, for batch_sizes that grow, are
/// negative, are none or do not add up to N.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lstm_layer(const Tensor& x, IntArrayRef batch_sizes,
                                                        const Tensor& h0, const Tensor& c0,
                                                        const Tensor& w_ih, const Tensor& w_hh,
                                                        const Tensor& b_ih = {}, const Tensor& b_hh = {},
                                                        bool reverse = false, const Tensor& w_hr = {});

/// Layers of LSTM, each fed with the output of the one below. With D = 2 if bidirectional, else 1:
///   input (T, B, I), or (B, T, I) with batch_first;  hx = {h0, c0}, each (num_layers * D, B, H), or empty
///   for zeros
///   params: w_ih, w_hh, with has_biases b_ih, b_hh, and for a projection w_hr, of layer 0 forward, layer 0
///   backward, layer 1, ...
/// With `train`, dropout is applied to the output of each layer but the last. Returns (output (T, B, D * H),
/// h_n, c_n). Throws ValueError too, for a wrong number of tensors.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, TensorList hx, TensorList params,
                                                  bool has_biases, int64_t num_layers, double dropout,
                                                  bool train, bool bidirectional, bool batch_first);
/// The same for packed sequences: data (N, I) and batch_sizes (int64) as PackedSequence holds them.
TAPIR_API std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& data, const Tensor& batch_sizes,
                                                  TensorList hx, TensorList params, bool has_biases,
                                                  int64_t num_layers, double dropout, bool train,
                                                  bool bidirectional);

/// Layers of GRU and of Elman's network, as lstm without c; an undefined hx stands for zeros. Return (output,
/// h_n).
TAPIR_API std::tuple<Tensor, Tensor> gru(const Tensor& input, const Tensor& hx, TensorList params,
                                         bool has_biases, int64_t num_layers, double dropout, bool train,
                                         bool bidirectional, bool batch_first);
TAPIR_API std::tuple<Tensor, Tensor> gru(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                                         TensorList params, bool has_biases, int64_t num_layers,
                                         double dropout, bool train, bool bidirectional);
TAPIR_API std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& input, const Tensor& hx, TensorList params,
                                              bool has_biases, int64_t num_layers, double dropout, bool train,
                                              bool bidirectional, bool batch_first);
TAPIR_API std::tuple<Tensor, Tensor> rnn_tanh(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                                              TensorList params, bool has_biases, int64_t num_layers,
                                              double dropout, bool train, bool bidirectional);
TAPIR_API std::tuple<Tensor, Tensor> rnn_relu(const Tensor& input, const Tensor& hx, TensorList params,
                                              bool has_biases, int64_t num_layers, double dropout, bool train,
                                              bool bidirectional, bool batch_first);
TAPIR_API std::tuple<Tensor, Tensor> rnn_relu(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,
                                              TensorList params, bool has_biases, int64_t num_layers,
                                              double dropout, bool train, bool bidirectional);

}  // namespace tapir
