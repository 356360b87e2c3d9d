// Solving, inverting, determinants; linalg_factor.cpp has the factorizations.
#include "tapir/autograd/functions/linalg.h"

#include <cmath>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/linalg_parts.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/linalg.h"

namespace tapir {

using namespace linalg_parts;

namespace {

// --- inv ---

// d A^-1 = -A^-1 dA A^-1
struct InvBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgInvBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor yt = mT(saved(0));
    sink.set(0, neg(matmul(matmul(yt, g[0]), yt)));
  }
};

Tensor inverse_of(const Tensor& a, const char* op, const void* site) {
  raw::check_matrices(a, true, op);
  Tensor y;
  {
    NoGradGuard no_grad;
    const raw::Lu f = raw::lu(a, op);
    raw::check_regular(f, op);
    const Tensor one = eye(a.size(-1), a.options());
    y = raw::lu_solve(f, expand(one, a.sizes()), false, op);
  }
  if (recording(a)) record<InvBackward>(site, y, a)->save_output(0, y);
  return y;
}

// --- solve ---

// gB = A^-T gX, gA = -gB X^T
struct SolveBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "LinalgSolveBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor a = saved(0);
    const Tensor gb =
        sink.deferring() ? raw::lu_solve(factors, g[0], true, "linalg.solve") : linalg::solve(mT(a), g[0]);
    if (sink.wants(0)) sink.set(0, neg(matmul(gb, mT(saved(1)))));
    if (sink.wants(1)) sink.set(1, gb);
  }
  void release_saved() override {
    NodeOf::release_saved();
    factors = {};
  }
  raw::Lu factors;
};

// Both with the same batch.
Tensor solve_matrices(const Tensor& a, const Tensor& b, const void* site) {
  const char* op = "linalg.solve";
  raw::Lu f = raw::lu(a, op);
  raw::check_regular(f, op);
  Tensor x = raw::lu_solve(f, b, false, op);
  if (recording(a, b)) {
    auto* node = record<SolveBackward>(site, x, a, b);
    node->save_input(0, a);
    node->save_output(1, x);
    node->factors = std::move(f);
  }
  return x;
}

// One matrix for a batch of right sides, (batch..., n, k): all of them become columns of one.
Tensor solve_for_many(const Tensor& a, const Tensor& b, const void* site) {
  const int64_t n = b.size(-2), last = b.dim() - 1;
  Dims order{last - 1}, back;
  for (int64_t d = 0; d < last - 1; ++d) order.push_back(d);
  order.push_back(last);
  const Tensor turned = permute(b, order);
  const int64_t columns = n == 0 ? count(batch_sizes(b)) * b.size(-1) : b.numel() / n;
  const Tensor x = solve_matrices(a, reshape(turned, {n, columns}), site);
  for (int64_t d = 1; d < last; ++d) back.push_back(d);
  back.push_back(0);
  back.push_back(last);
  return permute(reshape(x, turned.sizes()), back);
}

bool is_vector(const Tensor& a, const Tensor& b) {
  return b.dim() == 1 ||
         (b.dim() == a.dim() - 1 && b.sizes() == IntArrayRef(a.sizes().data(), a.sizes().size() - 1));
}

void check_solve(const Tensor& a, const Tensor& b, bool left, const char* op) {
  raw::check_matrices(a, true, op);
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(),
                 "{}: got {} and {}, expected the same dtype; cast one with to(dtype)", op, a.dtype(),
                 b.dtype());
  TAPIR_CHECK_AS(ShapeError, b.dim() >= 2 && b.size(left ? -2 : -1) == a.size(-1),
                 "{}: a matrix of sizes {} and a right side of sizes {} do not fit the equation {}", op,
                 a.sizes(), b.sizes(), left ? "A X = B" : "X A = B");
}

// --- solve_triangular ---

// gB = A^-T gX; gA = the triangle of -gB X^T
struct SolveTriangularBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "LinalgSolveTriangularBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor gb = linalg::solve_triangular(mT(saved(0)), g[0], !is_upper, true, unit);
    if (sink.wants(0)) {
      const Tensor whole = neg(matmul(gb, mT(saved(1))));
      sink.set(0, is_upper ? triu(whole, unit ? 1 : 0) : tril(whole, unit ? -1 : 0));
    }
    if (sink.wants(1)) sink.set(1, gb);
  }
  bool is_upper, unit;
};

// --- determinants ---

// det(A) A^-T as U diag(products of the other singular values) V^T det(U V^T): right for singular A, too.
Tensor cofactors(const Tensor& a) {
  const auto [u, s, vt] = raw::svd(a, true, true, "linalg.det");
  Dims sizes = s.layout_of().sizes;
  sizes.push_back(sizes.back());
  const Tensor others = masked_fill(expand(unsqueeze(log(s), -2), sizes),
                                    logical_not(off_diagonal(expand(unsqueeze(s, -2), sizes))), 0);
  const Tensor sign = mul(raw::det(u, "linalg.det"), raw::det(vt, "linalg.det"));
  return matmul(scale_columns(u, mul(exp(sum(others, -1)), unsqueeze(sign, -1))), vt);
}

Tensor over_matrices(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }

// What the derivative of the cofactors makes of a change g of A: with A = U diag(s) V^T, G = U^T g V and P
// the products of all singular values but two, det(U V^T) U (diag(P diag(G)) - P * G^T) V^T. The map is its
// own adjoint, so that it serves backward, too.
Tensor change_of_cofactors(const Tensor& a, const Tensor& g) {
  const auto [u, s, vt] = raw::svd(a, true, true, "linalg.det");
  const Tensor zero = eq(s, Scalar(0)), zeros = to(zero, s.dtype());
  const Tensor logs = masked_fill(log(s), zero, 0);
  const auto but_two = [](const Tensor& x) {
    return sub(unsqueeze(sub(sum(x, -1, true), x), -1), unsqueeze(x, -2));
  };
  const Tensor gone = logical_or(gt(but_two(zeros), Scalar(0)), logical_not(off_diagonal(a)));
  const Tensor others = masked_fill(exp(but_two(logs)), gone, 0);
  const Tensor turned = matmul(matmul(mT(u), g), mT(vt));
  const Tensor own = matmul(others, unsqueeze(diagonal(turned, 0, -2, -1), -1));
  const Tensor inner = sub(masked_fill(expand(own, a.sizes()), off_diagonal(a), 0), mul(others, mT(turned)));
  const Tensor sign = mul(raw::det(u, "linalg.det"), raw::det(vt, "linalg.det"));
  return mul(over_matrices(sign), matmul(matmul(u, inner), vt));
}

struct CofactorsChangeBackward final : NodeOf<2, 1> {
  const char* type_name() const override { return "LinalgCofactorsBackwardBackward"; }
  void backward(Grads g, GradSink& sink) override;
};

Tensor recorded_change_of_cofactors(const Tensor& a, const Tensor& g, const void* site) {
  Tensor y;
  {
    NoGradGuard no_grad;
    y = change_of_cofactors(a, g);
  }
  if (recording(a, g)) record<CofactorsChangeBackward>(site, y, a, g)->save(a);
  return y;
}

void CofactorsChangeBackward::backward(Grads g, GradSink& sink) {
  TAPIR_CHECK_AS(AutogradError, !sink.wants(0),
                 "the third derivative of linalg.det: a matrix of sizes {} is singular, where it is known up "
                 "to the second; write the determinant out as sums of products",
                 saved(0).sizes());
  if (sink.wants(1)) sink.set(1, recorded_change_of_cofactors(saved(0), g[0], call_site()));
}

struct CofactorsBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgCofactorsBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, recorded_change_of_cofactors(saved(0), g[0], call_site()));
  }
};

// Of singular matrices, whose determinant has no derivative by the inverse.
Tensor recorded_cofactors(const Tensor& a, const void* site) {
  Tensor y;
  {
    NoGradGuard no_grad;
    y = cofactors(a);
  }
  if (recording(a)) record<CofactorsBackward>(site, y, a)->save(a);
  return y;
}

struct DetBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "LinalgDetBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor a = saved(0), d = saved(1);
    if (a.numel() == 0) return sink.set(0, zeros_like(a));
    if (any(eq(d, Scalar(0))).item<bool>())
      return sink.set(0, mul(over_matrices(g[0]), recorded_cofactors(a, call_site())));
    const Tensor inverse = inverse_of(a, "the recorded derivative of linalg.det", call_site());
    sink.set(0, mul(over_matrices(mul(g[0], d)), mT(inverse)));
  }
};

struct SlogdetBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgSlogdetBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor inverse = inverse_of(saved(0), "the derivative of linalg.slogdet", call_site());
    sink.set(0, mul(over_matrices(g[0]), mT(inverse)));
  }
};

// --- pinv ---

// dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P, transposed
Tensor pinv_gradient(const Tensor& a, const Tensor& p, const Tensor& g) {
  const Tensor pt = mT(p), gt = mT(g);
  const Tensor left = matmul(matmul(gt, p), pt), right = matmul(pt, matmul(p, gt));
  const Tensor first = matmul(matmul(pt, g), pt);
  return add(sub(sub(left, matmul(a, matmul(p, left))), first), sub(right, matmul(matmul(right, p), a)));
}

struct PinvBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "LinalgPinvBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, pinv_gradient(saved(0), saved(1), g[0])); }
};

double epsilon(DType d) {
  return d == kFloat64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
}

/// max(atol, rtol * largest) for each matrix, from magnitudes (..., k), as (..., 1).
Tensor threshold(const Tensor& a, const Tensor& magnitudes, const std::optional<double>& atol,
                 const std::optional<double>& rtol) {
  const double absolute = atol.value_or(0);
  const double relative = rtol.value_or(
      absolute > 0 ? 0 : epsilon(a.dtype()) * static_cast<double>(std::max(a.size(-1), a.size(-2))));
  return clamp_min(mul(std::get<0>(max(magnitudes, -1, true)), Scalar(relative)), Scalar(absolute));
}

Tensor pinv_of(const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
               bool hermitian, const void* site) {
  const char* op = "linalg.pinv";
  raw::check_matrices(a, hermitian, op);
  Tensor p;
  {
    NoGradGuard no_grad;
    if (a.numel() == 0) {
      p = zeros(mT(a).sizes(), a.options().requires_grad(false));
    } else {
      Tensor u, s, vt;
      if (hermitian) {
        std::tie(s, u) = raw::eigh(a, false, true, op);
        vt = mT(u);
      } else {
        std::tie(u, s, vt) = raw::svd(a, false, true, op);
      }
      const Tensor size = abs(s);
      const Tensor inverse = masked_fill(reciprocal(s), le(size, threshold(a, size, atol, rtol)), 0);
      p = matmul(scale_columns(mT(vt), inverse), mT(u));
    }
  }
  if (recording(a)) {
    auto* node = record<PinvBackward>(site, p, a);
    node->save_input(0, a);
    node->save_output(1, p);
  }
  return p;
}

// --- lstsq ---

// X = A^+ B
struct LstsqBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "LinalgLstsqBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor a = saved(0), b = saved(1), p = linalg::pinv(a, std::nullopt, rcond);
    if (sink.wants(0)) sink.set(0, pinv_gradient(a, p, matmul(g[0], mT(b))));
    if (sink.wants(1)) sink.set(1, matmul(mT(p), g[0]));
  }
  double rcond;
};

}  // namespace

namespace linalg {

Tensor inv(const Tensor& a) { return inverse_of(a, "linalg.inv", TAPIR_HERE); }

Tensor solve(const Tensor& a, const Tensor& b, bool left) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.solve");
  if (is_vector(a, b)) {
    check_solve(a, unsqueeze(b, -1), true, "linalg.solve");
    const Tensor column = unsqueeze(b, -1);
    const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(column), "linalg.solve");
    const Tensor at = left ? a : mT(a);
    return squeeze(solve_matrices(expand_batch(at, batch), expand_batch(column, batch), TAPIR_HERE), -1);
  }
  check_solve(a, b, left, "linalg.solve");
  if (!left) return mT(solve(mT(a), mT(b)));
  if (a.dim() == 2 && b.dim() > 2) return solve_for_many(a, b, TAPIR_HERE);
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b), "linalg.solve");
  return solve_matrices(expand_batch(a, batch), expand_batch(b, batch), TAPIR_HERE);
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
  const char* op = "linalg.solve_triangular";
  CallSite site(TAPIR_HERE);
  check_solve(a, b, left, op);
  if (!left) return mT(solve_triangular(mT(a), mT(b), !upper, true, unitriangular));
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(b), op);
  const Tensor wide_a = expand_batch(a, batch), wide_b = expand_batch(b, batch);
  Tensor x = raw::solve_triangular(wide_a, wide_b, upper, unitriangular, op);
  if (recording(wide_a, wide_b)) {
    auto* node = record<SolveTriangularBackward>(TAPIR_HERE, x, wide_a, wide_b);
    node->is_upper = upper;
    node->unit = unitriangular;
    node->save_input(0, wide_a);
    node->save_output(1, x);
  }
  return x;
}

Tensor det(const Tensor& a) {
  Tensor d = raw::det(a, "linalg.det");
  if (recording(a)) {
    auto* node = record<DetBackward>(TAPIR_HERE, d, a);
    node->save_input(0, a);
    node->save_output(1, d);
  }
  return d;
}

std::tuple<Tensor, Tensor> slogdet(const Tensor& a) {
  auto [sign, logarithm] = raw::slogdet(a, "linalg.slogdet");
  if (recording(a)) record<SlogdetBackward>(TAPIR_HERE, logarithm, a)->save_input(0, a);
  return {sign, logarithm};
}

Tensor matrix_power(const Tensor& a, int64_t n) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "linalg.matrix_power");
  if (n == 0) {  // recorded, with a gradient of zeros
    Tensor y = a.clone();
    return y.copy_(eye(a.size(-1), TensorOptions(a.dtype()).device(a.device())));
  }
  Tensor square = n < 0 ? inverse_of(a, "linalg.matrix_power", TAPIR_HERE) : a, power;
  for (uint64_t left = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);;) {
    if (left & 1) power = power.defined() ? matmul(power, square) : square;
    if ((left >>= 1) == 0) break;
    square = matmul(square, square);
  }
  return power.is_same(a) ? a.clone() : power;
}

Tensor pinv(const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
            bool hermitian) {
  return pinv_of(a, atol, rtol, hermitian, TAPIR_HERE);
}
Tensor pinv(const Tensor& a, double rcond, bool hermitian) {
  return pinv_of(a, std::nullopt, rcond, hermitian, TAPIR_HERE);
}
Tensor pinv(const Tensor& a) { return pinv_of(a, std::nullopt, std::nullopt, false, TAPIR_HERE); }

Tensor matrix_rank(const Tensor& a, const std::optional<double>& atol, const std::optional<double>& rtol,
                   bool hermitian) {
  const char* op = "linalg.matrix_rank";
  NoGradGuard no_grad;
  raw::check_matrices(a, hermitian, op);
  if (a.size(-1) == 0 || a.size(-2) == 0)
    return zeros(batch_sizes(a), TensorOptions(kInt64).device(a.device()));
  const Tensor s =
      hermitian ? abs(raw::eigh(a, false, false, op).first) : std::get<1>(raw::svd(a, false, false, op));
  return sum(gt(s, threshold(a, s, atol, rtol)), -1);
}
Tensor matrix_rank(const Tensor& a, double tol, bool hermitian) {
  return matrix_rank(a, std::optional<double>(tol), std::optional<double>(0.0), hermitian);
}
Tensor matrix_rank(const Tensor& a) { return matrix_rank(a, std::nullopt, std::nullopt, false); }

std::tuple<Tensor, Tensor, Tensor, Tensor> lstsq(const Tensor& a, const Tensor& b,
                                                 std::optional<double> rcond,
                                                 std::optional<std::string_view> driver) {
  const char* op = "linalg.lstsq";
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, false, op);
  const std::string_view named = driver.value_or("gelsy");
  LeastSquaresDriver how;
  if (named == "gelsy") {
    how = LeastSquaresDriver::Gelsy;
  } else if (named == "gels") {
    how = LeastSquaresDriver::Gels;
  } else if (named == "gelsd") {
    how = LeastSquaresDriver::Gelsd;
  } else if (named == "gelss") {
    how = LeastSquaresDriver::Gelss;
  } else {
    throw_error<ValueError>("{}: driver '{}', expected gels, gelsy, gelsd or gelss", op, named);
  }
  const bool vector = is_vector(a, b);
  const Tensor right = vector ? unsqueeze(b, -1) : b;
  TAPIR_CHECK_AS(ShapeError, right.dim() >= 2 && right.size(-2) == a.size(-2),
                 "{}: a matrix of sizes {} and a right side of sizes {} do not fit; expected (..., m, n) and "
                 "(..., m, k)",
                 op, a.sizes(), b.sizes());
  const Dims batch = broadcast_sizes(batch_sizes(a), batch_sizes(right), op);
  const Tensor wide_a = expand_batch(a, batch), wide_b = expand_batch(right, batch);
  const int64_t m = a.size(-2), n = a.size(-1);
  const double tolerance = rcond.value_or(epsilon(a.dtype()) * static_cast<double>(std::max(m, n)));
  const raw::LeastSquares r = raw::lstsq(wide_a, wide_b, tolerance, how, op);
  const Layout& whole = r.solution.layout_of();
  Tensor x = r.solution.alias(whole.narrow(-2, 0, n));
  if (recording(wide_a, wide_b)) {
    auto* node = record<LstsqBackward>(TAPIR_HERE, x, wide_a, wide_b);
    node->rcond = tolerance;
    node->save_input(0, wide_a);
    node->save_input(1, wide_b);
  }
  NoGradGuard no_grad;
  const auto real = TensorOptions(a.dtype()).device(a.device());
  Tensor residuals = zeros({0}, real);
  const bool full_rank = !r.rank.defined() || !any(ne(r.rank, Scalar(n))).item<bool>();
  if (m > n && how != LeastSquaresDriver::Gelsy && full_rank)
    residuals = sum(square(r.solution.alias(whole.narrow(-2, n, m - n))), -2);
  return {vector ? squeeze(x, -1) : x, residuals,
          r.rank.defined() ? r.rank : zeros({0}, TensorOptions(kInt64).device(a.device())),
          r.singular_values.defined() ? r.singular_values : zeros({0}, real)};
}

}  // namespace linalg

Tensor inverse(const Tensor& a) { return inverse_of(a, "inverse", TAPIR_HERE); }
Tensor pinverse(const Tensor& a, double rcond) { return pinv_of(a, std::nullopt, rcond, false, TAPIR_HERE); }
Tensor det(const Tensor& a) {
  CallSite site(TAPIR_HERE);
  return linalg::det(a);
}
std::tuple<Tensor, Tensor> slogdet(const Tensor& a) {
  CallSite site(TAPIR_HERE);
  return linalg::slogdet(a);
}
Tensor logdet(const Tensor& a) {
  CallSite site(TAPIR_HERE);
  const auto [sign, logarithm] = linalg::slogdet(a);
  return masked_fill(logarithm, lt(sign, Scalar(0)), std::numeric_limits<double>::quiet_NaN());
}
Tensor matrix_power(const Tensor& a, int64_t n) {
  CallSite site(TAPIR_HERE);
  return linalg::matrix_power(a, n);
}

}  // namespace tapir
