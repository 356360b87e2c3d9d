// Windows of signal processing: `length` values, of a periodic function of that period, or with periodic =
// false symmetric, as the function of period length - 1 gives them. Computed in float64; without a dtype of
// the default one. Throw ValueError for a negative length, DTypeError for integers.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// With n the index and N the period: 1 - |2 n / N - 1|
TAPIR_API Tensor bartlett_window(int64_t length, bool periodic, const TensorOptions& options = {});
TAPIR_API Tensor bartlett_window(int64_t length, const TensorOptions& options = {});
/// 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)
TAPIR_API Tensor blackman_window(int64_t length, bool periodic, const TensorOptions& options = {});
TAPIR_API Tensor blackman_window(int64_t length, const TensorOptions& options = {});
/// alpha - beta cos(2 pi n / N)
TAPIR_API Tensor hamming_window(int64_t length, bool periodic, double alpha, double beta,
                                const TensorOptions& options = {});
TAPIR_API Tensor hamming_window(int64_t length, bool periodic, double alpha,
                                const TensorOptions& options = {});
TAPIR_API Tensor hamming_window(int64_t length, bool periodic, const TensorOptions& options = {});
TAPIR_API Tensor hamming_window(int64_t length, const TensorOptions& options = {});
/// (1 - cos(2 pi n / N)) / 2
TAPIR_API Tensor hann_window(int64_t length, bool periodic, const TensorOptions& options = {});
TAPIR_API Tensor hann_window(int64_t length, const TensorOptions& options = {});
/// i0(beta sqrt(1 - (2 n / N - 1)^2)) / i0(beta)
TAPIR_API Tensor kaiser_window(int64_t length, bool periodic, double beta, const TensorOptions& options = {});
TAPIR_API Tensor kaiser_window(int64_t length, bool periodic, const TensorOptions& options = {});
TAPIR_API Tensor kaiser_window(int64_t length, const TensorOptions& options = {});

}  // namespace tapir
