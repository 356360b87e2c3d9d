// Masks: masked_fill, masked_select, masked_scatter, and where a tensor is not zero.
#include "tapir/autograd/functions/scatter.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/index.h"

namespace tapir {

namespace {
/// Gives the sizes that x and its mask broadcast to.
Dims check_mask(const char* op, const Tensor& x, const Tensor& mask) {
  TAPIR_CHECK_AS(DTypeError, mask.dtype() == kBool || mask.dtype() == kUInt8,
                 "{}: a mask of {}, expected bool", op, mask.dtype());
  return broadcast_sizes(x.sizes(), mask.sizes(), op);
}
Tensor as_bool(const Tensor& mask) { return mask.dtype() == kBool ? mask : to(mask, kBool); }
}  // namespace

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  CallSite site(TAPIR_HERE);
  check_mask("masked_fill", x, mask);
  TAPIR_CHECK_AS(ShapeError, value.dim() == 0, "masked_fill: a value of sizes {}, expected no dimensions",
                 value.sizes());
  return where(as_bool(mask), to(value, x.dtype()), x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  CallSite site(TAPIR_HERE);
  const Dims sizes = check_mask("masked_select", x, mask);
  const Tensor flat = reshape(expand(x, sizes), {-1});
  const Tensor at = raw::nonzero(reshape(expand(mask, sizes), {-1}));
  return index_select(flat, 0, reshape(at, {-1}));
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  CallSite site(TAPIR_HERE);
  const Dims sizes = check_mask("masked_scatter", x, mask);
  const Tensor at = reshape(raw::nonzero(reshape(expand(mask, sizes), {-1})), {-1});
  TAPIR_CHECK_AS(ShapeError, at.numel() <= source.numel(),
                 "masked_scatter: the mask holds at {} places, but the source has only {} elements",
                 at.numel(), source.numel());
  return put(expand(x, sizes), at, narrow(reshape(source, {-1}), 0, 0, at.numel()));
}

Tensor nonzero(const Tensor& x) { return raw::nonzero(x); }
Tensor argwhere(const Tensor& x) { return raw::nonzero(x); }
std::vector<Tensor> nonzero_numpy(const Tensor& x) {
  if (x.dim() == 0) return unbind(raw::nonzero(reshape(x.detach(), {1})), 1);
  return unbind(raw::nonzero(x), 1);
}
std::vector<Tensor> where(const Tensor& condition) { return nonzero_numpy(condition); }
// --- methods ---

Tensor Tensor::masked_fill(const Tensor& mask, const Tensor& value) const {
  CallSite site(TAPIR_HERE);
  return tapir::masked_fill(*this, mask, value);
}
Tensor& Tensor::masked_fill_(const Tensor& mask, const Tensor& value) const {
  CallSite site(TAPIR_HERE);
  check_inplace(self(), "masked_fill_");
  check_mask("masked_fill_", self(), mask);
  detail::assign_inplace(self(), "masked_fill_",
                         [&](const Tensor& x) { return tapir::masked_fill(x, mask, value); });
  return self();
}
Tensor Tensor::masked_select(const Tensor& mask) const {
  CallSite site(TAPIR_HERE);
  return tapir::masked_select(*this, mask);
}
Tensor Tensor::masked_scatter(const Tensor& mask, const Tensor& source) const {
  CallSite site(TAPIR_HERE);
  return tapir::masked_scatter(*this, mask, source);
}
Tensor& Tensor::masked_scatter_(const Tensor& mask, const Tensor& source) const {
  CallSite site(TAPIR_HERE);
  check_mask("masked_scatter_", self(), mask);
  detail::assign_inplace(self(), "masked_scatter_",
                         [&](const Tensor& x) { return tapir::masked_scatter(x, mask, source); });
  return self();
}
Tensor Tensor::nonzero() const {
  CallSite site(TAPIR_HERE);
  return tapir::nonzero(*this);
}
std::vector<Tensor> Tensor::nonzero_numpy() const {
  CallSite site(TAPIR_HERE);
  return tapir::nonzero_numpy(*this);
}
Tensor Tensor::argwhere() const {
  CallSite site(TAPIR_HERE);
  return tapir::argwhere(*this);
}

}  // namespace tapir
