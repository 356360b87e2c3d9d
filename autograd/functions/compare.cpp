#include "tapir/autograd/functions/compare.h"

#include <cstring>

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

void check_alike(const char* op, const Tensor& a, const Tensor& b) {
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(), "{}: dtypes {} and {} differ; cast one with to(dtype)",
                 op, a.dtype(), b.dtype());
  TAPIR_CHECK_AS(DeviceError, a.device() == b.device(), "{}: tensors on {} and {}; move one with to(device)",
                 op, a.device(), b.device());
}

bool all_true(const Tensor& mask) {
  const Tensor m = raw::contiguous(raw::to_device(mask, kCPU));
  return m.numel() == 0 || !std::memchr(m.data_ptr(), 0, static_cast<size_t>(m.numel()));
}

}  // namespace

bool equal(const Tensor& a, const Tensor& b) {
  check_alike("equal", a, b);
  NoGradGuard no_grad;
  return a.sizes() == b.sizes() && all_true(eq(a, b));
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  check_alike("isclose", a, b);
  TAPIR_CHECK_AS(ValueError, rtol >= 0 && atol >= 0, "isclose: tolerances {} and {} must not be negative",
                 rtol, atol);
  NoGradGuard no_grad;
  Tensor close = eq(a, b);
  if (a.is_floating_point()) {
    if (equal_nan) close = logical_or(close, logical_and(isnan(a), isnan(b)));
    const Tensor allowed = add(mul(abs(b), Scalar(rtol)), Scalar(atol));
    const Tensor distance = abs(sub(a, b));
    return logical_or(close, logical_and(isfinite(distance), le(distance, allowed)));
  }
  if (rtol == 0 && atol == 0) return close;
  // Bools and unsigned numbers as numbers whose difference does not wrap.
  const Tensor x = raw::cast(a, kFloat64), y = raw::cast(b, kFloat64);
  return le(abs(sub(x, y)), add(mul(abs(y), Scalar(rtol)), Scalar(atol)));
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  return all_true(isclose(a, b, rtol, atol, equal_nan));
}

}  // namespace tapir
