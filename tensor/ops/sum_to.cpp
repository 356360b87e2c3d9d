#include "tapir/tensor/ops/sum_to.h"

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir::raw {

Tensor sum_to(const Tensor& x, IntArrayRef sizes) {
  if (x.sizes() == sizes) return x;
  const int64_t extra = x.dim() - static_cast<int64_t>(sizes.size());
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d < extra || (sizes[d - extra] == 1 && x.size(d) != 1)) dims.push_back(d);
  return contiguous(sum(x, dims, true, x.dtype())).alias(Layout::of(sizes));
}

}  // namespace tapir::raw
