#include "tapir/tensor/ops/grid_sample.h"

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

/// For contiguous tensors.
GridSampleArgs args_of(const Tensor& x, const Tensor& grid, const GridSampling& how) {
  GridSampleArgs a{};
  a.mode = how.mode;
  a.padding = how.padding;
  a.aligned = how.aligned;
  a.dtype = x.dtype();
  a.spatial = static_cast<int>(x.dim()) - 2;
  a.batch = x.size(0);
  a.channels = x.size(1);
  a.places = count(grid.sizes().slice(1, grid.sizes().size() - 2));
  for (int d = 0; d < a.spatial; ++d) a.in[d] = x.size(d + 2);
  a.x = x.data_ptr();
  a.grid = grid.data_ptr();
  return a;
}

}  // namespace

Tensor grid_sample(const Tensor& x_in, const Tensor& grid_in, const GridSampling& how) {
  const Tensor x = contiguous(x_in), grid = contiguous(grid_in);
  Dims sizes{x.size(0), x.size(1)};
  for (int64_t d = 1; d + 1 < grid.dim(); ++d) sizes.push_back(grid.size(d));
  const Tensor y = Tensor::empty(sizes, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  GridSampleArgs a = args_of(x, grid, how);
  a.y = y.data_ptr();
  require(&KernelTable::grid_sample, x.device(), "grid_sample")(a);
  return y;
}

GridSampleGrads grid_sample_backward(const Tensor& x_in, const Tensor& grid_in, const Tensor& grad,
                                     const GridSampling& how, bool wants_x, bool wants_grid) {
  const Tensor x = contiguous(x_in), grid = contiguous(grid_in), g = contiguous(grad);
  GridSampleGrads r;
  if (wants_x) r.x = Tensor::empty(x.sizes(), x.dtype(), x.device());
  if (wants_grid) r.grid = Tensor::empty(grid.sizes(), x.dtype(), x.device());
  if (g.numel() == 0) {
    if (wants_x) fill(r.x, 0);
    if (wants_grid) fill(r.grid, 0);
    return r;
  }
  GridSampleBackwardArgs b{args_of(x, grid, how), g.data_ptr(), wants_x ? r.x.data_ptr() : nullptr,
                           wants_grid ? r.grid.data_ptr() : nullptr};
  require(&KernelTable::grid_sample_backward, x.device(), "grid_sample backward")(b);
  return r;
}

}  // namespace tapir::raw
