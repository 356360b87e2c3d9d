// Picking, scattering, joining: values, views, gradients that gather in one buffer, errors that change
// nothing.
#include "tapir/autograd/functions/index.h"

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/index.h"

using namespace tapir;
using indexing::Ellipsis;
using indexing::None;
using Sizes = std::vector<int64_t>;

namespace {

/// 0, 1, 2, ... in row-major order, so that every value says where it came from.
Tensor counting(IntArrayRef sizes, DType dtype = kFloat32) {
  std::vector<double> v(static_cast<size_t>(count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return values::make(v, sizes, dtype);
}
Tensor bools(const std::vector<double>& v, IntArrayRef sizes) { return values::make(v, sizes, kBool); }
using V = std::vector<double>;

}  // namespace

TEST_CASE("index_select, gather and embedding of every dtype") {
  for (DType dtype : kAllDTypes) {
    if (dtype == kBool) continue;
    const Tensor x = counting({3, 4}, dtype);
    INFO(dtype_name(dtype));
    CHECK(values::of(index_select(x, 0, values::ints({2, 0, 2}))) ==
          V{8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11});
    CHECK(values::of(index_select(x, -1, values::ints({3, 1}))) == V{3, 1, 7, 5, 11, 9});
    CHECK(values::of(index_select(x.t(), 1, values::ints({1}))) == V{4, 5, 6, 7});
    CHECK(values::of(gather(x, 1, values::ints({3, 0, 1, 1}, {2, 2}))) == V{3, 0, 5, 5});
    CHECK(values::of(gather(x, 0, values::ints({2, 0, 1}, {1, 3}))) == V{8, 1, 6});
    CHECK(values::of(scatter_add(x, 0, values::ints({0, 0, 1, 0}, {2, 2}), counting({2, 2}, dtype))) ==
          V{0, 5, 2, 3, 6, 5, 6, 7, 8, 9, 10, 11});
    const Tensor rows = embedding(x, values::ints({1, 1, 0, 2}, {2, 2}));
    CHECK(values::sizes(rows) == Sizes{2, 2, 4});
    CHECK(values::of(rows) == V{4, 5, 6, 7, 4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11});
  }
  CHECK(values::sizes(index_select(counting({3, 4}), 0, Tensor::empty({0}, kInt64))) == Sizes{0, 4});
  CHECK(values::of(index_select(counting({3, 4}), 0, values::make({2}, kInt32))) == V{8, 9, 10, 11});
  CHECK(values::sizes(embedding(counting({3, 4}), values::ints({1}, {}))) == Sizes{4});
}

TEST_CASE("cat and stack") {
  const Tensor a = counting({2, 3}), b = add(counting({2, 1}), 10), c = counting({2, 3}, kInt32);
  CHECK(values::of(cat({a, b}, 1)) == V{0, 1, 2, 10, 3, 4, 5, 11});
  CHECK(values::of(cat({a, a})) == V{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
  CHECK(values::of(cat({a.t(), b.t()}).t()) == V{0, 1, 2, 10, 3, 4, 5, 11});
  CHECK(cat({a, c}).dtype() == kFloat32);
  CHECK(values::of(cat({Tensor::empty({0}, kFloat32), a})) == values::of(a));
  CHECK(values::of(stack({a, a}, 2)) == V{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
  CHECK(values::sizes(stack({a, a, a}, -3)) == Sizes{3, 2, 3});
  CHECK(values::sizes(stack({counting({}), counting({})})) == Sizes{2});
  CHECK_THROWS_AS(cat({a, counting({3, 2})}), ShapeError);
  CHECK_THROWS_AS(cat({a, counting({})}), ShapeError);
  CHECK_THROWS_AS(cat(std::vector<Tensor>{}), ValueError);
  CHECK_THROWS_AS(cat({a}, 2), IndexError);
  CHECK_THROWS_AS(stack({a, b}), ShapeError);
  CHECK_THROWS_AS(stack({a, a}, 3), IndexError);
}

TEST_CASE("repeat") {
  const Tensor x = counting({2, 2});
  CHECK(values::of(repeat(x, {1, 2})) == V{0, 1, 0, 1, 2, 3, 2, 3});
  CHECK(values::of(repeat(x, {2, 1})) == V{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(values::sizes(repeat(x, {3, 2, 1})) == Sizes{3, 4, 2});
  CHECK(values::sizes(repeat(x, {0, 1})) == Sizes{0, 2});
  CHECK_FALSE(repeat(x, {1, 1}).impl()->storage == x.impl()->storage);
  CHECK_THROWS_AS(repeat(x, {2}), ShapeError);
  CHECK_THROWS_AS(repeat(x, {-1, 1}), ValueError);
}

TEST_CASE("basic indices give views") {
  const Tensor x = counting({2, 3, 4});
  CHECK(values::of(x.index({1, 2, 3})) == V{23});
  CHECK(values::of(x.index({0, Slice(1), Slice(None, None, 2)})) == V{4, 6, 8, 10});
  CHECK(values::sizes(x.index({Ellipsis, 0})) == Sizes{2, 3});
  CHECK(values::sizes(x.index({None, -1, "...", None})) == Sizes{1, 3, 4, 1});
  CHECK(values::of(x.index({-1, -1})) == V{20, 21, 22, 23});
  Tensor part = x.index({1, Slice(0, 2)});
  CHECK(part.is_view());
  part.fill_(7);
  CHECK(values::of(x.index({1, 0, 0})) == V{7});
  CHECK(values::of(x.index({values::ints({1}, {}), 2, 3})) == V{23});
  CHECK(x.index({Slice()}).impl()->storage == x.impl()->storage);
  CHECK_THROWS_AS(x.index({2}), IndexError);
  CHECK_THROWS_AS(x.index({0, 0, 0, 0}), IndexError);
  CHECK_THROWS_AS(x.index({Ellipsis, Ellipsis}), IndexError);
}

TEST_CASE("tensor indices") {
  const Tensor x = counting({2, 3, 4});
  CHECK(values::of(x.index({values::ints({1, 0}), values::ints({2, -3})})) == V{20, 21, 22, 23, 0, 1, 2, 3});
  CHECK(values::sizes(x.index({values::ints({1, 0, 1})})) == Sizes{3, 3, 4});
  // Neighbours keep their place, others come first.
  CHECK(values::sizes(x.index({Slice(), values::ints({1, 0, 1, 0, 1}), values::ints({0})})) == Sizes{2, 5});
  CHECK(values::of(x.index({Slice(), values::ints({1, 0}), values::ints({3, -1})})) == V{7, 3, 19, 15});
  CHECK(values::sizes(x.index({values::ints({0, 1, 0, 1, 1}), Slice(), values::ints({0})})) == Sizes{5, 3});
  CHECK(values::of(x.index({values::ints({0, 1}), Slice(), values::ints({3, 0})})) ==
        V{3, 7, 11, 12, 16, 20});
  CHECK(values::of(x.index({values::ints({1, 0}, {2, 1}), values::ints({0, 2}), 1})) == V{13, 21, 1, 9});
  CHECK(values::of(transpose(x, 0, 2).index({values::ints({3, 0})})) ==
        V{3, 15, 7, 19, 11, 23, 0, 12, 4, 16, 8, 20});
  CHECK(values::sizes(x.index({Tensor::empty({0}, kInt64)})) == Sizes{0, 3, 4});
  CHECK_THROWS_AS(x.index({values::ints({2})}), IndexError);
  CHECK_THROWS_AS(x.index({values::ints({-3})}), IndexError);
  CHECK_THROWS_AS(x.index({values::make({0.5})}), IndexError);
  CHECK_THROWS_AS(x.index({values::ints({0, 1}), values::ints({0, 1, 1})}), ShapeError);
}

TEST_CASE("masks") {
  const Tensor x = counting({2, 3});
  const Tensor mask = bools({0, 1, 0, 1, 1, 0}, {2, 3});
  CHECK(values::of(x.index({mask})) == V{1, 3, 4});
  CHECK(values::of(x.index({bools({0, 1}, {2})})) == V{3, 4, 5});
  CHECK(values::of(x.index({Slice(), bools({1, 0, 1}, {3})})) == V{0, 2, 3, 5});
  const Tensor y = counting({2, 3, 2});
  CHECK(values::of(y.index({mask, 1})) == V{3, 7, 9});
  CHECK(values::of(y.index({mask, values::ints({0, 1, 0})})) == V{2, 7, 8});
  CHECK(values::sizes(x.index({bools({0, 0}, {2})})) == Sizes{0, 3});
  CHECK(values::sizes(x.index({true})) == Sizes{1, 2, 3});
  CHECK(values::sizes(x.index({false})) == Sizes{0, 2, 3});
  CHECK_THROWS_AS(x.index({bools({0, 1, 1}, {3})}), IndexError);
  CHECK(values::of(raw::nonzero(mask)) == V{0, 1, 1, 0, 1, 1});
}

TEST_CASE("index_put_") {
  Tensor x = counting({2, 3});
  x.index_put_({1, 2}, 9);
  CHECK(values::of(x) == V{0, 1, 2, 3, 4, 9});
  x.index_put_({Slice(), 0}, values::make({7, 8}));
  CHECK(values::of(x) == V{7, 1, 2, 8, 4, 9});
  x.index_put_({values::ints({0, 0}), values::ints({1, 1})}, values::make({5, 6}));  // the last stays
  CHECK(values::of(x) == V{7, 6, 2, 8, 4, 9});
  x.index_put_({bools({1, 0, 0, 0, 0, 1}, {2, 3})}, -1);
  CHECK(values::of(x) == V{-1, 6, 2, 8, 4, -1});
  x.t().index_put_({values::ints({2, 0})}, values::make({10, 20, 30, 40}, {2, 2}));
  CHECK(values::of(x) == V{30, 6, 10, 40, 4, 20});
  index_put_(x, {values::ints({1, 1, 1})}, values::make({1, 0, 2}), true);
  CHECK(values::of(x) == V{30, 6, 10, 43, 4, 26});
  x.index_put_({Slice(), values::ints({2})}, values::make({1, 2}, {1, 2, 1}));
  CHECK(values::of(x) == V{30, 6, 1, 43, 4, 2});
  x.index_put_({values::ints({0})}, x.index({Slice(1)}));
  CHECK(values::of(x) == V{43, 4, 2, 43, 4, 2});

  const V before = values::of(x);
  const uint32_t version = x._version();
  CHECK_THROWS_AS(x.index_put_({values::ints({0, 2})}, 1), IndexError);
  CHECK_THROWS_AS(x.index_put_({values::ints({0})}, values::make({1, 2})), ShapeError);
  CHECK_THROWS_AS(x.index_put_({values::ints({0})}, values::make({1}, kFloat64)), DTypeError);
  CHECK_THROWS_AS(x.index_put_({0}, values::make({1, 2})), ShapeError);
  CHECK(values::of(x) == before);
  CHECK(x._version() == version);
}

TEST_CASE("gradients of picked elements add up where an element was picked twice") {
  const Tensor w = counting({3, 2}, kFloat64).set_requires_grad(true);
  const Tensor g = values::make({1, 2, 3, 4, 5, 6}, {3, 2}, kFloat64);
  embedding(w, values::ints({2, 0, 2})).backward(g);
  CHECK(values::of(w.grad()) == V{3, 4, 0, 0, 6, 8});
  embedding(w, values::ints({2, 0, 1}), 2).backward(g);  // into what is there, but for the padding row
  CHECK(values::of(w.grad()) == V{6, 8, 5, 6, 6, 8});
  w.mutable_grad().reset();
  index_select(w, 1, values::ints({1, 1, 0}))
      .backward(values::make({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3}, kFloat64));
  CHECK(values::of(w.grad()) == V{3, 3, 6, 9, 9, 15});
  w.mutable_grad().reset();
  w.index({values::ints({-1, 0, -1})}).backward(g);
  CHECK(values::of(w.grad()) == V{3, 4, 0, 0, 6, 8});
  w.mutable_grad().reset();
  gather(w, 0, values::ints({1, 1, 1, 0}, {2, 2})).backward(values::make({1, 2, 3, 4}, {2, 2}, kFloat64));
  CHECK(values::of(w.grad()) == V{0, 4, 4, 2, 0, 0});
}

TEST_CASE("index_put_ passes gradients to what was put, and none to what was overwritten") {
  const Tensor a = counting({2, 2}, kFloat64).set_requires_grad(true),
               v = values::make({5, 6}, kFloat64).set_requires_grad(true);
  Tensor x = a.clone();
  x.index_put_({values::ints({1})}, v);
  mul(x, counting({2, 2}, kFloat64)).sum().backward();
  CHECK(values::of(a.grad()) == V{0, 1, 0, 0});
  CHECK(values::of(v.grad()) == V{2, 3});
  Tensor leaf = counting({2}, kFloat64).set_requires_grad(true);
  CHECK_THROWS_AS(leaf.index_put_({values::ints({0})}, 1.0), AutogradError);
  CHECK_THROWS_AS(leaf.index_put_({0}, 1.0), AutogradError);
}

TEST_CASE("bad indices are refused before anything is read or changed") {
  const Tensor x = counting({3, 4});
  for (int64_t bad : {int64_t{-1}, int64_t{3}, INT64_MAX, INT64_MIN}) {
    CHECK_THROWS_AS(index_select(x, 0, values::ints({0, bad})), IndexError);
    CHECK_THROWS_AS(embedding(x, values::ints({bad})), IndexError);
    CHECK_THROWS_AS(gather(x, 0, values::ints({bad}, {1, 1})), IndexError);
    CHECK_THROWS_AS(scatter_add(x, 0, values::ints({bad}, {1, 1}), x), IndexError);
  }
  CHECK_THROWS_WITH(index_select(x, 0, values::ints({7})), ContainsSubstring("index_select") &&
                                                               ContainsSubstring("7") &&
                                                               ContainsSubstring("size 3"));
  CHECK_THROWS_AS(index_select(x, 0, values::make({0})), DTypeError);
  CHECK_THROWS_AS(index_select(x, 0, values::ints({0}, {1, 1})), ShapeError);
  CHECK_THROWS_AS(index_select(x, 2, values::ints({0})), IndexError);
  CHECK_THROWS_AS(gather(x, 0, values::ints({0})), ShapeError);
  CHECK_THROWS_AS(gather(x, 0, values::ints({0, 0, 0, 0, 0}, {1, 5})), ShapeError);
  CHECK_THROWS_AS(embedding(counting({3}), values::ints({0})), ShapeError);
  CHECK_THROWS_AS(embedding(x, values::ints({0}), 3), IndexError);
  CHECK_THROWS_AS(scatter_add(x, 0, values::ints({0, 0}, {2, 1}), counting({1, 1})), ShapeError);
}
