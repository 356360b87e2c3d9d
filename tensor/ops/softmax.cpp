#include "tapir/tensor/ops/softmax.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {
/// The sizes before, at and after dimension d.
struct Middle {
  int64_t outer = 1, n = 1, inner = 1;
  Middle(const Layout& l, int64_t d) {
    for (int64_t i = 0; i < l.dim(); ++i) (i < d ? outer : i == d ? n : inner) *= l.sizes[i];
  }
};
const char* name_of(bool log) { return log ? "log_softmax" : "softmax"; }
}  // namespace

Tensor softmax(const Tensor& source, int64_t dim, bool log, std::optional<DType> dtype) {
  const Tensor x = contiguous(dtype ? cast(source, *dtype) : source);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "{}: got a tensor of {}, expected a floating-point dtype; give one as the dtype argument",
                 name_of(log), x.dtype());
  const Layout& l = x.layout_of();
  const Middle m(l, l.wrap_dim(dim, name_of(log)));
  Tensor y = Tensor::empty(l.sizes, x.dtype(), x.device());
  if (l.numel > 0)
    require(&KernelTable::softmax, x.device(),
            name_of(log))({log, x.dtype(), x.data_ptr(), y.data_ptr(), m.outer, m.n, m.inner});
  return y;
}

Tensor softmax_backward(const Tensor& grad, const Tensor& result, int64_t dim, bool log) {
  const Tensor g = contiguous(grad), y = contiguous(result);
  const Layout& l = y.layout_of();
  const Middle m(l, l.wrap_dim(dim, name_of(log)));
  Tensor out = Tensor::empty(l.sizes, y.dtype(), y.device());
  if (l.numel > 0)
    require(&KernelTable::softmax_backward, y.device(), name_of(log))(
        {log, y.dtype(), g.data_ptr(), y.data_ptr(), out.data_ptr(), m.outer, m.n, m.inner});
  return out;
}

}  // namespace tapir::raw
