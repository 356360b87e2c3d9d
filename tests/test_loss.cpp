// Losses: values, reductions, weights, ignored targets, label smoothing, sizes, errors.
#include <algorithm>

#include "tapir/autograd/functions/loss.h"
#include "tapir/autograd/functions/loss_elementwise.h"

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/softmax.h"
#include "tapir/autograd/functions/view.h"

using namespace tapir;
using values::kInf;
using values::kNan;

namespace {

struct Case {
  int64_t n, classes;
  std::vector<int64_t> target;
  std::vector<double> weight;  // empty: none
  int64_t ignore_index;
  double smoothing;
};

/// Losses of rows, and the denominator of their mean.
struct Expected {
  std::vector<double> losses;
  double denominator = 0;
};
Expected reference(const Case& c, const std::vector<double>& x) {
  Expected e;
  for (int64_t i = 0; i < c.n; ++i) {
    const int64_t t = c.target[static_cast<size_t>(i)];
    double top = -kInf, sum = 0;
    const double* row = x.data() + i * c.classes;
    for (int64_t k = 0; k < c.classes; ++k) top = std::max(top, row[k]);
    for (int64_t k = 0; k < c.classes; ++k) sum += std::exp(row[k] - top);
    const auto w = [&](int64_t k) { return c.weight.empty() ? 1.0 : c.weight[static_cast<size_t>(k)]; };
    const auto log_p = [&](int64_t k) { return row[k] - top - std::log(sum); };
    if (t == c.ignore_index) {
      e.losses.push_back(0);
      continue;
    }
    double smooth = 0;
    for (int64_t k = 0; k < c.classes; ++k) smooth -= w(k) * log_p(k);
    e.losses.push_back((1 - c.smoothing) * -w(t) * log_p(t) +
                       c.smoothing / static_cast<double>(c.classes) * smooth);
    e.denominator += w(t);
  }
  return e;
}
double total(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x;
  return s;
}

const std::vector<Case> kCases = {
    {1, 2, {1}, {}, -100, 0},
    {3, 4, {2, 0, 3}, {}, -100, 0},
    {3, 4, {2, 0, 3}, {0.5, 2, 1, 3}, -100, 0},
    {4, 4, {2, -100, 3, -100}, {0.5, 2, 1, 3}, -100, 0},
    {4, 4, {2, 1, 3, 1}, {}, 1, 0},
    {3, 4, {2, 0, 3}, {}, -100, 0.1},
    {4, 5, {2, 0, -1, 4}, {0.5, 2, 1, 3, 0.25}, -1, 0.3},
    {40, 20, std::vector<int64_t>(40, 7), {}, -100, 0},
};

}  // namespace

TEST_CASE("cross_entropy with classes agrees with its formula, under every reduction") {
  for (DType dtype : {kFloat32, kFloat64, kFloat16}) {
    const double eps = 20 * values::rounding(dtype);
    for (const Case& c : kCases) {
      const Tensor x = values::random({c.n, c.classes}, dtype, 4);
      const Tensor weight = c.weight.empty() ? Tensor() : values::make(c.weight, dtype);
      const Tensor target = values::ints(c.target);
      const Expected e = reference(c, values::of(x));
      const auto loss = [&](int64_t reduction) {
        return values::of(cross_entropy(x, target, weight, reduction, c.ignore_index, c.smoothing));
      };
      INFO(dtype_name(dtype) << " " << c.n << " " << c.classes << " " << c.smoothing);
      CHECK(values::close(loss(0), e.losses, eps, 2));
      CHECK(values::close(loss(1)[0], total(e.losses) / e.denominator, eps, 2));
      CHECK(values::close(loss(2)[0], total(e.losses), eps, 5));
      // With the gradient recorded the value is the same.
      const Tensor y = x.detach().set_requires_grad(true);
      CHECK(values::of(cross_entropy(y, target, weight, 1, c.ignore_index, c.smoothing)) == loss(1));
      if (c.smoothing == 0) {
        const Tensor log_p = log_softmax(x, 1);
        CHECK(
            values::close(values::of(nll_loss(log_p, target, weight, 0, c.ignore_index)), e.losses, eps, 2));
        CHECK(values::close(values::of(nll_loss(log_p, target, weight, 1, c.ignore_index))[0],
                            total(e.losses) / e.denominator, eps, 2));
      }
    }
  }
}

TEST_CASE("the gradient of cross_entropy is softmax minus the target") {
  const Tensor x = values::random({3, 4}, kFloat64).set_requires_grad(true);
  const Tensor target = values::ints({2, -100, 0});
  cross_entropy(x, target).backward();
  const auto p = values::of(softmax(x.detach(), 1)), g = values::of(x.grad());
  for (size_t i = 0; i < 12; ++i) {
    const size_t row = i / 4, column = i % 4;
    const double wanted =
        row == 1 ? 0 : (p[i] - ((row == 0 && column == 2) || (row == 2 && column == 0) ? 1 : 0)) / 2;
    CHECK(values::close(g[i], wanted, 1e-14, 1));
  }
}

TEST_CASE("cross_entropy of inputs with more or fewer dimensions") {
  const Tensor x = values::random({2, 3, 4, 5}, kFloat64);
  const Tensor target = values::ints(
      [] {
        std::vector<int64_t> t;
        for (int64_t i = 0; i < 40; ++i) t.push_back(i * 7 % 3);
        return t;
      }(),
      {2, 4, 5});
  const Tensor rows = reshape(permute(x, {0, 2, 3, 1}), {40, 3});
  const Tensor losses = cross_entropy(x, target, {}, 0);
  CHECK(values::sizes(losses) == std::vector<int64_t>{2, 4, 5});
  CHECK(values::of(losses) == values::of(cross_entropy(rows, reshape(target, {40}), {}, 0)));
  CHECK(values::of(cross_entropy(x, target)) == values::of(cross_entropy(rows, reshape(target, {40}))));
  CHECK(values::close(values::of(nll_loss(log_softmax(x, 1), target, {}, 0)), values::of(losses), 1e-13, 1));
  const Tensor one = values::random({3}, kFloat64);
  CHECK(values::of(cross_entropy(one, values::ints({2}, {}))) ==
        values::of(cross_entropy(reshape(one, {1, 3}), values::ints({2}))));
  CHECK(cross_entropy(one, values::ints({2}, {}), {}, 0).dim() == 0);
}

TEST_CASE("cross_entropy with probabilities") {
  const Tensor x = values::random({3, 4}, kFloat64), weight = values::make({0.5, 2, 1, 3}, kFloat64);
  // One probability of 1 is a class.
  const Tensor one_hot = values::make({0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1}, {3, 4}, kFloat64);
  const Tensor classes = values::ints({2, 0, 3});
  CHECK(values::close(cross_entropy(x, one_hot, {}, 0), cross_entropy(x, classes, {}, 0), 1e-14));
  CHECK(values::close(cross_entropy(x, one_hot, weight, 2), cross_entropy(x, classes, weight, 2), 1e-14));
  CHECK(values::close(cross_entropy(x, one_hot, {}, 1, -100, 0.2),
                      cross_entropy(x, classes, {}, 1, -100, 0.2), 1e-14));
  // The mean over probabilities divides by the places, whatever the weights.
  CHECK(values::close(values::of(cross_entropy(x, one_hot, weight))[0],
                      values::of(cross_entropy(x, classes, weight, 2))[0] / 3, 1e-14));
  CHECK(values::sizes(cross_entropy(reshape(x, {1, 4, 3}), reshape(one_hot, {1, 4, 3}), {}, 0)) ==
        std::vector<int64_t>{1, 3});
  CHECK_THROWS_AS(cross_entropy(x, one_hot, {}, 1, 0), ValueError);
}

TEST_CASE("losses of nothing and of extremes") {
  CHECK(std::isnan(values::of(cross_entropy(values::random({2, 3}), values::ints({-100, -100})))[0]));
  CHECK(values::of(cross_entropy(values::random({2, 3}), values::ints({-100, -100}), {}, 2))[0] == 0);
  CHECK(std::isnan(values::of(cross_entropy(Tensor::empty({0, 3}, kFloat32), values::ints({})))[0]));
  const Tensor sure = values::make({1000, 0, 0, -kInf}, {2, 2});
  CHECK(values::of(cross_entropy(sure, values::ints({0, 0}), {}, 0)) == std::vector<double>{0, 0});
  CHECK(values::of(cross_entropy(sure, values::ints({1, 1}), {}, 0)) == std::vector<double>{1000, kInf});
}

TEST_CASE("bad targets and arguments are refused") {
  const Tensor x = values::random({3, 4});
  for (auto loss : {+[](const Tensor&a, const Tensor&t) { return cross_entropy(a, t); },
                    +[](const Tensor&a, const Tensor&t) { return nll_loss(a, t); }}) {
    CHECK_THROWS_AS(loss(x, values::ints({0, 4, 1})), IndexError);
    CHECK_THROWS_AS(loss(x, values::ints({0, -1, 1})), IndexError);
    CHECK_THROWS_WITH(loss(x, values::ints({0, 9, 1})),
                      ContainsSubstring("target 9 at row 1") && ContainsSubstring("[0, 4)"));
    CHECK_THROWS_AS(loss(x, values::ints({0, 1})), ShapeError);
    CHECK_THROWS_AS(loss(x, values::make({0, 1, 2})), DTypeError);
    CHECK_THROWS_AS(loss(reshape(x, {3, 2, 2}), values::ints({0, 1, 1})), ShapeError);
  }
  CHECK_THROWS_AS(cross_entropy(x, values::ints({0, 1, 2}), values::random({3})), ShapeError);
  CHECK_THROWS_AS(cross_entropy(x, values::ints({0, 1, 2}), values::random({4}, kFloat64)), DTypeError);
  CHECK_THROWS_AS(cross_entropy(x, values::ints({0, 1, 2}), {}, 3), ValueError);
  CHECK_THROWS_AS(cross_entropy(x, values::ints({0, 1, 2}), {}, 1, -100, 1.5), ValueError);
  CHECK_THROWS_AS(cross_entropy(values::ints({1, 2}, {1, 2}), values::ints({0})), DTypeError);
}

TEST_CASE("mse_loss") {
  const Tensor a = values::make({1, 2, 4}), b = values::make({0, 4, 4});
  CHECK(values::of(mse_loss(a, b, 0)) == std::vector<double>{1, 4, 0});
  CHECK(values::close(values::of(mse_loss(a, b))[0], 5.0 / 3, 1e-7));
  CHECK(values::of(mse_loss(a, b, 2))[0] == 5);
  CHECK_THROWS_AS(mse_loss(a, values::make({1, 2})), ShapeError);
}

TEST_CASE("rows without classes that are ignored lose nothing") {
  const Tensor losses = cross_entropy(raw::zeros({2, 0}, kFloat32, kCPU), values::ints({-100, -100}), {}, 0);
  CHECK(values::of(losses) == std::vector<double>{0, 0});
}
