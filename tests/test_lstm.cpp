// LSTM cells, layers and packed sequences: values and gradients against PyTorch and against plain ops.
#include "support/nn_oracle.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/tapir.h"

using namespace tapir;
using nn_oracle::wave;
namespace rnn = nn::utils::rnn;

namespace {

constexpr int64_t T = 4, B = 4, I = 3, H = 2;
constexpr double kClose = 1e-12;  // float64; other summation orders differ by a few units in the last place

void fill(nn::Module& module) {
  int k = 0;
  NoGradGuard no_grad;
  for (Tensor& p : module.parameters()) p.copy_(wave(p.sizes(), 0.7 * k++));
}

Tensor leaf(const Tensor& t) { return t.clone().requires_grad_(); }

// Runs a layer and compares results and all gradients with the oracle's case.
void run_case(const std::string& name, const nn::LSTMOptions& options, bool with_states,
              const std::vector<int64_t>& lengths = {}) {
  nn::LSTM lstm(options);
  lstm->to(kFloat64);
  fill(*lstm);
  const int64_t cells = options.num_layers() * (options.bidirectional() ? 2 : 1);
  const Tensor x = leaf(options.batch_first() ? wave({B, T, I}, 2) : wave({T, B, I}, 2));
  const Tensor h0 = leaf(wave({cells, B, H}, 3)), c0 = leaf(wave({cells, B, H}, 4));
  std::optional<nn::LSTMImpl::State> hx;
  if (with_states) hx = nn::LSTMImpl::State(h0, c0);
  Tensor y, h, c;
  if (lengths.empty()) {
    nn::LSTMImpl::State state;
    std::tie(y, state) = lstm(x, hx);
    std::tie(h, c) = state;
  } else {
    const auto packed = rnn::pack_padded_sequence(x, tensor(lengths), options.batch_first(), false);
    auto [out, state] = lstm->forward_with_packed_input(packed, hx);
    y = std::get<0>(rnn::pad_packed_sequence(out, options.batch_first()));
    std::tie(h, c) = state;
  }
  nn_oracle::check(name + ".y", y, kClose);
  nn_oracle::check(name + ".h", h, kClose);
  nn_oracle::check(name + ".c", c, kClose);
  autograd::backward({y, h, c}, {wave(y.sizes(), 5), wave(h.sizes(), 6), wave(c.sizes(), 7)});
  nn_oracle::check(name + ".grad.x", x.grad(), kClose);
  if (with_states) {
    nn_oracle::check(name + ".grad.h0", h0.grad(), kClose);
    nn_oracle::check(name + ".grad.c0", c0.grad(), kClose);
  }
  for (const auto& p : lstm->named_parameters())
    nn_oracle::check(name + ".grad." + p.key(), p.value().grad(), kClose);
}

void check_close(const Tensor& a, const Tensor& b, double tolerance = kClose) {
  REQUIRE(a.defined());
  REQUIRE(b.defined());
  REQUIRE(a.sizes() == b.sizes());
  const auto x = values::of(a), y = values::of(b);
  for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= tolerance * (1 + std::abs(y[i])));
}

// The cell in plain differentiable ops, as the formula has it.
std::tuple<Tensor, Tensor> plain_cell(const std::vector<Tensor>& in) {
  const Tensor gates = in[0].matmul(in[3].t()) + in[5] + in[1].matmul(in[4].t()) + in[6];
  const auto g = gates.chunk(4, 1);
  const Tensor c = g[1].sigmoid() * in[2] + g[0].sigmoid() * g[2].tanh();
  return {g[3].sigmoid() * c.tanh(), c};
}
std::tuple<Tensor, Tensor> fused_cell(const std::vector<Tensor>& in) {
  return lstm_cell(in[0], in[1], in[2], in[3], in[4], in[5], in[6]);
}

std::vector<Tensor> cell_inputs() {
  std::vector<Tensor> in = {wave({B, I}, 0),     wave({B, H}, 1),  wave({B, H}, 2), wave({4 * H, I}, 3),
                            wave({4 * H, H}, 4), wave({4 * H}, 5), wave({4 * H}, 6)};
  for (Tensor& t : in) t = leaf(t);
  return in;
}

}  // namespace

TEST_CASE("LSTM agrees with PyTorch") {
  run_case("lstm.plain", nn::LSTMOptions(I, H), false);
  run_case("lstm.states", nn::LSTMOptions(I, H), true);
  run_case("lstm.no_bias", nn::LSTMOptions(I, H).bias(false), true);
  run_case("lstm.deep", nn::LSTMOptions(I, H).num_layers(2).bidirectional(true).batch_first(true), true);
}

TEST_CASE("LSTM over packed sequences agrees with PyTorch") {
  run_case("lstm.packed", nn::LSTMOptions(I, H), true, {2, 4, 1, 3});
  run_case("lstm.packed_deep", nn::LSTMOptions(I, H).num_layers(2).bidirectional(true), true, {2, 4, 1, 2});
}

TEST_CASE("The fused cell agrees with plain ops, to the second derivative") {
  const auto a = cell_inputs(), b = cell_inputs();
  const auto [h, c] = fused_cell(a);
  const auto [plain_h, plain_c] = plain_cell(b);
  check_close(h, plain_h);
  check_close(c, plain_c);
  const Tensor up_h = leaf(wave({B, H}, 7)), up_c = leaf(wave({B, H}, 8));
  const Tensor same_h = leaf(wave({B, H}, 7)), same_c = leaf(wave({B, H}, 8));
  const auto first = autograd::grad({h, c}, a, {up_h, up_c}, true, true);
  const auto plain = autograd::grad({plain_h, plain_c}, b, {same_h, same_c}, true, true);
  const auto fast = autograd::grad({h, c}, a, {up_h, up_c}, true);
  std::vector<Tensor> weights;
  for (size_t i = 0; i < a.size(); ++i) {
    check_close(first[i], plain[i]);
    check_close(fast[i], plain[i]);
    weights.push_back(wave(first[i].sizes(), 9 + static_cast<double>(i)));
  }
  auto with = a, without = b;
  with.insert(with.end(), {up_h, up_c});
  without.insert(without.end(), {same_h, same_c});
  const auto second = autograd::grad(first, with, weights);
  const auto plain_second = autograd::grad(plain, without, weights);
  for (size_t i = 0; i < second.size(); ++i) check_close(second[i], plain_second[i]);
}

TEST_CASE("The second derivative of a layer is that of its cells") {
  const auto run = [](bool fused) {
    auto in = cell_inputs();
    const Tensor x = leaf(wave({2 * B, I}, 10));
    Tensor y, h_n, c_n;
    if (fused) {
      std::tie(y, h_n, c_n) = lstm_layer(x, {B, B - 1, 1}, in[1], in[2], in[3], in[4], in[5], in[6]);
    } else {
      const auto step = [&](const Tensor& rows, const Tensor& h, const Tensor& c) {
        return plain_cell({rows, h, c, in[3], in[4], in[5], in[6]});
      };
      auto [h1, c1] = step(x.narrow(0, 0, B), in[1], in[2]);
      auto [h2, c2] = step(x.narrow(0, B, B - 1), h1.narrow(0, 0, B - 1), c1.narrow(0, 0, B - 1));
      auto [h3, c3] = step(x.narrow(0, 2 * B - 1, 1), h2.narrow(0, 0, 1), c2.narrow(0, 0, 1));
      y = cat({h1, h2, h3}, 0);
      h_n = cat({h3, h2.narrow(0, 1, B - 2), h1.narrow(0, B - 1, 1)}, 0);
      c_n = cat({c3, c2.narrow(0, 1, B - 2), c1.narrow(0, B - 1, 1)}, 0);
    }
    std::vector<Tensor> inputs = {x, in[1], in[2], in[3], in[4], in[5], in[6]};
    const auto first = autograd::grad(
        {y, h_n, c_n}, inputs, {wave(y.sizes(), 1), wave(h_n.sizes(), 2), wave(c_n.sizes(), 3)}, true, true);
    std::vector<Tensor> weights, result = {y, h_n, c_n};
    for (const Tensor& g : first) weights.push_back(wave(g.sizes(), 4));
    const auto second = autograd::grad(first, inputs, weights);
    result.insert(result.end(), first.begin(), first.end());
    result.insert(result.end(), second.begin(), second.end());
    return result;
  };
  const auto fused = run(true), plain = run(false);
  for (size_t i = 0; i < fused.size(); ++i) {
    INFO("tensor " << i);
    check_close(fused[i], plain[i]);
  }
}

TEST_CASE("A loop of cells gathers the gradients that the layer gives") {
  const auto in = cell_inputs();
  const Tensor x = wave({T, B, I}, 2), up = wave({T, B, H}, 5);
  auto [y, h_n, c_n] =
      lstm_layer(x.view({T * B, I}), std::vector<int64_t>(T, B), in[1], in[2], in[3], in[4], in[5], in[6]);
  const auto layer = autograd::grad({y}, {in.begin() + 1, in.end()}, {up.view({T * B, H})});
  Tensor h = in[1], c = in[2];
  std::vector<Tensor> outputs, weights;
  for (int64_t t = 0; t < T; ++t) {
    std::tie(h, c) = lstm_cell(x[t], h, c, in[3], in[4], in[5], in[6]);
    outputs.push_back(h);
    weights.push_back(up[t]);
  }
  const auto loop = autograd::grad(outputs, {in.begin() + 1, in.end()}, weights);
  for (size_t i = 0; i < loop.size(); ++i) check_close(loop[i], layer[i]);
}

TEST_CASE("One example and one sequence need no batch dimension") {
  nn::LSTMCell cell(I, H);
  const Tensor x = randn({B, I});
  const auto [h, c] = cell(x);
  const auto [h1, c1] = cell(x[2]);
  CHECK(h1.sizes() == IntArrayRef({H}));
  check_close(h1, h[2], 1e-6);
  check_close(c1, c[2], 1e-6);
  nn::LSTM lstm(I, H);
  const Tensor s = randn({T, B, I});
  const auto [y, state] = lstm(s);
  const auto [y1, state1] = lstm(s.select(1, 1));
  CHECK(y1.sizes() == IntArrayRef({T, H}));
  check_close(y1, y.select(1, 1), 1e-6);
  CHECK(std::get<0>(state1).sizes() == IntArrayRef({1, H}));
}

TEST_CASE("Half types run through the cell") {
  nn::LSTMCell cell(I, H);
  const Tensor x = randn({B, I});
  const auto [h, c] = cell(x);
  cell->to(kBFloat16);
  const Tensor xb = leaf(x.to(kBFloat16));
  const auto [hb, cb] = cell(xb);
  CHECK(hb.dtype() == kBFloat16);
  check_close(hb.to(kFloat32), h, 0.03);
  hb.backward(ones_like(hb));
  CHECK(xb.grad().dtype() == kBFloat16);
}

TEST_CASE("Inputs that do not fit are refused by name") {
  nn::LSTMCell cell(I, H);
  CHECK_THROWS_AS(cell(randn({B, I + 1})), ShapeError);
  CHECK_THROWS_AS(cell(randn({B, I}), std::make_tuple(randn({B, H + 1}), randn({B, H}))), ShapeError);
  CHECK_THROWS_AS(cell(randn({B, I}, kFloat64)), DTypeError);
  CHECK_THROWS_AS(nn::LSTM(I, 0), ValueError);
  nn::LSTM lstm(I, H);
  CHECK_THROWS_AS(lstm(randn({T, B, I}), std::make_tuple(randn({2, B, H}), randn({2, B, H}))), ShapeError);
  CHECK_THROWS_AS(lstm_layer(randn({5, I}), {2, 3}, {}, {}, lstm->all_weights()[0], lstm->all_weights()[1]),
                  ValueError);
}

TEST_CASE("A second backward through a freed cell says so") {
  nn::LSTMCell cell(I, H);
  const auto [h, c] = cell(randn({B, I}));
  const Tensor up = randn({B, H});
  h.backward(up);
  CHECK_THROWS_AS(h.backward(up), AutogradError);
}
