// Reductions. `dim` lists the dimensions that go, negative ones counted from the end, an empty list meaning
// all; with `keepdim` they stay with size 1. A dimension out of range throws IndexError, one listed twice
// ValueError.
#pragma once

#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

/// Sum, 0 of no elements. The dtype is that of x, int64 for integers and bool, or `dtype`, to which x is cast
/// first. Floats are summed in a blocked order (the error grows with log n), half types in float.
TAPIR_API Tensor sum(const Tensor& x, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor sum(const Tensor& x, IntArrayRef dim, bool keepdim = false,
                     std::optional<DType> dtype = std::nullopt);
/// sum / count, NaN of no elements. Throws DTypeError for integers without a floating `dtype`.
TAPIR_API Tensor mean(const Tensor& x, std::optional<DType> dtype = std::nullopt);
TAPIR_API Tensor mean(const Tensor& x, IntArrayRef dim, bool keepdim = false,
                      std::optional<DType> dtype = std::nullopt);
/// The largest (smallest) element, NaN where one is. Equal ones share the gradient. Throws ShapeError where
/// there is none.
TAPIR_API Tensor max(const Tensor& x);
TAPIR_API Tensor min(const Tensor& x);
/// The same over the dimensions listed.
TAPIR_API Tensor amax(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPIR_API Tensor amin(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
/// (smallest, largest) along `dim`, or of all elements.
TAPIR_API std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                                             bool keepdim = false);
/// The lower median of all elements, NaN where one is (nanmedian: of those that are not) or there is none.
/// Equal ones share the gradient. sort.h has the forms along a dimension.
TAPIR_API Tensor median(const Tensor& x);
TAPIR_API Tensor nanmedian(const Tensor& x);
/// (values, indices) along `dim`: the first largest (smallest) element, which gets the gradient, and its
/// place (int64).
TAPIR_API std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
/// maximum(a, b), minimum(a, b)
TAPIR_API Tensor max(const Tensor& a, const Tensor& b);
TAPIR_API Tensor min(const Tensor& a, const Tensor& b);
/// Place (int64) of the first largest (smallest) element along `dim`; without dim of all elements in
/// row-major order.
TAPIR_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
TAPIR_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);
/// log(sum(exp(x))), computed without overflow; -inf of no elements. Integers become the default dtype.
TAPIR_API Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim = false);
/// sum(|x|^p)^(1/p); p = inf: max |x|, -inf: min |x|, 0: the number of elements that are not 0. The gradient
/// at norm 0 is 0. Throws DTypeError for integers.
TAPIR_API Tensor norm(const Tensor& x, const Scalar& p = 2);
TAPIR_API Tensor norm(const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim = false);
/// The same of x cast to `dtype`.
TAPIR_API Tensor norm(const Tensor& x, const std::optional<Scalar>& p, DType dtype);
TAPIR_API Tensor norm(const Tensor& x, const std::optional<Scalar>& p, IntArrayRef dim, bool keepdim,
                      DType dtype);
/// Whether all (any) elements are not 0; bool, but uint8 for uint8. True (false) of no elements.
TAPIR_API Tensor all(const Tensor& x);
TAPIR_API Tensor all(const Tensor& x, int64_t dim, bool keepdim = false);
TAPIR_API Tensor any(const Tensor& x);
TAPIR_API Tensor any(const Tensor& x, int64_t dim, bool keepdim = false);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::sum(std::optional<DType> dtype) const { return tapir::sum(*this, dtype); }
TAPIR_METHOD Tensor Tensor::sum(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return tapir::sum(*this, dim, keepdim, dtype);
}
TAPIR_METHOD Tensor Tensor::mean(std::optional<DType> dtype) const { return tapir::mean(*this, dtype); }
TAPIR_METHOD Tensor Tensor::mean(IntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return tapir::mean(*this, dim, keepdim, dtype);
}
TAPIR_METHOD Tensor Tensor::max() const { return tapir::max(*this); }
TAPIR_METHOD std::tuple<Tensor, Tensor> Tensor::max(int64_t dim, bool keepdim) const {
  return tapir::max(*this, dim, keepdim);
}
TAPIR_METHOD Tensor Tensor::max(const Tensor& other) const { return tapir::max(*this, other); }
TAPIR_METHOD Tensor Tensor::min() const { return tapir::min(*this); }
TAPIR_METHOD std::tuple<Tensor, Tensor> Tensor::min(int64_t dim, bool keepdim) const {
  return tapir::min(*this, dim, keepdim);
}
TAPIR_METHOD Tensor Tensor::min(const Tensor& other) const { return tapir::min(*this, other); }
TAPIR_METHOD Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim) const {
  return tapir::argmax(*this, dim, keepdim);
}
TAPIR_METHOD Tensor Tensor::argmin(std::optional<int64_t> dim, bool keepdim) const {
  return tapir::argmin(*this, dim, keepdim);
}
TAPIR_METHOD Tensor Tensor::logsumexp(IntArrayRef dim, bool keepdim) const {
  return tapir::logsumexp(*this, dim, keepdim);
}
TAPIR_METHOD Tensor Tensor::norm(const Scalar& p) const { return tapir::norm(*this, p); }
TAPIR_METHOD Tensor Tensor::all() const { return tapir::all(*this); }
TAPIR_METHOD Tensor Tensor::any() const { return tapir::any(*this); }
#undef TAPIR_METHOD

}  // namespace tapir
