// Indexing, sorting, scans, variances and shapes beyond the oracle's tables: long rows, refusals, in-place
// forms and views.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "support/catch.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

/// Draws with many equal values, NaN and both zeros.
Tensor crowded(int64_t n, DType dtype) {
  Tensor x = randint(-50, 50, {n}).to(dtype);
  if (is_floating_point(dtype)) {
    x = x / 8;
    x.index_put_({Slice(3, tapir::indexing::None, 97)}, std::numeric_limits<double>::quiet_NaN());
    x.index_put_({Slice(5, tapir::indexing::None, 61)}, -0.0);
    x.index_put_({Slice(7, tapir::indexing::None, 89)}, std::numeric_limits<double>::infinity());
  }
  return x;
}

bool comes_first(double a, double b, bool descending) {
  const auto less = [](double u, double v) { return std::isnan(v) ? !std::isnan(u) : u < v; };
  return descending ? less(b, a) : less(a, b);
}

std::vector<int64_t> expected_order(const Tensor& x, bool descending) {
  const Tensor d = x.to(kFloat64);
  const double* p = d.data_ptr<double>();
  std::vector<int64_t> order(static_cast<size_t>(x.numel()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return comes_first(p[a], p[b], descending); });
  return order;
}

std::vector<int64_t> integers(const Tensor& t) {
  const Tensor c = t.contiguous();
  return {c.data_ptr<int64_t>(), c.data_ptr<int64_t>() + c.numel()};
}

}  // namespace

TEST_CASE("long rows sort stably, in both directions, whatever their dtype") {
  manual_seed(1);
  for (DType dtype : {kFloat32, kFloat64, kFloat16, kBFloat16, kInt64, kInt32, kInt16, kInt8})
    for (int64_t n : {1, 2, 511, 513, 20000})
      for (bool descending : {false, true}) {
        INFO(dtype_name(dtype) << " " << n);
        const Tensor x = crowded(n, dtype);
        const auto [values, indices] = sort(x, 0, descending);
        const std::vector<int64_t> order = expected_order(x, descending);
        CHECK((integers(indices) == order));
        CHECK(difference(values, x.index_select(0, indices)) == "");
        for (int64_t k : {int64_t{1}, n / 7, n}) {
          const auto [best, where] = topk(x, k, 0, descending);
          CHECK((integers(where) == std::vector<int64_t>(order.begin(), order.begin() + k)));
        }
        if (!descending) {
          const auto [value, at] = kthvalue(x, n / 3 + 1, 0);
          CHECK(difference(value, values[n / 3]) == "");
        }
      }
}

TEST_CASE("topk that is not sorted holds the same elements") {
  manual_seed(2);
  const Tensor x = randn({3, 10000}, kFloat64);
  const auto [a, i] = topk(x, 100, 1, true, true);
  const auto [b, j] = topk(x, 100, 1, true, false);
  CHECK(equal(std::get<0>(sort(b, 1, true)), a));
  CHECK(equal(x.gather(1, j), b));
}

TEST_CASE("sorting along an inner dimension is sorting the transpose") {
  manual_seed(3);
  const Tensor x = randn({4, 700, 3});
  const auto [a, i] = sort(x, 1);
  const auto [b, j] = sort(x.transpose(1, 2), -1);
  CHECK(equal(a, b.transpose(1, 2)));
  CHECK(equal(i, j.transpose(1, 2)));
}

TEST_CASE("variances of long rows and columns keep their precision") {
  manual_seed(4);
  const Tensor x = randn({3, 70000}, kFloat64) + 1e6;
  const Tensor centred = x - x.mean(1, true);
  const Tensor expected = (centred * centred).sum(1) / 69999.0;
  CHECK(difference(x.var(1, true), expected, 1e-12) == "");
  CHECK(difference(x.t().contiguous().var(0, true), expected, 1e-12) == "");
  CHECK(difference(x.to(kFloat32).sub(1e6).var(), (x.to(kFloat32) - 1e6).to(kFloat64).var().to(kFloat32),
                   1e-6) == "");
  const auto [deviation, average] = std_mean(x, true);
  CHECK(difference(deviation, x.std(), 1e-13) == "");
  CHECK(difference(average, x.mean(), 1e-13) == "");
}

TEST_CASE("the forms of var mean what libtorch's mean") {
  const Tensor x = tensor({{1.0, 2.0, 4.0}, {0.0, 3.0, 9.0}}, kFloat64);
  CHECK(x.var(false).item<double>() == Approx(x.sub(x.mean()).square().mean().item<double>()));
  CHECK(x.var(1).sizes() == IntArrayRef({2}));  // a number is a dimension
  CHECK(x.var({1}, true).sizes() == IntArrayRef({2}));
  CHECK(x.std({0, 1}, false, true).sizes() == IntArrayRef({1, 1}));
  CHECK_THROWS_AS(tensor({1, 2}).var(), DTypeError);
}

TEST_CASE("index_put_ reads and writes what Python's brackets do") {
  using namespace tapir::indexing;
  Tensor x = zeros({3, 4}, kInt64);
  x.index_put_({1}, 5);
  x.index_put_({Ellipsis, -1}, tensor({1, 2, 3}));
  x.index_put_({tensor({0, 0, 2}), tensor({0, 0, 1})}, tensor({7, 8, 9}), true);
  CHECK(equal(x, tensor({{15, 0, 0, 1}, {5, 5, 5, 2}, {0, 9, 0, 3}})));
  CHECK(equal(x.index({x > 4}), tensor({15, 5, 5, 5, 9})));
  const Tensor y = index_put(x, {x == 0}, tensor(-1));
  CHECK(equal(y.index({0}), tensor({15, -1, -1, 1})));
  CHECK(x.index({0, 1}).item<int64_t>() == 0);
}

TEST_CASE("a bad call changes nothing") {
  Tensor x = arange(12.0).view({3, 4});
  const Tensor before = x.clone(), one = ones({3, 4});
  const Tensor far = tensor({{0, 1, 9, 0}}), short_index = tensor({0, 5});
  CHECK_THROWS_AS(x.scatter_(1, far, one), IndexError);
  CHECK_THROWS_AS(x.scatter_(1, tensor({{0, 1, 2, 3, 0}}), one), ShapeError);
  CHECK_THROWS_AS(x.scatter_(0, far.to(kFloat32), one), DTypeError);
  CHECK_THROWS_AS(x.scatter_add_(1, far - far, one.to(kInt64)), DTypeError);
  CHECK_THROWS_AS(x.scatter_(1, far - far, one, "plus"), ValueError);
  CHECK_THROWS_AS(x.scatter_reduce_(1, far - far, one, "median"), ValueError);
  CHECK_THROWS_AS(x.index_add_(0, short_index, one.narrow(0, 0, 2)), IndexError);
  CHECK_THROWS_AS(x.index_copy_(0, tensor({0, 1}), one), ShapeError);
  CHECK_THROWS_AS(x.index_fill_(0, tensor({-4}), 1), IndexError);
  CHECK_THROWS_AS(x.put_(tensor({12}), tensor({1.0})), IndexError);
  CHECK_THROWS_AS(x.take(tensor({-13})), IndexError);
  CHECK_THROWS_AS(x.masked_fill_(x, tensor(1.0)), DTypeError);
  CHECK_THROWS_AS(x.masked_scatter_(x > 0, tensor({1.0})), ShapeError);
  CHECK_THROWS_AS(x.topk(5), ValueError);
  CHECK_THROWS_AS(x.kthvalue(0), ValueError);
  CHECK_THROWS_AS(x.quantile(1.5), ValueError);
  CHECK_THROWS_AS(x.diagonal(0, 1, 1), ValueError);
  CHECK_THROWS_AS(x.flip({0, -2}), ValueError);
  CHECK_THROWS_AS(x.unfold(1, 5, 1), ValueError);
  CHECK_THROWS_AS(x.cumsum(2), IndexError);
  CHECK_THROWS_AS(pad(x, {4, 0}, "reflect"), ShapeError);
  CHECK_THROWS_AS(pad(x, {1, 2, 3}), ValueError);
  CHECK_THROWS_AS(one_hot(tensor({3}), 3), IndexError);
  CHECK_THROWS_AS(bincount(tensor({-1})), ValueError);
  CHECK_THROWS_AS(bincount(full({1}, INT64_MAX, kInt64)), ValueError);
  CHECK_THROWS_AS(one_hot(full({1}, INT64_MAX, kInt64)), ValueError);
  CHECK_THROWS_AS(repeat_interleave(ones({3}), full({3}, INT64_MAX, kInt64)), ValueError);
  // Integer sums wrap around.
  CHECK(full({2}, INT64_MAX, kInt64).sum().item<int64_t>() == -2);
  CHECK(full({2, 3}, INT64_MAX, kInt64).sum(0).equal(full({3}, -2, kInt64)));
  CHECK_THROWS_AS(x.hsplit(3), ValueError);
  CHECK_THROWS_AS(zeros({0, 2}).median(0), ShapeError);
  CHECK_THROWS_AS(zeros({2, 0}).amax(1), ShapeError);
  CHECK(equal(x, before));
}

TEST_CASE("writes through views reach the base, and gradients follow") {
  Tensor leaf = random_f64({3, 3}, -1, 1, true), g = random_f64({3, 3});
  Tensor x = leaf * 2;
  x.diagonal(1).mul_(3);
  x.select(0, 2).scatter_(0, tensor({0, 2}), tensor({5.0, 6.0}, kFloat64));
  x.backward(g);
  Tensor expected = g * 2;
  expected.diagonal(1).mul_(3);
  expected.index_put_({2, tensor({0, 2})}, 0.0);
  CHECK(difference(leaf.grad(), expected, 1e-15) == "");
  CHECK_THROWS_AS(leaf.scatter_(0, tensor({{0}}), 1), AutogradError);
}

TEST_CASE("scattered sums are the same on every run, in the order of the index") {
  manual_seed(5);
  const Tensor index = randint(7, {1000, 30}), src = randn({1000, 30});
  Tensor expected = zeros({7, 30});
  for (int64_t i = 0; i < 1000; ++i)
    for (int64_t j = 0; j < 30; ++j)
      expected.data_ptr<float>()[index[i][j].item<int64_t>() * 30 + j] += src[i][j].item<float>();
  CHECK(equal(zeros({7, 30}).scatter_add_(0, index, src), expected));
  CHECK(equal(zeros({7, 30}).scatter_add(0, index, src), expected));
}

TEST_CASE("sums of many scattered values are those of two halves, whatever the number of threads") {
  manual_seed(6);
  const int64_t n = 200000, count = 150000, threads = get_num_threads();
  const Tensor index = randint(count - 1, {n}), src = randn({n});
  Tensor x = randn({count});
  x[count - 1] = -0.0F;  // which no value is added to
  const int64_t* const at = index.data_ptr<int64_t>();
  Tensor first = x.clone(), second = full({count}, -0.0);
  for (int64_t i = 0; i < n; ++i)
    (i < n / 2 ? first : second).data_ptr<float>()[at[i]] += src.data_ptr<float>()[i];
  const Tensor expected = first + second,
               ones = zeros({count}, kInt64).scatter_add(0, index, full({n}, 1, kInt64));
  for (const int t : {1, 2, 5}) {
    set_num_threads(t);
    const Tensor sums = x.scatter_add(0, index, src);
    CHECK(equal(sums, expected));
    CHECK(std::signbit(sums[count - 1].item<float>()));
    CHECK(equal(zeros({count}, kInt64).scatter_(0, index, 1, "add"), ones));
    CHECK(ones.sum().item<int64_t>() == n);
    CHECK(zeros({2}, kBool).scatter_add(0, index.fmod(2), full({n}, true, kBool)).all().item<bool>());
  }
  set_num_threads(static_cast<int>(threads));
}

TEST_CASE("a source that shares memory with the tensor is read before it is written") {
  Tensor x = arange(6);
  x.index_copy_(0, tensor({5, 4, 3, 2, 1, 0}), x);
  CHECK(equal(x, tensor({5, 4, 3, 2, 1, 0})));
  x.scatter_(0, tensor({1, 0}), x);
  CHECK(equal(x.narrow(0, 0, 2), tensor({4, 5})));
}

TEST_CASE("triangles have PyTorch's indices") {
  CHECK(equal(tril_indices(3, 4, -1), tensor({{1, 2, 2}, {0, 0, 1}})));
  CHECK(equal(triu_indices(2, 3, 1), tensor({{0, 0, 1}, {1, 2, 2}})));
  CHECK(triu_indices(2, 2, 5).sizes() == IntArrayRef({2, 0}));
}

TEST_CASE("searchsorted takes a side, a sorter and a number") {
  const Tensor edges = tensor({1, 3, 3, 7});
  CHECK(searchsorted(edges, 3).item<int64_t>() == 1);
  CHECK(searchsorted(edges, 3, false, false, "right").item<int64_t>() == 3);
  CHECK(searchsorted(edges, 3.5, true).dtype() == kInt32);
  const Tensor mixed = tensor({7, 1, 3, 3});
  CHECK(
      equal(searchsorted(mixed, tensor({2, 8}), false, false, std::nullopt, argsort(mixed)), tensor({1, 4})));
  CHECK_THROWS_AS(searchsorted(edges, 3, false, true, "left"), ValueError);
}

TEST_CASE("splits are views of their tensor") {
  Tensor x = arange(10);
  tensor_split(x, tensor({2, 5}))[1].fill_(0);
  x.tensor_split(3)[2].add_(1);
  CHECK(equal(x, tensor({0, 1, 0, 0, 0, 5, 6, 8, 9, 10})));
  x.unfold(0, 2, 4)[1].mul_(-1);
  CHECK(x[5].item<int64_t>() == -5);
}

TEST_CASE("assigning to an index writes into the tensor, and is recorded") {
  using namespace tapir::indexing;
  Tensor x = zeros({3, 2});
  x[1] = 10;
  x[2] = tensor({1.0, 2.0});
  x.index({0, 1}) = 5.5;
  CHECK_SAME(x, tensor({{0.0, 5.5}, {10.0, 10.0}, {1.0, 2.0}}));
  Tensor named = x[0];
  named = ones({7});  // a name is bound anew
  CHECK(x[0][0].item<float>() == 0);
  const Tensor value = leaf({3, 4});
  Tensor y = zeros({2, 2}, kFloat64);
  y[0] = value;
  y[1] = value * 2;
  y.sum().backward();
  CHECK_SAME(value.grad(), f64({3, 3}));
  CHECK_THROWS_AS(y[0] = ones({3}, kFloat64), ShapeError);
}

TEST_CASE("the few largest of many numbers are those that sorting puts first, ties and NaN included") {
  manual_seed(4);
  Tensor x = randn({3, 5000});
  x[0].slice(0, 100, 200).fill_(9);  // equal ones: the first stay
  x[1][17].fill_(std::nan(""));      // counts as the largest
  x[2] = arange(5000).to(kFloat32);  // each one beats all before it
  for (const bool largest : {true, false})
    for (const DType dtype : {kFloat32, kFloat64, kInt64, kFloat16}) {
      const Tensor v = is_floating_point(dtype) ? x.to(dtype) : x.nan_to_num().mul(100).to(dtype);
      const auto [values, places] = topk(v, 70, -1, largest);
      const auto [sorted, order] = sort(v, true, -1, largest);
      CHECK(places.equal(order.slice(1, 0, 70)));
      CHECK_SAME(values, sorted.slice(1, 0, 70));
    }
}
