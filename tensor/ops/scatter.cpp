#include "tapir/tensor/ops/scatter.h"

#include "tapir/tensor/ops/index_checks.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

bool share_memory(const Tensor& a, const Tensor& b) {
  return a.impl()->storage.get() == b.impl()->storage.get();
}

/// src undefined: `value` for each.
void run_scatter(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src, const Scalar& value,
                 ScatterMode mode, const char* op) {
  const int64_t d = dst.layout_of().wrap_dim(dim, op);
  if (index.numel() == 0 && index.dim() != dst.dim()) return;
  const Tensor region = trim(dst, index, d, op, "the tensor");
  Tensor values;
  if (src.defined()) {
    TAPIR_CHECK_AS(DTypeError, src.dtype() == dst.dtype(),
                   "{}: values of {} for a tensor of {}; cast them first", op, src.dtype(), dst.dtype());
    const Tensor trimmed = trim(src, index, d, op, "the source");
    Layout l = trimmed.layout_of();
    if (l.dim() > 0) {
      TAPIR_CHECK_AS(ShapeError, index.size(d) <= l.sizes[d],
                     "{}: the index has sizes {}, larger than those of the source, {}, in dimension {}", op,
                     index.sizes(), src.sizes(), d);
      l = l.narrow(d, 0, index.size(d));
    }
    values = contiguous(trimmed.alias(l));
    if (share_memory(values, dst)) values = clone_contiguous(values);
  }
  const Middle m(region.layout_of(), d);
  const Tensor i = checked_index(op, index, d, m.n, dst.device());
  through_contiguous(region, op, [&](const Tensor& to) {
    if (i.numel() > 0)
      require(&KernelTable::scatter, to.device(), op)({mode,
                                                       to.dtype(),
                                                       to.data_ptr(),
                                                       i.data_ptr<int64_t>(),
                                                       values.defined() ? values.data_ptr() : nullptr,
                                                       {value.to_double(), value.to_int64()},
                                                       m.outer,
                                                       m.n,
                                                       i.numel() / (m.outer * m.inner),
                                                       m.inner});
  });
}

}  // namespace

void scatter_into(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src, ScatterMode mode,
                  const char* op) {
  src.dtype();  // refuses an undefined tensor
  run_scatter(dst, dim, index, src, 0, mode, op);
}
void scatter_into(const Tensor& dst, int64_t dim, const Tensor& index, const Scalar& value, ScatterMode mode,
                  const char* op) {
  run_scatter(dst, dim, index, {}, value, mode, op);
}

void put_rows(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src_in, const char* op) {
  const Layout& l = dst.layout_of();
  const int64_t d = l.wrap_dim(dim, op);
  const Middle m(l, d);
  TAPIR_CHECK_AS(DTypeError, src_in.dtype() == dst.dtype(),
                 "{}: values of {} for a tensor of {}; cast them first", op, src_in.dtype(), dst.dtype());
  Tensor src = contiguous(src_in);
  if (share_memory(src, dst)) src = clone_contiguous(src);
  TAPIR_CHECK_AS(ShapeError, index.numel() * m.outer * m.inner == src.numel(),
                 "{}: {} indices along dimension {} of {} do not fit values of sizes {}", op, index.numel(),
                 d, dst.sizes(), src.sizes());
  const Tensor i = checked_index(op, index, d, m.n, dst.device());
  through_contiguous(dst, op, [&](const Tensor& to) {
    if (src.numel() > 0)
      require(&KernelTable::put_rows, to.device(), op)({to.data_ptr(), i.data_ptr<int64_t>(), src.data_ptr(),
                                                        to.itemsize(), m.outer, m.n, i.numel(), m.inner});
  });
}

}  // namespace tapir::raw
