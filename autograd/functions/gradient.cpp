#include "tapir/autograd/functions/gradient.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace {

std::vector<int64_t> all_dims(const Tensor& x) {
  std::vector<int64_t> d(static_cast<size_t>(x.dim()));
  for (size_t i = 0; i < d.size(); ++i) d[i] = static_cast<int64_t>(i);
  return d;
}
std::vector<int64_t> chosen_dims(const Tensor& x, std::optional<int64_t> dim) {
  return dim ? std::vector<int64_t>{*dim} : all_dims(x);
}

/// Along dimension d, of samples with those distances between them.
///
/// Inside, with a and b the distances to the neighbours before and after: the parabola through the three
/// gives
/// (-b / a f0 + (b / a - a / b) f1 + a / b f2) / (a + b); at the ends the chord, or the same parabola's slope
/// there.
Tensor along(const Tensor& x, int64_t d, const Tensor& distances, int64_t edge_order) {
  const int64_t n = x.size(d);
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[static_cast<size_t>(d)] = -1;
  const Tensor steps = reshape(distances, sizes);
  const auto f = [&](int64_t start, int64_t length) { return narrow(x, d, start, length); };
  const auto h = [&](int64_t start, int64_t length) { return narrow(steps, d, start, length); };
  const Tensor chords = div(sub(f(1, n - 1), f(0, n - 1)), steps);
  const auto chord = [&](int64_t start, int64_t length) { return narrow(chords, d, start, length); };
  // The chords' mean weighted with the other's length; extrapolated at the ends.
  Tensor first = chord(0, 1), last = chord(n - 2, 1), inside;
  if (n > 2) {
    const Tensor a = h(0, n - 2), b = h(1, n - 2), total = add(a, b);
    inside = div(add(mul(chord(0, n - 2), b), mul(chord(1, n - 2), a)), total);
    if (edge_order == 2) {
      const auto bend = [&](int64_t i) {
        return div(sub(chord(i + 1, 1), chord(i, 1)), add(h(i, 1), h(i + 1, 1)));
      };
      first = sub(first, mul(bend(0), h(0, 1)));
      last = add(last, mul(bend(n - 3), h(n - 2, 1)));
    }
  }
  return inside.defined() ? cat({first, inside, last}, d) : cat({first, last}, d);
}

template <class Distances>
std::vector<Tensor> each(const Tensor& from, IntArrayRef dims, int64_t edge_order,
                         const Distances& distances) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, edge_order == 1 || edge_order == 2,
                 "gradient: edge_order is {}, expected 1 or 2", edge_order);
  const Tensor x = from.is_floating_point() ? from : to(from, get_default_dtype());
  std::vector<Tensor> out;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t d = x.layout_of().wrap_dim(dims[i], "gradient");
    TAPIR_CHECK_AS(ShapeError, x.dim() > 0 && x.size(d) >= edge_order + 1,
                   "gradient: sizes {}, expected {} or more along dimension {}", x.sizes(), edge_order + 1,
                   d);
    for (size_t j = 0; j < i; ++j)
      TAPIR_CHECK_AS(ValueError, x.layout_of().wrap_dim(dims[j], "gradient") != d,
                     "gradient: dimension {} is listed twice", d);
    out.push_back(along(x, d, distances(x, i, x.size(d)), edge_order));
  }
  return out;
}

std::vector<Tensor> spaced(const Tensor& x, ArrayRef<Scalar> spacing, IntArrayRef dims, int64_t edge_order) {
  TAPIR_CHECK_AS(ShapeError, spacing.size() == 1 || spacing.size() == dims.size(),
                 "gradient: {} numbers as spacing, expected one for each of {} dimensions", spacing.size(),
                 dims.size());
  return each(x, dims, edge_order, [&](const Tensor& t, size_t i, int64_t n) {
    const double step = spacing[spacing.size() == 1 ? 0 : i].to_double();
    TAPIR_CHECK_AS(ValueError, step != 0, "gradient: a spacing of 0");
    return raw::full({n - 1}, step, t.dtype(), t.device());
  });
}
std::vector<Tensor> placed(const Tensor& x, TensorList spacing, IntArrayRef dims, int64_t edge_order) {
  TAPIR_CHECK_AS(ShapeError, spacing.size() == dims.size(),
                 "gradient: {} tensors of coordinates, expected one for each of {} dimensions",
                 spacing.size(), dims.size());
  return each(x, dims, edge_order, [&](const Tensor& t, size_t i, int64_t n) {
    TAPIR_CHECK_AS(ShapeError, spacing[i].dim() == 1 && spacing[i].numel() == n,
                   "gradient: coordinates of sizes {}, expected {} of them", spacing[i].sizes(), n);
    const Tensor at = to(spacing[i], t.dtype());
    return sub(narrow(at, 0, 1, n - 1), narrow(at, 0, 0, n - 1));
  });
}

}  // namespace

std::vector<Tensor> gradient(const Tensor& x, const std::optional<Scalar>& spacing,
                             std::optional<int64_t> dim, int64_t edge_order) {
  return spaced(x, spacing.value_or(Scalar(1)), chosen_dims(x, dim), edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, const Scalar& spacing, IntArrayRef dim, int64_t edge_order) {
  return spaced(x, spacing, dim, edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, IntArrayRef dim, int64_t edge_order) {
  return spaced(x, Scalar(1), dim, edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, ArrayRef<Scalar> spacing, std::optional<int64_t> dim,
                             int64_t edge_order) {
  return spaced(x, spacing, chosen_dims(x, dim), edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, ArrayRef<Scalar> spacing, IntArrayRef dim, int64_t edge_order) {
  return spaced(x, spacing, dim, edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, TensorList spacing, std::optional<int64_t> dim,
                             int64_t edge_order) {
  return placed(x, spacing, chosen_dims(x, dim), edge_order);
}
std::vector<Tensor> gradient(const Tensor& x, TensorList spacing, IntArrayRef dim, int64_t edge_order) {
  return placed(x, spacing, dim, edge_order);
}

}  // namespace tapir
