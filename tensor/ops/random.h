// Random numbers, without gradient. On the CPU they are PyTorch's for the same seed, bit for bit.
#pragma once

#include <optional>

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

// Note [Random streams]
//
// Every function draws from `generator`, or from the device's default generator where none is given, and
// holds its lock meanwhile. Elements are drawn in the order in which they lie in memory, so a transposed
// matrix gets the numbers of the matrix that it was transposed from. With r the next 32 bits of mt19937, and
// rr two of them, the first high:
//   uniform     float32 (r mod 2^24) / 2^24, float64 (rr mod 2^53) / 2^53, float16 and bfloat16 likewise with
//   11 and 8 bits; then fma(u, to - from, from) normal      under 16 elements, or strided: Box and Muller's
//   transform of two float64 uniforms, whose sine half the generator keeps for the next call; else on blocks
//   of 16 uniforms of the tensor's own dtype integers    from + r mod (to - from), with rr where to - from is
//   2^32 or more bernoulli   1 where a float64 uniform lies below p
// Tensors on other devices are drawn on the CPU, from their device's generator, and copied.
//
// The functions that fill return nothing and count as a change of `x`. They throw before they draw or write:
// ShapeError where x shows a place more than once, DTypeError where the dtype cannot hold such numbers,
// ValueError for arguments out of their domain.

using OptionalGenerator = std::optional<Generator>;

/// x ~ U[from, to), floating dtypes. Rounding may give `to` itself.
TAPIR_API void uniform_(const Tensor& x, double from = 0, double to = 1,
                        const OptionalGenerator& generator = {});
/// x ~ N(mean, std^2), floating dtypes; std >= 0.
TAPIR_API void normal_(const Tensor& x, double mean = 0, double std = 1,
                       const OptionalGenerator& generator = {});
/// x = 1 with probability p, else 0; any dtype; p in [0, 1].
TAPIR_API void bernoulli_(const Tensor& x, double p = 0.5, const OptionalGenerator& generator = {});
/// The same with a probability per element: a floating CPU tensor that broadcasts to x. float64 probabilities
/// are compared with a float64 uniform, others with a float32 one.
TAPIR_API void bernoulli_(const Tensor& x, const Tensor& p, const OptionalGenerator& generator = {});
/// x ~ integers of [from, to); without `to` up to the largest value of the dtype. In floating dtypes integers
/// are rounded. Errors name `op`.
TAPIR_API void random_(const Tensor& x, int64_t from, std::optional<int64_t> to,
                       const OptionalGenerator& generator = {}, const char* op = "random_");
/// x ~ every non-negative integer that the dtype holds exactly (bool: 0 or 1).
TAPIR_API void random_(const Tensor& x, const OptionalGenerator& generator = {});
/// x = 1 / (1 - p) with probability 1 - p, else 0: what dropout multiplies with. p in [0, 1).
/// PyTorch's dropout draws a row-major x, whatever the strides of its input.
TAPIR_API void dropout_mask_(const Tensor& x, double p, const OptionalGenerator& generator = {});

// The further distributions draw float64 uniforms u (log_normal_: normals) and round once
// (distributions.cpp).

/// x = -log(1 - u) / lambda, floating dtypes; lambda >= 0.
TAPIR_API void exponential_(const Tensor& x, double lambda = 1, const OptionalGenerator& generator = {});
/// x = ceil(log(u) / log(1 - p)): tries until the first success; p in (0, 1); not for bool.
TAPIR_API void geometric_(const Tensor& x, double p, const OptionalGenerator& generator = {});
/// x = median + sigma tan(pi (u - 1/2)), floating dtypes.
TAPIR_API void cauchy_(const Tensor& x, double median = 0, double sigma = 1,
                       const OptionalGenerator& generator = {});
/// x = exp of a normal number with that mean and std > 0, floating dtypes.
TAPIR_API void log_normal_(const Tensor& x, double mean = 1, double std = 2,
                           const OptionalGenerator& generator = {});
/// Counts with those rates, floating, of [0, 2^62); a new tensor of their dtype.
TAPIR_API Tensor poisson(const Tensor& rates, const OptionalGenerator& generator = {});
/// n places of each row of weights (its last dimension), with replacement: (.., n), int64.
TAPIR_API Tensor draw_categories(const Tensor& weights, int64_t n, const OptionalGenerator& generator = {});

// New, row-major tensors.
TAPIR_API Tensor rand(IntArrayRef sizes, DType dtype, Device device = kCPU,
                      const OptionalGenerator& generator = {});
TAPIR_API Tensor randn(IntArrayRef sizes, DType dtype, Device device = kCPU,
                       const OptionalGenerator& generator = {});
TAPIR_API Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, DType dtype = kInt64,
                         Device device = kCPU, const OptionalGenerator& generator = {});
/// A random order of 0 ... n - 1, by Fisher and Yates' shuffle. Throws ValueError where `dtype` does not hold
/// n - 1.
TAPIR_API Tensor randperm(int64_t n, DType dtype = kInt64, Device device = kCPU,
                          const OptionalGenerator& generator = {});

}  // namespace tapir::raw
