// Inference mode: what is made in it, and what may be done with that.
#include "support/tensors.h"

using namespace tapir;

TEST_CASE("what is made in inference mode is an inference tensor, and nothing is recorded") {
  const Tensor w = leaf({1, 2});
  const InferenceMode guard;
  CHECK(InferenceMode::is_enabled());
  CHECK_FALSE(GradMode::is_enabled());
  Tensor y = w * 2;
  CHECK(y.is_inference());
  CHECK_FALSE(y.requires_grad());
  CHECK(zeros({2000}).is_inference());
  CHECK_FALSE(w.is_inference());
  y.mul_(2);
  y[0].add_(1);
  CHECK_SAME(y, f64({5, 8}));
  CHECK_THROWS_AS(y._version(), AutogradError);
  CHECK(zeros({2}, requires_grad()).requires_grad());
}

TEST_CASE("views are of the kind of what they show") {
  Tensor normal = zeros({2, 3}), made;
  {
    const InferenceMode guard;
    Tensor v = normal.t();
    CHECK_FALSE(v.is_inference());
    v.add_(1);
    normal.mul_(2);
    CHECK(normal._version() == 2);
    made = zeros({2, 3});
    CHECK(made.t().is_inference());
  }
  CHECK_SAME(normal, full({2, 3}, 2.0, kFloat32));
  CHECK(made.view({6}).is_inference());
  CHECK(made.detach().is_inference());
  CHECK_FALSE(made.clone().is_inference());
  CHECK_FALSE((made + 1).is_inference());
}

TEST_CASE("outside, an inference tensor may be read, but neither changed nor saved for backward") {
  Tensor made;
  {
    const InferenceMode guard;
    made = f64({3, 4});
  }
  const Tensor w = leaf({1, 2});
  CHECK_SAME((made * 2).detach(), f64({6, 8}));
  (w + made).backward(f64({1, 1}));  // saves nothing
  CHECK_SAME(w.grad(), f64({1, 1}));
  CHECK(contains(message_of<AutogradError>([&] { w* made; }), "clone()"));
  CHECK_THROWS_AS(made.mul_(2), AutogradError);
  CHECK_THROWS_AS(made.zero_(), AutogradError);
  CHECK_THROWS_AS(made.copy_(f64({1, 1})), AutogradError);
  CHECK_THROWS_AS(made[0].fill_(7), AutogradError);
  CHECK_THROWS_AS(made.uniform_(), AutogradError);
  CHECK_THROWS_AS(made.index_put_({0}, f64({1})), AutogradError);
  CHECK_THROWS_AS(made.masked_fill_(made > 3, 0), AutogradError);
  CHECK_THROWS_AS(made.add_(w), AutogradError);
  {
    NoGradGuard no_grad;
    CHECK(contains(message_of<AutogradError>([&] { made.add_(1); }), "InferenceMode"));
  }
  CHECK_SAME(made, f64({3, 4}));
  CHECK_THROWS_AS(made.requires_grad_(), AutogradError);
  CHECK_THROWS_AS(made._version(), AutogradError);
  (w * made.clone()).backward(f64({1, 1}));
  CHECK_SAME(w.grad(), f64({4, 5}));
  const InferenceMode guard;
  made.add_(1);
  CHECK_SAME(made, f64({4, 5}));
}

TEST_CASE("the modes nest") {
  const Tensor w = leaf({1, 2});
  NoGradGuard no_grad;
  {
    const InferenceMode guard;
    {
      const InferenceMode normal(false);
      CHECK(GradMode::is_enabled());
      Tensor y = w * 2;
      CHECK(y.requires_grad());
      CHECK_FALSE(y.is_inference());
    }
    CHECK(InferenceMode::is_enabled());
    AutoGradMode on(true);
    CHECK_FALSE((w * 2).requires_grad());
    CHECK((w * 2).is_inference());
  }
  CHECK_FALSE(InferenceMode::is_enabled());
  CHECK_FALSE(GradMode::is_enabled());
  CHECK_FALSE((w * 2).is_inference());
}

TEST_CASE("backward in inference mode gives normal gradients") {
  const Tensor w = leaf({1, 2});
  Tensor y = w * w;
  {
    const InferenceMode guard;
    y.backward(f64({1, 1}));
  }
  CHECK_FALSE(w.grad().is_inference());
  w.mutable_grad().zero_();
}

TEST_CASE("a view made in inference mode of a tensor with a gradient is not changed outside") {
  const Tensor w = leaf({1, 2});
  Tensor y = w * 2, v;
  {
    const InferenceMode guard;
    v = y[0];
  }
  CHECK_THROWS_AS(v.mul_(2), AutogradError);
  const InferenceMode guard;
  v.mul_(2);
  CHECK_SAME(y.detach(), f64({4, 4}));
}

TEST_CASE("a network computes the same") {
  manual_seed(1);
  nn::Sequential net(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2));
  const Tensor x = randn({300, 4});
  const Tensor expected = net->forward(x).detach();
  const InferenceMode guard;
  CHECK_SAME(net->forward(x), expected);
}
