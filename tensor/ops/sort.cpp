#include "tapir/tensor/ops/sort.h"

#include "tapir/tensor/ops/index_checks.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

std::pair<Tensor, Tensor> sort(const Tensor& source, int64_t dim, bool descending, const char* op, int64_t k,
                               bool in_order) {
  const Tensor x = contiguous(source);
  const Layout& l = x.layout_of();
  const int64_t d = l.wrap_dim(dim, op);
  const Middle m(l, d);
  TAPIR_CHECK_AS(ValueError, k >= -1 && k <= m.n, "{}: k = {} is out of range for dimension {} of sizes {}",
                 op, k, dim, x.sizes());
  Dims sizes = l.sizes;
  if (k < 0 || l.dim() == 0) k = m.n;  // a tensor without dimensions cannot lose its element
  if (l.dim() > 0) sizes[d] = k;
  Tensor values = Tensor::empty(sizes, x.dtype(), x.device());
  Tensor indices = Tensor::empty(sizes, kInt64, x.device());
  if (values.numel() > 0)
    require(&KernelTable::sort, x.device(),
            op)({x.dtype(), x.data_ptr(), values.data_ptr(), indices.data_ptr<int64_t>(), m.outer, m.n,
                 m.inner, k, descending, in_order});
  return {values, indices};
}

std::pair<Tensor, Tensor> select_kth(const Tensor& source, int64_t dim, int64_t k, bool nan_wins,
                                     bool skip_nan, const char* op) {
  const Tensor x = contiguous(source);
  const Layout& l = x.layout_of();
  const int64_t d = l.wrap_dim(dim, op);
  const Middle m(l, d);
  TAPIR_CHECK_AS(ShapeError, m.n > 0, "{}: sizes {} have no element to choose from along dimension {}", op,
                 x.sizes(), dim);
  TAPIR_CHECK_AS(ValueError, k >= 0 && k < m.n, "{}: k = {} is out of range for dimension {} of sizes {}", op,
                 k + 1, dim, x.sizes());
  Dims sizes = l.sizes;
  if (l.dim() > 0) sizes[d] = 1;
  Tensor values = Tensor::empty(sizes, x.dtype(), x.device());
  Tensor indices = Tensor::empty(sizes, kInt64, x.device());
  if (values.numel() > 0)
    require(&KernelTable::select, x.device(),
            op)({x.dtype(), x.data_ptr(), values.data_ptr(), indices.data_ptr<int64_t>(), m.outer, m.n,
                 m.inner, k, nan_wins, skip_nan});
  return {values, indices};
}

std::pair<Tensor, Tensor> scan(Scan op, const Tensor& source, int64_t dim, const char* name) {
  const Tensor x = contiguous(source);
  const Middle m(x.layout_of(), x.layout_of().wrap_dim(dim, name));
  Tensor out = Tensor::empty(x.sizes(), x.dtype(), x.device());
  const bool places = op == Scan::Max || op == Scan::Min;
  Tensor indices = places ? Tensor::empty(x.sizes(), kInt64, x.device()) : Tensor();
  if (out.numel() > 0)
    require(&KernelTable::scan, x.device(),
            name)({op, x.dtype(), x.data_ptr(), out.data_ptr(),
                   places ? indices.data_ptr<int64_t>() : nullptr, m.outer, m.n, m.inner});
  return {out, indices};
}

}  // namespace tapir::raw
