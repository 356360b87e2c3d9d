// Sums, means or maxima of rows of a table, bag by bag.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// Bag b holds the rows of weight (count, d) that indices[offsets[b]] up to, but not, indices[offsets[b + 1]]
/// name; the last goes to the end of indices, unless include_last_offset says that offsets ends with that end
/// too. indices and offsets are one-dimensional, int64 or int32. mode: 0 the sum of the rows, each times its
/// per_sample_weights (as many as indices) where given; 1 their mean; 2 the largest value of each column.
/// Rows padding_idx (negative counts from the end) are left out, and an empty bag gives zeros.
/// scale_grad_by_freq and sparse as in embedding(), not with mode 2.
///
/// Returns (bags, d), the bag of each index, how many rows each bag has, and for mode 2 the row that each
/// value comes from (else empty). Throws ShapeError, ValueError, DTypeError and IndexError.
TAPIR_API std::tuple<Tensor, Tensor, Tensor, Tensor> embedding_bag(
    const Tensor& weight, const Tensor& indices, const Tensor& offsets, bool scale_grad_by_freq = false,
    int64_t mode = 0, bool sparse = false, const Tensor& per_sample_weights = {},
    bool include_last_offset = false, std::optional<int64_t> padding_idx = std::nullopt);

}  // namespace tapir
