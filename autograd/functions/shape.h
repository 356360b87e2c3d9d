// Rearranging, joining, padding and triangles: results are copies unless said otherwise. A dimension out of
// range throws IndexError, sizes that do not fit ShapeError.
#pragma once

#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

// --- order ---

/// x in reverse order along each of `dims`.
TAPIR_API Tensor flip(const Tensor& x, IntArrayRef dims);
TAPIR_API Tensor fliplr(const Tensor& x);  ///< flip(x, 1)
TAPIR_API Tensor flipud(const Tensor& x);  ///< flip(x, 0)
/// x moved on by shifts[i] along dims[i], what leaves at the end coming in at the start; without dims, as if
/// it had one dimension.
TAPIR_API Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims = {});
/// x turned k times by 90 degrees in the plane of two dimensions, from the first to the second.
TAPIR_API Tensor rot90(const Tensor& x, int64_t k = 1, IntArrayRef dims = {0, 1});

// --- more of the same ---

/// repeat() where dims may also be shorter than x.dim().
TAPIR_API Tensor tile(const Tensor& x, IntArrayRef dims);
/// Each element of x (slice along `dim`; without dim x is flattened) repeats[i] times in a row.
TAPIR_API Tensor repeat_interleave(const Tensor& x, const Tensor& repeats,
                                   std::optional<int64_t> dim = std::nullopt,
                                   std::optional<int64_t> output_size = std::nullopt);
TAPIR_API Tensor repeat_interleave(const Tensor& x, int64_t repeats,
                                   std::optional<int64_t> dim = std::nullopt,
                                   std::optional<int64_t> output_size = std::nullopt);
/// 0 repeats[0] times, 1 repeats[1] times, ...
TAPIR_API Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size = std::nullopt);
/// x with pad[0] and pad[1] elements before and after in the last dimension, pad[2] and pad[3] in the one
/// before it, ...: `value` (default 0; mode "constant"), or x mirrored without its edge ("reflect"), its edge
/// ("replicate"), or x over again ("circular"). Negative numbers cut off.
TAPIR_API Tensor pad(const Tensor& x, IntArrayRef pad, std::string_view mode = "constant",
                     std::optional<double> value = std::nullopt);
TAPIR_API Tensor constant_pad_nd(const Tensor& x, IntArrayRef pad, const Scalar& value = 0);

// --- triangles and diagonals ---

/// x with zeros above (triu: below) diagonal number `diagonal` of its last two dimensions.
TAPIR_API Tensor tril(const Tensor& x, int64_t diagonal = 0);
TAPIR_API Tensor triu(const Tensor& x, int64_t diagonal = 0);
/// (2, n) rows and columns of that triangle of a row x col matrix, row by row; int64 without a dtype.
TAPIR_API Tensor tril_indices(int64_t row, int64_t col, int64_t offset = 0,
                              const TensorOptions& options = {});
TAPIR_API Tensor triu_indices(int64_t row, int64_t col, int64_t offset = 0,
                              const TensorOptions& options = {});
/// A copy of the diagonal of a matrix, or the matrix with that diagonal for a vector.
TAPIR_API Tensor diag(const Tensor& x, int64_t diagonal = 0);
/// The matrix with x, flattened, on its diagonal.
TAPIR_API Tensor diagflat(const Tensor& x, int64_t offset = 0);
/// Zeros with the last dimension of x on the diagonal of dimensions dim1 and dim2 of the result.
TAPIR_API Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);

// --- joining and grids ---

TAPIR_API Tensor concat(TensorList tensors, int64_t dim = 0);  ///< cat
TAPIR_API Tensor hstack(TensorList tensors);                   ///< cat along dimension 1, vectors along 0
TAPIR_API Tensor vstack(TensorList tensors);                   ///< cat along dimension 0 of at least two
TAPIR_API Tensor row_stack(TensorList tensors);                ///< vstack
TAPIR_API Tensor dstack(TensorList tensors);                   ///< cat along dimension 2 of at least three
TAPIR_API Tensor column_stack(TensorList tensors);             ///< hstack, vectors as columns
/// The matrices along the diagonal of one, zeros elsewhere.
TAPIR_API Tensor block_diag(TensorList tensors);
/// Vectors as the coordinates of a grid: views of sizes (n0, n1, ...), or with indexing "xy" the first two
/// dimensions exchanged.
TAPIR_API std::vector<Tensor> meshgrid(TensorList tensors, std::string_view indexing = "ij");
/// All the combinations of one element of each vector, a row each.
TAPIR_API Tensor cartesian_prod(TensorList tensors);
/// All the choices of r elements of a vector, a row each, in its order.
TAPIR_API Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);
/// x.sizes() + (num_classes): 1 at the class of each element (int64), 0 elsewhere. num_classes -1: the
/// largest plus one. Throws IndexError for a class out of range.
TAPIR_API Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

// --- views ---

TAPIR_API std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
TAPIR_API std::vector<Tensor> tensor_split(const Tensor& x, IntArrayRef indices, int64_t dim = 0);
TAPIR_API std::vector<Tensor> tensor_split(const Tensor& x, const Tensor& indices_or_sections,
                                           int64_t dim = 0);
TAPIR_API std::vector<Tensor> hsplit(const Tensor& x, int64_t sections);
TAPIR_API std::vector<Tensor> hsplit(const Tensor& x, IntArrayRef indices);
TAPIR_API std::vector<Tensor> vsplit(const Tensor& x, int64_t sections);
TAPIR_API std::vector<Tensor> vsplit(const Tensor& x, IntArrayRef indices);
TAPIR_API std::vector<Tensor> dsplit(const Tensor& x, int64_t sections);
TAPIR_API std::vector<Tensor> dsplit(const Tensor& x, IntArrayRef indices);
TAPIR_API std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef split_sizes, int64_t dim = 0);
/// Dimensions `source` moved to places `destination`, the others in their order around them.
TAPIR_API Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination);
TAPIR_API Tensor moveaxis(const Tensor& x, IntArrayRef source, IntArrayRef destination);
TAPIR_API Tensor swapaxes(const Tensor& x, int64_t axis0, int64_t axis1);
TAPIR_API Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1);
TAPIR_API Tensor broadcast_to(const Tensor& x, IntArrayRef sizes);
TAPIR_API std::vector<Tensor> broadcast_tensors(TensorList tensors);
TAPIR_API Tensor ravel(const Tensor& x);  ///< flatten
/// x with dimensions of size 1 added so that it has at least one, two, three.
TAPIR_API Tensor atleast_1d(const Tensor& x);
TAPIR_API Tensor atleast_2d(const Tensor& x);
TAPIR_API Tensor atleast_3d(const Tensor& x);
TAPIR_API std::vector<Tensor> atleast_1d(TensorList tensors);
TAPIR_API std::vector<Tensor> atleast_2d(TensorList tensors);
TAPIR_API std::vector<Tensor> atleast_3d(TensorList tensors);
/// (N, n) powers of a vector's n elements, a row each: x^(N - 1), ..., x, 1, or with `increasing` 1, x, ...;
/// N is n where it is left out.
TAPIR_API Tensor vander(const Tensor& x, std::optional<int64_t> N = std::nullopt, bool increasing = false);
inline std::vector<Tensor> unsafe_chunk(const Tensor& x, int64_t chunks, int64_t dim = 0) {
  return x.unsafe_chunk(chunks, dim);
}
inline std::vector<Tensor> unsafe_split(const Tensor& x, int64_t split_size, int64_t dim = 0) {
  return x.unsafe_split(split_size, dim);
}

}  // namespace tapir
