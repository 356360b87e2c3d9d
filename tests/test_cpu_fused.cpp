// The CPU's fused kernels, the LSTM cell and the optimizers' updates, against the formulas in double.
#include <algorithm>
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
    LstmCellArgs args{dtype_of<T>, gates.data(), c.data(), h.data(), c_out.data(), t.data(), batch, hidden};
    cpu().lstm_cell(args);
    const auto grad_h = normal<T>(n), grad_c = normal<T>(n);
    std::vector<T> grad_gates(4 * n), grad_c_in(n);
    LstmCellBackwardArgs back{dtype_of<T>,   gates.data(),      c.data(),         t.data(), grad_h.data(),
                              grad_c.data(), grad_gates.data(), grad_c_in.data(), batch,    hidden};
    cpu().lstm_cell_backward(back);
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
    LstmCellBackwardArgs args{kFloat32,
                              gates.data(),
                              c.data(),
                              t.data(),
                              h_missing ? nullptr : grad.data(),
                              h_missing ? grad.data() : nullptr,
                              a.data(),
                              nullptr,
                              1,
                              n};
    cpu().lstm_cell_backward(args);
    args.grad_h = h_missing ? zeros.data() : grad.data();
    args.grad_c = h_missing ? grad.data() : zeros.data();
    args.grad_gates = b.data();
    args.grad_c_in = c_in.data();
    cpu().lstm_cell_backward(args);
    CHECK(a == b);
  }
}

TEMPLATE_TEST_CASE("sgd follows PyTorch's rule for every mix of options", "", float, double, Half, BFloat16) {
  using T = TestType;
  for (int64_t n : {0, 5, 16, 1000, 40000}) {
    for (int options = 0; options < 32; ++options) {
      const bool with_momentum = options & 1, first = options & 2, maximize = options & 8,
                 decays = options & 16;
      const bool nesterov = with_momentum && (options & 4);
      if (n == 40000 && options % 5) continue;
      auto p = normal<T>(n), g = normal<T>(n), m = normal<T>(n);
      const auto p0 = p, m0 = m;
      SgdArgs args{dtype_of<T>,
                   p.data(),
                   g.data(),
                   with_momentum ? m.data() : nullptr,
                   n,
                   0.1,
                   0.9,
                   nesterov ? 0.0 : 0.25,
                   decays ? 0.01 : 0.0,
                   nesterov,
                   first,
                   maximize};
      cpu().sgd(args);
      for (int64_t i = 0; i < n; ++i) {
        const size_t k = static_cast<size_t>(i);
        double d =
            static_cast<double>(g[k]) * (maximize ? -1 : 1) + args.weight_decay * static_cast<double>(p0[k]);
        if (with_momentum) {
          const double b = first ? d : 0.9 * static_cast<double>(m0[k]) + (1 - args.dampening) * d;
          REQUIRE(near(m[k], b));
          d = nesterov ? d + 0.9 * b : b;
        }
        REQUIRE(near(p[k], static_cast<double>(p0[k]) - 0.1 * d));
      }
    }
  }
}

TEMPLATE_TEST_CASE("adam follows PyTorch's rule for every mix of options", "", float, double, Half,
                   BFloat16) {
  using T = TestType;
  for (int64_t n : {0, 5, 16, 1000, 40000}) {
    for (int options = 0; options < 16; ++options) {
      const bool amsgrad = options & 1, decoupled = options & 2, maximize = options & 4, decays = options & 8;
      if (n == 40000 && options % 5) continue;
      auto p = normal<T>(n), g = normal<T>(n), m = normal<T>(n), v = normal<T>(n), w = normal<T>(n);
      for (auto* x : {&v, &w})
        for (T& e : *x) e = T(std::abs(static_cast<float>(e)) + 0.1f);
      const auto p0 = p, m0 = m, v0 = v, w0 = w;
      AdamArgs args{
          dtype_of<T>, p.data(), g.data(), m.data(), v.data(), amsgrad ? w.data() : nullptr, n,
          3,           0.01,     0.9,      0.99,     1e-4,     decays ? 0.1 : 0.0,           decoupled,
          maximize};
      cpu().adam(args);
      for (int64_t i = 0; i < n; ++i) {
        const size_t k = static_cast<size_t>(i);
        double x = static_cast<double>(p0[k]), d = static_cast<double>(g[k]) * (maximize ? -1 : 1);
        if (decoupled) {
          x *= 1 - 0.01 * args.weight_decay;
        } else {
          d += args.weight_decay * x;
        }
        const double first = 0.9 * static_cast<double>(m0[k]) + 0.1 * d;
        double second = 0.99 * static_cast<double>(v0[k]) + 0.01 * d * d;
        REQUIRE(near(m[k], first));
        REQUIRE(near(v[k], second));
        if (amsgrad) {
          second = std::max(second, static_cast<double>(w0[k]));
          REQUIRE(near(w[k], second));
        }
        const double denominator = std::sqrt(second) / std::sqrt(1 - std::pow(0.99, 3)) + 1e-4;
        REQUIRE(near(p[k], x - 0.01 / (1 - std::pow(0.9, 3)) * first / denominator));
      }
    }
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
    cpu().lstm_cell({kFloat32, g.data(), c.data(), h.data(), c_out.data(), nullptr, batch, hidden});
    auto p = gates;
    std::vector<float> m(4 * n, 0.1f), v(4 * n, 0.2f);
    cpu().adam({kFloat32, p.data(), g.data(), m.data(), v.data(), nullptr, 4 * n, 2, 0.1, 0.9, 0.99, 1e-8,
                0.0, false, false});
    g.insert(g.end(), h.begin(), h.end());
    g.insert(g.end(), c_out.begin(), c_out.end());
    g.insert(g.end(), p.begin(), p.end());
    results.push_back(g);
  }
  set_num_threads(threads);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
