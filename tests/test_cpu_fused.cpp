// The CPU's fused kernels, the recurrent cells and the optimizers' updates, against the formulas in double.
#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/parallel.h"

using namespace tapir;

namespace {

const KernelTable& cpu() { return kernels(kCPU); }
std::mt19937_64& rng() {
  static std::mt19937_64 r(7);
  return r;
}
template <class T>
std::vector<T> normal(size_t n, double scale = 1) {
  std::normal_distribution<double> d(0, scale);
  std::vector<T> v(n);
  for (T& x : v) x = T(static_cast<float>(d(rng())));
  return v;
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Relative distance that rounding to T and a few float operations allow.
template <class T>
double tolerance() {
  if (std::is_same_v<T, double>) return 1e-13;
  if (std::is_same_v<T, float>) return 2e-6;
  return std::is_same_v<T, Half> ? 2e-3 : 1.6e-2;
}
template <class T>
bool near(T got, double expected) {
  const double x = static_cast<double>(got);
  return std::abs(x - expected) <= tolerance<T>() * (0.3 + std::abs(expected));
}

}  // namespace

TEMPLATE_TEST_CASE("the LSTM cell computes i, f, g, o, c' and h' of each row", "", float, double, Half,
                   BFloat16) {
  using T = TestType;
  for (const auto& shape : {std::pair(1, 32), {3, 5}, {2, 131}, {0, 4}, {70, 100}}) {
    const int batch = shape.first, hidden = shape.second;
    const size_t n = static_cast<size_t>(batch * hidden);
    const auto pre = normal<T>(4 * n, 2), c = normal<T>(n);
    auto gates = pre;
    std::vector<T> h(n), c_out(n), t(n);
    RnnCellArgs args{};
    args.mode = RnnMode::LSTM;
    args.dtype = dtype_of<T>;
    args.gates = gates.data();
    args.state = c.data();
    args.h_out = h.data();
    args.c_out = c_out.data();
    args.saved = t.data();
    args.batch = batch;
    args.hidden = hidden;
    cpu().rnn_cell(args);
    const auto grad_h = normal<T>(n), grad_c = normal<T>(n);
    std::vector<T> grad_gates(4 * n), grad_c_in(n);
    RnnCellBackwardArgs back{};
    back.mode = RnnMode::LSTM;
    back.dtype = dtype_of<T>;
    back.gates = gates.data();
    back.saved = t.data();
    back.state = c.data();
    back.grad_h = grad_h.data();
    back.grad_c = grad_c.data();
    back.grad_gates = grad_gates.data();
    back.grad_state = grad_c_in.data();
    back.batch = batch;
    back.hidden = hidden;
    cpu().rnn_cell_backward(back);
    for (int b = 0; b < batch; ++b) {
      for (int j = 0; j < hidden; ++j) {
        const size_t at = static_cast<size_t>(b * hidden + j);
        const auto gate = [&](const std::vector<T>& v, int k) {
          return static_cast<double>(v[static_cast<size_t>((4 * b + k) * hidden + j)]);
        };
        {
          const double i = sigmoid(gate(pre, 0)), f = sigmoid(gate(pre, 1)), g = std::tanh(gate(pre, 2)),
                       o = sigmoid(gate(pre, 3));
          REQUIRE(near<T>(T(gate(gates, 0)), i));
          REQUIRE(near<T>(T(gate(gates, 1)), f));
          REQUIRE(near<T>(T(gate(gates, 2)), g));
          REQUIRE(near<T>(T(gate(gates, 3)), o));
          const double next = f * static_cast<double>(c[at]) + i * g;
          REQUIRE(near(c_out[at], next));
          REQUIRE(near(t[at], std::tanh(next)));
          REQUIRE(near(h[at], o * std::tanh(next)));
        }
        // backward reads the stored activations
        const double i = gate(gates, 0), f = gate(gates, 1), g = gate(gates, 2), o = gate(gates, 3);
        const double th = static_cast<double>(t[at]), gh = static_cast<double>(grad_h[at]);
        const double gc = static_cast<double>(grad_c[at]) + gh * o * (1 - th * th);
        REQUIRE(near<T>(T(gate(grad_gates, 0)), gc * g * i * (1 - i)));
        REQUIRE(near<T>(T(gate(grad_gates, 1)), gc * static_cast<double>(c[at]) * f * (1 - f)));
        REQUIRE(near<T>(T(gate(grad_gates, 2)), gc * i * (1 - g * g)));
        REQUIRE(near<T>(T(gate(grad_gates, 3)), gh * th * o * (1 - o)));
        REQUIRE(near(grad_c_in[at], gc * f));
      }
    }
  }
}

TEST_CASE("the LSTM cell's backward takes a missing gradient for zeros and leaves out one not asked for") {
  const int64_t n = 37;
  const auto gates = normal<float>(4 * n), c = normal<float>(n), t = normal<float>(n),
             grad = normal<float>(n);
  const std::vector<float> zeros(n, 0.f);
  for (bool h_missing : {false, true}) {
    std::vector<float> a(4 * n), b(4 * n), c_in(n);
    RnnCellBackwardArgs args{};
    args.mode = RnnMode::LSTM;
    args.dtype = kFloat32;
    args.gates = gates.data();
    args.saved = t.data();
    args.state = c.data();
    args.grad_h = h_missing ? nullptr : grad.data();
    args.grad_c = h_missing ? grad.data() : nullptr;
    args.grad_gates = a.data();
    args.batch = 1;
    args.hidden = n;
    cpu().rnn_cell_backward(args);
    args.grad_h = h_missing ? zeros.data() : grad.data();
    args.grad_c = h_missing ? grad.data() : zeros.data();
    args.grad_gates = b.data();
    args.grad_state = c_in.data();
    cpu().rnn_cell_backward(args);
    CHECK(a == b);
  }
}

TEMPLATE_TEST_CASE("the GRU cell computes r, z, n and h' of each row", "", float, double, Half, BFloat16) {
  using T = TestType;
  for (const auto& shape : {std::pair(1, 32), {3, 5}, {2, 131}, {0, 4}, {70, 100}}) {
    const int batch = shape.first, hidden = shape.second;
    const size_t size = static_cast<size_t>(batch * hidden);
    const auto pre = normal<T>(3 * size, 2), state_pre = normal<T>(3 * size, 2), state = normal<T>(size);
    auto gates = pre;
    std::vector<T> h(size), kept(size);
    RnnCellArgs args{};
    args.mode = RnnMode::GRU;
    args.dtype = dtype_of<T>;
    args.gates = gates.data();
    args.state_gates = state_pre.data();
    args.state = state.data();
    args.h_out = h.data();
    args.saved = kept.data();
    args.batch = batch;
    args.hidden = hidden;
    cpu().rnn_cell(args);
    const auto grad_h = normal<T>(size), before = normal<T>(size);
    std::vector<T> grad_gates(3 * size), grad_state_gates(3 * size), grad_state(size), added = before;
    RnnCellBackwardArgs back{};
    back.mode = RnnMode::GRU;
    back.dtype = dtype_of<T>;
    back.gates = gates.data();
    back.saved = kept.data();
    back.state = state.data();
    back.grad_h = grad_h.data();
    back.grad_gates = grad_gates.data();
    back.grad_state_gates = grad_state_gates.data();
    back.grad_state = grad_state.data();
    back.batch = batch;
    back.hidden = hidden;
    cpu().rnn_cell_backward(back);
    back.grad_state = added.data();
    back.add_grad_state = true;
    cpu().rnn_cell_backward(back);
    for (int b = 0; b < batch; ++b) {
      for (int j = 0; j < hidden; ++j) {
        const size_t at = static_cast<size_t>(b * hidden + j);
        const auto gate = [&](const std::vector<T>& v, int k) {
          return static_cast<double>(v[static_cast<size_t>((3 * b + k) * hidden + j)]);
        };
        const double state_h = static_cast<double>(state[at]);
        {
          const double r = sigmoid(gate(pre, 0) + gate(state_pre, 0)),
                       z = sigmoid(gate(pre, 1) + gate(state_pre, 1)),
                       n = std::tanh(gate(pre, 2) + r * gate(state_pre, 2));
          REQUIRE(near<T>(T(gate(gates, 0)), r));
          REQUIRE(near<T>(T(gate(gates, 1)), z));
          REQUIRE(near<T>(T(gate(gates, 2)), n));
          REQUIRE(near(h[at], (1 - z) * n + z * state_h));
          REQUIRE(static_cast<double>(kept[at]) == gate(state_pre, 2));
        }
        // backward reads the stored activations
        const double r = gate(gates, 0), z = gate(gates, 1), n = gate(gates, 2);
        const double g = static_cast<double>(grad_h[at]), gn = g * (1 - z) * (1 - n * n);
        REQUIRE(near<T>(T(gate(grad_gates, 0)), gn * gate(state_pre, 2) * r * (1 - r)));
        REQUIRE(near<T>(T(gate(grad_gates, 1)), g * (state_h - n) * z * (1 - z)));
        REQUIRE(near<T>(T(gate(grad_gates, 2)), gn));
        REQUIRE(gate(grad_state_gates, 0) == gate(grad_gates, 0));
        REQUIRE(gate(grad_state_gates, 1) == gate(grad_gates, 1));
        REQUIRE(near<T>(T(gate(grad_state_gates, 2)), gn * r));
        REQUIRE(near(grad_state[at], g * z));
        REQUIRE(near(added[at], static_cast<double>(before[at]) + g * z));
      }
    }
  }
}

TEMPLATE_TEST_CASE("Elman's cell is tanh or ReLU, its gates in place of its output too", "", float, double,
                   Half, BFloat16) {
  using T = TestType;
  const int64_t batch = 3, hidden = 131;
  const auto n = static_cast<size_t>(batch * hidden);
  auto pre = normal<T>(n, 2);
  for (const RnnMode mode : {RnnMode::Tanh, RnnMode::ReLU}) {
    auto gates = pre, in_place = pre;
    std::vector<T> h(n), grad(n);
    RnnCellArgs args{};
    args.mode = mode;
    args.dtype = dtype_of<T>;
    args.gates = gates.data();
    args.h_out = h.data();
    args.batch = batch;
    args.hidden = hidden;
    cpu().rnn_cell(args);
    args.gates = args.h_out = in_place.data();
    cpu().rnn_cell(args);
    const auto grad_h = normal<T>(n);
    RnnCellBackwardArgs back{};
    back.mode = mode;
    back.dtype = dtype_of<T>;
    back.gates = gates.data();
    back.grad_h = grad_h.data();
    back.grad_gates = grad.data();
    back.batch = batch;
    back.hidden = hidden;
    cpu().rnn_cell_backward(back);
    for (size_t i = 0; i < n; ++i) {
      const double x = static_cast<double>(pre[i]),
                   y = mode == RnnMode::Tanh ? std::tanh(x) : std::max(x, 0.);
      REQUIRE(near(h[i], y));
      REQUIRE(static_cast<double>(gates[i]) == static_cast<double>(h[i]));
      REQUIRE(static_cast<double>(in_place[i]) == static_cast<double>(h[i]));
      const double stored = static_cast<double>(h[i]),
                   slope = mode == RnnMode::Tanh ? 1 - stored * stored : stored > 0;
      REQUIRE(near(grad[i], static_cast<double>(grad_h[i]) * slope));
    }
  }
}

TEST_CASE("Elman's cell passes a NaN on") {
  for (const RnnMode mode : {RnnMode::Tanh, RnnMode::ReLU}) {
    float gate = NAN, h = 0;
    RnnCellArgs args{};
    args.mode = mode;
    args.dtype = kFloat32;
    args.gates = &gate;
    args.h_out = &h;
    args.batch = args.hidden = 1;
    cpu().rnn_cell(args);
    CHECK(std::isnan(h));
  }
}

namespace {

// One parameter with positive states, for an update.
template <class T>
struct Parameter {
  explicit Parameter(size_t n)
      : p(normal<T>(n)), g(normal<T>(n)), s{normal<T>(n), normal<T>(n), normal<T>(n)} {
    for (auto& state : s)
      for (T& e : state) e = T(std::abs(static_cast<float>(e)) + 0.1f);
  }
  UpdateTensor tensor(const UpdateTensor& options, int states) {
    UpdateTensor t = options;
    t.dtype = dtype_of<T>;
    t.n = static_cast<int64_t>(p.size());
    t.param = p.data();
    t.grad = g.data();
    for (int i = 0; i < kMaxUpdateStates; ++i)
      t.states[i] = states >> i & 1 ? s[static_cast<size_t>(i)].data() : nullptr;
    return t;
  }
  std::vector<T> p, g;
  std::array<std::vector<T>, 3> s;
};

// Factors in the domain of each formula, and the masks of states that it can have.
struct UpdateCase {
  Update op;
  std::vector<double> factors;
  std::vector<int> states;
};
const std::vector<UpdateCase> kUpdates = {
    {Update::Sgd, {-0.1, 0.9, 0.75}, {0, 1}},
    {Update::Adam, {0.99, 0.9, 0.1, 0.99, 0.01, -0.02, 0.3, 1e-4}, {3, 7}},
    {Update::Adamax, {0.9, 0.1, 0.99, 1e-4, -0.02}, {3}},
    {Update::NAdam, {0.99, 0.1, 0.99, 0.01, 0.3, 1e-4, -0.01, -0.02}, {3}},
    {Update::RAdam, {0.99, 0.9, 0.1, 0.99, 0.01, 1e-4, -0.02}, {3}},
    {Update::Adagrad, {-0.1, 1e-4}, {1}},
    {Update::Adadelta, {-0.5, 0.9, 0.1, 1e-4}, {3}},
    {Update::RMSprop, {-0.05, 0.01, 0.001, 1e-2, 0.8}, {1, 5}},
    {Update::Asgd, {0.99, -0.1, 0.25}, {1}},
    {Update::Rprop, {0.5, 1.2, 0.2, 1.5}, {3}},
};

}  // namespace

TEMPLATE_TEST_CASE("Updates give every element what double gives it alone, for several parameters at once",
                   "", float, double, Half, BFloat16) {
  using T = TestType;
  for (const UpdateCase& c : kUpdates)
    for (const int states : c.states)
      for (int options = 0; options < 8; ++options) {
        UpdateTensor with{};
        std::copy(c.factors.begin(), c.factors.end(), with.factors);
        with.flag = options & 1;
        with.maximize = options & 2;
        with.weight_decay = options & 4 ? 0.01 : 0;
        std::vector<Parameter<T>> params;
        for (const size_t n : {5, 0, 16, 1000, options == 7 ? 40000 : 33}) params.emplace_back(n);
        const auto before = params;
        std::vector<UpdateTensor> tensors;
        for (auto& p : params) tensors.push_back(p.tensor(with, states));
        cpu().update({c.op, tensors.data(), static_cast<int64_t>(tensors.size())});
        INFO("update " << static_cast<int>(c.op) << " states " << states << " options " << options);
        for (size_t k = 0; k < params.size(); ++k)
          for (size_t i = 0; i<params[k].p.size(); i += params[k].p.size()> 100 ? 17 : 1) {
            Parameter<double> one(1);
            one.p[0] = static_cast<double>(before[k].p[i]);
            one.g[0] = static_cast<double>(before[k].g[i]);
            for (size_t j = 0; j < 3; ++j) one.s[j][0] = static_cast<double>(before[k].s[j][i]);
            const UpdateTensor alone = one.tensor(with, states);
            cpu().update({c.op, &alone, 1});
            REQUIRE(near(params[k].p[i], one.p[0]));
            for (size_t j = 0; j < 3; ++j) {
              REQUIRE(near(params[k].s[j][i], one.s[j][0]));
              if (!(states >> j & 1)) REQUIRE(params[k].s[j][i] == before[k].s[j][i]);
            }
          }
      }
}

TEST_CASE("SGD's and Adam's updates follow PyTorch's rule for every mix of options") {
  for (int options = 0; options < 32; ++options) {
    const bool maximize = options & 1, decays = options & 2, momentum = options & 4, nesterov = options & 8,
               amsgrad = options & 16;
    UpdateTensor with{};
    with.maximize = maximize;
    with.weight_decay = decays ? 0.01 : 0;
    with.flag = nesterov;
    Parameter<double> x(37), y(37);
    const auto x0 = x, y0 = y;
    const auto gradient = [&](const Parameter<double>& from, size_t k) {
      return from.g[k] * (maximize ? -1 : 1) + with.weight_decay * from.p[k];
    };
    UpdateTensor sgd = x.tensor(with, momentum ? 1 : 0);
    sgd.factors[0] = -0.1;
    sgd.factors[1] = 0.9;
    sgd.factors[2] = 0.75;
    cpu().update({Update::Sgd, &sgd, 1});
    const std::vector<double> factors = {0.999, 0.9, 0.1, 0.99, 0.01, -0.02 * 0.3, 1e-4 * 0.3};
    UpdateTensor adam = y.tensor(with, amsgrad ? 7 : 3);
    std::copy(factors.begin(), factors.end(), adam.factors);
    cpu().update({Update::Adam, &adam, 1});
    for (size_t k = 0; k < 37; ++k) {
      double d = gradient(x0, k);
      if (momentum) {
        const double b = 0.9 * x0.s[0][k] + 0.75 * d;
        REQUIRE(near(x.s[0][k], b));
        d = nesterov ? d + 0.9 * b : b;
      }
      REQUIRE(near(x.p[k], x0.p[k] - 0.1 * d));

      const double g = gradient(y0, k), m = 0.9 * y0.s[0][k] + 0.1 * g;
      double v = 0.99 * y0.s[1][k] + 0.01 * g * g;
      REQUIRE(near(y.s[0][k], m));
      REQUIRE(near(y.s[1][k], v));
      if (amsgrad) {
        v = std::max(v, y0.s[2][k]);
        REQUIRE(near(y.s[2][k], v));
      }
      REQUIRE(near(y.p[k], 0.999 * y0.p[k] - 0.02 * m / (std::sqrt(v) / 0.3 + 1e-4)));
    }
  }
}

TEST_CASE("Adam's root is the square root from the smallest number to infinity") {
  // With beta1 = 1, beta2 = 1, no gradient and eps = 0, p becomes -m / sqrt(v).
  std::vector<float> v = {0, 1e-45F, 1e-38F, 1e-31F, 1e-30F, 0.1F,     1,
                          2, 3,      1e30F,  2e30F,  3e38F,  INFINITY, NAN};
  for (int i = 0; i < 4000; ++i) v.push_back(std::ldexp(1.0F + static_cast<float>(i) / 4000, i % 180 - 90));
  const size_t n = v.size();
  std::vector<float> p(n, 0), g(n, 0), m(n, 1), v_of(v);
  UpdateTensor adam{};
  adam.dtype = kFloat32;
  adam.n = static_cast<int64_t>(n);
  adam.param = p.data();
  adam.grad = g.data();
  adam.states[0] = m.data();
  adam.states[1] = v_of.data();
  const std::vector<double> factors = {1, 1, 0, 1, 0, -1, 0};
  std::copy(factors.begin(), factors.end(), adam.factors);
  cpu().update({Update::Adam, &adam, 1});
  for (size_t i = 0; i < n; ++i) {
    INFO("v = " << v[i] << ", p = " << p[i]);
    const double expected = -1 / std::sqrt(static_cast<double>(v[i]));
    if (std::isnan(v[i]))
      REQUIRE(std::isnan(p[i]));
    else if (std::isinf(expected) || expected == 0)
      REQUIRE(p[i] == static_cast<float>(expected));
    else
      REQUIRE(std::abs(p[i] - expected) <= 1.2e-7 * std::abs(expected));
  }
}

TEST_CASE("fused kernels give the same bits on one thread and on several") {
  const int threads = get_num_threads();
  const int64_t batch = 64, hidden = 300, n = batch * hidden;
  const auto gates = normal<float>(4 * n), c = normal<float>(n);
  std::vector<std::vector<float>> results;
  for (int t : {1, 2, 3}) {
    set_num_threads(t);
    auto g = gates;
    std::vector<float> h(n), c_out(n);
    cpu().rnn_cell({RnnMode::LSTM, kFloat32, g.data(), nullptr, c.data(), h.data(), c_out.data(), nullptr,
                    batch, hidden});
    auto p = gates;
    std::vector<float> m(4 * n, 0.1f), v(4 * n, 0.2f);
    UpdateTensor adam{};
    adam.dtype = kFloat32;
    adam.n = 4 * n;
    adam.param = p.data();
    adam.grad = g.data();
    adam.states[0] = m.data();
    adam.states[1] = v.data();
    const std::vector<double> factors = {1, 0.9, 0.1, 0.99, 0.01, -0.1, 1e-8};
    std::copy(factors.begin(), factors.end(), adam.factors);
    cpu().update({Update::Adam, &adam, 1});
    g.insert(g.end(), h.begin(), h.end());
    g.insert(g.end(), c_out.begin(), c_out.end());
    g.insert(g.end(), p.begin(), p.end());
    results.push_back(g);
  }
  set_num_threads(threads);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
