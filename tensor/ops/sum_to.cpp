#include "tapir/tensor/ops/sum_to.h"

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::raw {

Tensor sum_to(const Tensor& x, IntArrayRef sizes) {
  if (x.sizes() == sizes) return x;
  const int64_t rank = x.dim(), extra = rank - static_cast<int64_t>(sizes.size());
  Tensor y = contiguous(x);
  Dims now(x.sizes());
  // Adjacent dimensions that are summed go in one pass, from the innermost, so that later passes read less.
  for (int64_t end = rank; end > 0;) {
    const auto summed = [&](int64_t d) { return d < extra || (sizes[d - extra] == 1 && x.size(d) != 1); };
    if (!summed(end - 1)) {
      --end;
      continue;
    }
    int64_t start = end - 1;
    while (start > 0 && summed(start - 1)) --start;
    ReduceArgs args{};
    args.op = Reduction::Sum;
    args.dtype = args.out_dtype = x.dtype();
    args.outer = args.reduced = args.inner = 1;
    for (int64_t d = 0; d < rank; ++d)
      (d < start ? args.outer : d < end ? args.reduced : args.inner) *= now[d];
    for (int64_t d = start; d < end; ++d) now[d] = 1;
    args.scale = 1;
    Tensor out = Tensor::empty(now, x.dtype(), x.device());
    args.in = y.data_ptr();
    args.out = out.data_ptr();
    if (out.numel()) kernels(x.device()).reduce(args);
    y = std::move(out);
    end = start;
  }
  return y.alias(Layout::of(sizes));
}

}  // namespace tapir::raw
