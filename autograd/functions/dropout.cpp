#include "tapir/autograd/functions/dropout.h"

#include <cmath>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

namespace tapir {

namespace {

struct DropoutBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "DropoutBackward"; }
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

namespace {

enum class Kind { Feature, Alpha, FeatureAlpha };

/// y = x * factor + shift; shift is undefined for kinds that have none.
struct Affine {
  Tensor factor, shift;
};
Affine draw(const Tensor& x, double p, Kind kind) {
  Dims sizes = x.sizes();
  if (kind != Kind::Alpha) {
    TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "feature dropout: got sizes {}, expected at least (N, C)",
                   x.sizes());
    for (size_t d = 2; d < sizes.size(); ++d) sizes[d] = 1;
  }
  Tensor noise = Tensor::empty(sizes, x.dtype(), x.device());
  if (kind == Kind::Feature) {
    raw::dropout_mask_(noise, p);
    return {noise, {}};
  }
  raw::bernoulli_(noise, 1 - p);
  constexpr double kAlpha = 1.7580993408473766;  // -(scale * alpha) of SELU
  const double a = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
  return {raw::binary(Pointwise::mul, noise, Scalar(a)), (noise - 1) * (kAlpha * a) + kAlpha * a * p};
}
Tensor other_dropout(const Tensor& x, double p, bool train, Kind kind) {
  check(x, p);
  if (!train || p == 0 || x.numel() == 0) return x;
  CallSite site(TAPIR_HERE);
  if (p == 1) return mul(x, Scalar(0));
  const Affine by = draw(x, p, kind);
  const Tensor y = mul(x, by.factor);
  return by.shift.defined() ? add(y, by.shift) : y;
}
Tensor& other_dropout_(Tensor& x, double p, bool train, Kind kind) {
  check(x, p);
  if (!train || p == 0 || x.numel() == 0) return x;
  CallSite site(TAPIR_HERE);
  if (p == 1) return x.mul_(Scalar(0));
  const Affine by = draw(x, p, kind);
  x.mul_(by.factor);
  return by.shift.defined() ? x.add_(by.shift) : x;
}

}  // namespace

Tensor feature_dropout(const Tensor& x, double p, bool train) {
  return other_dropout(x, p, train, Kind::Feature);
}
Tensor alpha_dropout(const Tensor& x, double p, bool train) {
  return other_dropout(x, p, train, Kind::Alpha);
}
Tensor feature_alpha_dropout(const Tensor& x, double p, bool train) {
  return other_dropout(x, p, train, Kind::FeatureAlpha);
}
Tensor& feature_dropout_(Tensor& x, double p, bool train) {
  return other_dropout_(x, p, train, Kind::Feature);
}
Tensor& alpha_dropout_(Tensor& x, double p, bool train) { return other_dropout_(x, p, train, Kind::Alpha); }
Tensor& feature_alpha_dropout_(Tensor& x, double p, bool train) {
  return other_dropout_(x, p, train, Kind::FeatureAlpha);
}

Tensor& dropout_(Tensor& x, double p, bool train) {
  check(x, p);
  if (!train || p == 0 || x.numel() == 0) return x;
  CallSite site(TAPIR_HERE);
  return p == 1 ? x.mul_(Scalar(0)) : x.mul_(mask_for(x, p));
}

}  // namespace tapir
