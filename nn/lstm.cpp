#include "tapir/nn/lstm.h"

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

}  // namespace

LSTMCellImpl::LSTMCellImpl(const LSTMCellOptions& o) : options(o) { LSTMCellImpl::reset(); }

void LSTMCellImpl::reset() {
  const int64_t in = options.input_size(), hidden = options.hidden_size();
  check_sizes("LSTMCell", in, hidden);
  const DType dtype = get_default_dtype();
  const auto bias = [&] { return options.bias() ? Tensor::empty({4 * hidden}, dtype) : Tensor(); };
  weight_ih = register_parameter("weight_ih", Tensor::empty({4 * hidden, in}, dtype));
  weight_hh = register_parameter("weight_hh", Tensor::empty({4 * hidden, hidden}, dtype));
  bias_ih = register_parameter("bias_ih", bias(), options.bias());
  bias_hh = register_parameter("bias_hh", bias(), options.bias());
  reset_parameters();
}

void LSTMCellImpl::reset_parameters() { fill_uniform(parameters(false), options.hidden_size()); }

void LSTMCellImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::LSTMCell(" << options.input_size() << ", " << options.hidden_size();
  if (!options.bias()) stream << ", bias=" << options.bias();
  stream << ")";
}

LSTMCellImpl::State LSTMCellImpl::forward(const Tensor& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  if (TAPIR_UNLIKELY(input.dim() == 1)) {  // one example
    std::optional<State> state;
    if (hx) state = State(unsqueeze(std::get<0>(*hx), 0), unsqueeze(std::get<1>(*hx), 0));
    const auto [h, c] = forward(unsqueeze(input, 0), state);
    return {squeeze(h, 0), squeeze(c, 0)};
  }
  if (hx) return lstm_cell(input, std::get<0>(*hx), std::get<1>(*hx), weight_ih, weight_hh, bias_ih, bias_hh);
  TAPIR_CHECK_AS(ShapeError, input.dim() == 2,
                 "LSTMCell: the input has sizes {}, expected (batch, features) or (features)", input.sizes());
  const Tensor zero = raw::zeros({input.size(0), options.hidden_size()}, input.dtype(), input.device());
  return lstm_cell(input, zero, zero, weight_ih, weight_hh, bias_ih, bias_hh);
}

LSTMImpl::LSTMImpl(const LSTMOptions& o) : options(o) { LSTMImpl::reset(); }

void LSTMImpl::reset() {
  check_sizes("LSTM", options.input_size(), options.hidden_size());
  TAPIR_CHECK_AS(ValueError, options.num_layers() > 0, "LSTM: num_layers is {}, expected at least 1",
                 options.num_layers());
  TAPIR_CHECK_AS(ValueError, options.dropout() >= 0 && options.dropout() <= 1,
                 "LSTM: dropout is {}, expected a probability", options.dropout());
  TAPIR_CHECK_AS(ValueError, options.proj_size() == 0, "LSTM: proj_size is {}; projections are not supported",
                 options.proj_size());
  const DType dtype = get_default_dtype();
  const int64_t hidden = options.hidden_size(), directions = options.bidirectional() ? 2 : 1;
  flat_weights_.clear();
  for (int64_t layer = 0; layer < options.num_layers(); ++layer) {
    for (int64_t d = 0; d < directions; ++d) {
      const int64_t in = layer == 0 ? options.input_size() : hidden * directions;
      const std::string suffix = "_l" + std::to_string(layer) + (d == 1 ? "_reverse" : "");
      const auto add = [&](const char* name, IntArrayRef sizes) {
        flat_weights_.push_back(register_parameter(name + suffix, Tensor::empty(sizes, dtype)));
      };
      add("weight_ih", {4 * hidden, in});
      add("weight_hh", {4 * hidden, hidden});
      if (!options.bias()) continue;
      add("bias_ih", {4 * hidden});
      add("bias_hh", {4 * hidden});
    }
  }
  reset_parameters();
}

void LSTMImpl::reset_parameters() { fill_uniform(flat_weights_, options.hidden_size()); }

void LSTMImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::LSTM(input_size=" << options.input_size()
         << ", hidden_size=" << options.hidden_size() << ", num_layers=" << options.num_layers()
         << ", bias=" << options.bias() << ", batch_first=" << options.batch_first()
         << ", dropout=" << options.dropout() << ", bidirectional=" << options.bidirectional() << ")";
}

std::vector<std::vector<Tensor>> LSTMImpl::all_weights() const {
  const size_t each = options.bias() ? 4 : 2;
  std::vector<std::vector<Tensor>> all;
  for (size_t i = 0; i < flat_weights_.size(); i += each)
    all.emplace_back(flat_weights_.begin() + static_cast<std::ptrdiff_t>(i),
                     flat_weights_.begin() + static_cast<std::ptrdiff_t>(i + each));
  return all;
}

std::tuple<Tensor, LSTMImpl::State> LSTMImpl::forward(const Tensor& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  const bool one = input.dim() == 2;  // one sequence, without a dimension for the batch
  const int64_t batch_dim = options.batch_first() ? 0 : 1;
  std::vector<Tensor> states;
  if (hx) {
    states = {std::get<0>(*hx), std::get<1>(*hx)};
    if (one)
      for (Tensor& s : states) s = unsqueeze(s, 1);
  }
  auto [y, h, c] = lstm(one ? unsqueeze(input, batch_dim) : input, states, flat_weights_, options.bias(),
                        options.num_layers(), options.dropout(), is_training(), options.bidirectional(),
                        options.batch_first());
  if (!one) return {std::move(y), State(std::move(h), std::move(c))};
  return {squeeze(y, batch_dim), State(squeeze(h, 1), squeeze(c, 1))};
}

std::tuple<utils::rnn::PackedSequence, LSTMImpl::State> LSTMImpl::forward_with_packed_input(
    const utils::rnn::PackedSequence& input, const std::optional<State>& hx) {
  CallSite site(TAPIR_HERE);
  const auto reordered = [](const Tensor& state, const Tensor& order) {
    return order.defined() ? index_select(state, 1, order) : state;
  };
  std::vector<Tensor> states;
  if (hx)
    states = {reordered(std::get<0>(*hx), input.sorted_indices()),
              reordered(std::get<1>(*hx), input.sorted_indices())};
  auto [y, h, c] = lstm(input.data(), input.batch_sizes(), states, flat_weights_, options.bias(),
                        options.num_layers(), options.dropout(), is_training(), options.bidirectional());
  return {input.with_data(std::move(y)),
          State(reordered(h, input.unsorted_indices()), reordered(c, input.unsorted_indices()))};
}

}  // namespace tapir::nn
