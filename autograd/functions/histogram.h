// Histograms with chosen bins, in one dimension and several. Floating dtypes; no gradient.
#pragma once

#include <string_view>
#include <tuple>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

/// (counts, edges): how many elements of x lie in each of the bins between edges that ascend, the last edge
/// being in the last bin; others and NaN are left out. With `weight`, of the sizes of x, the sums of the
/// weights; with `density` divided by their sum and by the widths of the bins. Throws DTypeError, ShapeError,
/// ValueError where there is no bin or an edge is not finite.
TAPIR_API std::tuple<Tensor, Tensor> histogram(const Tensor& x, const Tensor& bins,
                                               const std::optional<Tensor>& weight = std::nullopt,
                                               bool density = false);
/// The same with `bins` bins of equal width over `range`, {lowest, highest}, by default that of the values.
TAPIR_API std::tuple<Tensor, Tensor> histogram(const Tensor& x, int64_t bins = 100,
                                               std::optional<ArrayRef<double>> range = std::nullopt,
                                               const std::optional<Tensor>& weight = std::nullopt,
                                               bool density = false);

/// (counts, edges of each dimension): the same of the points x (..., D); weight (...). `bins` gives each
/// dimension's edges, or their numbers, with the D pairs of `range` one after the other.
TAPIR_API std::tuple<Tensor, std::vector<Tensor>> histogramdd(
    const Tensor& x, TensorList bins, std::optional<ArrayRef<double>> range = std::nullopt,
    const std::optional<Tensor>& weight = std::nullopt, bool density = false);
TAPIR_API std::tuple<Tensor, std::vector<Tensor>> histogramdd(
    const Tensor& x, IntArrayRef bins, std::optional<ArrayRef<double>> range = std::nullopt,
    const std::optional<Tensor>& weight = std::nullopt, bool density = false);

}  // namespace tapir
