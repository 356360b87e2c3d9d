// GRUCell and RNNCell: values and gradients against PyTorch, plain ops and finite differences.
#include "support/nn_oracle.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/tapir.h"

using namespace tapir;
using nn_oracle::wave;

namespace {

[[maybe_unused]] const bool kLoaded = nn_oracle::load("rnn.txt");
constexpr int64_t T = 4, B = 4, I = 3, H = 3;
constexpr double kClose = 1e-12;  // float64; other summation orders differ by a few units in the last place

using Cell = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                        const Tensor&);
struct Kind {
  std::string name;
  Cell cell;
  int64_t gates;
};
const std::vector<Kind> kKinds = {
    {"gru", gru_cell, 3}, {"rnn_tanh", rnn_tanh_cell, 1}, {"rnn_relu", rnn_relu_cell, 1}};

Tensor leaf(const Tensor& t) { return t.clone().requires_grad_(); }

void check_close(const Tensor& a, const Tensor& b, double tolerance = kClose) {
  REQUIRE(a.sizes() == b.sizes());
  const auto x = values::of(a), y = values::of(b);
  for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= tolerance * (1 + std::abs(y[i])));
}

// x, h, w_ih, w_hh, b_ih, b_hh
std::vector<Tensor> cell_inputs(int64_t gates) {
  std::vector<Tensor> in = {wave({B, I}, 0),         wave({B, H}, 1),      wave({gates * H, I}, 3),
                            wave({gates * H, H}, 4), wave({gates * H}, 5), wave({gates * H}, 6)};
  for (Tensor& t : in) t = leaf(t);
  return in;
}
Tensor call(Cell cell, const std::vector<Tensor>& in) {
  return cell(in[0], in[1], in[2], in[3], in[4], in[5]);
}

template <class Module>
void run_case(const std::string& name, Module m, bool state) {
  m->to(kFloat64);
  {
    int k = 0;
    NoGradGuard no_grad;
    for (Tensor& p : m->parameters()) p.copy_(wave(p.sizes(), 0.7 * k++));
  }
  const Tensor x = leaf(wave({B, I}, 2)), h = leaf(wave({B, H}, 3));
  const Tensor y = state ? m(x, h) : m(x);
  nn_oracle::check(name + ".y", y, kClose);
  y.backward(wave(y.sizes(), 5));
  nn_oracle::check(name + ".grad.x", x.grad(), kClose);
  if (state) nn_oracle::check(name + ".grad.h", h.grad(), kClose);
  for (const auto& p : m->named_parameters())
    nn_oracle::check(name + ".grad." + p.key(), p.value().grad(), kClose);
}
template <class Module, class Options>
void run_cases(const std::string& name, Options options) {
  run_case(name + "_cell.plain", Module(options), false);
  run_case(name + "_cell.state", Module(options), true);
  run_case(name + "_cell.no_bias", Module(options.bias(false)), true);
}

}  // namespace

TEST_CASE("Cells agree with PyTorch") {
  run_cases<nn::GRUCell>("gru", nn::GRUCellOptions(I, H));
  run_cases<nn::RNNCell>("rnn_tanh", nn::RNNCellOptions(I, H));
  run_cases<nn::RNNCell>("rnn_relu", nn::RNNCellOptions(I, H).nonlinearity(kReLU));
}

TEST_CASE("The fused GRU cell agrees with plain ops") {
  const auto in = cell_inputs(3);
  const auto x = (in[0].matmul(in[2].t()) + in[4]).chunk(3, 1),
             h = (in[1].matmul(in[3].t()) + in[5]).chunk(3, 1);
  const Tensor r = (x[0] + h[0]).sigmoid(), z = (x[1] + h[1]).sigmoid(), n = (x[2] + r * h[2]).tanh();
  const Tensor plain = (1 - z) * n + z * in[1], fused = call(gru_cell, in), up = wave({B, H}, 7);
  check_close(fused, plain);
  const auto a = autograd::grad({fused}, in, {up}), b = autograd::grad({plain}, in, {up});
  for (size_t i = 0; i < in.size(); ++i) check_close(a[i], b[i]);
}

TEST_CASE("First and second derivatives of cells agree with finite differences") {
  for (const Kind& kind : kKinds) {
    INFO(kind.name);
    const auto f = [&](const autograd::variable_list& in) -> autograd::variable_list {
      return {call(kind.cell, in)};
    };
    CHECK(autograd::gradcheck(f, cell_inputs(kind.gates)));
    CHECK(autograd::gradgradcheck(f, cell_inputs(kind.gates)));
  }
}

TEST_CASE("A loop of cells gathers the gradients that the layer gives") {
  for (const Kind& kind : kKinds) {
    INFO(kind.name);
    const auto in = cell_inputs(kind.gates);
    const Tensor x = wave({T, B, I}, 2), up = wave({T, B, H}, 5);
    const std::vector<Tensor> params(in.begin() + 2, in.end()), leaves(in.begin() + 1, in.end());
    const auto layers =
        kind.name == "gru"        ? gru(x, in[1].unsqueeze(0), params, true, 1, 0, true, false, false)
        : kind.name == "rnn_tanh" ? rnn_tanh(x, in[1].unsqueeze(0), params, true, 1, 0, true, false, false)
                                  : rnn_relu(x, in[1].unsqueeze(0), params, true, 1, 0, true, false, false);
    const auto layer = autograd::grad({std::get<0>(layers)}, leaves, {up});
    Tensor h = in[1];
    std::vector<Tensor> outputs, weights;
    for (int64_t t = 0; t < T; ++t) {
      h = kind.cell(x[t], h, in[2], in[3], in[4], in[5]);
      outputs.push_back(h);
      weights.push_back(up[t]);
    }
    check_close(stack(outputs, 0), std::get<0>(layers));
    const auto loop = autograd::grad(outputs, leaves, weights);
    for (size_t i = 0; i < loop.size(); ++i) check_close(loop[i], layer[i]);
  }
}

TEST_CASE("Only the gradients that are asked for are computed, whichever they are") {
  for (const Kind& kind : kKinds) {
    const auto all = cell_inputs(kind.gates);
    const Tensor up = wave({B, H}, 7);
    const auto expected = autograd::grad({call(kind.cell, all)}, all, {up});
    for (size_t i = 0; i < all.size(); ++i) {
      std::vector<Tensor> in;
      for (size_t j = 0; j < all.size(); ++j) in.push_back(j == i ? all[j] : all[j].detach());
      check_close(autograd::grad({call(kind.cell, in)}, {in[i]}, {up})[0], expected[i]);
    }
  }
}

TEST_CASE("A cell takes one example, strided inputs and an empty batch") {
  for (const Kind& kind : kKinds) {
    const auto in = cell_inputs(kind.gates);
    const Tensor y = call(kind.cell, in);
    std::vector<Tensor> strided;
    for (const Tensor& t : in) strided.push_back(t.dim() == 2 ? t.t().contiguous().t() : t);
    const Tensor again = call(kind.cell, strided), up = wave({B, H}, 7);
    check_close(again, y);
    const auto a = autograd::grad({y}, in, {up}), b = autograd::grad({again}, in, {up});
    for (size_t i = 0; i < in.size(); ++i) check_close(a[i], b[i]);

    const Tensor none = kind.cell(in[0].narrow(0, 0, 0), in[1].narrow(0, 0, 0), in[2], in[3], in[4], in[5]);
    CHECK(none.sizes() == IntArrayRef({0, H}));
    none.backward(none.detach());
    for (const double v : values::of(in[3].grad())) CHECK(v == 0);
  }
  nn::GRUCell cell(I, H);
  const Tensor x = randn({B, I}), h = randn({B, H});
  check_close(cell(x[2], h[2]), cell(x, h)[2], 1e-6);
  check_close(cell(x[2]), cell(x)[2], 1e-6);
  CHECK(nn::RNNCell(I, H)(x[1]).sizes() == IntArrayRef({H}));
}

TEST_CASE("Half types run through cells") {
  for (const Kind& kind : kKinds) {
    INFO(kind.name);
    const auto in = cell_inputs(kind.gates);
    std::vector<Tensor> half;
    for (const Tensor& t : in) half.push_back(leaf(t.detach().to(kBFloat16)));
    const Tensor y = call(kind.cell, in), y_half = call(kind.cell, half), up = wave({B, H}, 7);
    check_close(y_half.to(kFloat64), y, 0.02);  // 8 bits of mantissa
    const auto a = autograd::grad({y}, in, {up}), b = autograd::grad({y_half}, half, {up.to(kBFloat16)});
    for (size_t i = 0; i < in.size(); ++i) check_close(b[i].to(kFloat64), a[i], 0.03);
  }
}

TEST_CASE("States that do not fit a cell are refused") {
  nn::GRUCell cell(I, H);
  CHECK_THROWS_AS(cell(randn({B, I}), randn({B, H + 1})), ShapeError);
  CHECK_THROWS_AS(cell(randn({B, I}), randn({B + 1, H})), ShapeError);
  CHECK_THROWS_AS(cell(randn({I}), randn({1, H})), ShapeError);
  CHECK_THROWS_AS(cell(randn({B, T, I})), ShapeError);
  CHECK_THROWS_AS(cell(randn({B, I}, kFloat64)), DTypeError);
  CHECK_THROWS_AS(gru_cell(randn({B, I}), {}, cell->weight_ih, cell->weight_hh), Error);
}
