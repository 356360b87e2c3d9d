#include "tapir/autograd/functions/dropout.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

namespace tapir {

namespace {

struct DropoutBackward final : NodeOf<1, 1> {
  const char* name() const override { return "DropoutBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, mul(g[0], saved(0))); }
};

void check(const Tensor& x, double p) {
  TAPIR_CHECK_AS(ValueError, p >= 0 && p <= 1, "dropout: p is {}, expected a probability", p);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "dropout: got a tensor of {}, expected a floating-point dtype", x.dtype());
}

/// 1 / (1 - p) where an element stays, else 0.
Tensor mask_for(const Tensor& x, double p) {
  Tensor mask = Tensor::empty(x.sizes(), x.dtype(), x.device());
  raw::dropout_mask_(mask, p);
  return mask;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool train) {
  check(x, p);
  if (!train || p == 0 || x.numel() == 0) return x;
  CallSite site(TAPIR_HERE);
  if (p == 1) return mul(x, Scalar(0));
  const Tensor mask = mask_for(x, p);
  Tensor y = raw::binary(Pointwise::mul, x, mask);
  if (recording(x)) record<DropoutBackward>(TAPIR_HERE, y, x)->save(mask);
  return y;
}

Tensor& dropout_(Tensor& x, double p, bool train) {
  check(x, p);
  if (!train || p == 0 || x.numel() == 0) return x;
  CallSite site(TAPIR_HERE);
  return p == 1 ? x.mul_(Scalar(0)) : x.mul_(mask_for(x, p));
}

}  // namespace tapir
