#include "tapir/autograd/functions/padding.h"

#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/spatial.h"

namespace tapir {

namespace {

Tensor pad_spatial(const char* op, const Tensor& x, int64_t n, IntArrayRef padding, const char* mode,
                   const void* site) {
  CallSite here(site);
  TAPIR_CHECK_AS(
      ShapeError, x.dim() == n + 1 || x.dim() == n + 2,
      "{}: input has sizes {}, expected {} dimensions, or {} for one sample without a batch; pad() "
      "takes any sizes",
      op, x.sizes(), n + 2, n + 1);
  TAPIR_CHECK_AS(ValueError, padding.size() == 1 || static_cast<int64_t>(padding.size()) == 2 * n,
                 "{}: padding is {}, expected one number, or two for each of {} dimensions", op, padding, n);
  return pad(x, numbers(op, "padding", padding, static_cast<size_t>(2 * n), INT64_MIN), mode);
}

}  // namespace

#define TAPIR_PAD(n)                                                                      \
  Tensor reflection_pad##n##d(const Tensor& x, IntArrayRef padding) {                     \
    return pad_spatial("reflection_pad" #n "d", x, n, padding, "reflect", TAPIR_HERE);    \
  }                                                                                       \
  Tensor replication_pad##n##d(const Tensor& x, IntArrayRef padding) {                    \
    return pad_spatial("replication_pad" #n "d", x, n, padding, "replicate", TAPIR_HERE); \
  }
TAPIR_PAD(1)
TAPIR_PAD(2)
TAPIR_PAD(3)
#undef TAPIR_PAD

}  // namespace tapir
