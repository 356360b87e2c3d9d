// First and second derivatives of the reductions, products, indices and losses, by finite differences in
// float64, once with the contributions that backward may defer and once recorded.
#include <cmath>

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/gradcheck.h"
#include "tapir/tapir.h"

using namespace tapir;
using indexing::Ellipsis;
using indexing::None;

namespace {

Tensor input(IntArrayRef sizes, uint64_t seed = 1) {
  return values::random(sizes, kFloat64, seed).set_requires_grad(true);
}

template <class F>
void check(const std::string& name, const F& f, const std::vector<Tensor>& inputs) {
  const autograd::CheckedFunction function =
      [&f](const autograd::variable_list& v) -> autograd::variable_list { return {f(v)}; };
  INFO(name);
  CHECK_NOTHROW(autograd::gradcheck(function, inputs));
  CHECK_NOTHROW(autograd::gradgradcheck(function, inputs));
}

using List = autograd::variable_list;

}  // namespace

TEST_CASE("derivatives: reductions") {
  check("sum", [](const List& v) { return sum(v[0]); }, {input({3, 4})});
  check("sum dim", [](const List& v) { return sum(v[0], {0, 2}); }, {input({3, 4, 2})});
  check("sum t", [](const List& v) { return sum(v[0].transpose(0, 2), {1}, true); }, {input({3, 4, 2})});
  check("mean", [](const List& v) { return mul(mean(v[0], 1), mean(v[0])); }, {input({3, 4})});
  check("max", [](const List& v) { return mul(max(v[0]), min(v[0])); }, {input({3, 4})});
  check("max dim", [](const List& v) { return square(std::get<0>(max(v[0], 1))); }, {input({3, 4})});
  check("min dim", [](const List& v) { return square(std::get<0>(min(v[0], 0, true))); }, {input({3, 4})});
  check("logsumexp", [](const List& v) { return logsumexp(v[0], 1); }, {input({3, 4})});
  check("logsumexp all", [](const List& v) { return logsumexp(v[0], {0, 1}, true); }, {input({3, 4})});
  for (double p : {0.5, 1.0, 1.5, 2.0, 3.0, values::kInf, -values::kInf}) {
    const std::string name = "norm " + std::to_string(p);
    check(name, [&](const List& v) { return norm(v[0], p); }, {input({3, 4})});
    check(name + " along", [&](const List& v) { return norm(v[0], p, {1}, false); }, {input({3, 4})});
  }
}

TEST_CASE("derivatives: softmax") {
  check("softmax", [](const List& v) { return softmax(v[0], 1); }, {input({3, 4})});
  check("softmax0", [](const List& v) { return softmax(v[0], 0); }, {input({3, 4, 2})});
  check("logsoftmax", [](const List& v) { return log_softmax(v[0], 1); }, {input({3, 4, 2})});
}

TEST_CASE("derivatives: matrix products") {
  check("mm", [](const List& v) { return mm(v[0], v[1]); }, {input({3, 4}), input({4, 2}, 2)});
  check("mm t", [](const List& v) { return mm(v[0].t(), v[1].t()); }, {input({4, 3}), input({2, 4}, 2)});
  check("addmm", [](const List& v) { return addmm(v[0], v[1], v[2], 2, 0.5); },
        {input({2}), input({3, 4}), input({4, 2}, 2)});
  check("addmm1", [](const List& v) { return addmm(v[0], v[1], v[2]); },
        {input({2}), input({3, 4}), input({4, 2}, 2)});
  check("addmm2", [](const List& v) { return addmm(v[0], v[1], v[2]); },
        {input({3, 1}), input({3, 4}), input({4, 2}, 2)});
  check("bmm", [](const List& v) { return bmm(v[0], v[1]); }, {input({2, 3, 4}), input({2, 4, 2}, 2)});
  const std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> shapes = {
      {{4}, {4}},
      {{3, 4}, {4}},
      {{4}, {4, 2}},
      {{2, 3, 4}, {4}},
      {{4}, {2, 4, 3}},
      {{2, 3, 4}, {4, 2}},
      {{3, 4}, {2, 4, 2}},
      {{2, 1, 3, 4}, {5, 4, 2}},
      {{2, 3, 4}, {2, 4, 3}},
      {{2, 2, 3, 4}, {4, 3}}};
  for (const auto& [a, b] : shapes)
    check("matmul " + shape_str(a) + shape_str(b), [](const List& v) { return matmul(v[0], v[1]); },
          {input(a), input(b, 2)});
  check("mv", [](const List& v) { return mv(v[0], v[1]); }, {input({3, 4}), input({4}, 2)});
  check("dot", [](const List& v) { return dot(v[0], v[1]); }, {input({4}), input({4}, 2)});
  check("linear", [](const List& v) { return linear(v[0], v[1], v[2]); },
        {input({3, 4}), input({2, 4}, 2), input({2}, 3)});
  check("linear3", [](const List& v) { return linear(v[0], v[1], v[2]); },
        {input({2, 3, 4}), input({2, 4}, 2), input({2}, 3)});
  check("linear1", [](const List& v) { return linear(v[0], v[1]); }, {input({4}), input({2, 4}, 2)});
  check("linearw1", [](const List& v) { return linear(v[0], v[1]); }, {input({3, 4}), input({4}, 2)});
  check("linear shared", [](const List& v) { return linear(tanh(linear(v[0], v[1], v[2])), v[1], v[2]); },
        {input({3, 4}), input({4, 4}, 2), input({4}, 3)});
}

TEST_CASE("derivatives: joining and picking") {
  check("cat", [](const List& v) { return square(cat({v[0], v[1]}, 1)); }, {input({3, 4}), input({3, 2}, 2)});
  check("stack",
        [](const List& v) {
          return square(stack({v[0], v[1]}, 1));
        },
        {input({3, 4}), input({3, 4}, 2)});
  check("repeat", [](const List& v) { return square(repeat(v[0], {2, 3, 2})); }, {input({3, 4})});
  Tensor i3 = values::ints({2, 0, 2, 1});
  check("index_select", [&](const List& v) { return square(index_select(v[0], 1, i3)); }, {input({3, 4})});
  check("embedding",
        [&](const List& v) {
          return square(embedding(v[0], i3.view({2, 2})));
        },
        {input({3, 4})});
  check("gather",
        [&](const List& v) {
          return square(gather(v[0], 0, values::ints({2, 0, 2, 1, 1, 1}, {2, 3})));
        },
        {input({3, 4})});
  check("scatter_add",
        [&](const List& v) {
          return square(scatter_add(v[0], 1, values::ints({2, 0, 2, 1, 1, 1}, {2, 3}), v[1]));
        },
        {input({3, 4}), input({3, 5}, 2)});
  check("index", [&](const List& v) { return square(v[0].index({i3})); }, {input({3, 4})});
  check("index2",
        [&](const List& v) {
          return square(v[0].index({Ellipsis, i3, values::ints({-1, 1, 0, 0})}));
        },
        {input({2, 3, 4})});
  check("index3",
        [&](const List& v) {
          return square(v[0].index({i3, Slice(0, 2), values::ints({-1, 1, 0, 0})}));
        },
        {input({3, 3, 4})});
  check("index mask", [&](const List& v) { return square(v[0].index({v[0].detach() > 0})); },
        {input({3, 4})});
  check("index mixed",
        [&](const List& v) {
          return square(v[0].index({1, None, Slice(1), i3}));
        },
        {input({3, 3, 4})});
  check("index_put",
        [&](const List& v) {
          Tensor y = v[0].clone();
          y.index_put_({values::ints({2, 0}), Slice(1, 3)}, v[1]);
          return square(y);
        },
        {input({3, 4}), input({2, 2}, 2)});
  check("index_put bc",
        [&](const List& v) {
          Tensor y = v[0].clone();
          y.index_put_({Slice(0, 2), values::ints({2, 0})}, v[1]);
          return square(y);
        },
        {input({3, 4}), input({1}, 2)});
  check("index_put basic",
        [&](const List& v) {
          Tensor y = v[0].clone();
          y.index_put_({1}, v[1]);
          y.index_put_({2, Slice(0, 2)}, 3.0);
          return square(y);
        },
        {input({3, 4}), input({4}, 2)});
  check("index_put acc",
        [&](const List& v) {
          Tensor y = v[0].clone();
          tapir::index_put_(y, {i3}, v[1], true);
          return square(y);
        },
        {input({3, 4}), input({4, 4}, 2)});
  check("index_put mask",
        [&](const List& v) {
          Tensor y = v[0].clone();
          y.index_put_({y.detach() > 0}, v[1]);
          return square(y);
        },
        {input({3, 4}), input({}, 2)});
}

TEST_CASE("derivatives: losses") {
  Tensor target = values::ints({1, 3, 0}), w = values::make({0.5, 2, 1, 3}, kFloat64);
  for (int64_t reduction : {0, 1, 2})
    for (int64_t ignore_index : {-100, 3})
      for (const Tensor& weight : {Tensor(), w}) {
        const std::string name =
            "reduction " + std::to_string(reduction) + ", ignoring " + std::to_string(ignore_index);
        for (double e : {0.0, 0.1})
          check(
              "cross_entropy, " + name,
              [&](const List& v) { return cross_entropy(v[0], target, weight, reduction, ignore_index, e); },
              {input({3, 4})});
        check("nll_loss, " + name,
              [&](const List& v) {
                return nll_loss(log_softmax(v[0], 1), target, weight, reduction, ignore_index);
              },
              {input({3, 4})});
      }
  const Tensor places = values::ints({1, 3, 0, 2, 2, 1}, {2, 3});
  check("cross_entropy of many dimensions", [&](const List& v) { return cross_entropy(v[0], places, {}, 0); },
        {input({2, 4, 3})});
  check("cross_entropy of one place",
        [&](const List& v) { return cross_entropy(v[0], values::ints({1}, {})); }, {input({4})});
  check("cross_entropy with probabilities",
        [&](const List& v) { return cross_entropy(v[0], v[1], w, 1, -100, 0.1); },
        {input({3, 4}), input({3, 4}, 2)});
  check("mse_loss", [&](const List& v) { return mse_loss(v[0], v[1]); }, {input({3, 4}), input({3, 4}, 2)});
}
