// Reductions: values, dtypes, empty input, NaN, any strides.
#include "tapir/tensor/ops/reduce.h"

#include <algorithm>
#include <array>
#include <memory>

#include "support/catch.h"
#include "support/values.h"
#include "tapir/tensor/ops/sum_to.h"

using namespace tapir;
using values::kInf;
using values::kNan;

namespace {

/// Groups the elements of x by the place in the reduced result that they go to, in row-major order.
std::vector<std::vector<double>> groups(const Tensor& x, const std::vector<int64_t>& dims) {
  const std::vector<double> v = values::of(x);
  std::vector<bool> reduced(static_cast<size_t>(x.dim()), dims.empty());
  for (int64_t d : dims) reduced[static_cast<size_t>(d)] = true;
  int64_t count = 1;
  for (int64_t d = 0; d < x.dim(); ++d) count *= reduced[static_cast<size_t>(d)] ? 1 : x.size(d);
  std::vector<std::vector<double>> g(static_cast<size_t>(count));
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, at = 0, stride = 1;
    for (int64_t d = x.dim() - 1; d >= 0; --d) {
      if (!reduced[static_cast<size_t>(d)]) {
        at += rest % x.size(d) * stride;
        stride *= x.size(d);
      }
      rest /= x.size(d);
    }
    g[static_cast<size_t>(at)].push_back(v[static_cast<size_t>(i)]);
  }
  return g;
}

template <class F>
std::vector<double> each(const std::vector<std::vector<double>>& groups, F f) {
  std::vector<double> r;
  for (const auto& g : groups) r.push_back(f(g));
  return r;
}
double sum_of(const std::vector<double>& v) {
  long double s = 0;
  for (double x : v) s += x;
  return static_cast<double>(s);
}
double max_of(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
double logsumexp_of(const std::vector<double>& v) {
  const double max = max_of(v);
  double s = 0;
  for (double x : v) s += std::exp(x - max);
  return max + std::log(s);
}
double norm_of(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x * x;
  return std::sqrt(s);
}

/// Tensors of one set of values and sizes in several layouts.
std::vector<Tensor> layouts(DType dtype) {
  const Tensor x = values::random({3, 4, 5, 6}, dtype);
  const Tensor wide = values::random({3, 8, 5, 13}, dtype, 2);
  const Layout &l = x.layout_of(), &w = wide.layout_of();
  return {x,
          x.alias(l.transpose(0, 2)),
          x.alias(l.permute({3, 1, 0, 2})),
          x.alias(l.transpose(2, 3)),
          wide.alias(w.slice(1, 1, 8, 2).slice(3, 2, 8, 1)),
          values::random({3, 1, 5, 1}, dtype, 3)
              .alias(values::random({3, 1, 5, 1}).layout_of().expand({3, 4, 5, 6}))};
}

const std::vector<std::vector<int64_t>> kDims = {{},     {0},    {1},    {3},       {0, 1},      {1, 2},
                                                 {0, 2}, {1, 3}, {0, 3}, {0, 1, 3}, {0, 1, 2, 3}};

}  // namespace

TEST_CASE("reductions agree with their formulas for every layout and choice of dimensions") {
  for (DType dtype : {kFloat32, kFloat64}) {
    const double eps = 8 * values::rounding(dtype);
    for (const Tensor& x : layouts(dtype)) {
      for (const auto& dims : kDims) {
        const auto g = groups(x, dims);
        INFO(shape_str(x.sizes()) << " strides " << shape_str(x.strides()) << " dims " << shape_str(dims));
        CHECK(values::close(values::of(raw::sum(x, dims)), each(g, sum_of), eps, 200));
        CHECK(values::close(values::of(raw::mean(x, dims)),
                            each(g, [](const auto& v) { return sum_of(v) / static_cast<double>(v.size()); }),
                            eps, 2));
        CHECK(values::of(raw::max(x, dims)) == each(g, max_of));
        CHECK(values::of(raw::min(x, dims)) ==
              each(g, [](const auto& v) { return *std::min_element(v.begin(), v.end()); }));
        CHECK(values::close(values::of(raw::logsumexp(x, dims)), each(g, logsumexp_of), eps, 2));
        CHECK(values::close(values::of(raw::norm2(x, dims)), each(g, norm_of), eps));
      }
    }
  }
}

TEST_CASE("reductions of every dtype") {
  for (DType dtype : kAllDTypes) {
    for (const Tensor& x : layouts(dtype)) {
      for (const auto& dims : kDims) {
        const auto g = groups(x, dims);
        INFO(dtype_name(dtype) << " " << shape_str(x.strides()) << " dims " << shape_str(dims));
        const Tensor s = raw::sum(x, dims);
        CHECK(s.dtype() == (is_floating_point(dtype) ? dtype : kInt64));
        CHECK(values::close(values::of(s), each(g, sum_of), 2 * values::rounding(dtype) + 1e-6,
                            is_floating_point(dtype) ? 20 : 0));
        CHECK(values::close(values::of(raw::sum(x, dims, false, kFloat64)), each(g, sum_of), 1e-14, 20));
        CHECK(raw::max(x, dims).dtype() == dtype);
        CHECK(values::of(raw::max(x, dims)) == each(g, max_of));
        CHECK(values::of(raw::all(x, dims)) ==
              each(g, [](const auto& v) { return std::find(v.begin(), v.end(), 0) == v.end(); }));
        CHECK(values::of(raw::any(x, dims)) == each(g, [](const auto& v) {
                return std::any_of(v.begin(), v.end(), [](double e) { return e != 0; });
              }));
        CHECK(raw::any(x, dims).dtype() == (dtype == kUInt8 ? kUInt8 : kBool));
      }
    }
  }
}

TEST_CASE("max, min, argmax and argmin along a dimension give the first place") {
  for (DType dtype : kAllDTypes) {
    for (const Tensor& x : layouts(dtype)) {
      for (int64_t dim = 0; dim < 4; ++dim) {
        const auto g = groups(x, {dim});
        const auto first_max =
            each(g, [](const auto& v) { return std::max_element(v.begin(), v.end()) - v.begin(); });
        const auto first_min =
            each(g, [](const auto& v) { return std::min_element(v.begin(), v.end()) - v.begin(); });
        INFO(dtype_name(dtype) << " " << shape_str(x.strides()) << " dim " << dim);
        const auto [value, index] = raw::max_with_index(x, dim);
        CHECK(values::of(value) == each(g, max_of));
        CHECK(values::of(index) == first_max);
        CHECK(index.dtype() == kInt64);
        CHECK(values::of(raw::argmax(x, dim - 4)) == first_max);
        CHECK(values::of(raw::argmin(x, dim)) == first_min);
        CHECK(values::of(raw::min_with_index(x, dim, true).second) == first_min);
      }
      const auto v = values::of(x);
      CHECK(raw::item(raw::argmax(x)).to_int64() == std::max_element(v.begin(), v.end()) - v.begin());
    }
  }
}

TEST_CASE("NaN wins max and min, at its first place") {
  for (DType dtype : {kFloat32, kFloat64, kFloat16, kBFloat16}) {
    for (int64_t n : {3, 17, 40, 100, 70000}) {
      std::vector<double> v(static_cast<size_t>(n), 1.0);
      v[static_cast<size_t>(n - 1)] = 5;
      v[1] = kNan;
      v[static_cast<size_t>(n / 2 + 1)] = kNan;
      const Tensor x = values::make(v, dtype);
      CHECK(std::isnan(raw::item(raw::max(x)).to_double()));
      CHECK(std::isnan(raw::item(raw::min(x)).to_double()));
      CHECK(raw::item(raw::argmax(x)).to_int64() == 1);
      CHECK(raw::item(raw::argmin(x)).to_int64() == 1);
      const Tensor column = x.alias(x.layout_of().view({n, 1}, *std::make_unique<bool>()));
      const Tensor two = values::make({1, 2, kNan, 3, 0, kNan}, {3, 2}, dtype);
      CHECK(values::integers(raw::argmax(two, 0)) == std::vector<int64_t>{1, 2});
      CHECK(std::isnan(values::of(raw::max(two, {0}))[0]));
      CHECK(std::isnan(values::of(raw::max(column, {0}))[0]));
      CHECK(std::isnan(raw::item(raw::sum(x)).to_double()));
      CHECK(std::isnan(raw::item(raw::logsumexp(x, {0})).to_double()));
    }
  }
}

TEST_CASE("logsumexp of infinities") {
  CHECK(values::of(raw::logsumexp(values::make({-kInf, -kInf, -kInf}), {0}))[0] == -kInf);
  CHECK(values::of(raw::logsumexp(values::make({1, kInf, -kInf}), {0}))[0] == kInf);
  CHECK(values::of(raw::logsumexp(values::make({-kInf, 2}), {0}))[0] == 2);
  const Tensor columns = values::make({-kInf, 1, kInf, -kInf, -kInf, 0}, {2, 3});
  CHECK(values::of(raw::logsumexp(columns, {0})) == std::vector<double>{-kInf, 1, kInf});
  CHECK(values::of(raw::logsumexp(values::make({1000, 1000}, kFloat64), {0}))[0] == 1000 + std::log(2.0));
}

TEST_CASE("reductions of no elements") {
  const Tensor none = Tensor::empty({0}, kFloat32), rows = Tensor::empty({2, 0}, kFloat32),
               columns = Tensor::empty({0, 2}, kFloat32);
  CHECK(values::of(raw::sum(none)) == std::vector<double>{0});
  CHECK(values::of(raw::sum(rows, {1})) == std::vector<double>{0, 0});
  CHECK(values::of(raw::sum(columns, {0})) == std::vector<double>{0, 0});
  CHECK(values::sizes(raw::sum(rows, {0})) == std::vector<int64_t>{0});
  CHECK(std::isnan(values::of(raw::mean(none))[0]));
  CHECK(values::of(raw::logsumexp(rows, {1})) == std::vector<double>{-kInf, -kInf});
  CHECK(values::of(raw::norm2(rows, {1})) == std::vector<double>{0, 0});
  CHECK(values::of(raw::all(none))[0] == 1);
  CHECK(values::of(raw::any(none))[0] == 0);
  CHECK_THROWS_AS(raw::max(none), ShapeError);
  CHECK_THROWS_AS(raw::argmax(none), ShapeError);
  CHECK_THROWS_AS(raw::max_with_index(rows, 1), ShapeError);
  CHECK(values::sizes(raw::max_with_index(rows, 0).first) == std::vector<int64_t>{0});
}

TEST_CASE("keepdim, and dimensions from the end or none") {
  const Tensor x = values::random({2, 3, 4});
  CHECK(values::sizes(raw::sum(x, {1}, true)) == std::vector<int64_t>{2, 1, 4});
  CHECK(values::sizes(raw::sum(x, {-1, 0})) == std::vector<int64_t>{3});
  CHECK(values::sizes(raw::sum(x, {}, true)) == std::vector<int64_t>{1, 1, 1});
  CHECK(values::sizes(raw::argmax(x, std::nullopt)).empty());
  CHECK(values::sizes(raw::argmax(x, 1, true)) == std::vector<int64_t>{2, 1, 4});
  const Tensor scalar = values::make({3}, IntArrayRef());
  CHECK(values::of(raw::sum(scalar, {0})) == std::vector<double>{3});
  CHECK(values::of(raw::max_with_index(scalar, -1).second) == std::vector<double>{0});
  CHECK_THROWS_AS(raw::sum(x, {3}), IndexError);
  CHECK_THROWS_AS(raw::sum(x, {1, -2}), ValueError);
}

TEST_CASE("mean and norm want floating-point numbers") {
  const Tensor x = values::random({4}, kInt32);
  CHECK_THROWS_AS(raw::mean(x), DTypeError);
  CHECK_THROWS_AS(raw::norm2(x), DTypeError);
  CHECK(values::close(values::of(raw::mean(x, {}, false, kFloat64))[0], sum_of(values::of(x)) / 4, 1e-15));
}

TEST_CASE("a long sum of floats stays exact to rounding, and is the same every time") {
  for (int64_t n : {int64_t{1} << 22, (int64_t{1} << 22) + 4321}) {
    const Tensor x = values::random({n});
    const auto v = values::of(x);
    double exact = 0, magnitude = 0;
    for (double e : v) {
      exact += e;
      magnitude += std::fabs(e);
    }
    const double got = raw::item(raw::sum(x)).to_double();
    // A blocked order: the error stays near that of rounding the result, far from n roundings.
    CHECK(std::fabs(got - exact) <= 16 * 0x1p-24 * std::sqrt(magnitude));
    for (int i = 0; i < 5; ++i) CHECK(raw::item(raw::sum(x)).to_double() == got);
    // Of one value the whole error would have one sign.
    const Tensor tenth = raw::full({n}, 0.1, kFloat32);
    CHECK(values::close(raw::item(raw::sum(tenth)).to_double(),
                        static_cast<double>(n) * static_cast<double>(0.1f), 4e-7));
    const Tensor columns = raw::full({n / 3, 3}, 0.1, kFloat32);
    for (double s : values::of(raw::sum(columns, {0})))
      CHECK(values::close(s, static_cast<double>(n / 3) * static_cast<double>(0.1f), 4e-7));
  }
  // Half types are summed in float: 65536 ones would stop at 2048 or 256.
  CHECK(raw::item(raw::sum(raw::full({60000}, 1, kFloat16))).to_double() == 60000);
  CHECK(raw::item(raw::sum(raw::full({256, 128}, 1, kBFloat16))).to_double() == 32768);
  CHECK(raw::item(
            raw::sum(raw::full({256, 16, 8}, 1, kBFloat16).alias(Layout::of({256, 16, 8}).transpose(1, 2)),
                     {0, 2})
                .alias(Layout::of({})))
            .to_double() == 4096);
}

TEST_CASE("large reductions over every side agree with the double reference") {
  for (auto [outer, n, inner] :
       {std::array<int64_t, 3>{1, 100000, 1}, {3, 70001, 1}, {1, 3000, 1030}, {2, 1500, 33}, {5000, 40, 1}}) {
    const Tensor x = values::random({outer, n, inner}, kFloat32, 7);
    const auto g = groups(x, {1});
    INFO(outer << " " << n << " " << inner);
    CHECK(values::close(values::of(raw::sum(x, {1})), each(g, sum_of), 1e-6,
                        std::sqrt(static_cast<double>(n))));
    CHECK(values::of(raw::max(x, {1})) == each(g, max_of));
    CHECK(values::of(raw::argmax(x, 1)) ==
          each(g, [](const auto& v) { return std::max_element(v.begin(), v.end()) - v.begin(); }));
    CHECK(values::close(values::of(raw::logsumexp(x, {1})), each(g, logsumexp_of), 1e-6));
    CHECK(values::close(values::of(raw::norm2(x, {1})), each(g, norm_of), 1e-6));
  }
}

TEST_CASE("sum_to is the transpose of broadcasting") {
  const Tensor x = values::random({4, 3, 5}, kFloat64);
  CHECK(values::close(raw::sum_to(x, {3, 1}), raw::sum(x, {0, 2}).alias(Layout::of({3, 1})), 1e-15, 1));
  CHECK(values::close(raw::sum_to(x, {}), raw::sum(x), 1e-15, 1));
  CHECK(raw::sum_to(x, {4, 3, 5}).is_same(x));
  CHECK(values::close(raw::sum_to(x, {1, 1, 5}), raw::sum(x, {0, 1}, true), 1e-15, 1));
}
