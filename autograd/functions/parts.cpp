#include "tapir/autograd/functions/parts.h"

#include <algorithm>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/linalg_norm.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scan.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/sort.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir {

// --- a part replaced ---

namespace {

/// x with `part(x)`, a view of it, set to src, which must have that view's sizes.
template <class Part>
Tensor replaced(const Tensor& x, const Tensor& src, const char* op, const Part& part) {
  Tensor y = clone(x), to = part(y);
  TAPIR_CHECK_AS(ShapeError, to.sizes() == src.sizes(), "{}: a source of sizes {} for a part of sizes {}", op,
                 src.sizes(), to.sizes());
  to.copy_(src);
  return y;
}

}  // namespace

Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  CallSite site(TAPIR_HERE);
  return replaced(x, src, "select_scatter", [&](const Tensor& y) { return select(y, dim, index); });
}
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step) {
  CallSite site(TAPIR_HERE);
  return replaced(x, src, "slice_scatter", [&](const Tensor& y) { return slice(y, dim, start, end, step); });
}
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  CallSite site(TAPIR_HERE);
  return replaced(x, src, "diagonal_scatter",
                  [&](const Tensor& y) { return diagonal(y, offset, dim1, dim2); });
}

Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    std::string_view reduce, bool include_self) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
                 "index_reduce: reduce is \"{}\", expected \"prod\", \"mean\", \"amax\" or \"amin\"", reduce);
  const int64_t d = x.layout_of().wrap_dim(dim, "index_reduce");
  TAPIR_CHECK_AS(ShapeError, index.dim() <= 1, "index_reduce: an index of sizes {}, expected one dimension",
                 index.sizes());
  Dims sizes = x.layout_of().sizes, along = Dims::filled(sizes.size(), 1);
  if (!sizes.empty()) sizes[d] = along[d] = index.numel();
  TAPIR_CHECK_AS(ShapeError, source.sizes() == IntArrayRef(sizes) && (!sizes.empty() || index.numel() == 1),
                 "index_reduce: {} indices along dimension {} of sizes {} do not fit a source of sizes {}",
                 index.numel(), d, x.sizes(), source.sizes());
  return scatter_reduce(x, d, expand(reshape(index, along), sizes), source, reduce, include_self);
}

Tensor renorm(const Tensor& x, const Scalar& p, int64_t dim, const Scalar& maxnorm) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(DTypeError, x.is_floating_point(), "renorm: got a tensor of {}, expected floating point",
                 x.dtype());
  TAPIR_CHECK_AS(ShapeError, x.dim() > 1, "renorm: sizes {}, expected at least two dimensions", x.sizes());
  TAPIR_CHECK_AS(ValueError, p.to_double() > 0 && maxnorm.to_double() >= 0,
                 "renorm: got p = {} and maxnorm = {}, expected p > 0 and maxnorm >= 0", p.to_double(),
                 maxnorm.to_double());
  const int64_t d = x.layout_of().wrap_dim(dim, "renorm");
  std::vector<int64_t> others;
  for (int64_t i = 0; i < x.dim(); ++i)
    if (i != d) others.push_back(i);
  const Tensor size = linalg::vector_norm(x, p, IntArrayRef(others), true);
  const Tensor scale = div(raw::full({}, maxnorm, x.dtype(), x.device()), add(size, Scalar(1e-7)));
  return mul(x, where(gt(size, maxnorm), scale, Scalar(1)));
}

// --- membership ---

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool, bool invert) {
  NoGradGuard no_grad;
  TAPIR_CHECK_AS(DTypeError, elements.dtype() != kBool && test_elements.dtype() != kBool,
                 "isin: got bool, expected a dtype of numbers");
  const Tensor tests = reshape(test_elements.detach(), {-1});
  if (tests.numel() == 0) return raw::full(elements.sizes(), invert, kBool, elements.device());
  const DType d = promote_types(elements.dtype(), tests.dtype());
  const Tensor sorted = std::get<0>(sort(to(tests, d))), x = to(elements.detach(), d);
  const Tensor at = clamp_max(searchsorted(sorted, x), tests.numel() - 1);
  const Tensor found = eq(reshape(index_select(sorted, 0, reshape(at, {-1})), x.sizes()), x);
  return invert ? logical_not(found) : found;
}
Tensor isin(const Tensor& elements, const Scalar& test_element, bool, bool invert) {
  NoGradGuard no_grad;
  return invert ? ne(elements, test_element) : eq(elements, test_element);
}
Tensor isin(const Scalar& element, const Tensor& test_elements, bool, bool invert) {
  NoGradGuard no_grad;
  const Tensor found = any(eq(test_elements, element));
  return invert ? logical_not(found) : found;
}

// --- statistics of pairs ---

Tensor dist(const Tensor& a, const Tensor& b, const Scalar& p) {
  CallSite site(TAPIR_HERE);
  return norm(sub(a, b), p);
}

Tensor cov(const Tensor& x, int64_t correction, const std::optional<Tensor>& fweights,
           const std::optional<Tensor>& aweights) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() <= 2, "cov: sizes {}, expected at most two dimensions", x.sizes());
  TAPIR_CHECK_AS(DTypeError, x.dtype() != kBool, "cov: got bool, expected a dtype of numbers");
  Tensor in = x.dim() < 2 ? reshape(x, {1, -1}) : x;
  if (!in.is_floating_point()) in = to(in, get_default_dtype());
  const int64_t n = in.size(1);
  Tensor w;
  const auto check = [&](const Tensor& t, const char* what) {
    TAPIR_CHECK_AS(ShapeError, t.dim() == 1 && t.numel() == n,
                   "cov: {} of sizes {} for {} observations, expected one for each", what, t.sizes(), n);
    TAPIR_CHECK_AS(ValueError, n == 0 || all(ge(t, Scalar(0))).item<bool>(), "cov: {} must not be negative",
                   what);
  };
  if (fweights) {
    TAPIR_CHECK_AS(DTypeError, is_integral(fweights->dtype()), "cov: fweights of {}, expected integers",
                   fweights->dtype());
    check(*fweights, "fweights");
    w = to(*fweights, in.dtype());
  }
  if (aweights) {
    TAPIR_CHECK_AS(DTypeError, aweights->is_floating_point(), "cov: aweights of {}, expected floating point",
                   aweights->dtype());
    check(*aweights, "aweights");
    const Tensor a = to(*aweights, in.dtype());
    w = w.defined() ? mul(w, a) : a;
  }
  const Tensor total = w.defined() ? sum(w) : raw::full({}, Scalar(n), in.dtype(), in.device());
  const Tensor average = div(w.defined() ? sum(mul(in, w), 1) : sum(in, 1), total);
  Tensor freedom;
  if (w.defined() && aweights && correction != 0)
    freedom = sub(total, mul(div(sum(mul(w, to(*aweights, in.dtype()))), total), Scalar(correction)));
  else
    freedom = sub(total, Scalar(correction));
  const Tensor centred = sub(in, unsqueeze(average, 1));
  const Tensor c = mm(centred, t(w.defined() ? mul(centred, w) : centred));
  return squeeze(div(c, clamp_min(freedom, 0)));
}

Tensor corrcoef(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  const Tensor c = cov(x);
  if (c.dim() == 0) return div(c, c);
  const Tensor deviation = sqrt(diagonal(c));
  return clamp(div(div(c, unsqueeze(deviation, 1)), unsqueeze(deviation, 0)), Scalar(-1), Scalar(1));
}

// --- integrals ---

namespace {

Tensor after(const Tensor& t, int64_t d) { return narrow(t, d, 1, t.size(d) - 1); }
Tensor before(const Tensor& t, int64_t d) { return narrow(t, d, 0, t.size(d) - 1); }

Tensor doubled_areas(const Tensor& y, const Tensor& x, int64_t dim, const char* op) {
  const int64_t d = y.layout_of().wrap_dim(dim, op);
  TAPIR_CHECK_AS(ShapeError, y.dim() > 0 && y.size(d) > 0, "{}: sizes {} have no points along dimension {}",
                 op, y.sizes(), dim);
  Tensor widths;
  if (x.dim() == 1) {
    TAPIR_CHECK_AS(ShapeError, x.numel() == y.size(d), "{}: {} points for sizes {} along dimension {}", op,
                   x.numel(), y.sizes(), dim);
    std::vector<int64_t> sizes(static_cast<size_t>(y.dim()), 1);
    sizes[static_cast<size_t>(d)] = x.numel() - 1;
    widths = reshape(sub(after(x, 0), before(x, 0)), sizes);
  } else {
    TAPIR_CHECK_AS(ShapeError, x.dim() == y.dim() && x.size(d) == y.size(d),
                   "{}: points of sizes {} do not fit values of sizes {}", op, x.sizes(), y.sizes());
    widths = sub(after(x, d), before(x, d));
  }
  return mul(widths, add(after(y, d), before(y, d)));
}
Tensor neighbour_sums(const Tensor& y, int64_t dim, const char* op) {
  const int64_t d = y.layout_of().wrap_dim(dim, op);
  TAPIR_CHECK_AS(ShapeError, y.dim() > 0 && y.size(d) > 0, "{}: sizes {} have no points along dimension {}",
                 op, y.sizes(), dim);
  return add(after(y, d), before(y, d));
}

}  // namespace

Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return div(sum(doubled_areas(y, x, dim, "trapezoid"), dim), Scalar(2.0));
}
Tensor trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return mul(sum(neighbour_sums(y, dim, "trapezoid"), dim), Scalar(dx.to_double() / 2));
}
Tensor trapz(const Tensor& y, const Tensor& x, int64_t dim) { return trapezoid(y, x, dim); }
Tensor trapz(const Tensor& y, double dx, int64_t dim) { return trapezoid(y, Scalar(dx), dim); }
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return div(cumsum(doubled_areas(y, x, dim, "cumulative_trapezoid"), dim), Scalar(2.0));
}
Tensor cumulative_trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return mul(cumsum(neighbour_sums(y, dim, "cumulative_trapezoid"), dim), Scalar(dx.to_double() / 2));
}

Tensor adjoint(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "adjoint: sizes {}, expected at least two dimensions", x.sizes());
  return transpose(x, -2, -1);
}
Tensor concatenate(TensorList tensors, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return cat(tensors, dim);
}

DType result_type(const Tensor& a, const Tensor& b) { return raw::result_type({a, b}); }
DType result_type(const Tensor& a, const Scalar& b) { return raw::result_type({a, b}); }
DType result_type(const Scalar& a, const Tensor& b) { return raw::result_type({a, b}); }
DType result_type(const Scalar& a, const Scalar& b) { return raw::result_type({a, b}); }

Tensor as_strided_scatter(const Tensor& x, const Tensor& src, IntArrayRef size, IntArrayRef stride,
                          std::optional<int64_t> storage_offset) {
  CallSite site(TAPIR_HERE);
  Tensor y = clone(x);
  TAPIR_CHECK_AS(ShapeError, src.sizes() == size,
                 "as_strided_scatter: src has sizes {}, expected those of the part, {}", src.sizes(), size);
  as_strided(y, size, stride, storage_offset).copy_(src);
  return y;
}
Tensor fill(const Tensor& x, const Scalar& value) {
  return raw::full(x.sizes(), value, x.dtype(), x.device());
}
Tensor fill(const Tensor& x, const Tensor& value) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, value.dim() == 0,
                 "fill: the value has sizes {}, expected a tensor without dimensions", value.sizes());
  return clone(expand(to(value, x.dtype()), x.sizes()));
}
Tensor norm_except_dim(const Tensor& w, int64_t p, int64_t dim) {
  CallSite site(TAPIR_HERE);
  if (dim == -1) return norm(w, Scalar(p));
  const int64_t d = w.layout_of().wrap_dim(dim, "norm_except_dim");
  std::vector<int64_t> others;
  for (int64_t i = 0; i < w.dim(); ++i)
    if (i != d) others.push_back(i);
  return others.empty() ? abs(w) : norm(w, Scalar(p), IntArrayRef(others), true);
}
Tensor frobenius_norm(const Tensor& x, IntArrayRef dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  return norm(x, Scalar(2), dim, keepdim);
}
Tensor nuclear_norm(const Tensor& x, bool keepdim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() == 2, "nuclear_norm: got sizes {}, expected a matrix", x.sizes());
  return linalg::matrix_norm(x, "nuc", {-2, -1}, keepdim);
}
Tensor nuclear_norm(const Tensor& x, IntArrayRef dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  return linalg::matrix_norm(x, "nuc", dim, keepdim);
}

// --- methods ---

namespace {
TensorOptions as(const Tensor& x, const TensorOptions& options) {
  TensorOptions o = options.has_dtype() ? options : options.dtype(x.dtype());
  return o.has_device() ? o : o.device(x.device());
}
}  // namespace

Tensor Tensor::new_empty(IntArrayRef sizes, const TensorOptions& o) const {
  return tapir::empty(sizes, as(*this, o));
}
Tensor Tensor::new_empty_strided(IntArrayRef size, IntArrayRef stride, const TensorOptions& o) const {
  return tapir::empty_strided(size, stride, as(*this, o));
}
Tensor Tensor::as_strided_scatter(const Tensor& src, IntArrayRef size, IntArrayRef stride,
                                  std::optional<int64_t> storage_offset) const {
  CallSite site(TAPIR_HERE);
  return tapir::as_strided_scatter(*this, src, size, stride, storage_offset);
}
Tensor Tensor::matrix_H() const {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, dim() == 2, "matrix_H: got sizes {}, expected a matrix", sizes());
  return tapir::transpose(*this, 0, 1);
}
bool Tensor::is_set_to(const Tensor& other) const {
  return is_alias_of(other) && storage_offset() == other.storage_offset() && sizes() == other.sizes() &&
         strides() == other.strides();
}
Tensor Tensor::new_zeros(IntArrayRef sizes, const TensorOptions& o) const {
  return zeros(sizes, as(*this, o));
}
Tensor Tensor::new_ones(IntArrayRef sizes, const TensorOptions& o) const { return ones(sizes, as(*this, o)); }
Tensor Tensor::new_full(IntArrayRef sizes, const Scalar& value, const TensorOptions& o) const {
  return full(sizes, value, as(*this, o));
}
Tensor Tensor::index_put(ArrayRef<TensorIndex> indices, const Tensor& values, bool accumulate) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_put(*this, indices, values, accumulate);
}
Tensor Tensor::index_reduce(int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                            bool include_self) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_reduce(*this, dim, index, source, reduce, include_self);
}
Tensor& Tensor::index_reduce_(int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                              bool include_self) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "index_reduce_", [&](const Tensor& x) {
    return tapir::index_reduce(x, dim, index, source, reduce, include_self);
  });
  return self();
}
Tensor Tensor::select_scatter(const Tensor& src, int64_t dim, int64_t index) const {
  CallSite site(TAPIR_HERE);
  return tapir::select_scatter(*this, src, dim, index);
}
Tensor Tensor::slice_scatter(const Tensor& src, int64_t dim, std::optional<int64_t> start,
                             std::optional<int64_t> end, int64_t step) const {
  CallSite site(TAPIR_HERE);
  return tapir::slice_scatter(*this, src, dim, start, end, step);
}
Tensor Tensor::diagonal_scatter(const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) const {
  CallSite site(TAPIR_HERE);
  return tapir::diagonal_scatter(*this, src, offset, dim1, dim2);
}
Tensor& Tensor::fill_diagonal_(const Scalar& value, bool wrap) const {
  CallSite site(TAPIR_HERE);
  check_inplace(self(), "fill_diagonal_");
  TAPIR_CHECK_AS(ShapeError, dim() >= 2, "fill_diagonal_: sizes {}, expected at least two dimensions",
                 sizes());
  int64_t n = size(0), step = 0;
  for (int64_t d = 0; d < dim(); ++d) {
    TAPIR_CHECK_AS(ShapeError, dim() == 2 || size(d) == size(0),
                   "fill_diagonal_: sizes {}, expected equal ones where there are more than two", sizes());
    n = std::min(n, size(d));
    step += stride(d);
  }
  if (n > 0) tapir::fill_(tapir::as_strided(self(), {n}, {step}, storage_offset()), value);
  // The diagonal of a tall matrix starts over below a row that it leaves out.
  for (int64_t row = size(1) + 1; wrap && dim() == 2 && n > 0 && row < size(0); row += size(1) + 1)
    tapir::fill_(tapir::diagonal(tapir::slice(self(), 0, row)), value);
  return self();
}
Tensor Tensor::renorm(const Scalar& p, int64_t dim, const Scalar& maxnorm) const {
  CallSite site(TAPIR_HERE);
  return tapir::renorm(*this, p, dim, maxnorm);
}
Tensor& Tensor::renorm_(const Scalar& p, int64_t dim, const Scalar& maxnorm) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "renorm_",
                         [&](const Tensor& x) { return tapir::renorm(x, p, dim, maxnorm); });
  return self();
}
Tensor Tensor::dist(const Tensor& other, const Scalar& p) const {
  CallSite site(TAPIR_HERE);
  return tapir::dist(*this, other, p);
}
Tensor Tensor::cov(int64_t correction, const std::optional<Tensor>& fweights,
                   const std::optional<Tensor>& aweights) const {
  CallSite site(TAPIR_HERE);
  return tapir::cov(*this, correction, fweights, aweights);
}
Tensor Tensor::corrcoef() const {
  CallSite site(TAPIR_HERE);
  return tapir::corrcoef(*this);
}
Tensor Tensor::reshape_as(const Tensor& other) const {
  CallSite site(TAPIR_HERE);
  return tapir::reshape(*this, other.sizes());
}
Tensor Tensor::sum_to_size(IntArrayRef sizes) const {
  CallSite site(TAPIR_HERE);
  return tapir::sum_to_size(*this, sizes);
}
Tensor Tensor::mT() const {
  CallSite site(TAPIR_HERE);
  return tapir::adjoint(*this);
}
Tensor Tensor::mH() const {
  CallSite site(TAPIR_HERE);
  return tapir::adjoint(*this);
}
Tensor Tensor::adjoint() const {
  CallSite site(TAPIR_HERE);
  return tapir::adjoint(*this);
}
Tensor Tensor::numpy_T() const {
  CallSite site(TAPIR_HERE);
  std::vector<int64_t> order;
  for (int64_t d = dim(); d-- > 0;) order.push_back(d);
  return tapir::permute(*this, order);
}

}  // namespace tapir
