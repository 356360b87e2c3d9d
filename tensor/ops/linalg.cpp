#include "tapir/tensor/ops/linalg.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

int64_t rows_of(const Tensor& x) { return x.size(-2); }
int64_t cols_of(const Tensor& x) { return x.size(-1); }

/// The batch dimensions of x, and further ones.
Dims batch_and(const Tensor& x, std::initializer_list<int64_t> rest) {
  Dims sizes = IntArrayRef(x.sizes().data(), x.sizes().size() - 2);
  for (int64_t s : rest) sizes.push_back(s);
  return sizes;
}
int64_t batch_of(const Tensor& x) { return count(IntArrayRef(x.sizes().data(), x.sizes().size() - 2)); }

Tensor turned(const Tensor& x) { return x.alias(x.layout_of().transpose(-2, -1)); }
/// A copy of x whose matrices lie column by column.
Tensor columns(const Tensor& x) { return turned(clone_contiguous(turned(x))); }
Tensor empty_columns(const Tensor& like, int64_t rows, int64_t cols) {
  return turned(Tensor::empty(batch_and(like, {cols, rows}), like.dtype(), like.device()));
}

Tensor info_for(const Tensor& a) { return zeros(batch_and(a, {}), kInt32, a.device()); }

struct Call {
  Call(Lapack op, const Tensor& a, const char* n) : name(n), batch(batch_of(a)), info(info_for(a)) {
    args.op = op;
    args.dtype = a.dtype();
    args.batch = batch;
    args.m = rows_of(a);
    args.n = cols_of(a);
    args.k = 0;
    args.a = a.data_ptr();
    args.info = info.data_ptr<int32_t>();
  }
  void run() const { require(&KernelTable::lapack, info.device(), name)(args); }
  /// The first matrix for which bad(info) holds, as "" for one matrix or "matrix 3 of the batch: ", and info.
  template <class F>
  int32_t find(std::string& where, const F& bad) const {
    return first_bad(info, where, bad);
  }
  template <class F>
  static int32_t first_bad(const Tensor& info, std::string& where, const F& bad) {
    const int32_t* p = info.data_ptr<int32_t>();
    for (int64_t i = 0; i < info.numel(); ++i)
      if (bad(p[i])) {
        if (info.dim() > 0) where = fmt::format("matrix {} of the batch: ", i);
        return p[i];
      }
    return 0;
  }
  const char* name;
  int64_t batch;
  Tensor info;
  LapackArgs args{};
};

bool positive(int32_t i) { return i > 0; }

void check_same(const Tensor& a, const Tensor& b, const char* op) {
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(),
                 "{}: got {} and {}, expected the same dtype; cast one with to(dtype)", op, a.dtype(),
                 b.dtype());
  TAPIR_CHECK_AS(DeviceError, a.device() == b.device(),
                 "{}: tensors on {} and {}; move them to one device with to(device)", op, a.device(),
                 b.device());
}

void check_right_side(const Tensor& a, const Tensor& b, const char* op) {
  check_same(a, b, op);
  TAPIR_CHECK_AS(ShapeError,
                 b.dim() == a.dim() && b.size(-2) == a.size(-1) &&
                     IntArrayRef(batch_and(a, {})) == IntArrayRef(batch_and(b, {})),
                 "{}: a matrix of sizes {} and a right side of sizes {} do not fit; expected (..., n, n) and "
                 "(..., n, k)",
                 op, a.sizes(), b.sizes());
}

}  // namespace

void check_matrices(const Tensor& x, bool square, const char* op) {
  TAPIR_CHECK_AS(DTypeError, x.dtype() == kFloat32 || x.dtype() == kFloat64,
                 "{}: got a tensor of {}, expected float32 or float64; cast it with to(dtype)", op,
                 x.dtype());
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2,
                 "{}: got sizes {}, expected a matrix or a batch of them, (..., m, n)", op, x.sizes());
  TAPIR_CHECK_AS(ShapeError, !square || rows_of(x) == cols_of(x),
                 "{}: got matrices of {} by {}, expected square ones", op, rows_of(x), cols_of(x));
  constexpr int64_t largest = std::numeric_limits<int32_t>::max() / 16;
  TAPIR_CHECK_AS(ShapeError, rows_of(x) <= largest && cols_of(x) <= largest,
                 "{}: matrices of {} by {} are too large for LAPACK", op, rows_of(x), cols_of(x));
}

Lu lu(const Tensor& a, const char* op) {
  check_matrices(a, false, op);
  const Tensor f = columns(a);
  Call call(Lapack::Lu, f, op);
  const Tensor pivots = zeros(batch_and(a, {std::min(rows_of(a), cols_of(a))}), kInt32, a.device());
  call.args.pivots = pivots.data_ptr<int32_t>();
  if (a.numel() > 0) call.run();
  return {f, pivots, call.info};
}

void check_regular(const Lu& f, const char* op) {
  std::string where;
  if (const int32_t i = Call::first_bad(f.info, where, positive))
    throw_error<ValueError>(
        "{}: {}the matrix is singular: element {} on the diagonal of U in A = P L U is zero; linalg::pinv "
        "and "
        "linalg::lstsq take singular matrices",
        op, where, i);
}

Tensor lu_solve(const Lu& f, const Tensor& b, bool transpose, const char* op) {
  check_right_side(f.lu, b, op);
  const Tensor x = columns(b);
  Call call(Lapack::LuSolve, f.lu, op);
  call.args.k = cols_of(b);
  call.args.b = x.data_ptr();
  call.args.pivots = f.pivots.data_ptr<int32_t>();
  call.args.transpose = transpose;
  if (x.numel() > 0) call.run();
  return x;
}

Tensor permutation(const Lu& f) {
  const int64_t m = rows_of(f.lu), steps = f.pivots.size(-1);
  Tensor perm = Tensor::empty(batch_and(f.lu, {m}), kInt64, f.lu.device());
  for (int64_t i = 0; i < batch_of(f.lu); ++i) {
    int64_t* p = perm.data_ptr<int64_t>() + i * m;
    const int32_t* exchanges = f.pivots.data_ptr<int32_t>() + i * steps;
    std::iota(p, p + m, 0);
    for (int64_t s = 0; s < steps; ++s) std::swap(p[s], p[exchanges[s] - 1]);
  }
  return perm;
}

Tensor det(const Tensor& a, const char* op) {
  check_matrices(a, true, op);
  if (a.numel() == 0) return full(batch_and(a, {}), 1, a.dtype(), a.device());
  const Tensor f = columns(a), d = Tensor::empty(batch_and(a, {}), a.dtype(), a.device());
  Call call(Lapack::Det, f, op);
  call.args.s = d.data_ptr();
  call.run();
  return d;
}

std::pair<Tensor, Tensor> slogdet(const Tensor& a, const char* op) {
  check_matrices(a, true, op);
  const Tensor sign = full(batch_and(a, {}), 1, a.dtype(), a.device());
  const Tensor logarithm = zeros(batch_and(a, {}), a.dtype(), a.device());
  if (a.numel() == 0) return {sign, logarithm};
  const Tensor f = columns(a);
  Call call(Lapack::LogDet, f, op);
  call.args.s = sign.data_ptr();
  call.args.b = logarithm.data_ptr();
  call.run();
  return {sign, logarithm};
}

Tensor cholesky(const Tensor& a, const char* op) {
  check_matrices(a, true, op);
  const Tensor l = columns(a);
  if (l.numel() == 0) return l;
  Call call(Lapack::Cholesky, l, op);
  call.run();
  std::string where;
  if (const int32_t i = call.find(where, positive))
    throw_error<ValueError>(
        "{}: {}the matrix is not positive-definite: its leading minor of order {} is not positive", op, where,
        i);
  return l;
}

std::pair<Tensor, Tensor> qr(const Tensor& a, int64_t wanted, const char* op) {
  check_matrices(a, false, op);
  const int64_t m = rows_of(a), n = cols_of(a), least = std::min(m, n);
  Tensor x = columns(a);
  const Tensor q = empty_columns(a, m, wanted);
  if (x.numel() == 0) {
    if (q.numel() > 0) copy_into(q, eye(m, wanted, a.dtype(), a.device()));
  } else {
    Call call(Lapack::Qr, x, op);
    call.args.k = wanted;
    call.args.b = q.data_ptr();
    call.run();
  }
  const int64_t rows = wanted == 0 ? least : wanted;
  Tensor r = rows == m ? x : columns(x.alias(x.layout_of().narrow(-2, 0, rows)));
  return {q, r};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full, bool vectors, const char* op) {
  check_matrices(a, false, op);
  const int64_t m = rows_of(a), n = cols_of(a), least = std::min(m, n);
  const Tensor s = Tensor::empty(batch_and(a, {least}), a.dtype(), a.device());
  Tensor u, vt;
  if (vectors) {
    u = empty_columns(a, m, full ? m : least);
    vt = empty_columns(a, full ? n : least, n);
  }
  if (a.numel() == 0) {
    for (const Tensor& t : {u, vt})
      if (vectors && t.numel() > 0) copy_into(t, eye(t.size(-2), t.size(-1), a.dtype(), a.device()));
    return {u, s, vt};
  }
  const Tensor x = columns(a);
  Call call(Lapack::Svd, x, op);
  call.args.s = s.data_ptr();
  call.args.full = full;
  if (vectors) {
    call.args.b = u.data_ptr();
    call.args.c = vt.data_ptr();
  }
  call.run();
  std::string where;
  if (const int32_t i = call.find(where, [](int32_t v) { return v != 0; })) {
    if (i < 0) throw_error<ValueError>("{}: {}the matrix has elements that are not finite", op, where);
    throw_error<ValueError>("{}: {}the algorithm did not converge: {} superdiagonals are left", op, where, i);
  }
  return {u, s, vt};
}

std::pair<Tensor, Tensor> eigh(const Tensor& a, bool upper, bool vectors, const char* op) {
  check_matrices(a, true, op);
  const Tensor v = columns(a), w = Tensor::empty(batch_and(a, {cols_of(a)}), a.dtype(), a.device());
  if (a.numel() > 0) {
    Call call(Lapack::Eigh, v, op);
    call.args.s = w.data_ptr();
    call.args.upper = upper;
    call.args.vectors = vectors;
    call.run();
    std::string where;
    if (const int32_t i = call.find(where, positive))
      throw_error<ValueError>("{}: {}the algorithm did not converge (LAPACK's info is {})", op, where, i);
  }
  return {w, vectors ? v : Tensor()};
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool unit, const char* op) {
  check_matrices(a, true, op);
  check_right_side(a, b, op);
  const Tensor x = columns(b);
  if (x.numel() == 0) return x;
  const Tensor f = columns(a);
  Call call(Lapack::SolveTriangular, f, op);
  call.args.k = cols_of(b);
  call.args.b = x.data_ptr();
  call.args.upper = upper;
  call.args.unit = unit;
  call.run();
  return x;
}

LeastSquares lstsq(const Tensor& a, const Tensor& b, double rcond, LeastSquaresDriver driver,
                   const char* op) {
  check_matrices(a, false, op);
  check_same(a, b, op);
  const int64_t m = rows_of(a), n = cols_of(a), k = cols_of(b);
  const Tensor f = columns(a);
  LeastSquares r;
  r.solution = turned(zeros(batch_and(a, {k, std::max(m, n)}), a.dtype(), a.device()));
  copy_into(r.solution.alias(r.solution.layout_of().narrow(-2, 0, m)), b);
  if (driver != LeastSquaresDriver::Gels) r.rank = zeros(batch_and(a, {}), kInt64, a.device());
  const bool values = driver == LeastSquaresDriver::Gelsd || driver == LeastSquaresDriver::Gelss;
  if (values) r.singular_values = zeros(batch_and(a, {std::min(m, n)}), a.dtype(), a.device());
  if (a.numel() == 0) {
    fill(r.solution, 0);
    return r;
  }
  Call call(Lapack::LeastSquares, f, op);
  call.args.k = k;
  call.args.b = r.solution.data_ptr();
  call.args.driver = driver;
  call.args.rcond = rcond;
  if (r.rank.defined()) call.args.rank = r.rank.data_ptr<int64_t>();
  if (values) call.args.s = r.singular_values.data_ptr();
  call.run();
  std::string where;
  if (const int32_t i = call.find(where, positive)) {
    if (driver == LeastSquaresDriver::Gels)
      throw_error<ValueError>(
          "{}: {}the matrix does not have full rank (element {} on the diagonal of its triangular factor is "
          "zero); driver gelsy or gelsd takes such matrices",
          op, where, i);
    throw_error<ValueError>("{}: {}the algorithm did not converge (LAPACK's info is {})", op, where, i);
  }
  return r;
}

}  // namespace tapir::raw
