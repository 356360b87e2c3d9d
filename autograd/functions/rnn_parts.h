// What rnn.cpp, rnn_cell.cpp and rnn_layer.cpp share. Private to autograd/.
#pragma once

#include <vector>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::detail {

/// c is for LSTM alone, w_hr for layers of LSTM with a projection; both are undefined elsewhere.
struct RnnInputs {
  const Tensor &x, &h, &c, &w_ih, &w_hh, &b_ih, &b_hh, &w_hr;
};

/// Throws where the inputs of a cell do not fit each other; h and c, where defined, must have `batch` rows.
void check_rnn(const char* op, RnnMode mode, const RnnInputs& in, int64_t batch);

/// A cell written with differentiable ops: h', and c' for LSTM. in: x, h, c, w_ih, w_hh, b_ih, b_hh.
std::vector<Tensor> rnn_cell_composed(RnnMode mode, const std::vector<Tensor>& in);

/// One layer in one direction; see lstm_layer. c_n is undefined but for LSTM.
std::tuple<Tensor, Tensor, Tensor> rnn_layer(const char* op, const void* site, RnnMode mode,
                                             const RnnInputs& in, IntArrayRef batch_sizes, bool reverse);

/// c (rows, n) = a (rows, k) op(b) + beta c + bias, for contiguous matrices.
inline void rnn_product(DType dtype, Device device, int64_t rows, int64_t n, int64_t k, const void* a,
                        const void* b, bool trans_b, void* c, double beta, const void* bias = nullptr) {
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
  g.b = b;
  g.ldb = trans_b ? k : n;
  g.c = c;
  g.ldc = n;
  g.bias = bias;
  g.batch = 1;
  kernels(device).gemm(g);
}

}  // namespace tapir::detail
