#include "tapir/autograd/functions/interpolate.h"

#include <algorithm>
#include <cmath>

#include "tapir/autograd/functions/banded.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pool.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace {

using raw::Band;

/// Which place of the input place p of the output lies at.
struct Scale {
  Scale(int64_t in, int64_t out, std::optional<double> factor, bool align) : aligned(align) {
    if (align)
      step = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    else
      step = factor && *factor > 0 ? 1 / *factor : static_cast<double>(in) / static_cast<double>(out);
  }
  double at(int64_t p) const {
    const auto o = static_cast<double>(p);
    return aligned ? o * step : (o + 0.5) * step - 0.5;
  }
  bool aligned;
  double step;
};

Band linear_band(int64_t in, int64_t out, const Scale& scale) {
  Band band;
  band.columns = in;
  for (int64_t p = 0; p < out; ++p) {
    const double place = std::max(scale.at(p), 0.0);
    const int64_t first = std::min(static_cast<int64_t>(place), in - 1);
    const double rest = std::min(place - static_cast<double>(first), 1.0);
    if (first + 1 < in)
      band.add_row(first, {1 - rest, rest});
    else
      band.add_row(first, {1});
  }
  return band;
}

/// Keys' cubic convolution with a = -3/4.
double cubic(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

Band cubic_band(int64_t in, int64_t out, const Scale& scale) {
  Band band;
  band.columns = in;
  for (int64_t p = 0; p < out; ++p) {
    const double place = scale.at(p), whole = std::floor(place), rest = place - whole;
    const auto clamped = [&](int64_t i) {
      return std::clamp<int64_t>(static_cast<int64_t>(whole) + i, 0, in - 1);
    };
    const int64_t first = clamped(-1), last = clamped(2);
    std::vector<double> weights(static_cast<size_t>(last - first + 1));
    for (int64_t i = -1; i <= 2; ++i)
      weights[static_cast<size_t>(clamped(i) - first)] += cubic(rest - static_cast<double>(i));
    band.add_row(first, weights);
  }
  return band;
}

/// The elements that the places of the output show.
std::vector<int64_t> nearest_places(int64_t in, int64_t out, std::optional<double> factor, bool exact) {
  // In float, as PyTorch does, since it decides which element is the nearest.
  const float step = factor && *factor > 0 ? static_cast<float>(1 / *factor)
                                           : static_cast<float>(in) / static_cast<float>(out);
  std::vector<int64_t> places(static_cast<size_t>(out));
  for (size_t p = 0; p < places.size(); ++p)
    places[p] = std::min(
        static_cast<int64_t>(std::floor((static_cast<float>(p) + (exact ? 0.5F : 0.0F)) * step)), in - 1);
  return places;
}

/// x at the places along `dim`.
Tensor nearest_in(const Tensor& x, int64_t dim, const std::vector<int64_t>& places, const void* site) {
  if (!is_floating_point(x.dtype()))
    return index_select(
        x, dim,
        raw::from_values(places.data(), {static_cast<int64_t>(places.size())}, kInt64).to(x.device()));
  auto band = std::make_shared<Band>();
  band->columns = x.size(dim);
  for (const int64_t place : places) band->add_row(place, {1});
  return banded("interpolate", "InterpolateBackward", x, dim, band, site);
}

}  // namespace

Tensor interpolate(const Tensor& x, std::optional<std::vector<int64_t>> size,
                   std::optional<std::vector<double>> scale_factor, std::string_view mode,
                   std::optional<bool> align_corners, std::optional<bool> recompute_scale_factor) {
  CallSite site(TAPIR_HERE);
  const int64_t spatial = x.dim() - 2;
  TAPIR_CHECK_AS(ShapeError, spatial >= 1 && spatial <= 3,
                 "interpolate: input has sizes {}, expected (N, C, ...) with one to three spatial dimensions",
                 x.sizes());
  const auto n = static_cast<size_t>(spatial);
  for (int64_t d = 1; d < x.dim(); ++d)
    TAPIR_CHECK_AS(ShapeError, x.size(d) > 0,
                   "interpolate: input has sizes {}, expected an empty batch at most", x.sizes());
  TAPIR_CHECK_AS(ValueError, size.has_value() != scale_factor.has_value(),
                 "interpolate: expected either size or scale_factor, got {}", size ? "both" : "neither");
  if (size && size->size() == 1) size->resize(n, size->front());
  if (scale_factor && scale_factor->size() == 1) scale_factor->resize(n, scale_factor->front());
  TAPIR_CHECK_AS(ValueError, (size ? size->size() : scale_factor->size()) == n,
                 "interpolate: {} for {} spatial dimensions (sizes {}), expected one number or one for each",
                 size ? "sizes" : "scale factors", n, x.sizes());
  TAPIR_CHECK_AS(ValueError, !recompute_scale_factor.value_or(false) || scale_factor,
                 "interpolate: recompute_scale_factor needs a scale_factor");

  const bool nearest = mode == "nearest" || mode == "nearest-exact", area = mode == "area",
             linear = mode == "linear" || mode == "bilinear" || mode == "trilinear",
             bicubic = mode == "bicubic";
  TAPIR_CHECK_AS(ValueError, nearest || area || linear || bicubic,
                 "interpolate: mode \"{}\", expected nearest, nearest-exact, linear, bilinear, trilinear, "
                 "bicubic or area",
                 mode);
  TAPIR_CHECK_AS(ValueError, !(nearest || area) || !align_corners.has_value(),
                 "interpolate: align_corners has no meaning for mode {}", mode);
  const size_t meant = mode == "linear" ? 1 : mode == "trilinear" ? 3 : linear || bicubic ? 2 : n;
  TAPIR_CHECK_AS(ShapeError, meant == n,
                 "interpolate: mode {} is for {} spatial dimensions, input has sizes {}", mode, meant,
                 x.sizes());

  Dims out;
  std::vector<std::optional<double>> factors(n);
  for (size_t d = 0; d < n; ++d) {
    const int64_t in = x.sizes()[d + 2];
    const double wanted =
        size ? static_cast<double>((*size)[d]) : std::floor(static_cast<double>(in) * (*scale_factor)[d]);
    TAPIR_CHECK_AS(
        ValueError, wanted >= 1 && wanted < 1e9,
        "interpolate: output size {} in spatial dimension {} for input of sizes {}, expected at least 1",
        wanted, d, x.sizes());
    out.push_back(static_cast<int64_t>(wanted));
    if (scale_factor && !recompute_scale_factor.value_or(false)) factors[d] = (*scale_factor)[d];
  }
  if (area) {
    if (n == 1) return adaptive_avg_pool1d(x, out);
    return n == 2 ? adaptive_avg_pool2d(x, out) : adaptive_avg_pool3d(x, out);
  }
  Tensor y = x;
  // First the dimensions that shrink.
  for (const bool smaller : {true, false})
    for (size_t d = 0; d < n; ++d) {
      const int64_t in = x.sizes()[d + 2], dim = static_cast<int64_t>(d) + 2;
      if ((out[d] < in) != smaller) continue;
      if (nearest) {
        y = nearest_in(y, dim, nearest_places(in, out[d], factors[d], mode == "nearest-exact"), TAPIR_HERE);
        continue;
      }
      const Scale scale(in, out[d], factors[d], align_corners.value_or(false));
      if (out[d] == in && scale.step == 1) continue;
      y = banded("interpolate", "InterpolateBackward", y, dim,
                 std::make_shared<const Band>(bicubic ? cubic_band(in, out[d], scale)
                                                      : linear_band(in, out[d], scale)),
                 TAPIR_HERE);
    }
  return y.is_same(x) ? x.clone() : y;
}

}  // namespace tapir
