// The special functions against values to 20 digits.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "support/tensors.h"

using namespace tapir;

namespace {

struct Value {
  const char* function;
  double x;
  long double y;
};
const Value kValues[] = {
#include "oracle/special.inc"
};

using Function = Tensor (*)(const Tensor&);
struct Row {
  Function f;
  double tolerance;  ///< relative
};
const std::map<std::string, Row>& functions() {
  static const std::map<std::string, Row> table = {
      {"erfc", {&erfc, 1e-15}},
      {"erfinv", {&erfinv, 1e-15}},
      {"erfcx", {&special::erfcx, 1e-15}},
      {"ndtr", {&special::ndtr, 2e-14}},  // rounding the argument costs x^2 ulp
      {"log_ndtr", {&special::log_ndtr, 2e-14}},
      {"ndtri", {&special::ndtri, 2e-15}},
      {"lgamma", {&lgamma, 1e-14}},  // both: zeros at negative x
      {"digamma", {&digamma, 5e-14}},
      {"trigamma", {[](const Tensor& x) { return polygamma(1, x); }, 3e-15}},
      {"polygamma2", {[](const Tensor& x) { return polygamma(2, x); }, 3e-15}},
      {"i0", {&i0, 3e-15}},
      {"i0e", {&special::i0e, 3e-15}},
      {"i1", {&special::i1, 3e-15}},
      {"i1e", {&special::i1e, 3e-15}},
      {"zeta3", {[](const Tensor& x) { return special::zeta(3.0, x); }, 2e-15}},
      {"zeta1_5", {[](const Tensor& x) { return special::zeta(1.5, x); }, 2e-15}},
  };
  return table;
}

}  // namespace

TEST_CASE(
    "special functions are exact to the stated relative error in float64, and rounded once in float32") {
  std::map<std::string, double> worst;
  for (const Value& v : kValues) {
    const Row& row = functions().at(v.function);
    const double got = row.f(tensor(v.x, kFloat64)).item<double>();
    const double error = static_cast<double>(std::abs((got - v.y) / v.y));
    worst[v.function] = std::max(worst[v.function], error);
    INFO(v.function << "(" << v.x << ") = " << got << ", exactly " << static_cast<double>(v.y) << ", error "
                    << error);
    CHECK(error <= row.tolerance);
    if (std::string(v.function) == "erfc") continue;  // the C library's own
    const float narrow = static_cast<float>(v.x);
    const Tensor x = tensor(narrow, kFloat32);
    CHECK(row.f(x).item<float>() == static_cast<float>(row.f(x.to(kFloat64)).item<double>()));
  }
  if (std::getenv("TAPIR_SHOW_ULPS"))
    for (const auto& [name, error] : worst) std::fprintf(stderr, "%-12s %.2g\n", name.c_str(), error);
  CHECK(worst.size() == functions().size());
}

TEST_CASE("special functions at their poles and at infinity") {
  const double inf = INFINITY;
  const auto at = [](Function f, double x) { return f(tensor(x, kFloat64)).item<double>(); };
  CHECK(at(&lgamma, 0) == inf);
  CHECK(at(&lgamma, -3) == inf);
  CHECK(at(&digamma, 0.0) == -inf);
  CHECK(at(&digamma, -0.0) == inf);
  CHECK(std::isnan(at(&digamma, -2)));
  CHECK(polygamma(1, tensor(-2.0, kFloat64)).item<double>() == inf);
  CHECK(std::isfinite(polygamma(2, tensor(-1e15 - 0.5, kFloat64)).item<double>()));  // and soon
  CHECK(at(&erfinv, 1) == inf);
  CHECK(at(&erfinv, -1) == -inf);
  CHECK(std::isnan(at(&erfinv, 1.5)));
  CHECK(at(&special::ndtri, 0) == -inf);
  CHECK(at(&special::erfcx, -inf) == inf);
  CHECK(at(&special::erfcx, inf) == 0);
  CHECK(at(&i0, -inf) == inf);
  CHECK(at(&special::i1, -inf) == -inf);
  CHECK(at(&special::i1e, inf) == 0);
  CHECK(at(&special::entr, -1) == -inf);
  CHECK(at(&special::log_ndtr, -inf) == -inf);
  CHECK(special::zeta(3.0, tensor(inf, kFloat64)).item<double>() == 0);
  for (const auto& [name, row] : functions()) {
    INFO(name);
    CHECK(std::isnan(at(row.f, NAN)));
  }
}

TEST_CASE("derivatives at removable singularities are the limits, the second ones too") {
  const auto derivatives = [](Function f, double x) {
    const Tensor v = leaf({x});
    const Tensor first = autograd::grad({f(v).sum()}, {v}, {}, std::nullopt, true)[0];
    const Tensor second = autograd::grad({first.sum()}, {v})[0];
    return std::pair(first.item<double>(), second.item<double>());
  };
  CHECK(derivatives(&sinc, 0).first == 0);
  CHECK(derivatives(&sinc, 0).second == Approx(-M_PI * M_PI / 3).epsilon(1e-15));
  CHECK(derivatives(&special::i1, 0) == std::pair(0.5, 0.0));
  CHECK(derivatives(&special::i1e, 0).first == 0.5);
}

TEST_CASE(
    "ops that are refused say why, and a derivative that does not exist is refused when it is asked for") {
  const Tensor whole = tensor({5, 3}), x = leaf({1.5, 2.5});
  CHECK_THROWS_AS(whole % 0, ValueError);
  CHECK_THROWS_AS(floor_divide(whole, tensor({1, 0})), ValueError);
  CHECK_THROWS_AS(whole.clone().fmod_(0), ValueError);
  CHECK_THROWS_AS(div(whole, whole, "nearest"), ValueError);
  CHECK_THROWS_AS(x & x, DTypeError);
  CHECK_THROWS_AS(~x, DTypeError);
  CHECK_THROWS_AS(gcd(whole > 3, whole > 3), DTypeError);
  CHECK_THROWS_AS((whole > 3) << (whole > 3), DTypeError);
  CHECK_THROWS_AS(frac(whole), DTypeError);
  CHECK_THROWS_AS(round(whole, 1), DTypeError);
  CHECK_THROWS_AS(nextafter(x.to(kFloat16), x.to(kFloat16)), DTypeError);
  CHECK_THROWS_AS(heaviside(whole, x), DTypeError);
  CHECK_THROWS_AS(polygamma(-1, x), ValueError);
  CHECK_THROWS_AS(mvlgamma(x, 0), ValueError);
  CHECK_THROWS_AS(positive(whole > 3), DTypeError);
  CHECK_THROWS_AS(tensor({1.0f}).float_power_(2), DTypeError);
  CHECK_THROWS_AS(clamp(x, std::optional<Tensor>()), ValueError);
  CHECK_THROWS_AS(nextafter(x, x * 2).sum().backward(), AutogradError);
  CHECK_THROWS_AS(special::zeta(x, 2.0).sum().backward(), AutogradError);
}

TEST_CASE("operators, aliases and forms with a number on either side") {
  const Tensor x = f64({-7, 7, 5.5}), i = tensor({12, 10, 7}), b = tensor({true, false, true});
  CHECK_SAME(x % 3, f64({2, 1, 2.5}));
  CHECK_SAME(10 % i, tensor({10, 0, 3}));
  CHECK_SAME(x.fmod(3), f64({-1, 1, 2.5}));
  CHECK_SAME(i & 6, tensor({4, 2, 6}));
  CHECK_SAME(1 | i, tensor({13, 11, 7}));
  CHECK_SAME(i ^ i, tensor({0, 0, 0}));
  CHECK_SAME(~i, tensor({-13, -11, -8}));
  CHECK_SAME(~b, !b);
  CHECK_SAME(b ^ true, ~b);
  CHECK_SAME(i << 2, tensor({48, 40, 28}));
  CHECK_SAME(i >> tensor({1, 2, 70}), tensor({6, 2, 0}));
  CHECK_SAME(tensor({-8}) >> 64, tensor({-1}));
  CHECK_SAME(tensor({1}) << 64, tensor({0}));
  CHECK_SAME(3 < x, x > 3);
  CHECK_SAME(7 == x, x == 7);
  CHECK_SAME(5 >= x, x <= 5);
  Tensor y = i.clone();
  y &= 6;
  y |= 1;
  y ^= tensor({1, 1, 1});
  y <<= 3;
  y >>= 1;
  y %= 9;
  CHECK_SAME(y, tensor({7, 8, 6}));
  CHECK_SAME(x.absolute(), abs(x));
  CHECK_SAME(arctan2(x, x), atan2(x, x));
  CHECK_SAME(x.greater_equal(5.5), x >= 5.5);
  CHECK_SAME(x.true_divide(2), x / 2);
  CHECK_SAME(i.div(4, "floor"), tensor({3, 2, 1}));
  CHECK_SAME(x.div(2, "trunc"), f64({-3, 3, 2}));
  CHECK_SAME(i.subtract(2, 3), tensor({6, 4, 1}));
  CHECK_SAME(i.rsub(2, 3), tensor({-34, -28, -19}));
  CHECK_SAME(x.clip(-1, 6), f64({-1, 6, 5.5}));
  CHECK_SAME(x.clamp(nullopt, 6), f64({-7, 6, 5.5}));
  CHECK_SAME(x.clamp({}, 6), x.clamp(nullopt, f64({6, 6, 6})));
  CHECK_SAME(float_power(i, 2), f64({144, 100, 49}));
  CHECK_SAME(float_power(2, i), f64({4096, 1024, 128}));
  CHECK_SAME(xlogy(0, x), f64({0, 0, 0}));
  CHECK_SAME(special::gammaln(x), lgamma(x));
  CHECK_SAME(special::expit(x), sigmoid(x));
  CHECK_SAME(special::multigammaln(f64({3}), 1), lgamma(f64({3})));
  CHECK_SAME(x.isclose(x + 1e-9), tensor({true, true, true}));
  Tensor out = empty({3}, kFloat64);
  CHECK_SAME(add_out(out, x, x, 2), x * 3);
  CHECK_SAME(sub_out(out, x, x, 2), -x);
  CHECK_SAME(pow_out(out, x, 2), x * x);
  CHECK_SAME(pow_out(out, 2, x.abs()), pow(2, x.abs()));
  CHECK_SAME(clamp_out(out, x, 0, 6), x.clamp(0, 6));
  CHECK_SAME(lerp_out(out, x, -x, 0.5), zeros({3}, kFloat64));
  CHECK_SAME(addcmul_out(out, x, x, x), x + x * x);
  CHECK_SAME(round_out(out, f64({1.26, 1.24, -5.5}), 1), f64({1.3, 1.2, -5.5}));
  const std::vector<Tensor> parts = x.split({1, 2});
  CHECK_SAME(parts.at(1), f64({7, 5.5}));
}
