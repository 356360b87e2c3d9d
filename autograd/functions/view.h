// Views: other layouts over the same memory. A view shares values and version with its base; changing one in
// place changes the other, and gradients follow.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// The same elements under other sizes, without a copy; one size may be -1.
/// Throws ShapeError where the count differs or the strides do not allow it (use reshape).
TAPIR_API Tensor view(const Tensor& x, IntArrayRef sizes);
/// view(sizes) where possible, else a copy.
TAPIR_API Tensor reshape(const Tensor& x, IntArrayRef sizes);
/// Dimensions start_dim to end_dim (inclusive) as one.
TAPIR_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
/// Dimension `dim` split into `sizes`, one of which may be -1.
TAPIR_API Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes);
TAPIR_API Tensor transpose(const Tensor& x, int64_t d0, int64_t d1);
/// Transpose of a matrix; a tensor with fewer dimensions is returned as it is. Throws ShapeError for more
/// than two.
TAPIR_API Tensor t(const Tensor& x);
/// Dimension i of the result is dimension dims[i] of x.
TAPIR_API Tensor permute(const Tensor& x, IntArrayRef dims);
/// A new dimension of size 1 at `dim`, in [-x.dim() - 1, x.dim()].
TAPIR_API Tensor unsqueeze(const Tensor& x, int64_t dim);
/// Without the dimensions of size 1; with `dim`, without that one if its size is 1.
TAPIR_API Tensor squeeze(const Tensor& x);
TAPIR_API Tensor squeeze(const Tensor& x, int64_t dim);
/// Broadcasts dimensions of size 1 to `sizes` without a copy; -1 keeps a size.
TAPIR_API Tensor expand(const Tensor& x, IntArrayRef sizes);
/// Element `index` of dimension `dim`, which disappears. Throws IndexError.
TAPIR_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// Elements start, start + step, ... below end of dimension `dim`, clamped as Python's slices.
TAPIR_API Tensor slice(const Tensor& x, int64_t dim = 0, std::optional<int64_t> start = std::nullopt,
                       std::optional<int64_t> end = std::nullopt, int64_t step = 1);
/// `length` elements of dimension `dim` from `start`. Throws IndexError.
TAPIR_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
/// Diagonal number `offset` of dimensions dim1 and dim2, which go, as a new last dimension: elements (i, i +
/// offset).
TAPIR_API Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
/// Windows of `size` elements, `step` apart, of dimension `dim`, which counts them; a new last dimension
/// holds their elements. They may overlap.
TAPIR_API Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);
/// Any sizes and strides over the storage of x. Throws ValueError where they reach past it.
TAPIR_API Tensor as_strided(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                            std::optional<int64_t> storage_offset = std::nullopt);
/// At most `chunks` parts of equal size (the last may be smaller).
TAPIR_API std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
/// Parts of `split_size` (the last may be smaller), or of the given sizes.
TAPIR_API std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
TAPIR_API std::vector<Tensor> split(const Tensor& x, IntArrayRef split_sizes, int64_t dim = 0);
/// All slices along `dim`, without it.
TAPIR_API std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);

// For autograd itself: a tensor `g` with the sizes of one that has layout `base`, and the part of it that
// layout `part` (over the same storage) shows.
/// The part of g.
TAPIR_API Tensor strided_part(const Tensor& g, const Layout& base, const Layout& part);
/// g with zeros in the part.
TAPIR_API Tensor zero_strided_part(const Tensor& g, const Layout& base, const Layout& part);
/// Zeros with the part's values from `g`; where the part shows an element several times, their sum.
TAPIR_API Tensor embed_strided_part(const Tensor& g, const Layout& base, const Layout& part);
/// Makes `view`, a view of `base`, a recorded part of it.
TAPIR_API void record_strided_view(const Tensor& view, const Tensor& base);

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
TAPIR_METHOD Tensor Tensor::view(IntArrayRef sizes) const { return tapir::view(*this, sizes); }
TAPIR_METHOD Tensor Tensor::view_as(const Tensor& other) const { return tapir::view(*this, other.sizes()); }
TAPIR_METHOD Tensor Tensor::reshape(IntArrayRef sizes) const { return tapir::reshape(*this, sizes); }
TAPIR_METHOD Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
  return tapir::flatten(*this, start_dim, end_dim);
}
TAPIR_METHOD Tensor Tensor::unflatten(int64_t dim, IntArrayRef sizes) const {
  return tapir::unflatten(*this, dim, sizes);
}
TAPIR_METHOD Tensor Tensor::transpose(int64_t d0, int64_t d1) const {
  return tapir::transpose(*this, d0, d1);
}
TAPIR_METHOD Tensor Tensor::t() const { return tapir::t(*this); }
TAPIR_METHOD Tensor Tensor::permute(IntArrayRef dims) const { return tapir::permute(*this, dims); }
TAPIR_METHOD Tensor Tensor::unsqueeze(int64_t dim) const { return tapir::unsqueeze(*this, dim); }
TAPIR_METHOD Tensor Tensor::squeeze() const { return tapir::squeeze(*this); }
TAPIR_METHOD Tensor Tensor::squeeze(int64_t dim) const { return tapir::squeeze(*this, dim); }
TAPIR_METHOD Tensor Tensor::expand(IntArrayRef sizes, bool) const { return tapir::expand(*this, sizes); }
TAPIR_METHOD Tensor Tensor::expand_as(const Tensor& other) const {
  return tapir::expand(*this, other.sizes());
}
TAPIR_METHOD Tensor Tensor::select(int64_t dim, int64_t index) const {
  return tapir::select(*this, dim, index);
}
TAPIR_METHOD Tensor Tensor::slice(int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                                  int64_t step) const {
  return tapir::slice(*this, dim, start, end, step);
}
TAPIR_METHOD Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length) const {
  return tapir::narrow(*this, dim, start, length);
}
TAPIR_METHOD Tensor Tensor::as_strided(IntArrayRef sizes, IntArrayRef strides,
                                       std::optional<int64_t> offset) const {
  return tapir::as_strided(*this, sizes, strides, offset);
}
TAPIR_METHOD std::vector<Tensor> Tensor::chunk(int64_t chunks, int64_t dim) const {
  return tapir::chunk(*this, chunks, dim);
}
TAPIR_METHOD std::vector<Tensor> Tensor::split(IntArrayRef split_sizes, int64_t dim) const {
  return tapir::split(*this, split_sizes, dim);
}
TAPIR_METHOD std::vector<Tensor> Tensor::split(int64_t size, int64_t dim) const {
  return tapir::split(*this, size, dim);
}
TAPIR_METHOD std::vector<Tensor> Tensor::unbind(int64_t dim) const { return tapir::unbind(*this, dim); }
TAPIR_METHOD Tensor Tensor::operator[](int64_t index) const { return tapir::select(*this, 0, index); }
#undef TAPIR_METHOD

}  // namespace tapir
