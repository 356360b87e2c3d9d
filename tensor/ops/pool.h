// Pooling and resampling without gradient.
#pragma once

#include <memory>
#include <vector>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// A banded matrix (rows, columns), one row for each place of an output dimension: what the place takes from
/// which elements of the input dimension; see BandedArgs.
struct Band {
  int64_t columns = 0;
  std::vector<int64_t> begin, offset{0};
  std::vector<double> weights;
  int64_t rows() const { return static_cast<int64_t>(begin.size()); }
  /// Appends the row with `values` from column `first` on.
  void add_row(int64_t first, const std::vector<double>& values);
  Band transposed() const;
};

/// y[.., p, ..] = sum over i of band[p][i] x[.., i, ..] along `dim`. x of a floating dtype with band.columns
/// elements there. Throws DTypeError.
TAPIR_API Tensor banded(const char* op, const Tensor& x, int64_t dim, const Band& band);

/// The windows of max pooling in each spatial dimension, in order.
struct Windows {
  Dims step;
  std::vector<std::vector<int64_t>> begin, count;
  bool own = false;  ///< begin holds the places of each plane
};
struct MaxPoolResult {
  Tensor y, indices;
};
/// The largest element of each window over the last dimensions of x, and where it is in its plane (int64).
/// Throws DTypeError for bool.
TAPIR_API MaxPoolResult max_pool(const char* op, const Tensor& x, const Windows& windows);

}  // namespace tapir::raw
