// Out forms that no row of the ops' tables has.
#include <functional>
#include <tuple>
#include <vector>

#include "support/tensors.h"

using namespace tapir;

namespace {

using Tensors = std::vector<Tensor>;

struct Form {
  const char* name;
  std::function<Tensors()> plain;
  std::function<void(Tensors&)> out;
};

Tensors all_of(const Tensor& x) { return {x}; }
template <class... T>
Tensors all_of(const std::tuple<T...>& x) {
  return std::apply([](const auto&... t) { return Tensors{t...}; }, x);
}

// Both draw the same numbers.
#define FORM_INTO(outs, op, ...)                                                    \
  Form {                                                                            \
#op "(" #__VA_ARGS__ ")", [] { manual_seed(1); return all_of(op(__VA_ARGS__)); }, \
        [](Tensors& o) { manual_seed(1); op##_out(FORM_OUTS_##outs, __VA_ARGS__); } \
  }
#define FORM_OUTS_1 o.at(0)
#define FORM_OUTS_2 o.at(0), o.at(1)
#define FORM_OUTS_3 o.at(0), o.at(1), o.at(2)
#define FORM_OUTS_4 o.at(0), o.at(1), o.at(2), o.at(3)
#define FORM(...) FORM_INTO(1, __VA_ARGS__)
#define FORM_2(...) FORM_INTO(2, __VA_ARGS__)
#define FORM_3(...) FORM_INTO(3, __VA_ARGS__)
#define FORM_4(...) FORM_INTO(4, __VA_ARGS__)

const Tensor x = f64({0.25, 0.5, -0.75}), y = f64({0.75, -0.5, 0.125}), positive = f64({1.5, 2, 3.25});
const Tensor share = f64({0.25, 0.5, 0.75}), integers = tensor({1, 5, 3});
const Tensor matrix = f64({{1, -2, 0.5}, {3, 0.25, 4}}), general = f64({{2, 1}, {0.5, -3}});
const Tensor symmetric = f64({{4, 1}, {1, 3}}), factor = f64({{2, 0}, {0.5, 1.5}}), rhs = f64({{1}, {2}});
const Tensor three = f64({{1, 2, 3}});
const Tensor reflections = std::get<0>(geqrf(symmetric)), tau = std::get<1>(geqrf(symmetric));
const Tensor lu = std::get<0>(linalg::lu_factor(general)), pivots = std::get<1>(linalg::lu_factor(general));
const Tensor maps = eye(4, kFloat64).reshape({2, 2, 2, 2}) * 2;

const Form kPointwise[] = {
    FORM(angle, x),
    FORM(clip, x, -0.5, 0.25),
    FORM(clip, x, y, positive),
    FORM_2(frexp, x),
    FORM(clamp_min, x, 0),
    FORM(clamp_min, x, y),
    FORM(clamp_max, x, 0),
    FORM(clamp_max, x, y),
    FORM(gelu, x),
    FORM(gelu, x, "tanh"),
    FORM(silu, x),
    FORM(float_power, positive, 2),
    FORM(float_power, 2, x),
    FORM(xlogy, 2, positive),
    FORM(remainder, 2, x),
    FORM(bitwise_and, 6, integers),
    FORM(bitwise_or, 6, integers),
    FORM(bitwise_xor, 6, integers),
    FORM(bitwise_left_shift, 6, integers),
    FORM(bitwise_right_shift, 64, integers),
    FORM(special::gammaln, positive),
    FORM(special::digamma, positive),
    FORM(special::psi, positive),
    FORM(special::expit, x),
    FORM(special::log1p, x),
    FORM(special::expm1, x),
    FORM(special::exp2, x),
    FORM(special::erf, x),
    FORM(special::erfc, x),
    FORM(special::erfinv, x),
    FORM(special::sinc, x),
    FORM(special::i0, x),
    FORM(special::ndtr, x),
    FORM(special::xlogy, x, positive),
    FORM(special::xlogy, x, 2),
    FORM(special::xlogy, 2, positive),
    FORM(special::xlog1py, x, positive),
    FORM(special::xlog1py, x, 2),
    FORM(special::xlog1py, 2, positive),
    FORM(special::zeta, positive, positive),
    FORM(special::zeta, positive, 2),
    FORM(special::zeta, 2, positive),
    FORM(special::gammainc, positive, share),
    FORM(special::gammaincc, positive, share),
    FORM(special::round, x),
    FORM(special::round, x, 1),
    FORM(special::logit, share),
    FORM(special::logit, share, 0.3),
    FORM(special::multigammaln, positive, 2),
    FORM(special::logsumexp, matrix, {1}),
    FORM(special::polygamma, 1, positive),
};

const Form kOthers[] = {
    FORM(all, integers),
    FORM(any, x),
    FORM(max, x, y),
    FORM(min, x, y),
    FORM(median, matrix),
    FORM(nanmedian, matrix),
    FORM_2(nanmedian, matrix, 1),
    FORM(nanmean, matrix),
    FORM(nanmean, matrix, {1}, true),
    FORM(norm, matrix),
    FORM(norm, matrix, 3),
    FORM(var, matrix, {1}, false),
    FORM(var, matrix, IntArrayRef({1}), std::optional<int64_t>(0)),
    FORM(tapir::std, matrix, {1}, true),
    FORM(tapir::std, matrix, IntArrayRef({1}), std::optional<int64_t>(0), true),
    FORM(histc, matrix, 4),
    FORM(msort, matrix),
    FORM(renorm, matrix, 2, 0, 1),
    FORM_2(aminmax, matrix, 1, true),
    FORM(ger, x, y),
    FORM(cholesky, symmetric, true),
    FORM(cholesky_inverse, factor),
    FORM(cholesky_solve, rhs, factor),
    FORM(matrix_power, general, -2),
    FORM(ormqr, reflections, tau, rhs),
    FORM_2(slogdet, general),
    FORM_2(qr, matrix),
    FORM_2(geqrf, matrix),
    FORM_2(triangular_solve, rhs, symmetric),
    FORM_3(svd, matrix),
    FORM(index_reduce, x, 0, tensor({0, 2, 0}), y, "prod"),
    FORM(searchsorted, positive, x),
    FORM(searchsorted, positive, 2),
    FORM(multinomial, positive, 2),
    FORM(bernoulli, share),
    FORM(bernoulli, x, 0.5),
    FORM(normal, x, positive),
    FORM(normal, x, 2),
    FORM(normal, 2, positive),
    FORM(normal, 0, 1, {4}),
    FORM(concat, {x, y}),
    FORM(hstack, {x, y}),
    FORM(vstack, {x, y}),
    FORM(row_stack, {x, y}),
    FORM(dstack, {x, y}),
    FORM(column_stack, {x, y}),
    FORM(logspace, 0, 2, 3, 2),
    FORM(range, 0, 2, 0.5),
};

const Form kLinalg[] = {
    FORM(linalg::inv, general),
    FORM(linalg::solve, general, rhs),
    FORM(linalg::solve_triangular, factor, rhs, false),
    FORM(linalg::cholesky, symmetric),
    FORM(linalg::svdvals, matrix),
    FORM(linalg::eigvalsh, symmetric),
    FORM(linalg::det, general),
    FORM(linalg::matrix_power, general, 3),
    FORM(linalg::matrix_exp, general),
    FORM(linalg::pinv, matrix),
    FORM(linalg::pinv, matrix, 0.5),
    FORM(linalg::pinv, matrix, std::optional<double>(2), std::nullopt),
    FORM(linalg::matrix_rank, matrix),
    FORM(linalg::matrix_rank, matrix, 3.0),
    FORM(linalg::matrix_rank, matrix, std::optional<double>(3), std::nullopt),
    FORM(linalg::cond, general),
    FORM(linalg::cond, general, "fro"),
    FORM(linalg::vector_norm, matrix, 3, {1}),
    FORM(linalg::matrix_norm, matrix),
    FORM(linalg::matrix_norm, matrix, 1),
    FORM(linalg::matrix_norm, matrix, "nuc"),
    FORM(linalg::norm, matrix),
    FORM(linalg::norm, matrix, 1, {1}),
    FORM(linalg::norm, matrix, "fro"),
    FORM(linalg::cross, three, three + 1),
    FORM(linalg::vecdot, x, y),
    FORM(linalg::matmul, matrix, x),
    FORM(linalg::multi_dot, {general, matrix, x}),
    FORM(linalg::householder_product, reflections, tau),
    FORM(linalg::lu_solve, lu, pivots, rhs),
    FORM(linalg::tensorinv, maps),
    FORM(linalg::tensorsolve, maps, general),
    FORM(linalg::tensorsolve, maps, general, IntArrayRef({0, 1})),
    FORM_2(linalg::slogdet, general),
    FORM_2(linalg::qr, matrix, "complete"),
    FORM_2(linalg::eigh, symmetric),
    FORM_2(linalg::lu_factor, general),
    FORM_2(linalg::inv_ex, general),
    FORM_2(linalg::solve_ex, general, rhs),
    FORM_2(linalg::cholesky_ex, symmetric),
    FORM_3(linalg::svd, matrix),
    FORM_3(linalg::lu, general),
    FORM_3(linalg::lu_factor_ex, general),
    FORM_4(linalg::lstsq, matrix, rhs),
};

template <class F>
void for_each_form(F f) {
  for (const Form& form : kPointwise) f(form);
  for (const Form& form : kOthers) f(form);
  for (const Form& form : kLinalg) f(form);
}

void check_same(const Tensors& got, const Tensors& expected) {
  for (size_t i = 0; i < expected.size(); ++i) CHECK_SAME(got.at(i), expected.at(i));
}

}  // namespace

TEST_CASE("an out form gives a tensor without elements the sizes and the values of the op") {
  for_each_form([](const Form& form) {
    INFO(form.name);
    const Tensors expected = form.plain();
    Tensors out;
    for (const Tensor& t : expected) out.push_back(empty({0}, t.options()));
    form.out(out);
    check_same(out, expected);
    Tensors undefined(expected.size());
    form.out(undefined);
    CHECK(undefined.at(0).sizes() == expected.at(0).sizes());
  });
}

TEST_CASE("an out form writes into a tensor of the right sizes") {
  for_each_form([](const Form& form) {
    INFO(form.name);
    const Tensors expected = form.plain();
    Tensors out;
    for (const Tensor& t : expected) out.push_back(full_like(t, 1));
    const Tensors before = out;
    form.out(out);
    check_same(before, expected);
  });
}

TEST_CASE("an out form refuses a tensor of other sizes and leaves all its outputs as they were") {
  for_each_form([](const Form& form) {
    INFO(form.name);
    Tensors out;
    for (const Tensor& t : form.plain()) out.push_back(full_like(t, 1));
    out.back() = full({7, 3, 2}, 1, out.back().options());
    Tensors before;
    for (const Tensor& t : out) before.push_back(t.clone());
    CHECK_THROWS_AS(form.out(out), ShapeError);
    check_same(out, before);
  });
}

TEST_CASE("an out form refuses any input that is recorded") {
  const Tensor w = symmetric.clone().set_requires_grad(true), v = x.clone().set_requires_grad(true);
  Tensor a, b, c, d;
  CHECK_THROWS_AS(special::erf_out(a, v), AutogradError);
  CHECK_THROWS_AS(special::xlogy_out(a, 2, v), AutogradError);
  CHECK_THROWS_AS(clip_out(a, x, v), AutogradError);
  CHECK_THROWS_AS(clamp_max_out(a, x, v), AutogradError);
  CHECK_THROWS_AS(remainder_out(a, 2, v), AutogradError);
  CHECK_THROWS_AS(frexp_out(a, b, v), AutogradError);
  CHECK_THROWS_AS(max_out(a, x, v), AutogradError);
  CHECK_THROWS_AS(hstack_out(a, {x, v}), AutogradError);
  CHECK_THROWS_AS(linear_out(a, three, eye(3, kFloat64), v), AutogradError);
  CHECK_THROWS_AS(triangular_solve_out(a, b, rhs, w), AutogradError);
  CHECK_THROWS_AS(linalg::solve_out(a, general, w), AutogradError);
  CHECK_THROWS_AS(linalg::svd_out(a, b, c, w), AutogradError);
  CHECK_THROWS_AS(linalg::lstsq_out(a, b, c, d, general, w), AutogradError);
  CHECK_THROWS_AS(linalg::multi_dot_out(a, {general, w}), AutogradError);
  CHECK(!a.defined());
}

TEST_CASE("an out form refuses a dtype that cannot hold the result and leaves all its outputs as they were") {
  Tensor whole = zeros({3}, kInt64), mantissa = zeros({3}, kFloat64), flags = zeros({3}, kBool);
  CHECK_THROWS_AS(gelu_out(whole, x), DTypeError);
  CHECK_THROWS_AS(special::expit_out(whole, x), DTypeError);
  CHECK_THROWS_AS(frexp_out(mantissa, flags, x), DTypeError);
  CHECK_SAME(whole, zeros({3}, kInt64));
  CHECK_SAME(mantissa, zeros({3}, kFloat64));
}

TEST_CASE("several outputs stay as they were where one cannot be written") {
  Tensor values = zeros({3}, kFloat64), exponents = zeros({1}, kInt32).expand({3});
  CHECK_THROWS_AS(frexp_out(values, exponents, x), ShapeError);
  CHECK_SAME(values, zeros({3}, kFloat64));
}
