#include "tapir/autograd/functions/linalg_norm.h"

#include <cmath>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"

namespace tapir::linalg {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor cast(const Tensor& x, std::optional<DType> dtype) { return dtype ? to(x, *dtype) : x; }

/// The dimensions of a matrix, rows first, counted from the start.
struct Plane {
  Plane(const Tensor& x, IntArrayRef dim, const char* op) {
    TAPIR_CHECK_AS(ShapeError, dim.size() == 2, "{}: dim is {}, expected two dimensions", op, dim);
    TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "{}: got sizes {}, expected a matrix or a batch of them", op,
                   x.sizes());
    rows = x.layout_of().wrap_dim(dim[0], op);
    cols = x.layout_of().wrap_dim(dim[1], op);
    TAPIR_CHECK_AS(ValueError, rows != cols, "{}: dim {} names one dimension twice", op, dim);
  }
  /// x with the rows and columns as its last dimensions.
  Tensor last(const Tensor& x) const {
    Dims order;
    for (int64_t d = 0; d < x.dim(); ++d)
      if (d != rows && d != cols) order.push_back(d);
    order.push_back(rows);
    order.push_back(cols);
    return permute(x, order);
  }
  /// The result of a reduction with both dimensions kept where they were.
  Tensor keep(Tensor y, bool keepdim) const {
    if (!keepdim) return y;
    y = unsqueeze(y, std::min(rows, cols));
    return unsqueeze(y, std::max(rows, cols));
  }
  int64_t rows, cols;
};

}  // namespace

Tensor vector_norm(const Tensor& x, const Scalar& ord, OptionalIntArrayRef dim, bool keepdim,
                   std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  return tapir::norm(cast(x, dtype), ord, *dim, keepdim);
}

Tensor matrix_norm(const Tensor& from, const Scalar& ord, IntArrayRef dim, bool keepdim,
                   std::optional<DType> dtype) {
  const char* op = "linalg.matrix_norm";
  CallSite site(TAPIR_HERE);
  const Tensor x = cast(from, dtype);
  const Plane plane(x, dim, op);
  const double p = ord.to_double();
  TAPIR_CHECK_AS(ValueError, std::abs(p) == 1 || std::abs(p) == 2 || std::isinf(p),
                 "{}: order {}, expected 1, -1, 2, -2, inf, -inf, \"fro\" or \"nuc\"", op, p);
  if (std::abs(p) == 2) {
    const Tensor s = svdvals(plane.last(x));
    TAPIR_CHECK_AS(ShapeError, s.size(-1) > 0,
                   "{}: matrices without elements (sizes {}) have no norm of order {}", op, x.sizes(), p);
    return plane.keep(select(s, -1, p > 0 ? 0 : s.size(-1) - 1), keepdim);
  }
  const Tensor sums = tapir::norm(plane.last(x), Scalar(1), std::isinf(p) ? -1 : -2, false);
  return plane.keep(tapir::norm(sums, Scalar(p > 0 ? kInf : -kInf), -1, false), keepdim);
}

Tensor matrix_norm(const Tensor& from, std::string_view ord, IntArrayRef dim, bool keepdim,
                   std::optional<DType> dtype) {
  const char* op = "linalg.matrix_norm";
  CallSite site(TAPIR_HERE);
  const Tensor x = cast(from, dtype);
  const Plane plane(x, dim, op);
  if (ord == "fro") return tapir::norm(x, Scalar(2), dim, keepdim);
  TAPIR_CHECK_AS(ValueError, ord == "nuc", "{}: order '{}', expected a number, fro or nuc", op, ord);
  return plane.keep(sum(svdvals(plane.last(x)), -1), keepdim);
}

Tensor norm(const Tensor& x, const std::optional<Scalar>& ord, OptionalIntArrayRef over, bool keepdim,
            std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  const IntArrayRef dim = *over;  // without one as with an empty one
  if (!ord) return vector_norm(x, 2, dim, keepdim, dtype);
  if (dim.size() == 2) return matrix_norm(x, *ord, dim, keepdim, dtype);
  if (dim.size() == 1) return vector_norm(x, *ord, dim, keepdim, dtype);
  TAPIR_CHECK_AS(
      ShapeError, dim.empty() && (x.dim() == 1 || x.dim() == 2),
      "linalg.norm: with an order and {}, got sizes {}; expected a vector or a matrix, or one or two "
      "dimensions",
      dim.empty() ? "no dim" : "more than two dimensions", x.sizes());
  return x.dim() == 1 ? vector_norm(x, *ord, 0, keepdim, dtype)
                      : matrix_norm(x, *ord, {0, 1}, keepdim, dtype);
}

Tensor norm(const Tensor& x, std::string_view ord, OptionalIntArrayRef over, bool keepdim,
            std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  const IntArrayRef dim = *over;
  if (dim.empty()) {
    TAPIR_CHECK_AS(ShapeError, x.dim() == 2,
                   "linalg.norm: order '{}' without dim, got sizes {}; expected a matrix", ord, x.sizes());
    return matrix_norm(x, ord, {0, 1}, keepdim, dtype);
  }
  return matrix_norm(x, ord, dim, keepdim, dtype);
}

}  // namespace tapir::linalg
