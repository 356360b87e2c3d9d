// Pooling over the last one to three dimensions of x (N, C, L...) or (C, L...). A list of one number for
// kernel_size, stride (empty: kernel_size), padding, dilation or output_size stands for one for each of them.
// Derivatives of any order. Throws ShapeError, ValueError, DTypeError.
#pragma once

#include <tuple>

#include "tapir/autograd/node.h"

namespace tapir {

// max_pool: the largest of each window, y[p] = max over k of x[p * stride - padding + k * dilation]; sizes
// floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1, with ceil_mode the ceiling unless the last
// window would begin behind the padded input. The gradient goes to the first of equal elements; NaN wins.
// padding is at most half of the kernel. With indices: also each element's row-major place in its plane
// (int64). avg_pool: the mean of each window, zeros in the padding counted unless count_include_pad is false;
// or its sum divided by divisor_override. adaptive_avg_pool, adaptive_max_pool: the mean, or the largest and
// its place, of x[floor(p L / O)] to x[ceil((p + 1) L / O) - 1] for each of O places. A negative size keeps
// that of x. max_unpool: zeros of output_size (the spatial sizes) with x[p] at the place indices[p] of its
// plane, as max pooling gives them; of several for one place the last stays.
#define TAPIR_POOL(n)                                                                                     \
  TAPIR_API Tensor max_pool##n##d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},      \
                                  IntArrayRef padding = 0, IntArrayRef dilation = 1,                      \
                                  bool ceil_mode = false);                                                \
  TAPIR_API std::tuple<Tensor, Tensor> max_pool##n##d_with_indices(                                       \
      const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,         \
      IntArrayRef dilation = 1, bool ceil_mode = false);                                                  \
  TAPIR_API Tensor avg_pool##n##d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},      \
                                  IntArrayRef padding = 0, bool ceil_mode = false,                        \
                                  bool count_include_pad = true,                                          \
                                  std::optional<int64_t> divisor_override = std::nullopt);                \
  TAPIR_API Tensor adaptive_avg_pool##n##d(const Tensor& x, IntArrayRef output_size);                     \
  TAPIR_API std::tuple<Tensor, Tensor> adaptive_max_pool##n##d(const Tensor& x, IntArrayRef output_size); \
  TAPIR_API Tensor max_unpool##n##d(const Tensor& x, const Tensor& indices, IntArrayRef output_size);
TAPIR_POOL(1)
TAPIR_POOL(2)
TAPIR_POOL(3)
#undef TAPIR_POOL

/// Max pooling whose windows of kernel_size begin where random_samples (N, C, 2 or 3), uniform in [0, 1), put
/// them (Graham 2014): at floor((p + u) a) - floor(u a) with a = (L - K) / (O - 1), the last at L - K.
TAPIR_API std::tuple<Tensor, Tensor> fractional_max_pool2d(const Tensor& x, IntArrayRef kernel_size,
                                                           IntArrayRef output_size,
                                                           const Tensor& random_samples);
TAPIR_API std::tuple<Tensor, Tensor> fractional_max_pool3d(const Tensor& x, IntArrayRef kernel_size,
                                                           IntArrayRef output_size,
                                                           const Tensor& random_samples);

}  // namespace tapir
