#include "tapir/autograd/functions/linalg_forms.h"

#include <cmath>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/linalg_norm.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/linalg.h"

namespace tapir {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor mT(const Tensor& x) { return transpose(x, -2, -1); }
TensorOptions like(const Tensor& x) { return TensorOptions(x.dtype()).device(x.device()); }

std::vector<int64_t> batch_of(const Tensor& a) { return a.sizes().slice(0, a.sizes().size() - 2).vec(); }

/// The permutation P of P L U.
Tensor permutation_matrix(const Tensor& lu, const Tensor& pivots) {
  NoGradGuard no_grad;
  const Tensor order = raw::permutation({lu.detach(), pivots, {}});  // (..., m)
  Dims sizes = order.layout_of().sizes;
  sizes.push_back(order.size(-1));
  return scatter(zeros(sizes, like(lu)), -2, unsqueeze(order, -2), Scalar(1));
}
Tensor lower_of(const Tensor& lu) {
  const int64_t m = lu.size(-2), k = std::min(m, lu.size(-1));
  return add(tril(narrow(lu, -1, 0, k), -1), eye(m, k, like(lu)));
}
Tensor upper_of(const Tensor& lu) { return triu(narrow(lu, -2, 0, std::min(lu.size(-2), lu.size(-1)))); }

void check_pivots(const Tensor& lu, const Tensor& pivots, const char* op) {
  raw::check_matrices(lu, false, op);
  TAPIR_CHECK_AS(DTypeError, pivots.dtype() == kInt32, "{}: pivots of {}, expected int32, as lu_factor gives",
                 op, pivots.dtype());
  std::vector<int64_t> expected = batch_of(lu);
  expected.push_back(std::min(lu.size(-2), lu.size(-1)));
  TAPIR_CHECK_AS(ShapeError, pivots.sizes() == IntArrayRef(expected),
                 "{}: pivots have sizes {}, expected {} beside LU of sizes {}", op, pivots.sizes(),
                 IntArrayRef(expected), lu.sizes());
  const Tensor p = raw::to_device(pivots, kCPU).detach();
  NoGradGuard no_grad;
  TAPIR_CHECK_AS(
      ValueError,
      p.numel() == 0 || all(logical_and(ge(p, Scalar(1)), le(p, Scalar(lu.size(-2))))).item<bool>(),
      "{}: pivots must be rows counted from 1 to {}", op, lu.size(-2));
}

/// Whether a failure is marked in `info` (...), shaped to go with matrices.
Tensor failed(const Tensor& info) { return ne(info, Scalar(0)).unsqueeze(-1).unsqueeze(-1); }
Tensor instead_of_failed(const Tensor& a, const Tensor& info) {
  return where(failed(info), eye(a.size(-1), like(a)), a);
}

/// other with the reflections of `columns` applied to its rows (or columns), first to last where `ascending`.
Tensor reflect(const Tensor& columns, const Tensor& tau, Tensor other, bool left, bool ascending) {
  const int64_t k = tau.size(-1);
  for (int64_t step = 0; step < k; ++step) {
    const int64_t i = ascending ? step : k - 1 - step;
    const Tensor v = narrow(columns, -1, i, 1), t = unsqueeze(narrow(tau, -1, i, 1), -1);
    other = left ? sub(other, mul(t, matmul(v, matmul(mT(v), other))))
                 : sub(other, mul(t, matmul(matmul(other, v), mT(v))));
  }
  return other;
}
Tensor reflectors(const Tensor& a, const Tensor& tau, const char* op) {
  raw::check_matrices(a, false, op);
  TAPIR_CHECK_AS(DTypeError, tau.dtype() == a.dtype(), "{}: matrices of {} but tau of {}", op, a.dtype(),
                 tau.dtype());
  bool fits = tau.dim() == a.dim() - 1 && tau.size(-1) <= a.size(-1);
  for (int64_t d = 0; fits && d + 1 < tau.dim(); ++d) fits = tau.size(d) == a.size(d);
  TAPIR_CHECK_AS(
      ShapeError, fits && a.size(-2) >= a.size(-1),
      "{}: got matrices of sizes {} and tau of sizes {}, expected (..., m, n) with m >= n and (..., k) "
      "with k <= n",
      op, a.sizes(), tau.sizes());
  return add(tril(a, -1), eye(a.size(-2), a.size(-1), like(a)));
}

/// How many leading rows of a matrix are not positive-definite at first: 0 where all of it is.
int32_t cholesky_failure(const Tensor& a) {
  const auto good = [&](int64_t n) {
    try {
      raw::cholesky(raw::contiguous(a.narrow(0, 0, n).narrow(1, 0, n)), "linalg.cholesky_ex");
      return true;
    } catch (const ValueError&) {
      return false;
    }
  };
  int64_t low = 0, high = a.size(0);  // good(low), and high is the answer or nothing fails
  if (high == 0 || good(high)) return 0;
  while (high - low > 1) (good((low + high) / 2) ? low : high) = (low + high) / 2;
  return static_cast<int32_t>(high);
}

}  // namespace

// --- LU ---

std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu, const Tensor& pivots, bool unpack_data,
                                             bool unpack_pivots) {
  CallSite site(TAPIR_HERE);
  check_pivots(lu, pivots, "lu_unpack");
  const auto none = [&] { return empty({0}, like(lu)); };
  return {unpack_pivots ? permutation_matrix(lu, pivots) : none(), unpack_data ? lower_of(lu) : none(),
          unpack_data ? upper_of(lu) : none()};
}
Tensor lu_solve(const Tensor& b, const Tensor& lu, const Tensor& pivots) {
  CallSite site(TAPIR_HERE);
  return linalg::lu_solve(lu, pivots, b);
}

namespace linalg {

std::tuple<Tensor, Tensor, Tensor> lu(const Tensor& a, bool pivot) {
  CallSite site(TAPIR_HERE);
  const auto [factors, pivots, info] = lu_factor_ex(a, pivot);
  return tapir::lu_unpack(factors, pivots);
}
std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& a, bool pivot, bool check_errors) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, pivot, "linalg.lu_factor_ex: LU without pivoting is not there on the CPU");
  const raw::Lu f = raw::lu(a.detach(), "linalg.lu_factor_ex");
  if (check_errors) raw::check_regular(f, "linalg.lu_factor_ex");
  if (!recording(a)) return {f.lu, f.pivots, f.info};
  const auto [factors, pivots] = lu_factor(a);
  return {factors, pivots, f.info};
}
Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  CallSite site(TAPIR_HERE);
  check_pivots(lu, pivots, "linalg.lu_solve");
  raw::check_matrices(lu, true, "linalg.lu_solve");
  raw::check_matrices(b, false, "linalg.lu_solve");
  if (!left) return mT(lu_solve(lu, pivots, mT(b), true, !adjoint));
  const Tensor p = permutation_matrix(lu, pivots);
  if (adjoint) {
    const Tensor y = solve_triangular(mT(lu), b, false);
    return tapir::matmul(p, solve_triangular(mT(lu), y, true, true, true));
  }
  return solve_triangular(lu, solve_triangular(lu, tapir::matmul(mT(p), b), false, true, true), true);
}

// --- without exceptions ---

std::tuple<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.inv_ex");
  const raw::Lu f = raw::lu(a.detach(), "linalg.inv_ex");
  if (check_errors) raw::check_regular(f, "linalg.inv_ex");
  if (!any(f.info).item<bool>()) return {inv(a), f.info};
  return {masked_fill(inv(instead_of_failed(a, f.info)), failed(f.info), kNaN), f.info};
}
std::tuple<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.solve_ex");
  const raw::Lu f = raw::lu(a.detach(), "linalg.solve_ex");
  if (check_errors) raw::check_regular(f, "linalg.solve_ex");
  if (!any(f.info).item<bool>()) return {solve(a, b, left), f.info};
  const Tensor x = solve(instead_of_failed(a, f.info), b, left);
  // Vectors where b is one, or has the sizes of A without the last.
  const bool vector = b.dim() == 1 || (b.dim() == a.dim() - 1 && x.dim() == a.dim() - 1);
  return {masked_fill(x, vector ? failed(f.info).squeeze(-1) : failed(f.info), kNaN), f.info};
}
std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.cholesky_ex");
  Tensor info = raw::zeros(batch_of(a), kInt32);
  try {
    return {linalg::cholesky(a, upper), raw::to_device(info, a.device())};
  } catch (const ValueError&) {
    if (check_errors) throw;
  }
  const Tensor each = reshape(upper ? mT(a.detach()) : a.detach(), {-1, a.size(-1), a.size(-1)});
  for (int64_t i = 0; i < each.size(0); ++i)
    info.data_ptr<int32_t>()[i] = cholesky_failure(each.select(0, i));
  info = raw::to_device(info, a.device());
  return {masked_fill(linalg::cholesky(instead_of_failed(a, info), upper), failed(info), kNaN), info};
}

// --- reflections ---

Tensor householder_product(const Tensor& a, const Tensor& tau) {
  CallSite site(TAPIR_HERE);
  const Tensor columns = reflectors(a, tau, "linalg.householder_product");
  const Tensor one = expand(eye(a.size(-2), a.size(-1), like(a)), a.sizes());
  return tau.size(-1) == 0 ? clone(one) : reflect(columns, tau, one, true, false);
}

// --- of tensors ---

Tensor tensorinv(const Tensor& a, int64_t ind) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, ind > 0 && ind <= a.dim(),
                 "linalg.tensorinv: ind is {}, expected a number of 1 to {}", ind, a.dim());
  const IntArrayRef first = a.sizes().slice(0, static_cast<size_t>(ind)),
                    last = a.sizes().slice(static_cast<size_t>(ind));
  const int64_t m = count(first), n = count(last);
  TAPIR_CHECK_AS(
      ShapeError, m == n,
      "linalg.tensorinv: got sizes {}, of which the first {} have the product {} and the others {}; expected "
      "equal ones",
      a.sizes(), ind, m, n);
  std::vector<int64_t> sizes = last.vec();
  sizes.insert(sizes.end(), first.begin(), first.end());
  return reshape(inv(reshape(a, {m, n})), sizes);
}
Tensor tensorsolve(const Tensor& a, const Tensor& b, OptionalIntArrayRef dims) {
  CallSite site(TAPIR_HERE);
  Tensor moved = a;
  if (dims.has_value()) {
    std::vector<int64_t> end;
    for (size_t i = 0; i < dims->size(); ++i) end.push_back(a.dim() - static_cast<int64_t>(dims->size() - i));
    moved = movedim(a, *dims, end);
  }
  TAPIR_CHECK_AS(ShapeError, moved.dim() >= b.dim() && moved.numel() == b.numel() * b.numel(),
                 "linalg.tensorsolve: got sizes {} and {}, expected as many unknowns as the {} equations",
                 a.sizes(), b.sizes(), b.numel());
  const std::vector<int64_t> sizes = moved.sizes().slice(static_cast<size_t>(b.dim())).vec();
  const Tensor x = solve(reshape(moved, {b.numel(), b.numel()}), reshape(b, {b.numel()}));
  return reshape(x, sizes);
}

namespace {
template <class Order>
Tensor cond_by_norms(const Tensor& a, const Order& p) {
  const auto [inverse, info] = inv_ex(a);
  const Tensor y = mul(matrix_norm(a, p), matrix_norm(inverse, p));
  return masked_fill(y, ne(info, Scalar(0)), HUGE_VAL);
}
}  // namespace

Tensor cond(const Tensor& a, const std::optional<Scalar>& p) {
  CallSite site(TAPIR_HERE);
  const double order = p.value_or(Scalar(2)).to_double();
  raw::check_matrices(a, order != 2 && order != -2, "linalg.cond");
  if (order != 2 && order != -2) return cond_by_norms(a, *p);
  const Tensor s = svdvals(a);
  TAPIR_CHECK_AS(ShapeError, s.size(-1) > 0, "linalg.cond: got sizes {}, expected matrices with elements",
                 a.sizes());
  const Tensor largest = select(s, -1, 0), smallest = select(s, -1, -1);
  return order == 2 ? div(largest, smallest) : div(smallest, largest);
}
Tensor cond(const Tensor& a, std::string_view p) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.cond");
  return cond_by_norms(a, p);
}
Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return sum(mul(x, y), {dim});
}
Tensor diagonal(const Tensor& a, int64_t offset, int64_t dim1, int64_t dim2) {
  CallSite site(TAPIR_HERE);
  return tapir::diagonal(a, offset, dim1, dim2);
}
Tensor matmul(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return tapir::matmul(a, b);
}
Tensor vander(const Tensor& x, std::optional<int64_t> N) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() > 0, "linalg.vander: got a tensor without dimensions");
  const int64_t columns = N.value_or(x.size(-1));
  TAPIR_CHECK_AS(ValueError, columns > 0, "linalg.vander: N is {}, expected a number > 0", columns);
  return pow(unsqueeze(x.dtype() == kBool ? to(x, kInt64) : x, -1),
             raw::arange(0, columns, 1, kInt64, x.device()));
}

}  // namespace linalg

std::tuple<Tensor, Tensor> geqrf(const Tensor& a) {
  raw::check_matrices(a, false, "geqrf");
  TAPIR_CHECK_AS(AutogradError, !recording(a),
                 "geqrf: has no derivative; detach() the input, or use linalg.qr");
  NoGradGuard no_grad;
  const int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n);
  Tensor y = a.is_contiguous() ? clone(a) : contiguous(a);
  std::vector<Tensor> taus;
  for (int64_t i = 0; i < k; ++i) {
    const Tensor column = y.narrow(-2, i, m - i).narrow(-1, i, 1);
    const Tensor alpha = column.narrow(-2, 0, 1).clone(), tail = column.narrow(-2, 1, m - i - 1);
    const Tensor rest = linalg::vector_norm(tail, 2, {-2, -1}, true), flat = eq(rest, Scalar(0));
    const Tensor beta = neg(copysign(hypot(alpha, rest), alpha));
    const Tensor tau = where(flat, Scalar(0), div(sub(beta, alpha), beta));
    const Tensor v =
        cat({ones_like(alpha), mul(tail, where(flat, Scalar(0), reciprocal(sub(alpha, beta))))}, -2);
    Tensor others = y.narrow(-2, i, m - i).narrow(-1, i + 1, n - i - 1);
    others.sub_(mul(tau, matmul(v, matmul(mT(v), others))));
    column.narrow(-2, 1, m - i - 1).copy_(v.narrow(-2, 1, m - i - 1));
    column.narrow(-2, 0, 1).copy_(where(flat, alpha, beta));
    taus.push_back(tau.squeeze(-1));
  }
  std::vector<int64_t> sizes = batch_of(a);
  sizes.push_back(k);
  return {y, k == 0 ? raw::zeros(sizes, a.dtype(), a.device()) : cat(taus, -1)};
}
Tensor orgqr(const Tensor& a, const Tensor& tau) {
  CallSite site(TAPIR_HERE);
  return linalg::householder_product(a, tau);
}
Tensor ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool transposed) {
  CallSite site(TAPIR_HERE);
  const Tensor columns = reflectors(a, tau, "ormqr");
  TAPIR_CHECK_AS(ShapeError, other.dim() >= 2 && other.size(left ? -2 : -1) == a.size(-2),
                 "ormqr: got reflections of sizes {} and other of sizes {}, expected {} {} in other",
                 a.sizes(), other.sizes(), a.size(-2), left ? "rows" : "columns");
  return reflect(columns, tau, other, left, left == transposed);
}

}  // namespace tapir
