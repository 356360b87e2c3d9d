// Layers of RNN, LSTM and GRU: values and gradients against PyTorch for every option that takes another path,
// against loops over single sequences, and against finite differences.
#include <sstream>

#include "support/nn_oracle.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/rnn.h"
#include "tapir/tapir.h"

using namespace tapir;
using nn_oracle::wave;
namespace rnn = nn::utils::rnn;

namespace {

[[maybe_unused]] const bool kLoaded = nn_oracle::load("rnn.txt");
constexpr int64_t T = 4, B = 4, I = 3, H = 3;
constexpr double kClose = 1e-12;  // float64; other summation orders differ by a few units in the last place

Tensor leaf(const Tensor& t) { return t.clone().requires_grad_(); }

void fill(nn::Module& module) {
  int k = 0;
  NoGradGuard no_grad;
  for (Tensor& p : module.parameters()) p.copy_(wave(p.sizes(), 0.7 * k++));
}

// Whatever the kind of layer: y and the last states from x and the first ones (h, and c of LSTM).
template <class Module, class Input>
auto run(Module& m, const Input& x, const std::vector<Tensor>& states) {
  constexpr bool kPacked = std::is_same_v<Input, rnn::PackedSequence>;
  if constexpr (std::is_same_v<Module, nn::LSTM>) {
    std::optional<nn::LSTMImpl::State> hx;
    if (!states.empty()) hx = nn::LSTMImpl::State(states[0], states[1]);
    auto [y, last] = [&] {
      if constexpr (kPacked)
        return m->forward_with_packed_input(x, hx);
      else
        return m(x, hx);
    }();
    return std::make_pair(y, std::vector<Tensor>{std::get<0>(last), std::get<1>(last)});
  } else {
    const Tensor hx = states.empty() ? Tensor() : states[0];
    auto [y, last] = [&] {
      if constexpr (kPacked)
        return m->forward_with_packed_input(x, hx);
      else
        return m(x, hx);
    }();
    return std::make_pair(y, std::vector<Tensor>{last});
  }
}

// How a layer is called: with first states, on one sequence, after seeding, on packed sequences.
struct How {
  bool states = false;
  bool one = false;
  std::optional<uint64_t> seed = std::nullopt;
  std::vector<int64_t> lengths = {};
};

template <class Module, class Options>
void run_case(const std::string& name, const Options& options, const How& how = {}) {
  Module m(options);
  m->to(kFloat64);
  fill(*m);
  const auto& o = m->options_base;
  const int64_t cells = o.num_layers() * (o.bidirectional() ? 2 : 1);
  const auto state = [&](int64_t columns, double phase) {
    return leaf(how.one ? wave({cells, columns}, phase) : wave({cells, B, columns}, phase));
  };
  const Tensor x = leaf(how.one           ? wave({T, I}, 2)
                        : o.batch_first() ? wave({B, T, I}, 2)
                                          : wave({T, B, I}, 2));
  const Tensor h0 = state(o.proj_size() ? o.proj_size() : H, 3), c0 = state(H, 4);
  const std::vector<Tensor> states = how.states ? std::vector<Tensor>{h0, c0} : std::vector<Tensor>();
  if (how.seed) manual_seed(*how.seed);
  std::vector<Tensor> results(1);
  if (how.lengths.empty()) {
    auto [y, last] = run(m, x, states);
    results[0] = y;
    results.insert(results.end(), last.begin(), last.end());
  } else {
    auto [y, last] =
        run(m, rnn::pack_padded_sequence(x, tensor(how.lengths), o.batch_first(), false), states);
    results[0] = std::get<0>(rnn::pad_packed_sequence(y, o.batch_first()));
    results.insert(results.end(), last.begin(), last.end());
  }
  std::vector<Tensor> upstream;
  for (size_t i = 0; i < results.size(); ++i) {
    nn_oracle::check(name + (i == 0 ? ".y" : i == 1 ? ".h" : ".c"), results[i], kClose);
    upstream.push_back(wave(results[i].sizes(), 5 + static_cast<double>(i)));
  }
  autograd::backward(results, upstream);
  nn_oracle::check(name + ".grad.x", x.grad(), kClose);
  if (how.states) {
    nn_oracle::check(name + ".grad.h0", h0.grad(), kClose);
    if (results.size() == 3) nn_oracle::check(name + ".grad.c0", c0.grad(), kClose);
  }
  for (const auto& p : m->named_parameters())
    nn_oracle::check(name + ".grad." + p.key(), p.value().grad(), kClose);
}

template <class Module, class Options>
void run_cases(const std::string& name, const Options& plain) {
  const auto with = [&](auto&&... changes) {
    Options o = plain;
    (changes(o), ...);
    return o;
  };
  const auto deep = [](Options& o) { o.num_layers(2); };
  const auto both = [](Options& o) { o.bidirectional(true); };
  const auto first = [](Options& o) { o.batch_first(true); };
  const auto no_bias = [](Options& o) { o.bias(false); };
  const auto dropped = [](Options& o) { o.num_layers(3).dropout(0.4); };
  const auto slightly = [](Options& o) { o.dropout(0.3); };
  run_case<Module>(name + ".plain", plain);
  run_case<Module>(name + ".states", plain, {.states = true});
  run_case<Module>(name + ".no_bias", with(no_bias, both), {.states = true});
  run_case<Module>(name + ".deep", with(deep, both, first), {.states = true});
  run_case<Module>(name + ".one", with(deep), {.states = true, .one = true});
  run_case<Module>(name + ".dropout", with(dropped, both, first), {.seed = 3});
  run_case<Module>(name + ".packed", plain, {.states = true, .lengths = {2, 4, 1, 3}});
  run_case<Module>(name + ".packed_no_states", with(both, first), {.lengths = {2, 4, 1, 3}});
  run_case<Module>(name + ".packed_deep", with(deep, both, slightly),
                   {.states = true, .seed = 4, .lengths = {2, 4, 1, 2}});
}

void check_close(const Tensor& a, const Tensor& b, double tolerance = kClose) {
  REQUIRE(a.sizes() == b.sizes());
  const auto x = values::of(a), y = values::of(b);
  for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) <= tolerance * (1 + std::abs(y[i])));
}

// f(module) for one of each kind, made with `change` applied to its options.
template <class Change, class F>
void for_each_kind(Change change, F f) {
  const auto with = [&](auto options) {
    change(options);
    return options;
  };
  SECTION("RNN with tanh") { f(nn::RNN(with(nn::RNNOptions(I, H)))); }
  SECTION("RNN with ReLU") { f(nn::RNN(with(nn::RNNOptions(I, H).nonlinearity(kReLU)))); }
  SECTION("LSTM") { f(nn::LSTM(with(nn::LSTMOptions(I, H)))); }
  SECTION("LSTM with a projection") { f(nn::LSTM(with(nn::LSTMOptions(I, H).proj_size(2)))); }
  SECTION("GRU") { f(nn::GRU(with(nn::GRUOptions(I, H)))); }
}

const auto as_it_is = [](auto&) {};

}  // namespace

TEST_CASE("Layers agree with PyTorch for every option, sequences padded, packed and single") {
  SECTION("GRU") { run_cases<nn::GRU>("layer.gru", nn::GRUOptions(I, H)); }
  SECTION("RNN with tanh") { run_cases<nn::RNN>("layer.rnn_tanh", nn::RNNOptions(I, H)); }
  SECTION("RNN with ReLU") { run_cases<nn::RNN>("layer.rnn_relu", nn::RNNOptions(I, H).nonlinearity(kReLU)); }
  SECTION("LSTM") { run_cases<nn::LSTM>("layer.lstm", nn::LSTMOptions(I, H)); }
  SECTION("LSTM with a projection") {
    run_cases<nn::LSTM>("layer.lstm_proj", nn::LSTMOptions(I, H).proj_size(2));
  }
}

TEST_CASE("A seed gives PyTorch's first weights under PyTorch's names") {
  manual_seed(9);
  const auto check = [](const std::string& name, const nn::Module& module) {
    for (const auto& p : module.state_dict()) nn_oracle::check("init." + name + "." + p.key(), p.value(), 0);
    CHECK(nn_oracle::expected("init." + name + ".count")[0] ==
          static_cast<double>(module.state_dict().size()));
  };
  check("gru_cell", *nn::GRUCell(2, 3));
  check("rnn_cell", *nn::RNNCell(nn::RNNCellOptions(3, 2).bias(false)));
  check("gru", *nn::GRU(nn::GRUOptions(2, 3).num_layers(2).bidirectional(true)));
  check("rnn", *nn::RNN(nn::RNNOptions(2, 3).bias(false)));
  check("lstm_proj", *nn::LSTM(nn::LSTMOptions(2, 4).num_layers(2).bidirectional(true).proj_size(3)));
}

TEST_CASE("Packed sequences give what each sequence alone gives") {
  for_each_kind([](auto& o) { o.num_layers(2).bidirectional(true); },
                [](auto m) {
                  m->to(kFloat64);
                  fill(*m);
                  const std::vector<int64_t> lengths = {3, 5, 1, 5, 2};
                  std::vector<Tensor> sequences, outputs;
                  for (size_t j = 0; j < lengths.size(); ++j)
                    sequences.push_back(leaf(wave({lengths[j], I}, static_cast<double>(j))));
                  const auto [packed, last] = run(m, rnn::pack_sequence(sequences, false), {});
                  const auto [y, n] = rnn::pad_packed_sequence(packed, true);
                  const Tensor up = wave(y.sizes(), 7);
                  std::vector<Tensor> upstream;
                  for (size_t j = 0; j < lengths.size(); ++j) {
                    const auto row = static_cast<int64_t>(j);
                    auto [one, end] = run(m, sequences[j], {});
                    check_close(y[row].narrow(0, 0, lengths[j]), one);
                    for (size_t s = 0; s < end.size(); ++s) check_close(last[s].select(1, row), end[s]);
                    outputs.push_back(one);
                    upstream.push_back(up[row].narrow(0, 0, lengths[j]));
                  }
                  auto leaves = m->parameters();
                  leaves.insert(leaves.end(), sequences.begin(), sequences.end());
                  const auto together = autograd::grad({y}, leaves, {up});
                  const auto alone = autograd::grad(outputs, leaves, upstream);
                  for (size_t i = 0; i < leaves.size(); ++i) check_close(together[i], alone[i]);
                });
}

TEST_CASE("First and second derivatives of layers agree with finite differences") {
  for_each_kind(
      [](auto& o) { o.bidirectional(true); },
      [](auto m) {
        m->to(kFloat64);
        fill(*m);
        const auto& o = m->options_base;
        const int64_t out = o.proj_size() ? o.proj_size() : H;
        std::vector<Tensor> inputs = {leaf(wave({6, I}, 2)), leaf(wave({2, 3, out}, 3)),
                                      leaf(wave({2, 3, H}, 4))};
        for (const Tensor& p : m->all_weights()) inputs.push_back(leaf(p.detach()));
        const auto f = [&](const autograd::variable_list& in) -> autograd::variable_list {
          const Tensor sizes = tensor(std::vector<int64_t>{3, 2, 1});
          const std::vector<Tensor> params(in.begin() + 3, in.end());
          if (o.mode() == kLSTM) {
            const auto [y, h, c] = lstm(in[0], sizes, {in[1], in[2]}, params, true, 1, 0, true, true);
            return {y, h, c};
          }
          const auto layers = [&](auto function) -> autograd::variable_list {
            const auto [y, h] = function(in[0], sizes, in[1], params, true, 1, 0., true, true);
            return {y, h, in[2] * 1};
          };
          using F = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, const Tensor&, TensorList,
                                                   bool, int64_t, double, bool, bool);
          return layers(o.mode() == kGRU ? F{gru} : o.mode() == kRNN_TANH ? F{rnn_tanh} : F{rnn_relu});
        };
        CHECK(autograd::gradcheck(f, inputs));
        CHECK(autograd::gradgradcheck(f, inputs));
      });
}

TEST_CASE("An empty batch gives empty results and gradients of zeros") {
  for_each_kind([](auto& o) { o.num_layers(2).bidirectional(true); },
                [](auto m) {
                  const auto& o = m->options_base;
                  const int64_t out = o.proj_size() ? o.proj_size() : H;
                  const Tensor x = leaf(zeros({T, 0, I}));
                  const auto [y, last] = run(m, x, {});
                  CHECK(y.sizes() == IntArrayRef({T, 0, 2 * out}));
                  CHECK(last[0].sizes() == IntArrayRef({4, 0, out}));
                  y.backward(zeros_like(y));
                  CHECK(x.grad().sizes() == x.sizes());
                  for (const Tensor& p : m->parameters())
                    for (const double v : values::of(p.grad())) CHECK(v == 0);
                });
}

TEST_CASE("Half types run through layers") {
  for_each_kind([](auto& o) { o.bidirectional(true); },
                [](auto m) {
                  fill(*m);
                  const Tensor x = leaf(wave({T, B, I}, 2).to(kFloat32));
                  const auto [y, last] = run(m, x, {});
                  const Tensor up = wave(y.sizes(), 5).to(kFloat32);
                  auto leaves = m->parameters();
                  leaves.push_back(x);
                  const auto grads = autograd::grad({y}, leaves, {up});
                  m->to(kBFloat16);
                  const Tensor half = leaf(x.detach().to(kBFloat16));
                  const auto [y_half, last_half] = run(m, half, {});
                  REQUIRE(y_half.dtype() == kBFloat16);
                  check_close(y_half.to(kFloat32), y.detach(), 0.02);  // 8 bits of mantissa, four steps
                  leaves = m->parameters();
                  leaves.push_back(half);
                  const auto half_grads = autograd::grad({y_half}, leaves, {up.to(kBFloat16)});
                  for (size_t i = 0; i < grads.size(); ++i)
                    check_close(half_grads[i].to(kFloat32), grads[i], 0.05);
                });
}

TEST_CASE("A layer whose output was changed in place refuses its backward") {
  for_each_kind(as_it_is, [](auto m) {
    const auto [y, last] = run(m, randn({T, B, I}), {});
    y.detach().mul_(2);
    CHECK_THROWS_AS(y.backward(ones_like(y)), AutogradError);
  });
}

TEST_CASE("Input that does not fit is blamed, not the weight") {
  const auto message = [](auto&& f) {
    try {
      f();
    } catch (const ShapeError& e) {
      return std::string(e.what());
    }
    return std::string("nothing was thrown");
  };
  const auto has = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const std::string why = ": the input has 7 features, expected 4 (w_ih is [";
  const Tensor x = randn({2, 3, 7});
  has(message([&] { nn::LSTM(4, 5)(x); }), "lstm" + why);
  has(message([&] { nn::GRU(4, 5)(x); }), "gru" + why);
  has(message([&] { nn::RNN(4, 5)(x); }), "rnn_tanh" + why);
  has(message([&] { nn::LSTMCell(4, 5)(x[0]); }), "lstm_cell" + why);
  has(message([&] { nn::GRUCell(4, 5)(x[0]); }), "gru_cell" + why);
  has(message([&] { nn::RNNCell(nn::RNNCellOptions(4, 5).nonlinearity(kReLU))(x[0]); }),
      "rnn_relu_cell" + why);
  has(message([&] {
        nn::GRU(7, 5)(x, randn({1, 2, 5}));
      }),
      "gru: h0 has sizes [1, 2, 5], expected [1, 3, 5]");
  has(message([&] {
        nn::GRU(7, 5)(x[0], randn({1, 2, 5}));
      }),
      "GRU: h0 has sizes [1, 2, 5], but the input has no dimension for the batch");
  has(message([&] { nn::GRU(7, 5)(x[0][0]); }), "gru: the input has sizes [7]");
  has(message([&] { nn::GRU(7, 5)(randn({0, 2, 7})); }), "expected at least one step");
}

TEST_CASE("Options out of range are refused") {
  CHECK_THROWS_AS(nn::GRU(I, 0), ValueError);
  CHECK_THROWS_AS(nn::GRU(nn::GRUOptions(I, H).num_layers(0)), ValueError);
  CHECK_THROWS_AS(nn::GRU(nn::GRUOptions(I, H).dropout(1.5)), ValueError);
  CHECK_THROWS_AS(nn::RNN(nn::RNNOptions(I, H).nonlinearity(kSigmoid)), ValueError);
  CHECK_THROWS_AS(nn::RNNCell(nn::RNNCellOptions(I, H).nonlinearity(kSigmoid)), ValueError);
  CHECK_THROWS_AS(nn::LSTM(nn::LSTMOptions(I, H).proj_size(H)), ValueError);
  CHECK_THROWS_AS(nn::LSTM(nn::LSTMOptions(I, H).proj_size(-1)), ValueError);
  const auto weights = nn::GRU(I, H)->all_weights();
  CHECK_THROWS_AS(gru(randn({T, B, I}), {}, {weights[0]}, true, 1, 0, true, false, false), ValueError);
}

TEST_CASE("Layers print, clone, and take their default arguments through AnyModule") {
  std::ostringstream text;
  text << nn::GRU(nn::GRUOptions(2, 3).num_layers(2)) << "\n"
       << nn::LSTM(nn::LSTMOptions(2, 3).proj_size(1)) << "\n"
       << nn::RNNCell(nn::RNNCellOptions(2, 3).bias(false).nonlinearity(kReLU));
  CHECK(text.str() ==
        "tapir::nn::GRU(input_size=2, hidden_size=3, num_layers=2, bias=true, batch_first=false, dropout=0, "
        "bidirectional=false)\n"
        "tapir::nn::LSTM(input_size=2, hidden_size=3, num_layers=1, bias=true, batch_first=false, dropout=0, "
        "bidirectional=false, proj_size=1)\n"
        "tapir::nn::RNNCell(2, 3, bias=false, nonlinearity=kReLU)");
  nn::GRU gru(I, H);
  const auto copy = std::dynamic_pointer_cast<nn::GRUImpl>(gru->clone());
  const Tensor x = randn({T, B, I});
  check_close(std::get<0>(copy->forward(x)), std::get<0>(gru(x)), 0);
  {
    NoGradGuard no_grad;
    for (Tensor& p : copy->parameters()) p.zero_();
  }
  CHECK(values::of(std::get<0>(copy->forward(x))) == std::vector<double>(T * B * H, 0.));
  nn::AnyModule any(gru);
  const auto [y, h] = any.forward<std::tuple<Tensor, Tensor>>(x);
  check_close(y, std::get<0>(gru(x)), 0);
}
