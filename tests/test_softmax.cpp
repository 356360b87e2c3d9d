// Softmax and log-softmax: values, extremes, dtypes, strides, gradients.
#include "tapir/autograd/functions/softmax.h"

#include <array>

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/softmax.h"

using namespace tapir;
using values::kInf;
using values::kNan;

namespace {

/// Applies f to each row of x (outer, n, inner) along the middle dimension; f maps a row to a row.
template <class F>
std::vector<double> rowwise(const Tensor& x, F f) {
  std::vector<double> v = values::of(x);
  const int64_t n = x.size(1), inner = x.size(2);
  for (int64_t o = 0; o < x.size(0); ++o)
    for (int64_t j = 0; j < inner; ++j) {
      std::vector<double> row;
      for (int64_t i = 0; i < n; ++i) row.push_back(v[static_cast<size_t>((o * n + i) * inner + j)]);
      row = f(row);
      for (int64_t i = 0; i < n; ++i)
        v[static_cast<size_t>((o * n + i) * inner + j)] = row[static_cast<size_t>(i)];
    }
  return v;
}

std::vector<double> log_softmax_of(std::vector<double> row) {
  long double top = -kInf, sum = 0;
  for (double x : row) top = std::max<long double>(top, x);
  for (double x : row) sum += std::exp(x - top);
  for (double& x : row) x = static_cast<double>(x - top - std::log(sum));
  return row;
}
std::vector<double> softmax_of(std::vector<double> row) {
  long double top = -kInf, sum = 0;
  for (double x : row) top = std::max<long double>(top, x);
  for (double x : row) sum += std::exp(x - top);
  for (double& x : row) x = static_cast<double>(std::exp(x - top) / sum);
  return row;
}

}  // namespace

TEST_CASE("softmax and log_softmax agree with their formulas") {
  for (DType dtype : {kFloat32, kFloat64, kFloat16, kBFloat16}) {
    // Of a product of exp and a division, each a few roundings.
    const double eps = 10 * values::rounding(dtype);
    for (auto [outer, n, inner] : {std::array<int64_t, 3>{1, 1, 1},
                                   {1, 4, 1},
                                   {3, 10, 1},
                                   {2, 65, 1},
                                   {5, 1000, 1},
                                   {2, 7, 3},
                                   {3, 20, 17},
                                   {1, 300, 40},
                                   {70, 500, 1}}) {
      const Tensor x = values::random({outer, n, inner}, dtype, 3);
      INFO(dtype_name(dtype) << " " << outer << " " << n << " " << inner);
      CHECK(values::close(values::of(softmax(x, 1)), rowwise(x, softmax_of), eps));
      CHECK(values::close(values::of(log_softmax(x, 1)), rowwise(x, log_softmax_of), eps, 1));
    }
  }
}

TEST_CASE("softmax takes any dimension of any strided tensor") {
  const Tensor x = values::random({4, 3, 5}, kFloat64);
  for (int64_t dim = 0; dim < 3; ++dim) {
    const Tensor moved = x.alias(x.layout_of().transpose(dim, 1));  // rowwise works on dimension 1
    Tensor y = softmax(x, dim - 3);
    CHECK(values::close(values::of(y.alias(y.layout_of().transpose(dim, 1))), rowwise(moved, softmax_of),
                        1e-14));
    CHECK(values::close(values::of(softmax(moved, 1)), rowwise(moved, softmax_of), 1e-14));
  }
  CHECK(values::of(softmax(values::make({3}, IntArrayRef()), 0)) == std::vector<double>{1});
  CHECK(values::of(log_softmax(values::make({3}, IntArrayRef()), -1)) == std::vector<double>{0});
  CHECK(values::sizes(softmax(Tensor::empty({2, 0}, kFloat32), 1)) == std::vector<int64_t>{2, 0});
}

TEST_CASE("softmax of large and infinite numbers") {
  for (DType dtype : {kFloat32, kFloat64, kFloat16}) {
    const Tensor x = values::make(
        {30000, 30000, -30000, 1, -kInf, 1, kInf, 0, 1, -kInf, -kInf, -kInf, kNan, 1, 2}, {5, 3}, dtype);
    const std::vector<double> soft = {0.5, 0.5,  0,    0.5,  0,    0.5,  kNan, 0,
                                      0,   kNan, kNan, kNan, kNan, kNan, kNan};
    std::vector<double> got = values::of(softmax(x, 1));
    for (int i = 0; i < 15; ++i) {
      INFO(dtype_name(dtype) << " " << i);
      if (i / 3 ==
          2)  // a row with +inf is NaN where PyTorch computes inf - inf, and NaN spreads through the sum
        CHECK(std::isnan(got[static_cast<size_t>(i)]));
      else
        CHECK(values::close(got[static_cast<size_t>(i)], soft[static_cast<size_t>(i)], 1e-3));
    }
    got = values::of(log_softmax(x, 1));
    CHECK(got[2] < -50000);
    CHECK(got[4] == -kInf);
    CHECK(values::close(got[3], -std::log(2), 1e-3));
    // The same in columns.
    const Tensor t = x.alias(x.layout_of().transpose(0, 1));
    const Tensor columns = softmax(t, 0);
    CHECK(values::close(values::of(columns.alias(columns.layout_of().transpose(0, 1))),
                        values::of(softmax(x, 1)), 1e-3));
  }
}

TEST_CASE("softmax wants floating-point numbers") {
  const Tensor x = values::ints({1, 2, 3});
  CHECK_THROWS_AS(softmax(x, 0), DTypeError);
  CHECK_THROWS_AS(log_softmax(x, 0), DTypeError);
  CHECK_THROWS_AS(softmax(values::random({2}), 1), IndexError);
  CHECK(softmax(x, 0, kFloat64).dtype() == kFloat64);
  CHECK(values::close(values::of(softmax(x, 0, kFloat64)), softmax_of({1, 2, 3}), 1e-15));
}

TEST_CASE("the gradients of softmax are those of its formula") {
  for (DType dtype : {kFloat32, kFloat64, kFloat16}) {
    for (const auto& shape : {std::array<int64_t, 3>{3, 10, 1}, {2, 100, 1}, {2, 7, 20}}) {
      const int64_t outer = shape[0], n = shape[1], inner = shape[2];
      const Tensor x = values::random({outer, n, inner}, dtype),
                   g = values::random({outer, n, inner}, dtype, 9);
      x.set_requires_grad(true);
      const Tensor y = softmax(x, 1), z = log_softmax(x, 1);
      const auto soft = autograd::grad({y}, {x}, {g})[0], logs = autograd::grad({z}, {x}, {g})[0];
      const auto p = values::of(y), upstream = values::of(g);
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t j = 0; j < inner; ++j) {
          const auto at = [&](int64_t i) { return static_cast<size_t>((o * n + i) * inner + j); };
          double dot = 0, sum = 0;
          for (int64_t i = 0; i < n; ++i) {
            dot += p[at(i)] * upstream[at(i)];
            sum += upstream[at(i)];
          }
          for (int64_t i = 0; i < n; ++i) {
            const double eps = 40 * values::rounding(dtype);
            CHECK(values::close(values::of(soft)[at(i)], p[at(i)] * (upstream[at(i)] - dot), eps, 0.1));
            CHECK(values::close(values::of(logs)[at(i)], upstream[at(i)] - p[at(i)] * sum, eps, 3));
          }
        }
    }
  }
}
