// Results are the same to the bit from run to run, and whatever the number of threads: docs/autograd.md says
// so.
#include <functional>

#include "support/tensors.h"

using namespace tapir;

namespace {

using Program = std::function<std::vector<Tensor>()>;

// All results of `program` on 1, 2, 3 and 4 threads, and again.
void check_same(const char* name, const Program& program) {
  INFO(name);
  const int before = get_num_threads();
  set_num_threads(1);
  const std::vector<Tensor> expected = program();
  for (const int threads : {2, 3, 4, 2}) {
    set_num_threads(threads);
    const std::vector<Tensor> got = program();
    REQUIRE(got.size() == expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      INFO("result " << i << " on " << threads << " threads");
      CHECK_SAME(got[i], expected[i]);
    }
  }
  set_num_threads(before);
}

// The value and the gradients of f, which is given leaves.
Program with_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                       std::vector<Tensor> inputs) {
  return [f, inputs] {
    std::vector<Tensor> leaves;
    for (const Tensor& x : inputs) leaves.push_back(x.detach().clone().requires_grad_());
    const Tensor y = f(leaves);
    std::vector<Tensor> all = autograd::grad({y}, leaves, {(y.detach() * 0.37).sin()});
    all.push_back(y.detach());
    return all;
  };
}

}  // namespace

TEST_CASE("sums and other reductions are cut by sizes, not by threads") {
  manual_seed(1);
  const Tensor x = randn({300, 700}), row = randn({1, 300000}), column = randn({100000, 3});
  for (const auto& [name, t] : {std::pair{"square", x}, {"row", row}, {"column", column}}) {
    check_same(name, [t = t] {
      std::vector<Tensor> r;
      for (const int64_t d : {0, 1}) {
        for (const Tensor& y : {t.sum(IntArrayRef{d}), t.mean(IntArrayRef{d}), t.var(IntArrayRef{d}, true),
                                t.logsumexp(d), t.norm(2, IntArrayRef{d}), t.prod(d), t.cumsum(d)})
          r.push_back(y);
        r.push_back(std::get<0>(t.max(d)));
      }
      for (const Tensor& y : {t.sum(), t.mean(), t.var(true), t.norm(), t.prod()}) r.push_back(y);
      return r;
    });
  }
}

TEST_CASE("products of matrices, and their gradients") {
  manual_seed(2);
  for (const auto& [m, k, n] : {std::tuple<int64_t, int64_t, int64_t>{200, 300, 150},
                                {1, 2000, 1500},
                                {1500, 2000, 1},
                                {7, 5000, 9},
                                {600, 64, 700},
                                {64, 64, 64}}) {
    const Tensor a = randn({m, k}), b = randn({k, n});
    check_same("mm", with_gradients([](const auto& v) { return v[0].mm(v[1]); }, {a, b}));
    check_same("mm of doubles",
               with_gradients([](const auto& v) { return v[0].mm(v[1]); }, {a.to(kFloat64), b.to(kFloat64)}));
  }
  check_same("bmm", with_gradients([](const auto& v) { return v[0].bmm(v[1]); },
                                   {randn({9, 40, 70}), randn({9, 70, 50})}));
  check_same("linear", with_gradients([](const auto& v) { return nn::functional::linear(v[0], v[1], v[2]); },
                                      {randn({400, 120}), randn({90, 120}), randn({90})}));
}

TEST_CASE("fused layers and losses, and their gradients") {
  manual_seed(3);
  check_same("layer_norm", with_gradients(
                               [](const auto& v) {
                                 return nn::functional::layer_norm(
                                     v[0],
                                     nn::functional::LayerNormFuncOptions({200}).weight(v[1]).bias(v[2]));
                               },
                               {randn({3000, 200}), randn({200}), randn({200})}));
  check_same("softmax", with_gradients([](const auto& v) { return v[0].softmax(1) + v[0].log_softmax(0); },
                                       {randn({500, 800})}));
  const Tensor classes = randint(0, 300, {2000});
  check_same("cross_entropy",
             with_gradients([=](const auto& v) { return nn::functional::cross_entropy(v[0], classes); },
                            {randn({2000, 300})}));
  const Tensor ids = randint(0, 50, {4000});
  check_same("embedding",
             with_gradients([=](const auto& v) { return nn::functional::embedding(ids, v[0]).tanh(); },
                            {randn({50, 64})}));
  const Tensor at = randint(0, 30, {20000, 4});
  check_same("scatter_add, gather, index_put", with_gradients(
                                                   [=](const auto& v) {
                                                     return zeros({30, 4}).scatter_add(0, at, v[0]) +
                                                            v[1].gather(0, at).slice(0, 0, 30) +
                                                            v[1].index({at.select(1, 0)}).sum(0);
                                                   },
                                                   {randn({20000, 4}), randn({30, 4})}));
  nn::LSTM lstm(nn::LSTMOptions(40, 60).num_layers(2).bidirectional(true));
  check_same("LSTM", [&] {
    lstm->zero_grad();
    const Tensor x = (arange(30 * 8 * 40, kFloat32) * 0.37).sin().view({30, 8, 40});
    const Tensor y = std::get<0>(lstm(x));
    y.backward((y.detach() * 3).cos());
    std::vector<Tensor> all{y.detach()};
    for (const Tensor& p : lstm->parameters()) all.push_back(p.grad().clone());
    return all;
  });
  nn::MultiheadAttention attention(nn::MultiheadAttentionOptions(64, 4));
  check_same("attention", [&] {
    attention->zero_grad();
    const Tensor x = (arange(90 * 4 * 64, kFloat32) * 0.73).sin().view({90, 4, 64}).requires_grad_();
    const Tensor y = std::get<0>(attention(x, x, x, Tensor(), false));
    y.backward((y.detach() * 3).cos());
    std::vector<Tensor> all{y.detach(), x.grad()};
    for (const Tensor& p : attention->parameters()) all.push_back(p.grad().clone());
    return all;
  });
}

TEST_CASE("factorizations, and random numbers") {
  manual_seed(4);
  const Tensor a = randn({6, 50, 50}, kFloat64);
  check_same("linalg", [&] {
    const Tensor spd = a.matmul(a.transpose(1, 2)) + eye(50, kFloat64);
    const auto [q, r] = linalg::qr(a);
    const auto [u, s, v] = linalg::svd(a);
    return std::vector<Tensor>{linalg::inv(spd), linalg::cholesky(spd), q, r, u, s, v, linalg::det(a)};
  });
  check_same("random numbers", [] {
    manual_seed(7);
    return std::vector<Tensor>{randn({100000}), rand({30000}), randperm(5000),
                               dropout(ones({70000}), 0.3, true)};
  });
}

TEST_CASE("a training step with Adam") {
  check_same("training", [] {
    manual_seed(5);
    nn::Sequential net(nn::Linear(100, 300), nn::Tanh(), nn::Linear(300, 50));
    optim::Adam adam(net->parameters(), optim::AdamOptions(1e-2));
    const Tensor x = randn({256, 100}), target = randint(0, 50, {256});
    for (int i = 0; i < 3; ++i) {
      adam.zero_grad();
      nn::functional::cross_entropy(net(x), target).backward();
      adam.step();
    }
    std::vector<Tensor> all;
    for (const Tensor& p : net->parameters()) all.push_back(p.detach());
    return all;
  });
}
