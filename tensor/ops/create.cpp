#include "tapir/tensor/ops/create.h"

#include <algorithm>
#include <cmath>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::raw {

Tensor zeros(IntArrayRef sizes, DType dtype, Device device) { return full(sizes, 0, dtype, device); }

Tensor full(IntArrayRef sizes, const Scalar& value, DType dtype, Device device) {
  check_fits("full", value, dtype);
  Tensor out = Tensor::empty(sizes, dtype, device);
  if (out.numel())
    kernels(device).fill(out.data_ptr(), dtype, out.numel(), {value.to_double(), value.to_int64()});
  return out;
}

template <class T>
Tensor from_values(const T* values, IntArrayRef sizes, DType dtype) {
  Tensor source = Tensor::empty(sizes, dtype_of<T>);
  std::copy(values, values + source.numel(), static_cast<T*>(source.data_ptr()));
  return cast(source, dtype);
}
template TAPIR_API Tensor from_values(const double*, IntArrayRef, DType);
template TAPIR_API Tensor from_values(const float*, IntArrayRef, DType);
template TAPIR_API Tensor from_values(const int64_t*, IntArrayRef, DType);
template TAPIR_API Tensor from_values(const bool*, IntArrayRef, DType);

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype, Device device) {
  const bool integers = !start.isFloatingPoint() && !end.isFloatingPoint() && !step.isFloatingPoint();
  const double a = start.to_double(), b = end.to_double(), s = step.to_double();
  TAPIR_CHECK_AS(ValueError, s != 0, "arange: the step is zero");
  TAPIR_CHECK_AS(ValueError, std::isfinite(a) && std::isfinite(b) && std::isfinite(s),
                 "arange: bounds {} and {} must be finite", a, b);
  TAPIR_CHECK_AS(ValueError, (s > 0) == (b >= a) || a == b,
                 "arange: from {} to {} needs a step of the other sign than {}", a, b, s);
  int64_t n;
  if (integers) {
    const int64_t span = end.to_int64() - start.to_int64(), by = step.to_int64();
    n = span / by + (span % by != 0);
  } else {
    const double count = std::ceil((b - a) / s);
    TAPIR_CHECK_AS(ValueError, count < 9e15, "arange: {} elements are too many", count);
    n = static_cast<int64_t>(count);
  }
  Tensor out;
  if (integers) {
    out = Tensor::empty({n}, kInt64);
    int64_t* p = out.data_ptr<int64_t>();
    for (int64_t i = 0; i < n; ++i) p[i] = start.to_int64() + i * step.to_int64();
  } else {
    out = Tensor::empty({n}, kFloat64);
    double* p = out.data_ptr<double>();
    // As in PyTorch, an integer result begins and steps by whole numbers; how many there are does not change.
    const bool whole = !is_floating_point(dtype);
    const double first = whole ? std::trunc(a) : a, by = whole ? std::trunc(s) : s;
    for (int64_t i = 0; i < n; ++i) p[i] = first + static_cast<double>(i) * by;
  }
  return to_device(cast(out, dtype), device);
}

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, DType dtype, Device device) {
  TAPIR_CHECK_AS(ValueError, steps >= 0, "linspace: {} steps; expected none or more", steps);
  const double a = start.to_double(), b = end.to_double();
  const double by = steps > 1 ? (b - a) / static_cast<double>(steps - 1) : 0;
  Tensor out = Tensor::empty({steps}, kFloat64);
  double* p = out.data_ptr<double>();
  // From both ends towards the middle, as PyTorch does: the last value is exactly `end`.
  for (int64_t i = 0; i < steps; ++i)
    p[i] = i < steps / 2 || steps == 1 ? a + by * static_cast<double>(i)
                                       : b - by * static_cast<double>(steps - 1 - i);
  return to_device(cast(out, dtype), device);
}

Tensor eye(int64_t n, int64_t m, DType dtype, Device device) {
  TAPIR_CHECK_AS(ValueError, n >= 0 && m >= 0, "eye: sizes {} and {} must not be negative", n, m);
  Tensor out = zeros({n, m}, dtype, device);
  const int64_t k = n < m ? n : m;
  if (k > 0) fill(out.alias(Layout::strided({k}, {m + 1}, 0)), 1, "eye");
  return out;
}

}  // namespace tapir::raw
