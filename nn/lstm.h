// Long short-term memory: one step, and whole sequences.
#pragma once

#include "tapir/nn/module.h"
#include "tapir/nn/utils/rnn.h"

namespace tapir::nn {

struct LSTMCellOptions {
  LSTMCellOptions(int64_t input_size, int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(bool, bias) = true;
};

/// One step; see lstm_cell in autograd/functions/rnn.h. Called in a loop it runs at the speed of LSTM. All
/// parameters start uniform in +-1 / sqrt(hidden_size).
class TAPIR_API LSTMCellImpl : public Cloneable<LSTMCellImpl> {
 public:
  using State = std::tuple<Tensor, Tensor>;
  LSTMCellImpl(int64_t input_size, int64_t hidden_size)
      : LSTMCellImpl(LSTMCellOptions(input_size, hidden_size)) {}
  explicit LSTMCellImpl(const LSTMCellOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// input (B, I) or (I); hx = (h, c), each (B, H) or (H), zeros by default. Returns the next (h, c).
  State forward(const Tensor& input, const std::optional<State>& hx = std::nullopt);

  LSTMCellOptions options;
  Tensor weight_ih, weight_hh;  ///< (4H, I), (4H, H): input, forget, cell and output gate
  Tensor bias_ih, bias_hh;      ///< (4H); undefined without bias
};
TAPIR_MODULE(LSTMCell);

struct LSTMOptions {
  LSTMOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(int64_t, num_layers) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(bool, batch_first) = false;
  /// Probability of dropout on the output of each layer but the last, in training.
  TAPIR_ARG(double, dropout) = 0;
  TAPIR_ARG(bool, bidirectional) = false;
  TAPIR_ARG(int64_t, proj_size) = 0;  ///< not supported yet: anything but 0 throws ValueError
};

/// Whole sequences through num_layers layers, D = 2 if bidirectional, else 1. Parameters, uniform in
/// +-1 / sqrt(hidden_size) at the start: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, the same with
/// _reverse, then _l1 and so on.
class TAPIR_API LSTMImpl : public Cloneable<LSTMImpl> {
 public:
  using State = std::tuple<Tensor, Tensor>;
  LSTMImpl(int64_t input_size, int64_t hidden_size) : LSTMImpl(LSTMOptions(input_size, hidden_size)) {}
  explicit LSTMImpl(const LSTMOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// input (T, B, I), (B, T, I) with batch_first, or (T, I) for one sequence; hx = (h0, c0), each
  /// (num_layers * D, B, H) (without B for one sequence), zeros by default. Returns
  /// (output (T, B, D * H), (h_n, c_n)).
  std::tuple<Tensor, State> forward(const Tensor& input, const std::optional<State>& hx = std::nullopt);
  /// The same for packed sequences; states are in the original order of the sequences.
  std::tuple<utils::rnn::PackedSequence, State> forward_with_packed_input(
      const utils::rnn::PackedSequence& input, const std::optional<State>& hx = std::nullopt);
  /// The parameters of each layer and direction.
  std::vector<std::vector<Tensor>> all_weights() const;
  /// Nothing to do here; libtorch programs call it.
  void flatten_parameters() {}

  LSTMOptions options;

 private:
  std::vector<Tensor> flat_weights_;
};
TAPIR_MODULE(LSTM);

}  // namespace tapir::nn
