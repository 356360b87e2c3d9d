#include "tapir/nn/rnn.h"

#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::nn {

namespace {

using utils::rnn::PackedSequence;

void fill_uniform(const std::vector<Tensor>& parameters, int64_t hidden) {
  const double bound = hidden > 0 ? 1.0 / std::sqrt(static_cast<double>(hidden)) : 0;
  for (const Tensor& p : parameters) init::uniform_(p, -bound, bound);
}

void check_sizes(const char* op, int64_t input, int64_t hidden) {
  TAPIR_CHECK_AS(ValueError, input >= 0 && hidden > 0,
                 "{}: got input_size {} and hidden_size {}, expected a positive "
                 "hidden_size",
                 op, input, hidden);
}

RnnMode elman_mode(const char* op, Nonlinearity f) {
  TAPIR_CHECK_AS(ValueError, f == kTanh || f == kReLU, "{}: the nonlinearity must be kTanh or kReLU", op);
  return f == kTanh ? kRNN_TANH : kRNN_RELU;
}

const char* layer_name(RnnMode mode) { return mode == kLSTM ? "LSTM" : mode == kGRU ? "GRU" : "RNN"; }
template <class Cell>
constexpr const char* kCellName = "RNNCell";
template <>
constexpr const char* kCellName<LSTMCellImpl> = "LSTMCell";
template <>
constexpr const char* kCellName<GRUCellImpl> = "GRUCell";

// A state for one example or sequence, with a dimension for the batch at `dim`.
Tensor batched(const char* op, const char* name, const Tensor& state, int64_t dims, int64_t dim) {
  if (!state.defined()) return state;
  TAPIR_CHECK_AS(ShapeError, state.dim() == dims,
                 "{}: {} has sizes {}, but the input has no dimension for the batch; expected {} dimensions",
                 op, name, state.sizes(), dims);
  return unsqueeze(state, dim);
}

// The state, or zeros.
Tensor cell_state(const char* op, const Tensor& input, const Tensor& state, int64_t hidden) {
  if (state.defined()) return state;
  TAPIR_CHECK_AS(ShapeError, input.dim() == 2,
                 "{}: the input has sizes {}, expected (batch, features) or (features)", op, input.sizes());
  return raw::zeros({input.size(0), hidden}, input.dtype(), input.device());
}

}  // namespace

// --- cells ---

namespace detail {

template <class Derived>
RNNCellImplBase<Derived>::RNNCellImplBase(const RNNCellOptionsBase& o) : options_base(o) {
  RNNCellImplBase::reset();
}

template <class Derived>
void RNNCellImplBase<Derived>::reset() {
  const int64_t in = options_base.input_size(), hidden = options_base.hidden_size(),
                rows = options_base.num_chunks() * hidden;
  const bool has_bias = options_base.bias();
  check_sizes(kCellName<Derived>, in, hidden);
  const DType dtype = get_default_dtype();
  const auto bias = [&] { return has_bias ? Tensor::empty({rows}, dtype) : Tensor(); };
  weight_ih = this->register_parameter("weight_ih", Tensor::empty({rows, in}, dtype));
  weight_hh = this->register_parameter("weight_hh", Tensor::empty({rows, hidden}, dtype));
  bias_ih = this->register_parameter("bias_ih", bias(), has_bias);
  bias_hh = this->register_parameter("bias_hh", bias(), has_bias);
  reset_parameters();
}

template <class Derived>
void RNNCellImplBase<Derived>::reset_parameters() {
  fill_uniform(this->parameters(false), options_base.hidden_size());
}

template <class Derived>
void RNNCellImplBase<Derived>::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::" << kCellName<Derived> << "(" << options_base.input_size() << ", "
         << options_base.hidden_size();
  if (!options_base.bias()) stream << ", bias=false";
  stream << nonlinearity_text() << ")";
}

template class RNNCellImplBase<RNNCellImpl>;
template class RNNCellImplBase<LSTMCellImpl>;
template class RNNCellImplBase<GRUCellImpl>;

}  // namespace detail

RNNCellImpl::RNNCellImpl(const RNNCellOptions& o)
    : RNNCellImplBase({o.input_size(), o.hidden_size(), o.bias(), rnn_gates(kRNN_TANH)}), options(o) {
  elman_mode("RNNCell", o.nonlinearity());
}

std::string RNNCellImpl::nonlinearity_text() const {
  return options.nonlinearity() == kTanh ? "" : ", nonlinearity=kReLU";
}

Tensor RNNCellImpl::forward(const Tensor& input, Tensor hx) {
  CallSite site(TAPIR_HERE);
  if (TAPIR_UNLIKELY(input.dim() == 1))
    return squeeze(forward(unsqueeze(input, 0), batched("RNNCell", "hx", hx, 1, 0)), 0);
  hx = cell_state("RNNCell", input, hx, options.hidden_size());
  const auto cell =
      elman_mode("RNNCell", options.nonlinearity()) == kRNN_TANH ? rnn_tanh_cell : rnn_relu_cell;
  return cell(input, hx, weight_ih, weight_hh, bias_ih, bias_hh);
}

LSTMCellImpl::LSTMCellImpl(const LSTMCellOptions& o)
    : RNNCellImplBase({o.input_size(), o.hidden_size(), o.bias(), rnn_gates(kLSTM)}), options(o) {}

LSTMCellImpl::State LSTMCellImpl::forward(const Tensor& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  if (TAPIR_UNLIKELY(input.dim() == 1)) {  // one example
    std::optional<State> state;
    if (hx)
      state = State(batched("LSTMCell", "h", std::get<0>(*hx), 1, 0),
                    batched("LSTMCell", "c", std::get<1>(*hx), 1, 0));
    const auto [h, c] = forward(unsqueeze(input, 0), state);
    return {squeeze(h, 0), squeeze(c, 0)};
  }
  if (hx) return lstm_cell(input, std::get<0>(*hx), std::get<1>(*hx), weight_ih, weight_hh, bias_ih, bias_hh);
  const Tensor zero = cell_state("LSTMCell", input, {}, options.hidden_size());
  return lstm_cell(input, zero, zero, weight_ih, weight_hh, bias_ih, bias_hh);
}

GRUCellImpl::GRUCellImpl(const GRUCellOptions& o)
    : RNNCellImplBase({o.input_size(), o.hidden_size(), o.bias(), rnn_gates(kGRU)}), options(o) {}

Tensor GRUCellImpl::forward(const Tensor& input, Tensor hx) {
  CallSite site(TAPIR_HERE);
  if (TAPIR_UNLIKELY(input.dim() == 1))
    return squeeze(forward(unsqueeze(input, 0), batched("GRUCell", "hx", hx, 1, 0)), 0);
  if (!hx.defined()) hx = cell_state("GRUCell", input, hx, options.hidden_size());
  return gru_cell(input, hx, weight_ih, weight_hh, bias_ih, bias_hh);
}

// --- layers ---

namespace {

// Output, h_n, and c_n of LSTM. `batch_sizes`: of packed sequences, else undefined.
std::tuple<Tensor, Tensor, Tensor> call(const detail::RNNOptionsBase& o, const std::vector<Tensor>& weights,
                                        bool train, const Tensor& x, const Tensor& batch_sizes,
                                        const Tensor& h0, const Tensor& c0) {
  const bool packed = batch_sizes.defined();
  if (o.mode() == kLSTM) {
    const std::vector<Tensor> hx = {h0, c0};
    return packed ? lstm(x, batch_sizes, hx, weights, o.bias(), o.num_layers(), o.dropout(), train,
                         o.bidirectional())
                  : lstm(x, hx, weights, o.bias(), o.num_layers(), o.dropout(), train, o.bidirectional(),
                         o.batch_first());
  }
  const auto with = [&](auto over_padded, auto over_packed) -> std::tuple<Tensor, Tensor, Tensor> {
    auto [y, h] = packed ? over_packed(x, batch_sizes, h0, weights, o.bias(), o.num_layers(), o.dropout(),
                                       train, o.bidirectional())
                         : over_padded(x, h0, weights, o.bias(), o.num_layers(), o.dropout(), train,
                                       o.bidirectional(), o.batch_first());
    return {std::move(y), std::move(h), Tensor()};
  };
  using Padded = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, TensorList, bool, int64_t,
                                                double, bool, bool, bool);
  using Packed = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, const Tensor&, TensorList, bool,
                                                int64_t, double, bool, bool);
  if (o.mode() == kGRU) return with(Padded{gru}, Packed{gru});
  return o.mode() == kRNN_TANH ? with(Padded{rnn_tanh}, Packed{rnn_tanh})
                               : with(Padded{rnn_relu}, Packed{rnn_relu});
}

template <class Options>
detail::RNNOptionsBase base_options(RnnMode mode, const Options& o) {
  return detail::RNNOptionsBase(mode, o.input_size(), o.hidden_size())
      .num_layers(o.num_layers())
      .bias(o.bias())
      .batch_first(o.batch_first())
      .dropout(o.dropout())
      .bidirectional(o.bidirectional());
}

}  // namespace

namespace detail {

template <class Derived>
RNNImplBase<Derived>::RNNImplBase(const RNNOptionsBase& o) : options_base(o) {
  RNNImplBase::reset();
}

template <class Derived>
void RNNImplBase<Derived>::reset() {
  const RNNOptionsBase& o = options_base;
  const char* name = layer_name(o.mode());
  check_sizes(name, o.input_size(), o.hidden_size());
  TAPIR_CHECK_AS(ValueError, o.num_layers() > 0, "{}: num_layers is {}, expected at least 1", name,
                 o.num_layers());
  TAPIR_CHECK_AS(ValueError, o.dropout() >= 0 && o.dropout() <= 1,
                 "{}: dropout is {}, expected a probability", name, o.dropout());
  TAPIR_CHECK_AS(
      ValueError,
      o.proj_size() >= 0 && o.proj_size() < o.hidden_size() && (o.proj_size() == 0 || o.mode() == kLSTM),
      "{}: proj_size is {}, expected 0, or for LSTM less than hidden_size {}", name, o.proj_size(),
      o.hidden_size());
  const DType dtype = get_default_dtype();
  const int64_t hidden = o.hidden_size(), rows = rnn_gates(o.mode()) * hidden,
                out = o.proj_size() ? o.proj_size() : hidden, directions = o.bidirectional() ? 2 : 1;
  flat_weights_.clear();
  for (int64_t layer = 0; layer < o.num_layers(); ++layer) {
    for (int64_t d = 0; d < directions; ++d) {
      const std::string suffix = "_l" + std::to_string(layer) + (d == 1 ? "_reverse" : "");
      const auto add = [&](const char* prefix, IntArrayRef sizes) {
        flat_weights_.push_back(this->register_parameter(prefix + suffix, Tensor::empty(sizes, dtype)));
      };
      add("weight_ih", {rows, layer == 0 ? o.input_size() : out * directions});
      add("weight_hh", {rows, out});
      if (o.bias()) add("bias_ih", {rows});
      if (o.bias()) add("bias_hh", {rows});
      if (o.proj_size()) add("weight_hr", {out, hidden});
    }
  }
  reset_parameters();
}

template <class Derived>
void RNNImplBase<Derived>::reset_parameters() {
  fill_uniform(flat_weights_, options_base.hidden_size());
}

template <class Derived>
void RNNImplBase<Derived>::pretty_print(std::ostream& stream) const {
  const RNNOptionsBase& o = options_base;
  stream << std::boolalpha << "tapir::nn::" << layer_name(o.mode()) << "(input_size=" << o.input_size()
         << ", hidden_size=" << o.hidden_size() << ", num_layers=" << o.num_layers() << ", bias=" << o.bias()
         << ", batch_first=" << o.batch_first() << ", dropout=" << o.dropout()
         << ", bidirectional=" << o.bidirectional();
  if (o.proj_size()) stream << ", proj_size=" << o.proj_size();
  stream << ")";
}

template <class Derived>
std::tuple<Tensor, Tensor, Tensor> RNNImplBase<Derived>::run(const Tensor& input, Tensor h0,
                                                             Tensor c0) const {
  const RNNOptionsBase& o = options_base;
  if (input.dim() != 2) return call(o, flat_weights_, this->is_training(), input, {}, h0, c0);
  // One sequence, without a dimension for the batch.
  const int64_t batch_dim = o.batch_first() ? 0 : 1;
  h0 = batched(layer_name(o.mode()), "h0", h0, 2, 1);
  c0 = batched(layer_name(o.mode()), "c0", c0, 2, 1);
  auto [y, h, c] = call(o, flat_weights_, this->is_training(), unsqueeze(input, batch_dim), {}, h0, c0);
  return {squeeze(y, batch_dim), squeeze(h, 1), c.defined() ? squeeze(c, 1) : c};
}

template <class Derived>
std::tuple<PackedSequence, Tensor, Tensor> RNNImplBase<Derived>::run(const PackedSequence& input,
                                                                     const Tensor& h0,
                                                                     const Tensor& c0) const {
  const auto reordered = [](const Tensor& state, const Tensor& order) {
    return state.defined() && order.defined() ? index_select(state, 1, order) : state;
  };
  auto [y, h, c] = call(options_base, flat_weights_, this->is_training(), input.data(), input.batch_sizes(),
                        reordered(h0, input.sorted_indices()), reordered(c0, input.sorted_indices()));
  return {input.with_data(std::move(y)), reordered(h, input.unsorted_indices()),
          reordered(c, input.unsorted_indices())};
}

template class RNNImplBase<RNNImpl>;
template class RNNImplBase<LSTMImpl>;
template class RNNImplBase<GRUImpl>;

}  // namespace detail

RNNImpl::RNNImpl(const RNNOptions& o)
    : RNNImplBase(base_options(elman_mode("RNN", o.nonlinearity()), o)), options(o) {}

std::tuple<Tensor, Tensor> RNNImpl::forward(const Tensor& input, Tensor hx) {
  CallSite site(TAPIR_HERE);
  auto [y, h, c] = run(input, std::move(hx), {});
  return {std::move(y), std::move(h)};
}

std::tuple<PackedSequence, Tensor> RNNImpl::forward_with_packed_input(const PackedSequence& input,
                                                                      Tensor hx) {
  CallSite site(TAPIR_HERE);
  auto [y, h, c] = run(input, hx, {});
  return {std::move(y), std::move(h)};
}

LSTMImpl::LSTMImpl(const LSTMOptions& o)
    : RNNImplBase(base_options(kLSTM, o).proj_size(o.proj_size())), options(o) {}

std::tuple<Tensor, LSTMImpl::State> LSTMImpl::forward(const Tensor& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  const State state = hx.value_or(State());
  auto [y, h, c] = run(input, std::get<0>(state), std::get<1>(state));
  return {std::move(y), State(std::move(h), std::move(c))};
}

std::tuple<PackedSequence, LSTMImpl::State> LSTMImpl::forward_with_packed_input(
    const PackedSequence& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  const State state = hx.value_or(State());
  auto [y, h, c] = run(input, std::get<0>(state), std::get<1>(state));
  return {std::move(y), State(std::move(h), std::move(c))};
}

GRUImpl::GRUImpl(const GRUOptions& o) : RNNImplBase(base_options(kGRU, o)), options(o) {}

std::tuple<Tensor, Tensor> GRUImpl::forward(const Tensor& input, Tensor hx) {
  CallSite site(TAPIR_HERE);
  auto [y, h, c] = run(input, std::move(hx), {});
  return {std::move(y), std::move(h)};
}

std::tuple<PackedSequence, Tensor> GRUImpl::forward_with_packed_input(const PackedSequence& input,
                                                                      Tensor hx) {
  CallSite site(TAPIR_HERE);
  auto [y, h, c] = run(input, hx, {});
  return {std::move(y), std::move(h)};
}

// --- what may be left out when they are called through AnyModule ---

std::vector<std::pair<size_t, AnyValue>> RNNCellImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> LSTMCellImpl::forward_default_args_() {
  return {{1, AnyValue(std::optional<State>())}};
}
std::vector<std::pair<size_t, AnyValue>> GRUCellImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> RNNImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}};
}
std::vector<std::pair<size_t, AnyValue>> LSTMImpl::forward_default_args_() {
  return {{1, AnyValue(std::optional<State>())}};
}
std::vector<std::pair<size_t, AnyValue>> GRUImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}};
}

}  // namespace tapir::nn
