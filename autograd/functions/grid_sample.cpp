#include "tapir/autograd/functions/grid_sample.h"

#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/grid_sample.h"

namespace tapir {

namespace {

struct GridSamplerBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "GridSamplerBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &x = saved(0), &grid = saved(1);
    TAPIR_CHECK_AS(AutogradError, !recording(grads[0], x, grid),
                   "grid_sample: there is no second derivative; call backward without create_graph");
    raw::GridSampleGrads g = raw::grid_sample_backward(x, grid, grads[0], how, sink.wants(0), sink.wants(1));
    if (g.x.defined()) sink.set(0, std::move(g.x));
    if (g.grid.defined()) sink.set(1, std::move(g.grid));
  }
  raw::GridSampling how;
};

Tensor sample(const char* op, const Tensor& x, const Tensor& grid, int64_t mode, int64_t padding,
              bool align_corners, const void* site) {
  TAPIR_CHECK_AS(ValueError, mode >= 0 && mode <= 2,
                 "{}: interpolation mode {}, expected 0 (linear), 1 (nearest) or 2 (bicubic)", op, mode);
  TAPIR_CHECK_AS(ValueError, padding >= 0 && padding <= 2,
                 "{}: padding mode {}, expected 0 (zeros), 1 (border) or 2 (reflection)", op, padding);
  TAPIR_CHECK_AS(ShapeError, (x.dim() == 4 || x.dim() == 5) && grid.dim() == x.dim(),
                 "{}: input has sizes {}, grid {}, expected (N, C, H, W) and (N, H', W', 2), or (N, C, D, H, "
                 "W) and (N, D', H', W', 3)",
                 op, x.sizes(), grid.sizes());
  TAPIR_CHECK_AS(ShapeError, grid.size(-1) == x.dim() - 2 && grid.size(0) == x.size(0),
                 "{}: grid has sizes {}, expected ({}, ..., {}) for input of sizes {}", op, grid.sizes(),
                 x.size(0), x.dim() - 2, x.sizes());
  for (int64_t d = 2; d < x.dim(); ++d)
    TAPIR_CHECK_AS(ShapeError, x.size(d) > 0, "{}: input has sizes {}, expected no empty spatial dimension",
                   op, x.sizes());
  TAPIR_CHECK_AS(ValueError, mode != 2 || x.dim() == 4,
                 "{}: bicubic for input of sizes {}, expected (N, C, H, W); five dimensions go with linear "
                 "and nearest",
                 op, x.sizes());
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()) && grid.dtype() == x.dtype(),
                 "{}: input of {} and grid of {}, expected one floating-point dtype; cast with to(dtype)", op,
                 x.dtype(), grid.dtype());
  TAPIR_CHECK_AS(DeviceError, x.device() == grid.device(),
                 "{}: input on {} and grid on {}, expected one device", op, x.device(), grid.device());
  const raw::GridSampling how{static_cast<GridMode>(mode), static_cast<GridPadding>(padding), align_corners};
  const Tensor y = raw::grid_sample(x, grid, how);
  if (recording(x, grid)) {
    auto* node = record<GridSamplerBackward>(site, y, x, grid);
    node->save(x, grid);
    node->how = how;
  }
  return y;
}

}  // namespace

Tensor grid_sampler(const Tensor& x, const Tensor& grid, int64_t interpolation_mode, int64_t padding_mode,
                    bool align_corners) {
  return sample("grid_sample", x, grid, interpolation_mode, padding_mode, align_corners, TAPIR_HERE);
}
#define TAPIR_GRID_SAMPLER(n)                                                                             \
  Tensor grid_sampler_##n##d(const Tensor& x, const Tensor& grid, int64_t interpolation_mode,             \
                             int64_t padding_mode, bool align_corners) {                                  \
    TAPIR_CHECK_AS(ShapeError, x.dim() == n + 2,                                                          \
                   "grid_sampler_" #n "d: input has sizes {}, expected {} dimensions", x.sizes(), n + 2); \
    return sample("grid_sampler_" #n "d", x, grid, interpolation_mode, padding_mode, align_corners,       \
                  TAPIR_HERE);                                                                            \
  }
TAPIR_GRID_SAMPLER(2)
TAPIR_GRID_SAMPLER(3)
#undef TAPIR_GRID_SAMPLER

Tensor affine_grid_generator(const Tensor& theta, IntArrayRef size, bool align_corners) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, size.size() == 4 || size.size() == 5,
                 "affine_grid: size is {}, expected (N, C, H, W) or (N, C, D, H, W)", size);
  for (const int64_t s : size)
    TAPIR_CHECK_AS(ValueError, s >= 1, "affine_grid: size is {}, expected positive numbers", size);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(theta.dtype()),
                 "affine_grid: theta of {}, expected a floating-point dtype; cast it with to(dtype)",
                 theta.dtype());
  const auto n = static_cast<int64_t>(size.size()) - 2;
  TAPIR_CHECK_AS(ShapeError, theta.sizes() == IntArrayRef({size[0], n, n + 1}),
                 "affine_grid: theta has sizes {}, expected {} for size {}", theta.sizes(),
                 IntArrayRef({size[0], n, n + 1}), size);
  Dims places(size.slice(2)), base = places, result{size[0]};
  base.push_back(n + 1);
  const Tensor points = raw::full(base, 1, theta.dtype(), theta.device());
  for (int64_t d = 0; d < n; ++d) {
    const int64_t count = places[static_cast<size_t>(d)];
    const double end = count == 1      ? 0
                       : align_corners ? 1
                                       : static_cast<double>(count - 1) / static_cast<double>(count);
    Dims along = Dims::filled(static_cast<size_t>(n), 1);
    along[static_cast<size_t>(d)] = count;
    const Tensor line = raw::linspace(-end, end, count, theta.dtype(), theta.device());
    raw::copy_into(select(points, n, n - 1 - d), line.alias(Layout::of(along)));
    result.push_back(count);
  }
  result.push_back(n);
  return reshape(matmul(reshape(points, {-1, n + 1}), transpose(theta, 1, 2)), result);
}

}  // namespace tapir
