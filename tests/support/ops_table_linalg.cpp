// The rows of tests/oracle/make_linalg.py: products, and linear algebra.
#include "support/ops_table.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

#define ROW_CALL(...) \
  [](const OracleCase& c, const Inputs& x) -> Inputs { return (void)c, Inputs(__VA_ARGS__); }

OpRow row(const char* name, const char* table, OpRow::Call call, double float32, double float64) {
  OpRow r{name, table, std::move(call)};
  r.sums = true;
  r.float32_tolerance = float32;
  r.float64_tolerance = float64;
  return r;
}
OpRow product(const char* name, OpRow::Call call) {
  return row(name, "products", std::move(call), 2e-6, 4e-15);
}
// Matrices of condition 100 or less: as many roundings times that.
OpRow factor(const char* name, OpRow::Call call) { return row(name, "linalg", std::move(call), 2e-5, 4e-14); }
OpRow counted(const char* name, OpRow::Call call) {
  OpRow r = row(name, "linalg", std::move(call), 0, 0);
  r.differentiable = r.differentiable_twice = false;
  return r;
}

Tensor symmetric(const Tensor& x) { return (x + x.transpose(-2, -1)) / 2; }

template <class Tuple>
Inputs list(const Tuple& t) {
  return std::apply([](const auto&... x) { return Inputs{x...}; }, t);
}
/// The signs of the columns of Q, U and V are arbitrary.
template <class Tuple>
Inputs magnitudes(const Tuple& t) {
  return std::apply([](const auto&... x) { return Inputs{x.abs()...}; }, t);
}

std::optional<Scalar> order(const OracleCase& c) {
  return c.has("ord") ? std::optional<Scalar>(c.real("ord")) : std::nullopt;
}
std::optional<double> optional_real(const OracleCase& c, const char* key) {
  return c.has(key) ? std::optional<double>(c.real(key)) : std::nullopt;
}
std::vector<int64_t> dims(const OracleCase& c) {
  return c.has("dim") ? c.integers("dim") : std::vector<int64_t>();
}

OpRow::InPlace in_place(Tensor& (Tensor::*f)(const Tensor&, const Tensor&, const Scalar&, const Scalar&)
                            const) {
  return [f](const OracleCase& c, Tensor& x, const Inputs& rest) {
    (x.*f)(rest[0], rest[1], c.real("beta"), c.real("alpha"));
  };
}

}  // namespace

void add_linalg_rows(std::vector<OpRow>& rows) {
  rows.push_back(product("einsum", ROW_CALL({einsum(c.text("eq"), x)})));
  rows.push_back(product("tensordot", ROW_CALL({tensordot(x[0], x[1], c.integers("da"), c.integers("db"))})));
  rows.push_back(product("outer", ROW_CALL({outer(x[0], x[1])})));
  rows.push_back(product("inner", ROW_CALL({inner(x[0], x[1])})));
  rows.push_back(product("vdot", ROW_CALL({vdot(x[0], x[1])})));
  rows.push_back(product("addmv", ROW_CALL({addmv(x[0], x[1], x[2], c.real("beta"), c.real("alpha"))})));
  rows.back().in_place = in_place(&Tensor::addmv_);
  rows.push_back(product("addr", ROW_CALL({addr(x[0], x[1], x[2], c.real("beta"), c.real("alpha"))})));
  rows.back().in_place = in_place(&Tensor::addr_);
  rows.push_back(product("baddbmm", ROW_CALL({baddbmm(x[0], x[1], x[2], c.real("beta"), c.real("alpha"))})));
  rows.back().in_place = in_place(&Tensor::baddbmm_);
  rows.push_back(product("addbmm", ROW_CALL({addbmm(x[0], x[1], x[2], c.real("beta"), c.real("alpha"))})));
  rows.back().in_place = in_place(&Tensor::addbmm_);
  rows.push_back(product("kron", ROW_CALL({kron(x[0], x[1])})));
  rows.push_back(product(
      "cross",
      ROW_CALL({cross(x[0], x[1], c.has("dim") ? std::optional<int64_t>(c.integer("dim")) : std::nullopt)})));
  rows.push_back(product("linalg_cross", ROW_CALL({linalg::cross(x[0], x[1], c.integer("dim"))})));
  rows.push_back(product("trace", ROW_CALL({trace(x[0])})));
  // From a matrix product: the rounding of the squares shows where they are larger than the distance.
  rows.push_back(row("cdist", "products", ROW_CALL({cdist(x[0], x[1], c.real("p", 2), c.integer("mode"))}),
                     1e-5, 2e-14));
  rows.push_back(product("chain_matmul", ROW_CALL({chain_matmul(x)})));
  rows.push_back(product("multi_dot", ROW_CALL({linalg::multi_dot(x)})));

  rows.push_back(factor("inv", ROW_CALL({linalg::inv(x[0])})));
  rows.push_back(factor("det", ROW_CALL({linalg::det(x[0])})));
  rows.push_back(factor("det_singular", ROW_CALL({linalg::det(x[0])})));
  rows.back().differentiable_twice = false;  // refused: test_linalg.cpp
  rows.push_back(factor("slogdet", [](const OracleCase&, const Inputs& x) -> Inputs {
    const auto [sign, logarithm] = linalg::slogdet(x[0]);
    return {sign, logarithm};
  }));
  rows.push_back(factor("logdet", ROW_CALL({logdet(x[0])})));
  rows.push_back(factor("lu_factor", ROW_CALL(list(linalg::lu_factor(x[0])))));
  rows.push_back(factor("cholesky", ROW_CALL({linalg::cholesky(symmetric(x[0]), c.integer("upper") != 0)})));
  rows.push_back(factor("matrix_power", ROW_CALL({linalg::matrix_power(x[0], c.integer("n"))})));
  rows.push_back(factor("eigh", [](const OracleCase& c, const Inputs& x) -> Inputs {
    const auto [l, v] = linalg::eigh(symmetric(x[0]), c.text("uplo"));
    return {l, v.abs()};
  }));
  rows.push_back(factor("eigvalsh", ROW_CALL({linalg::eigvalsh(symmetric(x[0]), c.text("uplo"))})));
  rows.push_back(factor("solve", ROW_CALL({linalg::solve(x[0], x[1], c.integer("left") != 0)})));
  rows.push_back(factor("solve_triangular", ROW_CALL({linalg::solve_triangular(
                                                x[0], x[1], c.integer("upper") != 0, c.integer("left") != 0,
                                                c.integer("unit") != 0)})));
  rows.push_back(factor("cholesky_solve", ROW_CALL({cholesky_solve(x[0], x[1], c.integer("upper") != 0)})));
  rows.push_back(factor("cholesky_inverse", ROW_CALL({cholesky_inverse(x[0], c.integer("upper") != 0)})));
  rows.push_back(
      factor("triangular_solve", ROW_CALL({std::get<0>(triangular_solve(x[0], x[1], c.integer("upper") != 0,
                                                                        c.integer("transpose") != 0))})));
  rows.push_back(factor("qr", ROW_CALL(magnitudes(linalg::qr(x[0], c.text("mode"))))));
  rows.push_back(factor("qr_r", ROW_CALL({std::get<1>(linalg::qr(x[0].detach(), "r")).abs()})));
  rows.back().differentiable = rows.back().differentiable_twice = false;
  rows.push_back(factor("svd", ROW_CALL(magnitudes(linalg::svd(x[0], false)))));
  rows.push_back(factor("svd_full", [](const OracleCase&, const Inputs& x) -> Inputs {
    const auto [u, s, vt] = linalg::svd(x[0]);
    return {u.abs().detach(), s, vt.abs().detach()};
  }));
  rows.back().differentiable_twice = false;  // refused: test_linalg.cpp
  rows.push_back(factor("svdvals", ROW_CALL({linalg::svdvals(x[0])})));
  rows.push_back(
      factor("pinv", ROW_CALL({linalg::pinv(x[0], optional_real(c, "atol"), optional_real(c, "rtol"))})));
  rows.push_back(
      factor("pinv_hermitian", ROW_CALL({linalg::pinv(symmetric(x[0]), std::nullopt, std::nullopt, true)})));
  rows.push_back(counted("matrix_rank", ROW_CALL({linalg::matrix_rank(x[0], optional_real(c, "atol"),
                                                                      optional_real(c, "rtol"))})));
  rows.push_back(factor("lstsq", ROW_CALL(list(linalg::lstsq(x[0], x[1], std::nullopt, c.text("driver"))))));
  rows.push_back(factor(
      "vector_norm", ROW_CALL({linalg::vector_norm(x[0], c.real("ord"), dims(c), c.integer("keep") != 0)})));
  rows.push_back(factor(
      "matrix_norm", ROW_CALL({linalg::matrix_norm(x[0], c.real("ord"), dims(c), c.integer("keep") != 0)})));
  rows.push_back(factor("matrix_norm_named", ROW_CALL({linalg::matrix_norm(x[0], c.text("ord"))})));
  rows.push_back(factor("norm_named", ROW_CALL({linalg::norm(x[0], c.text("ord"))})));
  rows.push_back(factor("linalg_norm", ROW_CALL({linalg::norm(x[0], order(c), dims(c))})));
}
