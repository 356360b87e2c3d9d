#include "tapir/autograd/functions/window.h"

#include <cmath>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/special.h"

namespace tapir {

namespace {

/// formula(n / N) at each index; a window of one value is 1.
template <class F>
Tensor window(const char* op, int64_t length, bool periodic, const TensorOptions& options, const F& formula) {
  TAPIR_CHECK_AS(ValueError, length >= 0, "{}: a length of {}, expected a number >= 0", op, length);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(options.dtype()),
                 "{}: asked for {}, expected a floating dtype", op, options.dtype());
  const Tensor values = Tensor::empty({length}, kFloat64);
  const double period = static_cast<double>(periodic ? length : length - 1);
  for (int64_t n = 0; n < length; ++n)
    values.data_ptr<double>()[n] = length == 1 ? 1 : formula(static_cast<double>(n) / period);
  Tensor y = raw::to_device(raw::cast(values, options.dtype()), options.device());
  if (options.requires_grad()) y.set_requires_grad(true);
  return y;
}

}  // namespace

Tensor bartlett_window(int64_t length, bool periodic, const TensorOptions& options) {
  return window("bartlett_window", length, periodic, options,
                [](double t) { return 1 - std::abs(2 * t - 1); });
}
Tensor blackman_window(int64_t length, bool periodic, const TensorOptions& options) {
  return window("blackman_window", length, periodic, options,
                [](double t) { return 0.42 - 0.5 * std::cos(2 * M_PI * t) + 0.08 * std::cos(4 * M_PI * t); });
}
Tensor hamming_window(int64_t length, bool periodic, double alpha, double beta,
                      const TensorOptions& options) {
  return window("hamming_window", length, periodic, options,
                [&](double t) { return alpha - beta * std::cos(2 * M_PI * t); });
}
Tensor hann_window(int64_t length, bool periodic, const TensorOptions& options) {
  return window("hann_window", length, periodic, options,
                [](double t) { return 0.5 - 0.5 * std::cos(2 * M_PI * t); });
}
Tensor kaiser_window(int64_t length, bool periodic, double beta, const TensorOptions& options) {
  return window("kaiser_window", length, periodic, options, [&](double t) {
    const double x = 2 * t - 1;
    return special_functions::i0(beta * std::sqrt(std::max(0.0, 1 - x * x))) / special_functions::i0(beta);
  });
}

// --- with defaults ---

Tensor bartlett_window(int64_t length, const TensorOptions& options) {
  return bartlett_window(length, true, options);
}
Tensor blackman_window(int64_t length, const TensorOptions& options) {
  return blackman_window(length, true, options);
}
Tensor hann_window(int64_t length, const TensorOptions& options) {
  return hann_window(length, true, options);
}
Tensor hamming_window(int64_t length, bool periodic, double alpha, const TensorOptions& options) {
  return hamming_window(length, periodic, alpha, 0.46, options);
}
Tensor hamming_window(int64_t length, bool periodic, const TensorOptions& options) {
  return hamming_window(length, periodic, 0.54, 0.46, options);
}
Tensor hamming_window(int64_t length, const TensorOptions& options) {
  return hamming_window(length, true, 0.54, 0.46, options);
}
Tensor kaiser_window(int64_t length, bool periodic, const TensorOptions& options) {
  return kaiser_window(length, periodic, 12, options);
}
Tensor kaiser_window(int64_t length, const TensorOptions& options) {
  return kaiser_window(length, true, 12, options);
}

}  // namespace tapir
