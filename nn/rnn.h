// Recurrent networks, one step (cells) and whole sequences (layers): Elman's, LSTM, GRU.
//
// The cells and their formulas are those of autograd/functions/rnn.h; called in a loop a cell runs at the
// speed of a layer. All parameters start uniform in +-1 / sqrt(hidden_size), drawn in the order of their
// names below.
#pragma once

#include "tapir/nn/any.h"
#include "tapir/nn/enums.h"
#include "tapir/nn/module.h"
#include "tapir/nn/utils/rnn.h"

namespace tapir::nn {

// --- cells ---

namespace detail {

/// What the cells' options have in common.
struct RNNCellOptionsBase {
  RNNCellOptionsBase(int64_t input_size, int64_t hidden_size, bool bias, int64_t num_chunks)
      : input_size_(input_size), hidden_size_(hidden_size), bias_(bias), num_chunks_(num_chunks) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(bool, bias);
  TAPIR_ARG(int64_t, num_chunks);  ///< number of gates G
};

/// Parameters and printing of the cells.
template <class Derived>
class TAPIR_API RNNCellImplBase : public Cloneable<Derived> {
 public:
  explicit RNNCellImplBase(const RNNCellOptionsBase& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  RNNCellOptionsBase options_base;
  Tensor weight_ih, weight_hh;  ///< (G H, I), (G H, H)
  Tensor bias_ih, bias_hh;      ///< (G H); undefined without bias

 protected:
  /// ", nonlinearity=kReLU" where that is to be printed.
  virtual std::string nonlinearity_text() const { return {}; }
};

}  // namespace detail

struct RNNCellOptions {
  RNNCellOptions(int64_t input_size, int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(Nonlinearity, nonlinearity) = kTanh;  ///< kTanh or kReLU; anything else throws ValueError
};

/// One step; see rnn_tanh_cell and rnn_relu_cell.
class TAPIR_API RNNCellImpl : public detail::RNNCellImplBase<RNNCellImpl> {
 public:
  RNNCellImpl(int64_t input_size, int64_t hidden_size)
      : RNNCellImpl(RNNCellOptions(input_size, hidden_size)) {}
  explicit RNNCellImpl(const RNNCellOptions& options);
  /// input (B, I) or (I); hx (B, H) or (H), zeros by default. Returns the next state.
  Tensor forward(const Tensor& input, Tensor hx = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  RNNCellOptions options;

 protected:
  std::string nonlinearity_text() const override;
};
extern template class detail::RNNCellImplBase<RNNCellImpl>;
TAPIR_BUILTIN_MODULE(RNNCell);

struct LSTMCellOptions {
  LSTMCellOptions(int64_t input_size, int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(bool, bias) = true;
};

/// One step; see lstm_cell. The gates are input, forget, cell and output gate.
class TAPIR_API LSTMCellImpl : public detail::RNNCellImplBase<LSTMCellImpl> {
 public:
  using State = std::tuple<Tensor, Tensor>;
  LSTMCellImpl(int64_t input_size, int64_t hidden_size)
      : LSTMCellImpl(LSTMCellOptions(input_size, hidden_size)) {}
  explicit LSTMCellImpl(const LSTMCellOptions& options);
  /// input (B, I) or (I); hx = (h, c), each (B, H) or (H), zeros by default. Returns the next (h, c).
  State forward(const Tensor& input, const std::optional<State>& hx = std::nullopt);
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  LSTMCellOptions options;
};
extern template class detail::RNNCellImplBase<LSTMCellImpl>;
TAPIR_BUILTIN_MODULE(LSTMCell);

struct GRUCellOptions {
  GRUCellOptions(int64_t input_size, int64_t hidden_size)
      : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(bool, bias) = true;
};

/// One step; see gru_cell. The gates are reset, update and new gate.
class TAPIR_API GRUCellImpl : public detail::RNNCellImplBase<GRUCellImpl> {
 public:
  GRUCellImpl(int64_t input_size, int64_t hidden_size)
      : GRUCellImpl(GRUCellOptions(input_size, hidden_size)) {}
  explicit GRUCellImpl(const GRUCellOptions& options);
  /// input (B, I) or (I); hx (B, H) or (H), zeros by default. Returns the next state.
  Tensor forward(const Tensor& input, Tensor hx = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  GRUCellOptions options;
};
extern template class detail::RNNCellImplBase<GRUCellImpl>;
TAPIR_BUILTIN_MODULE(GRUCell);

// --- layers ---

namespace detail {

/// What the layers' options have in common.
struct RNNOptionsBase {
  RNNOptionsBase(RnnMode mode, int64_t input_size, int64_t hidden_size)
      : mode_(mode), input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(RnnMode, mode);  ///< kLSTM, kGRU, kRNN_TANH or kRNN_RELU
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(int64_t, num_layers) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(bool, batch_first) = false;
  /// Probability of dropout on the output of each layer but the last, in training.
  TAPIR_ARG(double, dropout) = 0;
  TAPIR_ARG(bool, bidirectional) = false;
  /// Not 0: h of each step is projected to that many features (Sak et al. 2014); less than hidden_size.
  TAPIR_ARG(int64_t, proj_size) = 0;
};

/// Parameters and printing of the layers: weight_ih_l0 (G H, I), weight_hh_l0 (G H, H), with bias bias_ih_l0
/// and bias_hh_l0 (G H), with a projection weight_hr_l0 (P, H); the same with _reverse if bidirectional; then
/// _l1 and so on, whose I is the width of the layer below.
template <class Derived>
class TAPIR_API RNNImplBase : public Cloneable<Derived> {
 public:
  explicit RNNImplBase(const RNNOptionsBase& options);
  /// Throws ValueError for options that are out of range.
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  /// The parameters in the order of their names.
  std::vector<Tensor> all_weights() const { return flat_weights_; }
  /// Nothing to do here; libtorch programs call it.
  void flatten_parameters() {}

  RNNOptionsBase options_base;

 protected:
  /// Output, h_n, and c_n of LSTM; h0 and c0 may be undefined.
  std::tuple<Tensor, Tensor, Tensor> run(const Tensor& input, Tensor h0, Tensor c0) const;
  std::tuple<utils::rnn::PackedSequence, Tensor, Tensor> run(const utils::rnn::PackedSequence& input,
                                                             const Tensor& h0, const Tensor& c0) const;

 private:
  std::vector<Tensor> flat_weights_;
};

}  // namespace detail

struct RNNOptions {
  RNNOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(int64_t, num_layers) = 1;
  TAPIR_ARG(Nonlinearity, nonlinearity) = kTanh;  ///< kTanh or kReLU; anything else throws ValueError
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(bool, batch_first) = false;
  TAPIR_ARG(double, dropout) = 0;
  TAPIR_ARG(bool, bidirectional) = false;
};

/// Layers of Elman's network, as LSTM without c.
class TAPIR_API RNNImpl : public detail::RNNImplBase<RNNImpl> {
 public:
  RNNImpl(int64_t input_size, int64_t hidden_size) : RNNImpl(RNNOptions(input_size, hidden_size)) {}
  explicit RNNImpl(const RNNOptions& options);
  /// Returns (output, h_n); an undefined hx stands for zeros. Sizes as those of LSTM.
  std::tuple<Tensor, Tensor> forward(const Tensor& input, Tensor hx = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();
  std::tuple<utils::rnn::PackedSequence, Tensor> forward_with_packed_input(
      const utils::rnn::PackedSequence& input, Tensor hx = {});

  RNNOptions options;
};
extern template class detail::RNNImplBase<RNNImpl>;
TAPIR_BUILTIN_MODULE(RNN);

struct LSTMOptions {
  LSTMOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(int64_t, num_layers) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(bool, batch_first) = false;
  TAPIR_ARG(double, dropout) = 0;
  TAPIR_ARG(bool, bidirectional) = false;
  TAPIR_ARG(int64_t, proj_size) = 0;
};

/// Layers of LSTM over whole sequences: num_layers of them, in D = 2 directions if bidirectional, else 1.
class TAPIR_API LSTMImpl : public detail::RNNImplBase<LSTMImpl> {
 public:
  using State = std::tuple<Tensor, Tensor>;
  LSTMImpl(int64_t input_size, int64_t hidden_size) : LSTMImpl(LSTMOptions(input_size, hidden_size)) {}
  explicit LSTMImpl(const LSTMOptions& options);
  /// input (T, B, I), (B, T, I) with batch_first, or (T, I) for one sequence; hx = (h0, c0), (num_layers * D,
  /// B, P) and (num_layers * D, B, H) (without B for one sequence), zeros by default, where P is proj_size,
  /// or H. Returns (output (T, B, D * P), (h_n, c_n)).
  std::tuple<Tensor, State> forward(const Tensor& input, const std::optional<State>& hx = std::nullopt);
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();
  /// The same for packed sequences; states are in the original order of the sequences.
  std::tuple<utils::rnn::PackedSequence, State> forward_with_packed_input(
      const utils::rnn::PackedSequence& input, const std::optional<State>& hx = std::nullopt);

  LSTMOptions options;
};
extern template class detail::RNNImplBase<LSTMImpl>;
TAPIR_BUILTIN_MODULE(LSTM);

struct GRUOptions {
  GRUOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  TAPIR_ARG(int64_t, input_size);
  TAPIR_ARG(int64_t, hidden_size);
  TAPIR_ARG(int64_t, num_layers) = 1;
  TAPIR_ARG(bool, bias) = true;
  TAPIR_ARG(bool, batch_first) = false;
  TAPIR_ARG(double, dropout) = 0;
  TAPIR_ARG(bool, bidirectional) = false;
};

/// Layers of gated recurrent units, as LSTM without c.
class TAPIR_API GRUImpl : public detail::RNNImplBase<GRUImpl> {
 public:
  GRUImpl(int64_t input_size, int64_t hidden_size) : GRUImpl(GRUOptions(input_size, hidden_size)) {}
  explicit GRUImpl(const GRUOptions& options);
  /// Returns (output, h_n); an undefined hx stands for zeros. Sizes as those of LSTM.
  std::tuple<Tensor, Tensor> forward(const Tensor& input, Tensor hx = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();
  std::tuple<utils::rnn::PackedSequence, Tensor> forward_with_packed_input(
      const utils::rnn::PackedSequence& input, Tensor hx = {});

  GRUOptions options;
};
extern template class detail::RNNImplBase<GRUImpl>;
TAPIR_BUILTIN_MODULE(GRU);

}  // namespace tapir::nn
