#include "tapir/autograd/functions/products.h"

#include <cmath>
#include <limits>

#include "tapir/autograd/functions/einsum.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg_parts.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/undefined.h"

namespace tapir {

using linalg_parts::mT;

namespace {

void check_dims(const char* op, const Tensor& x, int64_t dims, const char* which) {
  TAPIR_CHECK_AS(ShapeError, x.dim() == dims, "{}: {} has sizes {}, expected {} dimension{}", op, which,
                 x.sizes(), dims, dims == 1 ? "" : "s");
}

/// beta * c + y, where c broadcasts to y.
Tensor add_to(const char* op, const Tensor& y, const Tensor& c, const Scalar& beta) {
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(c.sizes(), y.sizes()),
                 "{}: a tensor of sizes {} does not broadcast to the product's, {}", op, c.sizes(),
                 y.sizes());
  TAPIR_CHECK_AS(DTypeError, c.dtype() == y.dtype(),
                 "{}: got {} and {}, expected the same dtype; cast one with to(dtype)", op, c.dtype(),
                 y.dtype());
  return beta.to_double() == 0 ? y : add(y, c, beta);
}
Tensor scaled(const Tensor& x, const Scalar& factor) { return factor.to_double() == 1 ? x : mul(x, factor); }

// An undefined tensor is refused by the name of the function that calls this: inlined into that function the
// refusal would be in its cold part, which has no name to the dynamic linker.
[[gnu::noinline]] void check_defined(const Tensor& a, const Tensor& b) {
  a.dtype();
  b.dtype();
}

Tensor outer_of(const char* op, const Tensor& a, const Tensor& b) {
  check_dims(op, a, 1, "the first");
  check_dims(op, b, 1, "the second");
  return mul(unsqueeze(a, 1), b);
}

}  // namespace

Tensor outer(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return outer_of("outer", a, b);
}
Tensor ger(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  return outer_of("ger", a, b);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  check_defined(a, b);
  if (a.dim() == 0 || b.dim() == 0) return mul(a, b);
  TAPIR_CHECK_AS(ShapeError, a.size(-1) == b.size(-1), "inner: sizes {} and {}, expected the same last size",
                 a.sizes(), b.sizes());
  return tensordot(a, b, -1, -1);
}

Tensor vdot(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  check_dims("vdot", a, 1, "the first");
  check_dims("vdot", b, 1, "the second");
  return dot(a, b);
}

Tensor addmv(const Tensor& c, const Tensor& a, const Tensor& v, const Scalar& beta, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  check_dims("addmv", a, 2, "the matrix");
  check_dims("addmv", v, 1, "the vector");
  TAPIR_CHECK_AS(ShapeError, a.size(1) == v.size(0) && c.dim() <= 1,
                 "addmv: sizes {}, {} and {}; expected (m), (m, k) and (k)", c.sizes(), a.sizes(), v.sizes());
  return squeeze(addmm(c.dim() == 1 ? unsqueeze(c, 1) : c, a, unsqueeze(v, 1), beta, alpha), 1);
}

Tensor addr(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  return add_to("addr", outer_of("addr", scaled(a, alpha), b), c, beta);
}

Tensor baddbmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  check_dims("baddbmm", a, 3, "batch1");
  check_dims("baddbmm", b, 3, "batch2");
  return add_to("baddbmm", scaled(bmm(a, b), alpha), c, beta);
}

// The sum of a batch of products is one product of the matrices side by side.
Tensor addbmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  check_dims("addbmm", a, 3, "batch1");
  check_dims("addbmm", b, 3, "batch2");
  TAPIR_CHECK_AS(ShapeError, a.size(0) == b.size(0) && a.size(2) == b.size(1),
                 "addbmm: sizes {} and {} do not fit; expected (B, m, k) and (B, k, n)", a.sizes(),
                 b.sizes());
  const int64_t k = a.size(0) * a.size(2);
  return addmm(c, reshape(permute(a, {1, 0, 2}), {a.size(1), k}), reshape(b, {k, b.size(2)}), beta, alpha);
}

void detail::add_product_(const Tensor& x, AddProduct op, const Tensor& a, const Tensor& b,
                          const Scalar& beta, const Scalar& alpha) {
  static constexpr const char* kNames[] = {"addmm_", "addmv_", "addr_", "baddbmm_", "addbmm_"};
  static constexpr Tensor (*kFunctions[])(const Tensor&, const Tensor&, const Tensor&, const Scalar&,
                                          const Scalar&) = {addmm, addmv, addr, baddbmm, addbmm};
  const char* name = kNames[static_cast<int>(op)];
  detail::check_defined(a, name);
  detail::check_defined(b, name);
  assign_inplace(x, name,
                 [&](const Tensor& old) { return kFunctions[static_cast<int>(op)](old, a, b, beta, alpha); });
}

Tensor kron(const Tensor& a, const Tensor& b) {
  CallSite site(TAPIR_HERE);
  check_defined(a, b);
  const int64_t dims = std::max(a.dim(), b.dim());
  Dims wide_a, wide_b, sizes;  // a as (m, 1, n, 1, ...), b as (1, p, 1, q, ...)
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t i = d - (dims - a.dim()), j = d - (dims - b.dim());
    const int64_t m = i < 0 ? 1 : a.size(i), p = j < 0 ? 1 : b.size(j);
    wide_a.push_back(m);
    wide_a.push_back(1);
    wide_b.push_back(1);
    wide_b.push_back(p);
    sizes.push_back(m * p);
  }
  return reshape(mul(reshape(a, wide_a), reshape(b, wide_b)), sizes);
}

namespace {

Tensor cross_along(const char* op, const Tensor& a, const Tensor& b, int64_t dim) {
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(),
                 "{}: got {} and {}, expected the same dtype; cast one with to(dtype)", op, a.dtype(),
                 b.dtype());
  TAPIR_CHECK_AS(ShapeError, a.dim() == b.dim(), "{}: sizes {} and {}, expected as many dimensions", op,
                 a.sizes(), b.sizes());
  TAPIR_CHECK_AS(ShapeError, a.dim() > 0 && a.size(dim) == 3 && b.size(dim) == 3,
                 "{}: sizes {} and {}, expected size 3 in dimension {}", op, a.sizes(), b.sizes(), dim);
  const auto turned = [dim](const Tensor& x, int64_t by) {  // x[i + by]
    return cat({narrow(x, dim, by, 3 - by), narrow(x, dim, 0, by)}, dim);
  };
  return sub(mul(turned(a, 1), turned(b, 2)), mul(turned(a, 2), turned(b, 1)));
}

}  // namespace

Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim) {
  CallSite site(TAPIR_HERE);
  check_defined(a, b);
  int64_t d = dim.value_or(0);
  if (!dim) {
    while (d < a.dim() && a.size(d) != 3) ++d;
    TAPIR_CHECK_AS(ShapeError, d < a.dim(), "cross: sizes {}, expected a dimension of size 3", a.sizes());
  }
  return cross_along("cross", a, b, d);
}

Tensor trace(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  check_dims("trace", x, 2, "the matrix");
  return sum(diagonal(x));
}

// --- cdist ---

namespace {

// With w = g / distance: gx_i = x_i sum_j w_ij - sum_j w_ij y_j, likewise for y
struct CdistBackward final : NodeOf<2, 3> {
  const char* type_name() const override { return "CdistBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = saved(0), y = saved(1), d = saved(2);
    const Tensor none = eq(d, Scalar(0));
    const Tensor w = masked_fill(div(g[0], masked_fill(d, none, 1)), none, 0);
    if (sink.wants(0)) sink.set(0, sub(mul(x, sum(w, -1, true)), matmul(w, y)));
    if (sink.wants(1)) sink.set(1, sub(mul(y, unsqueeze(sum(w, -2), -1)), matmul(mT(w), x)));
  }
};

Tensor differences_norm(const Tensor& x, const Tensor& y, double p) {
  return norm(sub(unsqueeze(x, -2), unsqueeze(y, -3)), Scalar(p), -1, false);
}

}  // namespace

Tensor cdist(const Tensor& x1, const Tensor& x2, double p, std::optional<int64_t> compute_mode) {
  CallSite site(TAPIR_HERE);
  check_defined(x1, x2);
  TAPIR_CHECK_AS(DTypeError, x1.dtype() == x2.dtype() && is_floating_point(x1.dtype()),
                 "cdist: got {} and {}, expected one floating-point dtype", x1.dtype(), x2.dtype());
  TAPIR_CHECK_AS(ShapeError, x1.dim() >= 2 && x2.dim() >= 2 && x1.size(-1) == x2.size(-1),
                 "cdist: sizes {} and {}, expected (..., P, M) and (..., R, M)", x1.sizes(), x2.sizes());
  TAPIR_CHECK_AS(ValueError, p >= 0, "cdist: p is {}, expected 0 or more", p);
  const int64_t mode = compute_mode.value_or(0);
  TAPIR_CHECK_AS(ValueError, mode >= 0 && mode <= 2, "cdist: compute_mode {}, expected 0, 1 or 2", mode);
  const Dims batch = broadcast_sizes(linalg_parts::batch_sizes(x1), linalg_parts::batch_sizes(x2), "cdist");
  const Tensor x = linalg_parts::expand_batch(x1, batch), y = linalg_parts::expand_batch(x2, batch);
  if (x.size(-1) == 0) {
    Dims sizes = batch;
    sizes.push_back(x.size(-2));
    sizes.push_back(y.size(-2));
    return zeros(sizes, TensorOptions(x.dtype()).device(x.device()));
  }
  if (p != 2) return differences_norm(x, y, p);
  Tensor d;
  {
    NoGradGuard no_grad;
    if (mode == 1 || (mode == 0 && (x.size(-2) > 25 || y.size(-2) > 25))) {
      const Tensor squares = add(sum(square(x), -1, true), unsqueeze(sum(square(y), -1), -2));
      d = sqrt(clamp_min(sub(squares, matmul(x, mT(y)), 2), 0));
    } else {
      d = differences_norm(x, y, 2);
    }
  }
  if (recording(x, y)) {
    auto* node = record<CdistBackward>(TAPIR_HERE, d, x, y);
    node->save_input(0, x);
    node->save_input(1, y);
    node->save_output(2, d);
  }
  return d;
}

// --- chains of products ---

namespace {

Tensor chain(const char* op, std::vector<Tensor> m) {
  const size_t n = m.size();
  for (const Tensor& x : m) check_dims(op, x, 2, "a matrix");
  for (size_t i = 1; i < n; ++i)
    TAPIR_CHECK_AS(ShapeError, m[i - 1].size(1) == m[i].size(0),
                   "{}: tensors {} and {} have sizes {} and {}, which cannot be multiplied", op, i - 1, i,
                   m[i - 1].sizes(), m[i].sizes());
  // cost[i][j]: the fewest multiplications for the product of m[i] ... m[j], cut after at[i][j]
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<size_t>> at(n, std::vector<size_t>(n, 0));
  for (size_t length = 1; length < n; ++length)
    for (size_t i = 0; i + length < n; ++i) {
      const size_t j = i + length;
      cost[i][j] = std::numeric_limits<double>::infinity();
      for (size_t k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] +
                         static_cast<double>(m[i].size(0)) * static_cast<double>(m[k].size(1)) *
                             static_cast<double>(m[j].size(1));
        if (c < cost[i][j]) {
          cost[i][j] = c;
          at[i][j] = k;
        }
      }
    }
  const auto product = [&](const auto& self, size_t i, size_t j) -> Tensor {
    return i == j ? m[i] : mm(self(self, i, at[i][j]), self(self, at[i][j] + 1, j));
  };
  return product(product, 0, n - 1);
}

}  // namespace

Tensor chain_matmul(TensorList matrices) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !matrices.empty(), "chain_matmul: no matrices given");
  return chain("chain_matmul", matrices.vec());
}

namespace linalg {

Tensor multi_dot(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, tensors.size() >= 2, "linalg.multi_dot: {} tensors given, expected two or more",
                 tensors.size());
  std::vector<Tensor> m = tensors.vec();
  check_defined(m.front(), m.back());
  const bool row = m.front().dim() == 1, column = m.back().dim() == 1;
  if (row) m.front() = unsqueeze(m.front(), 0);
  if (column) m.back() = unsqueeze(m.back(), 1);
  Tensor y = chain("linalg.multi_dot", std::move(m));
  if (row) y = squeeze(y, 0);
  return column ? squeeze(y, -1) : y;
}

Tensor cross(const Tensor& a, const Tensor& b, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return cross_along("linalg.cross", a, b, dim);
}

}  // namespace linalg

}  // namespace tapir
