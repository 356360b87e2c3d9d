// Derivatives of functions as a whole: jacobian, hessian, vjp, jvp, vhp, hvp.
#include "support/tensors.h"

using namespace tapir;
using autograd::variable_list;
namespace F = tapir::autograd::functional;

TEST_CASE("the Jacobian of one tensor by another has the sizes of both") {
  const Tensor x = random_f64({2, 3});
  const auto f = [](const Tensor& t) { return t.exp().sum(1); };
  const Tensor j = F::jacobian(f, x);
  CHECK(j.sizes() == IntArrayRef({2, 2, 3}));
  CHECK_FALSE(j.requires_grad());
  Tensor expected = zeros({2, 2, 3}, kFloat64);
  for (int64_t i = 0; i < 2; ++i) expected[i][i].copy_(x[i].exp());
  CHECK_CLOSE(j, expected, 1e-15);
  CHECK_FALSE(x.requires_grad());
  CHECK(F::jacobian([](const Tensor& t) { return t.sum(); }, x).sizes() == x.sizes());
  CHECK(F::jacobian([](const Tensor& t) { return t.slice(0, 0, 0); }, x).sizes() ==
        IntArrayRef({0, 3, 2, 3}));
}

TEST_CASE("the Jacobian of lists is a table: outputs down, inputs across") {
  const Tensor x = random_f64({3}), y = random_f64({2});
  const auto f = [](const variable_list& v) -> variable_list { return {outer(v[0], v[1]), v[1] * 3}; };
  const auto j = F::jacobian(f, {x, y});
  REQUIRE(j.size() == 2);
  CHECK(j[0][0].sizes() == IntArrayRef({3, 2, 3}));
  CHECK(j[0][1].sizes() == IntArrayRef({3, 2, 2}));
  CHECK_CLOSE(j[0][0], einsum("ik,j->ijk", {eye(3, kFloat64), y}), 1e-15);
  CHECK_CLOSE(j[0][1], einsum("i,jk->ijk", {x, eye(2, kFloat64)}), 1e-15);
  CHECK_SAME(j[1][0], zeros({2, 3}, kFloat64));
  CHECK_SAME(j[1][1], eye(2, kFloat64) * 3);
}

TEST_CASE("the Hessian, of one input and of several") {
  const Tensor x = random_f64({4}), a = random_f64({4, 4});
  const auto f = [&](const Tensor& t) { return (t * a.mv(t)).sum() + t.pow(3).sum(); };
  CHECK_CLOSE(F::hessian(f, x), a + a.t() + diag(x * 6), 1e-14);
  const Tensor y = random_f64({2});
  const auto g = [](const variable_list& v) { return v[0].sum() * v[1].square().sum(); };
  const auto h = F::hessian(g, {x, y});
  CHECK_SAME(h[0][0], zeros({4, 4}, kFloat64));
  CHECK_CLOSE(h[0][1], (y * 2).expand({4, 2}), 1e-15);
  CHECK_CLOSE(h[1][0], (y * 2).unsqueeze(1).expand({2, 4}), 1e-15);
  CHECK_CLOSE(h[1][1], eye(2, kFloat64) * (x.sum() * 2), 1e-14);
  CHECK_THROWS_AS(F::hessian([](const Tensor& t) { return t * 2; }, x), ShapeError);
}

TEST_CASE("products with the Jacobian from both sides") {
  const Tensor x = random_f64({3}), v = random_f64({3}), u = random_f64({2, 3});
  const auto f = [](const Tensor& t) { return outer(t.slice(0, 0, 2).sin(), t.exp()); };
  const Tensor j = F::jacobian(f, x);
  const auto [y, left] = F::vjp(f, x, u);
  CHECK_SAME(y, f(x));
  CHECK_CLOSE(left, einsum("ij,ijk->k", {u, j}), 1e-14);
  const auto [z, right] = F::jvp(f, x, v);
  CHECK_SAME(z, f(x));
  CHECK_CLOSE(right, einsum("ijk,k->ij", {j, v}), 1e-14);
  CHECK_FALSE(left.requires_grad());
  CHECK_FALSE(right.requires_grad());
  CHECK(contains(message_of<ShapeError>([&] { F::vjp(f, x, v); }), "[2, 3]"));
  CHECK(contains(message_of<ShapeError>([&] { F::vjp(f, x); }), "left out"));
  CHECK_THROWS_AS(F::jvp(f, x, u), ShapeError);
  CHECK_CLOSE(F::vjp([](const Tensor& t) { return t.square().sum(); }, x).second, x * 2, 1e-15);
}

TEST_CASE("products with the Hessian") {
  const Tensor x = random_f64({2, 3}), v = random_f64({2, 3});
  const auto f = [](const Tensor& t) { return t.exp().mm(t.t().sin()).sum(); };
  const Tensor expected = (F::hessian(f, x).reshape({6, 6}).mv(v.flatten())).view({2, 3});
  const auto [y, left] = F::vhp(f, x, v);
  CHECK_SAME(y, f(x));
  CHECK_CLOSE(left, expected, 1e-13);
  CHECK_CLOSE(F::hvp(f, x, v).second, expected, 1e-13);
  const auto linear = [](const Tensor& t) { return t.sum(); };
  CHECK_SAME(F::hvp(linear, x, v).second, zeros({2, 3}, kFloat64));
}

TEST_CASE("an output that does not depend on an input gives zeros, or is refused with strict") {
  const Tensor x = random_f64({2}), y = random_f64({2});
  const auto f = [](const variable_list& v) { return v[0] * 2; };
  CHECK_SAME(F::jacobian(f, {x, y})[0][1], zeros({2, 2}, kFloat64));
  CHECK_SAME(F::vjp(f, {x, y}, {y}).second[1], zeros({2}, kFloat64));
  CHECK(contains(message_of<AutogradError>([&] { F::jacobian(f, {x, y}, false, true); }), "strict"));
  CHECK_THROWS_AS(F::vjp(f, {x, y}, {y}, false, true), AutogradError);
  const auto constant = [](const Tensor&) { return f64({1, 2}); };
  CHECK_SAME(F::jacobian(constant, x), zeros({2, 2}, kFloat64));
  CHECK_SAME(F::jvp(constant, x, y).second, zeros({2}, kFloat64));
  CHECK_THROWS_AS(F::jacobian(constant, x, false, true), AutogradError);
  CHECK_THROWS_AS(F::jvp(constant, x, y, false, true), AutogradError);
  CHECK_THROWS_AS(F::hessian([](const Tensor& t) { return t.sum(); }, x, false, true), AutogradError);
}

TEST_CASE("with create_graph, results are differentiated further, to the inputs' own history") {
  const Tensor x = random_f64({3}, 0.5, 1.5, true), v = random_f64({3}, -1, 1, true);
  const auto f = [](const Tensor& t) { return (t.pow(3) + t.prod()).sum(); };
  CHECK(autograd::gradcheck([&](const variable_list& in) { return F::jacobian(f, in[0] * 2, true); }, {x}));
  CHECK(autograd::gradcheck([&](const variable_list& in) { return F::hessian(f, in[0] * 2, true); }, {x}));
  CHECK(autograd::gradcheck([&](const variable_list& in) { return F::vhp(f, in[0], in[1], true).second; },
                            {x, v}));
  const auto g = [](const Tensor& t) { return t.exp() * t.sum(); };
  CHECK(autograd::gradcheck([&](const variable_list& in) { return F::jvp(g, in[0], in[1], true).second; },
                            {x, v}));
  CHECK(autograd::gradcheck([&](const variable_list& in) { return F::vjp(g, in[0], in[1], true).second; },
                            {x, v}));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("they work under NoGradGuard, and ask for floating-point inputs") {
  const Tensor x = random_f64({2});
  NoGradGuard no_grad;
  CHECK_CLOSE(F::jacobian([](const Tensor& t) { return t.square(); }, x), diag(x * 2), 1e-15);
  CHECK_FALSE(GradMode::is_enabled());
  CHECK_THROWS_AS(F::jacobian([](const Tensor& t) { return t * 2; }, tensor({1, 2})), DTypeError);
}
