// The kinds of recurrent cells.
#pragma once

#include <cstdint>

namespace tapir {

/// Long short-term memory, the gated recurrent unit, and Elman's cell with tanh or ReLU.
enum class RnnMode : uint8_t { LSTM, GRU, Tanh, ReLU };

/// How many blocks of hidden_size rows the weights of a cell have.
constexpr int64_t rnn_gates(RnnMode mode) { return mode == RnnMode::LSTM ? 4 : mode == RnnMode::GRU ? 3 : 1; }

}  // namespace tapir
