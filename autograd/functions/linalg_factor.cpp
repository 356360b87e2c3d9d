// Factorizations of matrices: Cholesky, LU, QR, singular values, eigenvalues.
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/linalg_parts.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/linalg.h"

namespace tapir {

using namespace linalg_parts;

namespace {

/// X A^-1 for a triangular A.
Tensor divide_right(const Tensor& x, const Tensor& a, bool is_upper) {
  return linalg::solve_triangular(a, x, is_upper, false);
}

// --- Cholesky ---

// gA = the symmetric part of L^-T F L^-1, F = the lower triangle of L^T gL with its diagonal halved
struct CholeskyBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgCholeskyBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor l = saved(0), product = matmul(mT(l), g[0]);
    const Tensor f = mul(add(tril(product), tril(product, -1)), Scalar(0.5));
    const Tensor whole = divide_right(linalg::solve_triangular(mT(l), f, true), l, false);
    sink.set(0, mul(add(whole, mT(whole)), Scalar(0.5)));
  }
};

Tensor cholesky_of(const Tensor& a, bool is_upper, const char* op, const void* site) {
  raw::check_matrices(a, true, op);
  const Tensor from = is_upper ? mT(a) : a;  // reads the triangle that is asked for
  Tensor l = raw::cholesky(from, op);
  if (recording(from)) record<CholeskyBackward>(site, l, from)->save_output(0, l);
  return is_upper ? mT(l) : l;
}

// --- LU ---

// P^T A = L U: gA = P L^-T (the strict lower part of L^T gL + the upper part of gU U^T) U^-T
struct LuBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgLuFactorBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor lu = saved(0), u = triu(lu);
    const Tensor gl = tril(g[0], -1), gu = triu(g[0]);
    const Tensor strict = tril(lu, -1);
    const Tensor inner = add(tril(add(matmul(mT(strict), gl), gl), -1), triu(matmul(gu, mT(u))));
    const Tensor half = linalg::solve_triangular(mT(lu), inner, true, true, true);
    const Tensor rows = divide_right(half, mT(u), false);
    sink.set(0, scatter_add(zeros(rows.sizes(), TensorOptions(rows.dtype()).device(rows.device())), -2,
                            expand(unsqueeze(perm, -1), rows.sizes()), rows));
  }
  Tensor perm;
};

// --- QR ---

// gA = (gQ + Q copy(R gR^T - gQ^T Q)) R^-T for R square, where copy(M) is M's lower triangle mirrored
// upwards. Of a wide A = Q (R1 R2), R2 = Q^T A2 adds A2 gR2^T to gQ.
struct QrBackward final : NodeOf<1, 2, 2> {
  const char* type_name() const override { return "LinalgQrBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor q = saved(0), r = saved(1);
    const int64_t k = q.size(-1), n = r.size(-1);
    TAPIR_CHECK_AS(
        AutogradError, k <= n,
        "linalg.qr: mode 'complete' has no derivative for matrices with more rows than columns; use "
        "mode 'reduced'");
    Tensor gq = grads[0], gr = grads[1];
    if (!gq.defined()) gq = zeros_like(q);
    if (!gr.defined()) gr = zeros_like(r);
    Tensor r1 = r, gr1 = gr, g2;
    if (n > k) {
      r1 = narrow(r, -1, 0, k);
      gr1 = narrow(gr, -1, 0, k);
      const Tensor gr2 = narrow(gr, -1, k, n - k);
      gq = add(gq, matmul(q, matmul(narrow(r, -1, k, n - k), mT(gr2))));
      g2 = matmul(q, gr2);
    }
    const Tensor m = sub(matmul(r1, mT(gr1)), matmul(mT(gq), q));
    const Tensor mirrored = add(tril(m), mT(tril(m, -1)));
    const Tensor g1 = divide_right(add(gq, matmul(q, mirrored)), mT(r1), false);
    sink.set(0, n > k ? cat({g1, g2}, -1) : g1);
  }
};

struct QrModeRBackward final : NodeOf<1> {
  const char* type_name() const override { return "LinalgQrBackward"; }
  void backward(Grads, GradSink&) override {
    throw AutogradError("linalg.qr: mode 'r' has no derivative, since it needs Q; use mode 'reduced'");
  }
};

// --- singular values ---

// With F = 1 / (s_j^2 - s_i^2) off the diagonal (Townsend):
//   gA = U ((F * skew(U^T gU)) S + S (F * skew(V^T gV)) + diag(gS)) V^T
//      + (I - U U^T) gU S^-1 V^T + U S^-1 gV^T (I - V V^T)
struct SvdBackward final : NodeOf<1, 3, 3> {
  const char* type_name() const override { return "LinalgSvdBackward"; }
  void backward(Grads g, GradSink& sink) override {
    Tensor u = saved(0), vt = saved(2);
    const Tensor s = saved(1), gu = g[0], gs = g[1], gvt = g[2];
    const int64_t m = u.size(-2), n = vt.size(-1), k = s.size(-1);
    const bool vectors = gu.defined() || gvt.defined();
    TAPIR_CHECK_AS(
        AutogradError, !(vectors && full && m != n),
        "linalg.svd: with full_matrices U and V^T of a matrix that is not square have no derivative, "
        "since their last columns are arbitrary; use full_matrices = false");
    if (u.size(-1) > k) u = narrow(u, -1, 0, k);
    if (vt.size(-2) > k) vt = narrow(vt, -2, 0, k);
    if (!vectors) return sink.set(0, matmul(scale_columns(u, gs), vt));
    const Tensor row = unsqueeze(s, -2), column = unsqueeze(s, -1);
    const Tensor gaps = mul(sub(row, column), add(row, column));
    const Tensor divisor = masked_fill(gaps, logical_not(off_diagonal(gaps)), 1);
    const auto skew = [&](const Tensor& x) { return div(sub(x, mT(x)), divisor); };
    Tensor core = gs.defined() ? diag_embed(gs) : zeros_like(gaps).detach(), outside;
    if (gu.defined()) {
      const Tensor part = matmul(mT(u), gu);
      core = add(core, scale_columns(skew(part), s));
      if (m > k) outside = matmul(div(sub(gu, matmul(u, part)), row), vt);
    }
    if (gvt.defined()) {
      const Tensor part = matmul(gvt, mT(vt));
      core = add(core, scale_rows(skew(mT(part)), s));
      if (n > k) outside = matmul(u, div(sub(gvt, matmul(part, vt)), column));
    }
    const Tensor inside = matmul(matmul(u, core), vt);
    sink.set(0, outside.defined() ? add(inside, outside) : inside);
  }
  bool full;
};

std::tuple<Tensor, Tensor, Tensor> svd_of(const Tensor& a, bool full, const char* op, const void* site) {
  auto [u, s, vt] = raw::svd(a, full, true, op);
  if (recording(a)) {
    auto* node = new SvdBackward;
    node->set_edge(0, a);
    node->set_call_site(site);
    node->full = full;
    node->save_output(0, u, 0);
    node->save_output(1, s, 1);
    node->save_output(2, vt, 2);
    const Ref<Node> owner = Ref<Node>::adopt(node);
    set_history(u, owner, 0);
    set_history(s, owner, 1);
    set_history(vt, owner, 2);
  }
  return {u, s, vt};
}

// --- symmetric eigenvalues ---

// gA = V (diag(gL) + (V^T gV) / (l_j - l_i) off the diagonal) V^T
struct EighBackward final : NodeOf<1, 2, 2> {
  const char* type_name() const override { return "LinalgEighBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor l = saved(0), v = saved(1), gl = g[0], gv = g[1];
    if (!gv.defined()) return sink.set(0, matmul(scale_columns(v, gl), mT(v)));
    const Tensor gaps = sub(unsqueeze(l, -2), unsqueeze(l, -1)), diagonal = logical_not(off_diagonal(gaps));
    Tensor core = masked_fill(div(matmul(mT(v), gv), masked_fill(gaps, diagonal, 1)), diagonal, 0);
    if (gl.defined()) core = add(core, diag_embed(gl));
    sink.set(0, matmul(matmul(v, core), mT(v)));
  }
};

bool reads_upper(std::string_view uplo, const char* op) {
  TAPIR_CHECK_AS(ValueError, uplo == "L" || uplo == "U" || uplo == "l" || uplo == "u",
                 "{}: UPLO is '{}', expected 'L' or 'U'", op, uplo);
  return uplo == "U" || uplo == "u";
}

std::tuple<Tensor, Tensor> eigh_of(const Tensor& a, bool is_upper, const char* op, const void* site) {
  auto [l, v] = raw::eigh(a, is_upper, true, op);
  if (recording(a)) {
    auto* node = new EighBackward;
    node->set_edge(0, a);
    node->set_call_site(site);
    node->save_output(0, l, 0);
    node->save_output(1, v, 1);
    const Ref<Node> owner = Ref<Node>::adopt(node);
    set_history(l, owner, 0);
    set_history(v, owner, 1);
  }
  return {l, v};
}

}  // namespace

namespace linalg {

Tensor cholesky(const Tensor& a, bool upper) { return cholesky_of(a, upper, "linalg.cholesky", TAPIR_HERE); }

std::tuple<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot) {
  TAPIR_CHECK_AS(ValueError, pivot, "linalg.lu_factor: LU without pivoting is not there on the CPU");
  const raw::Lu f = raw::lu(a, "linalg.lu_factor");
  raw::check_regular(f, "linalg.lu_factor");
  Tensor lu = f.lu;
  if (recording(a)) {
    TAPIR_CHECK_AS(AutogradError, a.size(-1) == a.size(-2),
                   "linalg.lu_factor: got matrices of {} by {}; there is a derivative only for square ones",
                   a.size(-2), a.size(-1));
    const Tensor perm = raw::permutation(f);
    auto* node = record<LuBackward>(TAPIR_HERE, lu, a);
    node->perm = perm;
    node->save_output(0, lu);
  }
  return {lu, f.pivots};
}

std::tuple<Tensor, Tensor> qr(const Tensor& a, std::string_view mode) {
  const char* op = "linalg.qr";
  raw::check_matrices(a, false, op);
  const int64_t m = a.size(-2), least = std::min(m, a.size(-1));
  int64_t columns;
  if (mode == "reduced") {
    columns = least;
  } else if (mode == "complete") {
    columns = m;
  } else if (mode == "r") {
    Tensor r = raw::qr(a, 0, op).second;
    if (recording(a)) record<QrModeRBackward>(TAPIR_HERE, r, a);
    return {zeros({0}, TensorOptions(a.dtype()).device(a.device())), r};
  } else {
    throw_error<ValueError>("{}: mode '{}', expected reduced, complete or r", op, mode);
  }
  auto [q, r] = raw::qr(a, columns, op);
  if (recording(a)) {
    auto* node = new QrBackward;
    node->set_edge(0, a);
    node->set_call_site(TAPIR_HERE);
    node->save_output(0, q, 0);
    node->save_output(1, r, 1);
    const Ref<Node> owner = Ref<Node>::adopt(node);
    set_history(q, owner, 0);
    set_history(r, owner, 1);
  }
  return {q, r};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full_matrices) {
  return svd_of(a, full_matrices, "linalg.svd", TAPIR_HERE);
}
Tensor svdvals(const Tensor& a) {
  if (recording(a)) return std::get<1>(svd_of(a, false, "linalg.svdvals", TAPIR_HERE));
  return std::get<1>(raw::svd(a, false, false, "linalg.svdvals"));
}

std::tuple<Tensor, Tensor> eigh(const Tensor& a, std::string_view uplo) {
  return eigh_of(a, reads_upper(uplo, "linalg.eigh"), "linalg.eigh", TAPIR_HERE);
}
Tensor eigvalsh(const Tensor& a, std::string_view uplo) {
  const bool is_upper = reads_upper(uplo, "linalg.eigvalsh");
  if (recording(a)) return std::get<0>(eigh_of(a, is_upper, "linalg.eigvalsh", TAPIR_HERE));
  return raw::eigh(a, is_upper, false, "linalg.eigvalsh").first;
}

}  // namespace linalg

Tensor cholesky(const Tensor& a, bool upper) { return cholesky_of(a, upper, "cholesky", TAPIR_HERE); }

std::tuple<Tensor, Tensor> qr(const Tensor& a, bool some) {
  CallSite site(TAPIR_HERE);
  return linalg::qr(a, some ? "reduced" : "complete");
}

Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper) {
  CallSite site(TAPIR_HERE);
  const Tensor l = upper ? mT(factor) : factor;
  return linalg::solve_triangular(mT(l), linalg::solve_triangular(l, b, false), true);
}

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(factor, true, "cholesky_inverse");
  return cholesky_solve(eye(factor.size(-1), TensorOptions(factor.dtype()).device(factor.device())), factor,
                        upper);
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool some, bool compute_uv) {
  CallSite site(TAPIR_HERE);
  if (!compute_uv) {
    const Tensor s = linalg::svdvals(a);
    const auto zero = [&](int64_t n) {
      Dims sizes = batch_sizes(a);
      sizes.push_back(n);
      sizes.push_back(n);
      return zeros(sizes, TensorOptions(a.dtype()).device(a.device()));
    };
    return {zero(a.size(-2)), s, zero(a.size(-1))};
  }
  const auto [u, s, vt] = svd_of(a, !some, "svd", TAPIR_HERE);
  return {u, s, mT(vt)};
}

std::tuple<Tensor, Tensor> triangular_solve(const Tensor& b, const Tensor& a, bool upper, bool transpose,
                                            bool unitriangular) {
  CallSite site(TAPIR_HERE);
  raw::check_matrices(a, true, "triangular_solve");
  return {transpose ? linalg::solve_triangular(mT(a), b, !upper, true, unitriangular)
                    : linalg::solve_triangular(a, b, upper, true, unitriangular),
          clone(a)};
}

}  // namespace tapir
