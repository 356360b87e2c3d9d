// Random tensors. On the CPU the numbers are PyTorch's for the same seed (manual_seed). Each draws from
// `generator`, or from the device's default one.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

/// Uniform in [0, 1).
TAPIR_API Tensor rand(IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor rand(IntArrayRef size, std::optional<Generator> generator,
                      const TensorOptions& options = {});
/// Standard normal.
TAPIR_API Tensor randn(IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor randn(IntArrayRef size, std::optional<Generator> generator,
                       const TensorOptions& options = {});
/// Integers in [low, high); int64 without a dtype. Throws ValueError where there are none.
TAPIR_API Tensor randint(int64_t high, IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor randint(int64_t low, int64_t high, IntArrayRef size, const TensorOptions& options = {});
TAPIR_API Tensor randint(int64_t high, IntArrayRef size, std::optional<Generator> generator,
                         const TensorOptions& options = {});
TAPIR_API Tensor randint(int64_t low, int64_t high, IntArrayRef size, std::optional<Generator> generator,
                         const TensorOptions& options = {});
/// 0 ... n - 1 in random order; int64 without a dtype.
TAPIR_API Tensor randperm(int64_t n, const TensorOptions& options = {});
TAPIR_API Tensor randperm(int64_t n, std::optional<Generator> generator, const TensorOptions& options = {});
/// Normal with the given mean and standard deviation, which must not be negative.
TAPIR_API Tensor normal(double mean, double std, IntArrayRef size,
                        std::optional<Generator> generator = std::nullopt, const TensorOptions& options = {});
/// mean + std * a standard normal number, elementwise; they broadcast. Gradients are zero.
TAPIR_API Tensor normal(const Tensor& mean, const Tensor& std,
                        std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor normal(const Tensor& mean, double std = 1,
                        std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor normal(double mean, const Tensor& std, std::optional<Generator> generator = std::nullopt);
/// Counts of a Poisson distribution with the rates x, in its dtype. The gradient is zero. Throws ValueError
/// for rates outside [0, 2^62).
TAPIR_API Tensor poisson(const Tensor& x, std::optional<Generator> generator = std::nullopt);
/// num_samples places of a vector of weights, or of each row of a matrix, drawn with the weights'
/// probabilities: (num_samples) or (rows, num_samples), int64. Throws ValueError for weights that are
/// negative, not finite or all zero, and where fewer than num_samples of them are not zero and there is no
/// replacement.
TAPIR_API Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement = false,
                             std::optional<Generator> generator = std::nullopt);
/// 0 or 1; 1 with probability p: of each element of `p`, or p for each element of `like`. The gradient is
/// zero. Throws ValueError outside [0, 1].
TAPIR_API Tensor bernoulli(const Tensor& p, std::optional<Generator> generator = std::nullopt);
TAPIR_API Tensor bernoulli(const Tensor& like, double p, std::optional<Generator> generator = std::nullopt);

// With the sizes, dtype and device of `x`, where options set none.
TAPIR_API Tensor rand_like(const Tensor& x, const TensorOptions& options = {});
TAPIR_API Tensor randn_like(const Tensor& x, const TensorOptions& options = {});
TAPIR_API Tensor randint_like(const Tensor& x, int64_t high, const TensorOptions& options = {});
TAPIR_API Tensor randint_like(const Tensor& x, int64_t low, int64_t high, const TensorOptions& options = {});

// In place; x is cut from its history, as by fill_. Throws AutogradError for a leaf that requires a gradient
// while recording, DTypeError where the dtype cannot hold such numbers.
namespace detail {
TAPIR_API void uniform_(const Tensor& x, double from, double to, const std::optional<Generator>& generator);
TAPIR_API void normal_(const Tensor& x, double mean, double std, const std::optional<Generator>& generator);
TAPIR_API void bernoulli_(const Tensor& x, double p, const std::optional<Generator>& generator);
TAPIR_API void bernoulli_(const Tensor& x, const Tensor& p, const std::optional<Generator>& generator);
TAPIR_API void random_(const Tensor& x, std::optional<int64_t> from, std::optional<int64_t> to,
                       const std::optional<Generator>& generator);
}  // namespace detail

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE
/// Uniform in [from, to).
TAPIR_METHOD Tensor& Tensor::uniform_(double from, double to, std::optional<Generator> g) const {
  detail::uniform_(self(), from, to, g);
  return self();
}
TAPIR_METHOD Tensor& Tensor::normal_(double mean, double std, std::optional<Generator> g) const {
  detail::normal_(self(), mean, std, g);
  return self();
}
TAPIR_METHOD Tensor& Tensor::bernoulli_(double p, std::optional<Generator> g) const {
  detail::bernoulli_(self(), p, g);
  return self();
}
/// With a probability for each element, which broadcasts.
TAPIR_METHOD Tensor& Tensor::bernoulli_(const Tensor& p, std::optional<Generator> g) const {
  detail::bernoulli_(self(), p, g);
  return self();
}
/// Integers: of [0, to), of [from, to), or every non-negative one that the dtype holds exactly.
TAPIR_METHOD Tensor& Tensor::random_(std::optional<Generator> g) const {
  detail::random_(self(), std::nullopt, std::nullopt, g);
  return self();
}
TAPIR_METHOD Tensor& Tensor::random_(int64_t to, std::optional<Generator> g) const {
  detail::random_(self(), 0, to, g);
  return self();
}
TAPIR_METHOD Tensor& Tensor::random_(int64_t from, int64_t to, std::optional<Generator> g) const {
  detail::random_(self(), from, to, g);
  return self();
}
#undef TAPIR_METHOD

}  // namespace tapir
