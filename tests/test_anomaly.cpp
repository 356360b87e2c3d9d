// Anomaly mode: where a NaN comes from.
#include "support/tensors.h"

using namespace tapir;
using autograd::AnomalyMode;
using autograd::DetectAnomalyGuard;

TEST_CASE("backward stops at the first NaN, and names the op, its sizes and the line of the forward") {
  const Tensor x = leaf({{1, 4, 9}, {4, 0, 1}});
  Tensor h = x * 1;
  const int line = __LINE__ + 1;
  Tensor y = (h * 0).sqrt();  // slope infinite, times zero
  bool reached = false;
  h.register_hook([&](const Tensor&) { reached = true; });
  Tensor z = y * y;
  const DetectAnomalyGuard guard;
  const std::string message = message_of<AutogradError>([&] {
    z.backward(f64({{1, 1, 1}, {1, 1, 1}}), true);
  });
  CHECK(contains(message, "SqrtBackward"));
  CHECK(contains(message, "NaN"));
  CHECK(contains(message, "[2, 3]"));
  CHECK(contains(message, "6 of 6 elements"));
  CHECK(contains(message, "holds no NaN"));
  CHECK(contains(message, "test_anomaly.cpp:" + std::to_string(line)));
  CHECK_FALSE(reached);
  CHECK_FALSE(x.grad().defined());
  // The graph is as it was.
  AnomalyMode::set_enabled(false);
  z.backward(f64({{1, 1, 1}, {1, 1, 1}}));
  CHECK(x.grad().isnan().all().item<bool>());
}

TEST_CASE("the first NaN's place is told") {
  const Tensor x = leaf({{1, 4, 9}, {4, 0, 1}});
  const DetectAnomalyGuard guard;
  const std::string message = message_of<AutogradError>([&] {
    x.sqrt().backward(f64({{1, 1, 1}, {1, 0, 1}}));
  });  // 0 * inf
  CHECK(contains(message, "1 of 6 elements, the first at [1, 1]"));
}

TEST_CASE("infinities pass") {
  const Tensor x = leaf({0, 4});
  const DetectAnomalyGuard guard;
  x.sqrt().backward(f64({1, 1}));
  CHECK(x.grad()[0].item<double>() == std::numeric_limits<double>::infinity());
  CHECK_SAME(x.grad()[1], tensor(0.25, kFloat64));
}

TEST_CASE("the mode lasts as long as the guard, and may leave values alone") {
  CHECK_FALSE(AnomalyMode::is_enabled());
  {
    const DetectAnomalyGuard guard;
    CHECK(AnomalyMode::is_enabled());
    CHECK(AnomalyMode::should_check_nan());
    {
      const DetectAnomalyGuard lenient(false);
      CHECK(AnomalyMode::is_enabled());
      CHECK_FALSE(AnomalyMode::should_check_nan());
      const Tensor x = leaf({0});
      (x * 0).sqrt().backward(f64({1}));
      CHECK(x.grad().isnan().all().item<bool>());
    }
    CHECK(AnomalyMode::should_check_nan());
  }
  CHECK_FALSE(AnomalyMode::is_enabled());
}

TEST_CASE("in anomaly mode gradients are the same") {
  manual_seed(3);
  nn::LSTM lstm(nn::LSTMOptions(3, 4));
  nn::Linear out(4, 5);
  nn::Embedding words(nn::EmbeddingOptions(7, 3).sparse(true));
  const Tensor ids = tensor({1, 2, 6, 2, 1, 0}).view({6, 1});
  const auto gradients = [&] {
    for (auto& p : lstm->parameters()) p.mutable_grad().reset();
    words->weight.mutable_grad().reset();
    out->zero_grad();
    Tensor loss =
        out(std::get<0>(lstm(words(ids)))).square().sum() + out(words(ids).sum(-1).t().slice(1, 0, 4)).sum();
    loss.backward();
    std::vector<Tensor> g{words->weight.grad().clone(), out->weight.grad().clone(), out->bias.grad().clone()};
    for (const auto& p : lstm->parameters()) g.push_back(p.grad().clone());
    return g;
  };
  const auto expected = gradients();
  const DetectAnomalyGuard guard;
  const auto got = gradients();
  for (size_t i = 0; i < got.size(); ++i)
    CHECK_CLOSE(got[i], expected[i], 1e-5);  // float32, summed in another order
}

TEST_CASE("a NaN in the backward of a backward names the line of the forward too") {
  const Tensor x = leaf({0});
  const DetectAnomalyGuard guard;
  const int line = __LINE__ + 1;
  const Tensor y = x.pow(1.5);
  const Tensor g = autograd::grad({y}, {x}, {}, true, true)[0];  // 1.5 x^0.5
  const std::string message = message_of<AutogradError>([&] { (g * 0).sum().backward(); });
  CHECK(contains(message, "test_anomaly.cpp:" + std::to_string(line)));
}
