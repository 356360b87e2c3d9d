#include "tapir/autograd/functions/histogram.h"

#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/sort.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace {

/// The points (n, D) of x.
Tensor points_of(const Tensor& x, const std::optional<Tensor>& weight, int64_t dims, const char* op) {
  TAPIR_CHECK_AS(DTypeError, x.is_floating_point(), "{}: got a tensor of {}, expected floating point", op,
                 x.dtype());
  if (weight.has_value()) {
    TAPIR_CHECK_AS(DTypeError, weight->dtype() == x.dtype(), "{}: weights of {} for values of {}", op,
                   weight->dtype(), x.dtype());
    TAPIR_CHECK_AS(ShapeError, weight->numel() * dims == x.numel(),
                   "{}: weights of sizes {} do not fit values of sizes {}", op, weight->sizes(), x.sizes());
  }
  return reshape(x.detach(), {-1, dims});
}

Tensor even_edges(const Tensor& values, int64_t bins, const double* range, const char* op) {
  TAPIR_CHECK_AS(ValueError, bins > 0, "{}: {} bins, expected one or more", op, bins);
  double low = 0, high = 1;
  if (range != nullptr) {
    low = range[0];
    high = range[1];
  } else if (values.numel() > 0) {
    low = min(values).item<double>();
    high = max(values).item<double>();
  }
  TAPIR_CHECK_AS(ValueError, std::isfinite(low) && std::isfinite(high) && low <= high,
                 "{}: a range of {} to {}, expected finite numbers in ascending order", op, low, high);
  if (low == high) {
    low -= 0.5;
    high += 0.5;
  }
  return linspace(low, high, bins + 1, TensorOptions(values.dtype()).device(values.device()));
}

/// Counts of points (n, D) between the edges.
Tensor count_points(const Tensor& points, const std::vector<Tensor>& edges,
                    const std::optional<Tensor>& weight, bool density, const char* op) {
  const auto dims = static_cast<int64_t>(edges.size());
  std::vector<int64_t> sizes;
  Tensor place, inside;
  for (int64_t d = 0; d < dims; ++d) {
    const Tensor& e = edges[static_cast<size_t>(d)];
    TAPIR_CHECK_AS(ShapeError, e.dim() == 1 && e.numel() >= 2,
                   "{}: edges of sizes {}, expected one dimension of two or more", op, e.sizes());
    TAPIR_CHECK_AS(DTypeError, e.dtype() == points.dtype(), "{}: edges of {} for values of {}", op, e.dtype(),
                   points.dtype());
    const int64_t bins = e.numel() - 1;
    const Tensor v = select(points, 1, d).contiguous();
    const Tensor last = select(e, 0, bins), at = searchsorted(e, v, false, true) - 1;
    const Tensor bin = where(eq(v, last), Scalar(bins - 1), at);
    const Tensor in = logical_and(ge(v, select(e, 0, 0)), le(v, last));
    place = place.defined() ? place * bins + bin : bin;
    inside = inside.defined() ? logical_and(inside, in) : in;
    sizes.push_back(bins);
  }
  const int64_t total = count(IntArrayRef(sizes));
  const Tensor amount =
      weight.has_value() ? reshape(weight->detach(), {-1}) : ones({points.size(0)}, points.options());
  Tensor counts = raw::zeros({total}, points.dtype(), points.device());
  counts = index_add(counts, 0, masked_select(place, inside), masked_select(amount, inside));
  counts = reshape(counts, sizes);
  if (!density) return counts;
  counts = div(counts, sum(counts));
  for (int64_t d = 0; d < dims; ++d) {
    const Tensor& e = edges[static_cast<size_t>(d)];
    std::vector<int64_t> along(static_cast<size_t>(dims), 1);
    along[static_cast<size_t>(d)] = e.numel() - 1;
    counts = div(counts, reshape(sub(narrow(e, 0, 1, e.numel() - 1), narrow(e, 0, 0, e.numel() - 1)), along));
  }
  return counts;
}

void check_range(std::optional<ArrayRef<double>> range, int64_t dims, const char* op) {
  TAPIR_CHECK_AS(ValueError, !range || static_cast<int64_t>(range->size()) == 2 * dims,
                 "{}: a range of {} numbers, expected {}", op, range->size(), 2 * dims);
}

int64_t dims_of(const Tensor& x, size_t bins) {
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2 && x.size(-1) == static_cast<int64_t>(bins),
                 "histogramdd: got points of sizes {} and bins for {} dimensions, expected (..., D) and D",
                 x.sizes(), bins);
  return x.size(-1);
}

}  // namespace

std::tuple<Tensor, Tensor> histogram(const Tensor& x, const Tensor& bins, const std::optional<Tensor>& weight,
                                     bool density) {
  NoGradGuard no_grad;
  const Tensor points = points_of(x, weight, 1, "histogram");
  return {count_points(points, {bins.detach()}, weight, density, "histogram"), bins.detach()};
}
std::tuple<Tensor, Tensor> histogram(const Tensor& x, int64_t bins, std::optional<ArrayRef<double>> range,
                                     const std::optional<Tensor>& weight, bool density) {
  NoGradGuard no_grad;
  const Tensor points = points_of(x, weight, 1, "histogram");
  check_range(range, 1, "histogram");
  const Tensor edges = even_edges(points, bins, range ? range->data() : nullptr, "histogram");
  return {count_points(points, {edges}, weight, density, "histogram"), edges};
}

std::tuple<Tensor, std::vector<Tensor>> histogramdd(const Tensor& x, TensorList bins,
                                                    std::optional<ArrayRef<double>>,
                                                    const std::optional<Tensor>& weight, bool density) {
  NoGradGuard no_grad;
  const Tensor points = points_of(x, weight, dims_of(x, bins.size()), "histogramdd");
  std::vector<Tensor> edges;
  for (const Tensor& e : bins) edges.push_back(e.detach());
  return {count_points(points, edges, weight, density, "histogramdd"), edges};
}
std::tuple<Tensor, std::vector<Tensor>> histogramdd(const Tensor& x, IntArrayRef bins,
                                                    std::optional<ArrayRef<double>> range,
                                                    const std::optional<Tensor>& weight, bool density) {
  NoGradGuard no_grad;
  const int64_t dims = dims_of(x, bins.size());
  const Tensor points = points_of(x, weight, dims, "histogramdd");
  check_range(range, dims, "histogramdd");
  std::vector<Tensor> edges;
  for (int64_t d = 0; d < dims; ++d)
    edges.push_back(even_edges(select(points, 1, d), bins[static_cast<size_t>(d)],
                               range ? range->data() + 2 * d : nullptr, "histogramdd"));
  return {count_points(points, edges, weight, density, "histogramdd"), edges};
}

}  // namespace tapir
