// Products with one large weight, a row at a time, whose backward runs together.
#include <string>
#include <vector>

#include "support/tensors.h"
#include "tapir/autograd/functions/matmul.h"

using namespace tapir;

namespace {

constexpr int64_t kWidth = 96, kWords = 700;  // a weight that is large enough to wait for

struct Loop {
  Tensor recurrent = random_f64({kWidth, kWidth}, -0.1, 0.1, true);
  Tensor out = random_f64({kWords, kWidth}, -1, 1, true), bias = random_f64({kWords}, -1, 1, true);
  Tensor start = random_f64({1, kWidth}, -1, 1, true);
  std::vector<Tensor> upstream;
  std::vector<Tensor> parameters() const { return {recurrent, out, bias, start}; }

  explicit Loop(int steps) {
    for (int i = 0; i < steps; ++i) upstream.push_back(random_f64({1, kWords}));
  }
  /// `product` computes out h + bias; the states of the steps go to `states`.
  template <class F>
  Tensor loss(F product, std::vector<Tensor>* states = nullptr) const {
    Tensor h = start, total;
    for (const Tensor& g : upstream) {
      h = tanh(mm(h, recurrent));
      if (states) states->push_back(h);
      const Tensor l = (product(h) * g).sum();
      total = total.defined() ? total + l : l;
    }
    return total;
  }
  Tensor waits(const Tensor& h) const { return linear(h, out, bias); }
  Tensor alone(const Tensor& h) const { return mm(h, out.t()) + bias; }
};

}  // namespace

TEST_CASE("rows that went through one large layer get the gradients of single ones") {
  const Loop loop(7);
  const auto expected =
      autograd::grad({loop.loss([&](const Tensor& h) { return loop.alone(h); })}, loop.parameters());
  SECTION("by backward") {
    loop.loss([&](const Tensor& h) { return loop.waits(h); }).backward();
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(difference(loop.parameters()[i].grad(), expected[i], 1e-11, 1e-12) == "");
  }
  SECTION("for one row as a vector, and for several rows") {
    loop.loss([&](const Tensor& h) { return loop.waits(h.squeeze(0)).unsqueeze(0); }).backward();
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(difference(loop.parameters()[i].grad(), expected[i], 1e-11, 1e-12) == "");
    for (const Tensor& p : loop.parameters()) p.mutable_grad() = Tensor();
    loop.loss([&](const Tensor& h) { return loop.waits(cat({h, h * 0}, 0)).narrow(0, 0, 1); }).backward();
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(difference(loop.parameters()[i].grad(), expected[i], 1e-11, 1e-12) == "");
  }
  SECTION("by grad, and twice over a graph that is kept") {
    const Tensor loss = loop.loss([&](const Tensor& h) { return loop.waits(h); });
    const auto got = autograd::grad({loss}, loop.parameters(), {}, true);
    for (size_t i = 0; i < expected.size(); ++i) CHECK(difference(got[i], expected[i], 1e-11, 1e-12) == "");
    loss.backward({}, true);
    loss.backward();
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(difference(loop.parameters()[i].grad(), expected[i] * 2, 1e-11, 1e-12) == "");
    CHECK_THROWS_AS(loss.backward(), AutogradError);
  }
  SECTION("where some of the parameters are frozen") {
    loop.out.requires_grad_(false);
    loop.loss([&](const Tensor& h) { return loop.waits(h); }).backward();
    CHECK_FALSE(loop.out.grad().defined());
    CHECK(difference(loop.start.grad(), expected[3], 1e-11, 1e-12) == "");
    CHECK(difference(loop.bias.grad(), expected[2], 1e-11, 1e-12) == "");
  }
  SECTION("under create_graph") {
    const auto got = autograd::grad({loop.loss([&](const Tensor& h) { return loop.waits(h); })},
                                    loop.parameters(), {}, true, true);
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(difference(got[i].detach(), expected[i], 1e-11, 1e-12) == "");
  }
}

TEST_CASE("the losses of all steps go back before the first state does") {
  const Loop loop(4);
  std::string order;
  std::vector<Tensor> states;
  const Tensor loss = loop.loss(
      [&](const Tensor& h) {
        Tensor y = loop.waits(h) * 1;
        y.register_hook([&](const Tensor&) { order += 'l'; });
        return y;
      },
      &states);
  for (const Tensor& h : states) h.register_hook([&](const Tensor&) { order += 'h'; });
  loss.backward();
  CHECK(order == "llllhhhh");
}

TEST_CASE("a hook on a large layer's result sees steps in their order") {
  const Loop loop(3);
  std::string order;
  std::vector<Tensor> states;
  const Tensor loss = loop.loss(
      [&](const Tensor& h) {
        Tensor y = loop.waits(h);
        y.register_hook([&](const Tensor&) { order += 'l'; });
        return y;
      },
      &states);
  for (const Tensor& h : states) h.register_hook([&](const Tensor&) { order += 'h'; });
  loss.backward();
  CHECK(order == "lhlhlh");
}

TEST_CASE("two layers with a row of each step wait for their own company") {
  const Loop a(5), b(5);
  const auto both = [&](auto product) { return a.loss(product) + b.loss(product); };
  const auto expected = autograd::grad({both([&](const Tensor& h) { return a.alone(h) * 2 + b.alone(h); })},
                                       {a.out, b.out, a.start, b.start});
  both([&](const Tensor& h) { return a.waits(h) * 2 + b.waits(h); }).backward();
  CHECK(difference(a.out.grad(), expected[0], 1e-11, 1e-12) == "");
  CHECK(difference(b.out.grad(), expected[1], 1e-11, 1e-12) == "");
  CHECK(difference(a.start.grad(), expected[2], 1e-11, 1e-12) == "");
  CHECK(difference(b.start.grad(), expected[3], 1e-11, 1e-12) == "");
}

TEST_CASE("a large weight that was changed since its step stops backward, which names that step") {
  const Loop loop(3);
  Tensor w = loop.out * 1;
  Tensor total = linear(loop.start, w).sum();
  {
    NoGradGuard no_grad;
    w.add_(1);
  }
  total = total + linear(loop.start * 2, w).sum();
  const std::string message = message_of<AutogradError>([&] { total.backward(); });
  CHECK(contains(message, "LinearBackward"));
  CHECK(contains(message, "version"));
  CHECK_FALSE(loop.start.grad().defined());
}
