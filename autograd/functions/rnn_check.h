// What rnn.cpp and rnn_layer.cpp share. Private to autograd/.
#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::detail {

struct RnnInputs {
  const Tensor &x, &h, &c, &w_ih, &w_hh, &b_ih, &b_hh;
};

/// Throws where the inputs of a cell with `gates` gates do not fit each other; h and c, where defined, must
/// have `batch` rows.
void check_rnn(const char* op, const RnnInputs& in, int64_t batch, int64_t gates);

/// lstm_cell written with differentiable ops.
std::vector<Tensor> lstm_cell_composed(const Tensor& x, const Tensor& h, const Tensor& c, const Tensor& w_ih,
                                       const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh);

}  // namespace tapir::detail
