// Tensors with a part replaced, and what is left of PyTorch's views. Sizes that do not fit throw ShapeError,
// indices out of range IndexError.
#pragma once

#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

/// x with x.select(dim, index) = src, x.slice(...) = src, x.diagonal(...) = src.
TAPIR_API Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index);
TAPIR_API Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0,
                               std::optional<int64_t> start = std::nullopt,
                               std::optional<int64_t> end = std::nullopt, int64_t step = 1);
TAPIR_API Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim1 = 0,
                                  int64_t dim2 = 1);
/// x with x.as_strided(size, stride, storage_offset) = src.
TAPIR_API Tensor as_strided_scatter(const Tensor& x, const Tensor& src, IntArrayRef size, IntArrayRef stride,
                                    std::optional<int64_t> storage_offset = std::nullopt);
/// x with x[.., index[i], ..] reduced with source[.., i, ..] along `dim`: "prod", "mean", "amax" or "amin" of
/// all that goes there, and of what was there with `include_self`.
TAPIR_API Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                              std::string_view reduce, bool include_self = true);
/// x with the slices along `dim` whose p-norm is larger than maxnorm scaled to it.
TAPIR_API Tensor renorm(const Tensor& x, const Scalar& p, int64_t dim, const Scalar& maxnorm);

/// Where each element is among those of `test_elements`; bool, no gradient.
TAPIR_API Tensor isin(const Tensor& elements, const Tensor& test_elements, bool assume_unique = false,
                      bool invert = false);
TAPIR_API Tensor isin(const Tensor& elements, const Scalar& test_element, bool assume_unique = false,
                      bool invert = false);
TAPIR_API Tensor isin(const Scalar& element, const Tensor& test_elements, bool assume_unique = false,
                      bool invert = false);

/// norm(a - b, p)
TAPIR_API Tensor dist(const Tensor& a, const Tensor& b, const Scalar& p = 2);
/// Covariance of the rows of a (variables, observations) matrix, or of one variable: sums over weighted
/// products of deviations over (sum of weights - correction). fweights, integers, count observations;
/// aweights weigh them.
TAPIR_API Tensor cov(const Tensor& x, int64_t correction = 1,
                     const std::optional<Tensor>& fweights = std::nullopt,
                     const std::optional<Tensor>& aweights = std::nullopt);
/// cov(x)_ij / sqrt(cov(x)_ii cov(x)_jj), in [-1, 1].
TAPIR_API Tensor corrcoef(const Tensor& x);
/// Integral along `dim` by the trapezoid rule, over points x or with spacing dx; trapz is the same.
TAPIR_API Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
TAPIR_API Tensor trapezoid(const Tensor& y, const Scalar& dx = 1, int64_t dim = -1);
TAPIR_API Tensor trapz(const Tensor& y, const Tensor& x, int64_t dim = -1);
TAPIR_API Tensor trapz(const Tensor& y, double dx = 1, int64_t dim = -1);
TAPIR_API Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
TAPIR_API Tensor cumulative_trapezoid(const Tensor& y, const Scalar& dx = 1, int64_t dim = -1);

TAPIR_API Tensor adjoint(const Tensor& x);                          ///< the last two dimensions exchanged
TAPIR_API Tensor concatenate(TensorList tensors, int64_t dim = 0);  ///< cat
/// The dtype of a result of both.
TAPIR_API DType result_type(const Tensor& a, const Tensor& b);
TAPIR_API DType result_type(const Tensor& a, const Scalar& b);
TAPIR_API DType result_type(const Scalar& a, const Tensor& b);
TAPIR_API DType result_type(const Scalar& a, const Scalar& b);
/// A tensor like x with every element = value.
TAPIR_API Tensor fill(const Tensor& x, const Scalar& value);
TAPIR_API Tensor fill(const Tensor& x, const Tensor& value);
/// w.norm(p) over all dimensions but `dim`, which stays (-1: over all).
TAPIR_API Tensor norm_except_dim(const Tensor& w, int64_t p = 2, int64_t dim = 0);
/// The square root of the sum of squares, over `dim` or all; the sum of the singular values, of matrices.
TAPIR_API Tensor frobenius_norm(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
TAPIR_API Tensor nuclear_norm(const Tensor& x, bool keepdim = false);
TAPIR_API Tensor nuclear_norm(const Tensor& x, IntArrayRef dim, bool keepdim = false);

// Methods as functions.
inline Tensor detach(const Tensor& x) { return x.detach(); }
inline Tensor& detach_(Tensor& x) { return x.detach_(); }
inline Tensor narrow(const Tensor& x, int64_t dim, const Tensor& start, int64_t length) {
  return x.narrow(dim, start, length);
}
inline Tensor& as_strided_(Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                           std::optional<int64_t> storage_offset = std::nullopt) {
  return x.as_strided_(sizes, strides, storage_offset);
}
inline const Tensor& resize_as_(const Tensor& x, const Tensor& other,
                                std::optional<MemoryFormat> format = std::nullopt) {
  return x.resize_as_(other, format);
}
inline bool is_nonzero(const Tensor& x) { return x.is_nonzero(); }
inline bool is_same_size(const Tensor& a, const Tensor& b) { return a.is_same_size(b); }
inline int64_t size(const Tensor& x, int64_t dim) { return x.size(dim); }
inline int64_t stride(const Tensor& x, int64_t dim) { return x.stride(dim); }

}  // namespace tapir
