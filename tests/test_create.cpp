// Factories and comparisons.
#include <algorithm>

#include "support/tensors.h"
#include "support/values.h"

using namespace tapir;

TEST_CASE("tensor() takes numbers, braces and vectors") {
  CHECK(tensor(3).dim() == 0);
  CHECK(tensor(3).dtype() == kInt64);
  CHECK(tensor(3.5).dtype() == kFloat32);
  CHECK(tensor(3.5f).dtype() == kFloat32);
  CHECK(tensor(true).dtype() == kBool);
  CHECK(tensor(uint8_t{7}).dtype() == kUInt8);
  CHECK(tensor({1, 2, 3}).sizes() == IntArrayRef({3}));
  CHECK(tensor({1}).sizes() == IntArrayRef({1}));
  CHECK(tensor({{1, 2}, {3, 4}, {5, 6}}).sizes() == IntArrayRef({3, 2}));
  CHECK(tensor({{1, 2}}).sizes() == IntArrayRef({1, 2}));
  CHECK(tensor({{{1.0}, {2.0}}}).sizes() == IntArrayRef({1, 2, 1}));
  CHECK(tensor({{{{{1}}}}}).sizes() == IntArrayRef({1, 1, 1, 1, 1}));
  CHECK(tensor({}).sizes() == IntArrayRef({0}));
  CHECK(tensor({}).dtype() == kFloat32);
  const Tensor x = tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}});
  CHECK_SAME(x.flatten(), arange(1, 9));
  CHECK(tensor({1, 2}, kFloat64).dtype() == kFloat64);
  CHECK(tensor({true, false}).dtype() == kBool);
  CHECK_SAME(tensor({1, 2.5}), tensor({1.f, 2.5f}));
  CHECK_SAME(tensor(std::vector<double>{1, 2}), tensor({1.f, 2.f}));
  CHECK_SAME(tensor(std::vector<double>{1.1}, kFloat64), f64({1.1}));
  CHECK_SAME(tensor(std::vector<int>{1, 2}), tensor({1, 2}));
  CHECK_SAME(tensor(std::vector<int16_t>{1, 2}), tensor({1, 2}, kInt16));
  CHECK_SAME(tensor(std::vector<bool>{true, false}), tensor({true, false}));
  CHECK_SAME(tensor({std::vector<double>{1, 2}, std::vector<double>{3, 4}}), tensor({{1., 2.}, {3., 4.}}));
  CHECK(tensor({1.5}, requires_grad()).requires_grad());
  CHECK(contains(message_of<ShapeError>([] { tensor({{1, 2}, {3}}); }), "[1]"));
  CHECK_THROWS_AS(tensor({1}, requires_grad()), DTypeError);
  CHECK(tensor(int64_t{1} << 62).item<int64_t>() == int64_t{1} << 62);
}

TEST_CASE("float literals follow the default dtype") {
  set_default_dtype(kFloat64);
  CHECK(tensor({1.5}).dtype() == kFloat64);
  CHECK(zeros({1}).dtype() == kFloat64);
  set_default_dtype(kFloat32);
  CHECK(tensor({1.5}).dtype() == kFloat32);
}

TEST_CASE("filled tensors") {
  CHECK_SAME(zeros({2, 1}), tensor({{0.f}, {0.f}}));
  CHECK_SAME(ones({2}, kInt32), tensor({1, 1}, kInt32));
  CHECK_SAME(full({2}, 7), tensor({7, 7}));
  CHECK_SAME(full({2}, 7.5), tensor({7.5f, 7.5f}));
  CHECK_SAME(full({1}, true), tensor({true}));
  CHECK(full({2}, 1, TensorOptions(kFloat16).requires_grad(true)).requires_grad());
  CHECK(empty({2, 0, 3}).numel() == 0);
  CHECK(zeros({}).dim() == 0);
  CHECK_THROWS_AS(zeros({2, -1}), ShapeError);
  CHECK_SAME(eye(2, 3), tensor({{1.f, 0.f, 0.f}, {0.f, 1.f, 0.f}}));
  CHECK_SAME(eye(2, kInt64), tensor({{1, 0}, {0, 1}}));
}

TEST_CASE("tensors like another keep dense strides") {
  const Tensor x = arange(6, kFloat32).view({2, 3}).t();
  CHECK(zeros_like(x).stride(0) == 1);
  CHECK_SAME(zeros_like(x), zeros({3, 2}));
  CHECK_SAME(ones_like(x, kInt64), ones({3, 2}, kInt64));
  CHECK_SAME(full_like(x, 2.5), full({3, 2}, 2.5));
  CHECK_SAME(zeros_like(x.slice(0, 0, 3, 2)), zeros({2, 2}));
  CHECK(empty_like(x, requires_grad()).requires_grad());
  CHECK_FALSE(zeros_like(ones({1}, requires_grad())).requires_grad());
}

TEST_CASE("ranges") {
  CHECK_SAME(arange(4), tensor({0, 1, 2, 3}));
  CHECK_SAME(arange(1, 4), tensor({1, 2, 3}));
  CHECK_SAME(arange(5, 0, -2), tensor({5, 3, 1}));
  CHECK_SAME(arange(0, 1, 0.25), tensor({0.f, 0.25f, 0.5f, 0.75f}));
  CHECK_SAME(arange(3, kFloat64), f64({0, 1, 2}));
  CHECK(arange(2, 2).numel() == 0);
  CHECK_THROWS_AS(arange(0, 1, 0), ValueError);
  CHECK_THROWS_AS(arange(0, 1, -1), ValueError);
  CHECK_SAME(linspace(0, 1, 5), tensor({0.f, 0.25f, 0.5f, 0.75f, 1.f}));
  CHECK_SAME(linspace(3, 3, 1), tensor({3.f}));
  CHECK_THROWS_AS(linspace(0, 1, -1), ValueError);
}

TEST_CASE("a range of integers begins and steps by whole numbers, as many as its bounds ask for") {
  CHECK(values::of(arange(0, 10, 2.5, kInt32)) == std::vector<double>{0, 2, 4, 6});
  CHECK(values::of(arange(0.5, 3, kInt64)) == std::vector<double>{0, 1, 2});
}

TEST_CASE("scalar_tensor is of the default dtype whatever the number is") {
  CHECK(scalar_tensor(3).dtype() == kFloat32);
  CHECK(scalar_tensor(3, kInt32).dtype() == kInt32);
}

TEST_CASE("memory of the caller's") {
  double data[6] = {1, 2, 3, 4, 5, 6};
  Tensor t = from_blob(data, {2, 3}, kFloat64);
  CHECK_SAME(t, f64({{1, 2, 3}, {4, 5, 6}}));
  t.mul_(2);
  CHECK(data[5] == 12);
  CHECK_SAME(from_blob(data, {3, 2}, {1, 3}, kFloat64), f64({{2, 8}, {4, 10}, {6, 12}}));
  int freed = 0;
  {
    Tensor view;
    {
      Tensor owner = from_blob(
          data, {6},
          [&](void* p) {
            CHECK(p == data);
            ++freed;
          },
          TensorOptions(kFloat64).requires_grad(true));
      CHECK(owner.requires_grad());
      view = owner.detach().slice(0, 2);
    }
    CHECK(freed == 0);
  }
  CHECK(freed == 1);
  CHECK_THROWS_AS(from_blob(nullptr, {1}), ValueError);
  CHECK_THROWS_AS(from_blob(data, {2}, {-1}, kFloat64), ValueError);
}

TEST_CASE("random tensors: PyTorch's numbers for the same seed") {
  // torch.manual_seed(0); torch.rand(3), torch.randint(10, (4,)), torch.randperm(5)
  manual_seed(0);
  CHECK_CLOSE(rand({3}), tensor({0.49625658988952637, 0.7682217955589294, 0.08847743272781372}), 1e-7);
  manual_seed(0);
  CHECK_SAME(randint(10, {4}), tensor({4, 9, 3, 0}));
  CHECK(randint(3, 5, {100}, kInt32).dtype() == kInt32);
  manual_seed(1);
  const Tensor p = randperm(100);
  CHECK(p.dtype() == kInt64);
  std::vector<bool> seen(100);
  for (int64_t i = 0; i < 100; ++i) seen[static_cast<size_t>(p[i].item<int64_t>())] = true;
  CHECK(std::count(seen.begin(), seen.end(), true) == 100);
  CHECK(randn({2, 2}, requires_grad()).requires_grad());
  Generator g(kCPU);
  g.manual_seed(5);
  const Tensor first = rand({4}, g);
  g.manual_seed(5);
  CHECK_SAME(rand({4}, g), first);
  CHECK(normal(3, 0, {2}).equal(full({2}, 3.0)));
  CHECK(rand_like(ones({2, 3}, kFloat64)).dtype() == kFloat64);
  CHECK(randint_like(ones({2, 3}), 4).dtype() == kFloat32);
  const Tensor probability = tensor({0.0, 1.0, 0.0}, requires_grad());
  const Tensor draw = bernoulli(probability);
  CHECK_SAME(draw.detach(), tensor({0.f, 1.f, 0.f}));
  draw.backward(ones({3}));
  CHECK_SAME(probability.grad(), zeros({3}));
  CHECK_THROWS_AS(bernoulli(tensor({1.5})), ValueError);
  CHECK_THROWS_AS(randint(3, 3, {1}), ValueError);
  CHECK_THROWS_AS(normal(0, -1, {2}), ValueError);
}

TEST_CASE("comparison of tensors") {
  CHECK(equal(tensor({1, 2}), tensor({1, 2})));
  CHECK_FALSE(equal(tensor({1, 2}), tensor({1, 3})));
  CHECK_FALSE(equal(ones({2}), ones({1, 2})));
  CHECK_FALSE(equal(tensor({NAN}), tensor({NAN})));
  CHECK(equal(zeros({0}), zeros({0})));
  CHECK_THROWS_AS(equal(ones({1}), ones({1}, kInt64)), DTypeError);
  CHECK(allclose(tensor({1.0, 2.0}), tensor({1.000001, 2.0})));
  CHECK_FALSE(allclose(tensor({1.0, 2.0}), tensor({1.1, 2.0})));
  CHECK(allclose(tensor({INFINITY}), tensor({INFINITY})));
  CHECK_FALSE(allclose(tensor({INFINITY}), tensor({-INFINITY})));
  CHECK_FALSE(allclose(tensor({INFINITY}), tensor({1.0}), INFINITY));
  CHECK_FALSE(allclose(tensor({NAN}), tensor({NAN})));
  CHECK(allclose(tensor({NAN}), tensor({NAN}), 1e-5, 1e-8, true));
  CHECK(allclose(tensor({1.0, 1.0}), tensor(1.0)));
  CHECK(allclose(tensor({100, 50}), tensor({101, 50}), 0.01));
  CHECK(allclose(tensor({0, 255}, kUInt8), tensor({1, 254}, kUInt8), 0, 1));
  CHECK_THROWS_AS(allclose(ones({1}), ones({1}), -1), ValueError);
  CHECK_SAME(isclose(tensor({1.0, 2.0}), tensor({1.0, 2.1})), tensor({true, false}));
}
