// Matrix products: every rank, every stride, broadcast batches, dtypes, gradients shared by many uses,
// errors.
#include "tapir/autograd/functions/matmul.h"

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"

using namespace tapir;

namespace {

/// The product by its definition, in double.
std::vector<double> reference(const Tensor& a_in, const Tensor& b_in, std::vector<int64_t>& sizes) {
  Tensor a = a_in, b = b_in;
  if (a.dim() == 1) a = a.alias(a.layout_of().unsqueeze(0));
  if (b.dim() == 1) b = b.alias(b.layout_of().unsqueeze(1));
  const auto head = [](const Tensor& t) { return IntArrayRef(t.sizes().data(), t.sizes().size() - 2); };
  const Dims batch = broadcast_sizes(head(a), head(b), "reference");
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1), count_ = count(batch);
  const auto expanded = [&](const Tensor& t) {
    Dims s = batch;
    s.push_back(t.size(-2));
    s.push_back(t.size(-1));
    return values::of(t.alias(t.layout_of().expand(s)));
  };
  const auto x = expanded(a), y = expanded(b);
  std::vector<double> c(static_cast<size_t>(count_ * m * n));
  for (int64_t p = 0; p < count_; ++p)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t l = 0; l < k; ++l)
          c[static_cast<size_t>((p * m + i) * n + j)] +=
              x[static_cast<size_t>((p * m + i) * k + l)] * y[static_cast<size_t>((p * k + l) * n + j)];
  sizes.assign(batch.begin(), batch.end());
  if (a_in.dim() > 1) sizes.push_back(m);
  if (b_in.dim() > 1) sizes.push_back(n);
  return c;
}

void check_product(const Tensor& a, const Tensor& b) {
  std::vector<int64_t> sizes;
  const auto expected = reference(a, b, sizes);
  INFO(dtype_name(a.dtype()) << " " << shape_str(a.sizes()) << shape_str(a.strides()) << " x "
                             << shape_str(b.sizes()) << shape_str(b.strides()));
  const Tensor c = matmul(a, b);
  CHECK(values::sizes(c) == sizes);
  CHECK(c.dtype() == a.dtype());
  CHECK(values::close(values::of(c), expected, 8 * values::rounding(a.dtype()),
                      2 * std::sqrt(static_cast<double>(a.size(-1) + 1))));
}

Tensor strided(const Tensor& t, Layout l) { return t.alias(std::move(l)); }

}  // namespace

TEST_CASE("matmul of every pair of ranks") {
  using Sizes = std::vector<int64_t>;
  const std::vector<std::pair<Sizes, Sizes>> pairs = {{{4}, {4}},
                                                      {{3, 4}, {4}},
                                                      {{4}, {4, 2}},
                                                      {{3, 4}, {4, 2}},
                                                      {{2, 3, 4}, {4}},
                                                      {{4}, {2, 4, 3}},
                                                      {{2, 3, 4}, {4, 2}},
                                                      {{3, 4}, {2, 4, 2}},
                                                      {{2, 3, 4}, {2, 4, 3}},
                                                      {{2, 1, 3, 4}, {5, 4, 2}},
                                                      {{5, 3, 4}, {2, 1, 4, 2}},
                                                      {{2, 2, 3, 4}, {4, 3}},
                                                      {{1, 1}, {1, 1}},
                                                      {{0, 4}, {4, 2}},
                                                      {{3, 0}, {0, 2}},
                                                      {{2, 0, 4}, {4, 3}},
                                                      {{2, 3, 0}, {0, 3}},
                                                      {{64, 40}, {40, 70}},
                                                      {{1, 50}, {50, 60}},
                                                      {{30, 50}, {50, 1}},
                                                      {{0, 3, 4}, {0, 4, 2}},
                                                      {{2, 3, 0}, {2, 0, 5}}};
  for (DType dtype : {kFloat32, kFloat64, kFloat16, kBFloat16, kInt64, kInt32, kUInt8})
    for (const auto& [a, b] : pairs)
      if (dtype != kUInt8 || a.back() < 2)
        check_product(values::random(a, dtype, 1), values::random(b, dtype, 2));
}

TEST_CASE("matmul of transposed, sliced, expanded and permuted operands") {
  const Tensor a = values::random({6, 8}), b = values::random({8, 6}, kFloat32, 2),
               batch = values::random({3, 6, 8}, kFloat32, 3);
  const Layout &la = a.layout_of(), &lb = b.layout_of(), &lc = batch.layout_of();
  check_product(a, strided(a, la.transpose(0, 1)));
  check_product(strided(b, lb.transpose(0, 1)), strided(a, la.transpose(0, 1)));
  check_product(strided(a, la.slice(1, 0, 4, 1)), strided(b, lb.slice(0, 2, 6, 1)));
  check_product(strided(a, la.slice(1, 0, 8, 2)), strided(b, lb.slice(0, 0, 8, 2)));
  check_product(strided(a, la.slice(0, 0, 6, 2)), b);
  check_product(strided(a, la.select(0, 1).expand({5, 8})), b);
  check_product(strided(batch, lc.transpose(1, 2)), batch);
  check_product(strided(batch, lc.transpose(0, 1)), strided(batch, lc.permute({1, 2, 0})));
  check_product(strided(batch, lc.select(0, 1).expand({4, 6, 8})), b);
  check_product(strided(batch, lc.unsqueeze(1).expand({3, 2, 6, 8})),
                strided(values::random({2, 8, 5}), Layout::of({2, 8, 5})));
  check_product(strided(batch, lc.permute({2, 1, 0})), values::random({8, 3, 4}));
  check_product(strided(a, la.select(1, 3)), a);
}

TEST_CASE("addmm, mv, dot, bmm and linear") {
  const Tensor a = values::random({3, 4}, kFloat64, 1), b = values::random({4, 5}, kFloat64, 2);
  const Tensor ab = mm(a, b);
  for (const Tensor& c : {values::random({3, 5}, kFloat64), values::random({5}, kFloat64),
                          values::random({3, 1}, kFloat64), values::random({}, kFloat64)}) {
    CHECK(values::close(addmm(c, a, b), add(ab, c), 1e-14, 1));
    CHECK(values::close(addmm(c, a, b, 0.5, -2), add(mul(ab, -2), mul(c, 0.5)), 1e-14, 1));
    CHECK(values::close(addmm(mul(c, values::kNan), a, b, 0), ab, 1e-14, 1));
  }
  const Tensor v = values::random({4}, kFloat64, 5);
  CHECK(values::close(mv(a, v), matmul(a, v), 0));
  CHECK(values::close(dot(v, v), sum(mul(v, v)), 1e-14));
  const Tensor x = values::random({2, 3, 4}, kFloat64), w = values::random({5, 4}, kFloat64, 2),
               bias = values::random({5}, kFloat64, 3);
  CHECK(values::close(linear(x, w, bias), add(matmul(x, w.t()), bias), 1e-14, 1));
  CHECK(values::close(linear(x, w), matmul(x, w.t()), 1e-14, 1));
  CHECK(values::close(linear(select(x, 0, 1), w, bias), select(linear(x, w, bias), 0, 1), 1e-14, 1));
  CHECK(values::close(linear(transpose(x, 0, 1), w, bias), transpose(linear(x, w, bias), 0, 1), 1e-14, 1));
  CHECK(values::close(linear(v, w, bias), add(mv(w, v), bias), 1e-14, 1));
  CHECK(values::close(linear(x, select(w, 0, 0)), matmul(x, select(w, 0, 0)), 1e-14, 1));
  CHECK(values::sizes(linear(Tensor::empty({0, 4}, kFloat64), w, bias)) == std::vector<int64_t>{0, 5});
  CHECK(values::close(bmm(x, transpose(x, 1, 2)), matmul(x, transpose(x, 1, 2)), 0));
}

TEST_CASE("a weight used many times gets the sum of its gradients") {
  const Tensor w = values::random({4, 4}, kFloat64, 1).set_requires_grad(true);
  const Tensor bias = values::random({4}, kFloat64, 2).set_requires_grad(true);
  const Tensor x = values::random({3, 4}, kFloat64, 3), upstream = values::random({3, 4}, kFloat64, 4);
  const auto unroll = [&](const Tensor& weight, const Tensor& b) {
    Tensor h = x;
    for (int i = 0; i < 6; ++i) h = tanh(linear(h, weight, b));
    return h;
  };
  unroll(w, bias).backward(upstream);
  // By create_graph every use makes a gradient of its own.
  const auto recorded = autograd::grad({unroll(w, bias)}, {w, bias}, {upstream}, std::nullopt, true);
  CHECK(values::close(w.grad(), recorded[0].detach(), 1e-13, 1));
  CHECK(values::close(bias.grad(), recorded[1].detach(), 1e-13, 1));
  // A second backward adds.
  unroll(w, bias).backward(upstream);
  CHECK(values::close(w.grad(), mul(recorded[0].detach(), 2), 1e-13, 1));
}

TEST_CASE("products of what does not fit are refused") {
  const Tensor a = values::random({3, 4}), b = values::random({3, 4});
  CHECK_THROWS_AS(mm(a, b), ShapeError);
  CHECK_THROWS_WITH(mm(a, b), ContainsSubstring("mm") && ContainsSubstring("[3, 4] and [3, 4]"));
  CHECK_THROWS_AS(matmul(a, b), ShapeError);
  CHECK_THROWS_AS(matmul(values::random({}), a), ShapeError);
  CHECK_THROWS_AS(matmul(values::random({2, 3, 4}), values::random({3, 4, 2})), ShapeError);
  CHECK_THROWS_AS(bmm(values::random({2, 3, 4}), values::random({1, 4, 2})), ShapeError);
  CHECK_THROWS_AS(linear(a, values::random({5, 3})), ShapeError);
  CHECK_THROWS_AS(linear(a, values::random({5, 4}), values::random({4})), ShapeError);
  CHECK_THROWS_AS(addmm(values::random({2}), a, a.t()), ShapeError);
  CHECK_THROWS_AS(dot(a, a), ShapeError);
  CHECK_THROWS_AS(mv(a, a), ShapeError);
  CHECK_THROWS_AS(mm(a, values::random({4, 2}, kFloat64)), DTypeError);
  CHECK_THROWS_WITH(mm(a, values::random({4, 2}, kFloat64)), ContainsSubstring("float32 and float64"));
  CHECK_THROWS_AS(mm(values::random({2, 2}, kBool), values::random({2, 2}, kBool)), DTypeError);
}
