// Activations, each one kernel forward and one backward, with second derivatives. Integers become the default
// dtype. In-place forms name_ are beside each.
#pragma once

#include <string_view>

#include "tapir/autograd/node.h"

namespace tapir {

/// scale * (x > 0 ? x : alpha * (exp(input_scale * x) - 1)) (Clevert et al. 2016)
TAPIR_API Tensor elu(const Tensor& x, double alpha = 1, double scale = 1, double input_scale = 1);
/// 1.0507... * elu(x, 1.6733...), which keeps mean and variance (Klambauer et al. 2017)
TAPIR_API Tensor selu(const Tensor& x);
/// max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0). Throws ValueError for alpha 0.
TAPIR_API Tensor celu(const Tensor& x, double alpha = 1);
/// x * Phi(x), Phi the distribution function of the standard normal (Hendrycks and Gimpel 2016); with
/// approximate "tanh" x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))). Throws ValueError for others
/// than "none" and "tanh".
TAPIR_API Tensor gelu(const Tensor& x, std::string_view approximate = "none");
/// a * sigmoid(b), a and b the halves of x along dim. Throws ShapeError for an odd size.
TAPIR_API Tensor glu(const Tensor& x, int64_t dim = -1);
/// x where |x| > lambda, else 0
TAPIR_API Tensor hardshrink(const Tensor& x, double lambda = 0.5);
/// x - lambda above lambda, x + lambda below -lambda, else 0. Throws ValueError for a negative lambda.
TAPIR_API Tensor softshrink(const Tensor& x, double lambda = 0.5);
/// min(max(x, min_val), max_val); the gradient passes strictly between them only.
TAPIR_API Tensor hardtanh(const Tensor& x, double min_val = -1, double max_val = 1);
/// min(max(x, 0), 6)
TAPIR_API Tensor relu6(const Tensor& x);
/// min(max(x + 3, 0), 6) / 6
TAPIR_API Tensor hardsigmoid(const Tensor& x);
/// x * hardsigmoid(x)
TAPIR_API Tensor hardswish(const Tensor& x);
/// x > 0 ? x : negative_slope * x
TAPIR_API Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
/// log(1 / (1 + exp(-x))), which loses no small number
TAPIR_API Tensor log_sigmoid(const Tensor& x);
/// x * tanh(softplus(x))
TAPIR_API Tensor mish(const Tensor& x);
/// x * sigmoid(x)
TAPIR_API Tensor silu(const Tensor& x);
/// x > 0 ? x : weight * x; weight has one element, or one for each of x.size(1) channels (ShapeError).
TAPIR_API Tensor prelu(const Tensor& x, const Tensor& weight);
/// x > 0 ? x : a * x with a drawn uniformly from [lower, upper] for each such element while training, their
/// mean else. Draws as PyTorch does. Throws ValueError where lower > upper.
TAPIR_API Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
                       std::optional<Generator> generator = std::nullopt);
/// log(1 + exp(beta * x)) / beta, x itself where beta * x > threshold
TAPIR_API Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
/// x / (1 + |x|)
TAPIR_API Tensor softsign(const Tensor& x);
/// x - tanh(x)
TAPIR_API Tensor tanhshrink(const Tensor& x);

TAPIR_API Tensor& elu_(Tensor& x, double alpha = 1, double scale = 1, double input_scale = 1);
TAPIR_API Tensor& selu_(Tensor& x);
TAPIR_API Tensor& celu_(Tensor& x, double alpha = 1);
TAPIR_API Tensor& hardtanh_(Tensor& x, double min_val = -1, double max_val = 1);
TAPIR_API Tensor& relu6_(Tensor& x);
TAPIR_API Tensor& hardsigmoid_(Tensor& x);
TAPIR_API Tensor& hardswish_(Tensor& x);
TAPIR_API Tensor& leaky_relu_(Tensor& x, double negative_slope = 0.01);
TAPIR_API Tensor& mish_(Tensor& x);
TAPIR_API Tensor& silu_(Tensor& x);
TAPIR_API Tensor& rrelu_(Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false,
                         std::optional<Generator> generator = std::nullopt);

TAPIR_API Tensor& gelu_out(Tensor& out, const Tensor& x, std::string_view approximate = "none");
TAPIR_API Tensor& silu_out(Tensor& out, const Tensor& x);

// The backward of each of these, differentiable itself; parameters as in activation.def.
#define TAPIR_ACTIVATION_BACKWARDS(row)                                                                    \
  row(elu, 3) row(leaky_relu, 1) row(gelu, 0) row(gelu_tanh, 0) row(silu, 0) row(mish, 0) row(softplus, 2) \
      row(log_sigmoid, 0) row(shrink, 1) row(hardtanh, 2) row(hardsigmoid, 0) row(hardswish, 0)            \
          row(softsign, 0) row(tanhshrink, 0)
#define TAPIR_ACTIVATION_BACKWARD(name, params)                                                    \
  TAPIR_API Tensor name##_backward(const Tensor& g, const Tensor& x, double p0 = 0, double p1 = 0, \
                                   double p2 = 0);
TAPIR_ACTIVATION_BACKWARDS(TAPIR_ACTIVATION_BACKWARD)
#undef TAPIR_ACTIVATION_BACKWARD

}  // namespace tapir
