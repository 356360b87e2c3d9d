// Activations as functions, with the options that their modules take too.
#pragma once

#include <string>

#include "tapir/nn/enums.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/generator.h"
#include "tapir/tensor/tensor.h"

namespace tapir::nn {

struct ELUOptions {
  TAPIR_ARG(double, alpha) = 1;
  TAPIR_ARG(bool, inplace) = false;
};
struct SELUOptions {
  SELUOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};
struct CELUOptions {
  TAPIR_ARG(double, alpha) = 1;
  TAPIR_ARG(bool, inplace) = false;
};
struct GELUOptions {
  TAPIR_ARG(std::string, approximate) = "none";  ///< or "tanh"
};
struct GLUOptions {
  GLUOptions(int64_t dim = -1) : dim_(dim) {}  // NOLINT
  TAPIR_ARG(int64_t, dim);
};
struct HardshrinkOptions {
  HardshrinkOptions(double lambda = 0.5) : lambda_(lambda) {}  // NOLINT
  TAPIR_ARG(double, lambda);
};
struct HardtanhOptions {
  TAPIR_ARG(double, min_val) = -1;
  TAPIR_ARG(double, max_val) = 1;
  TAPIR_ARG(bool, inplace) = false;
};
struct HardsigmoidOptions {
  HardsigmoidOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};
using HardswishOptions = HardsigmoidOptions;
struct LeakyReLUOptions {
  TAPIR_ARG(double, negative_slope) = 0.01;
  TAPIR_ARG(bool, inplace) = false;
};
struct PReLUOptions {
  TAPIR_ARG(int64_t, num_parameters) = 1;
  TAPIR_ARG(double, init) = 0.25;
};
struct ReLU6Options {
  ReLU6Options(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};
struct RReLUOptions {
  TAPIR_ARG(double, lower) = 1.0 / 8;
  TAPIR_ARG(double, upper) = 1.0 / 3;
  TAPIR_ARG(bool, inplace) = false;
};
struct SoftmaxOptions {
  SoftmaxOptions(int64_t dim) : dim_(dim) {}  // NOLINT
  TAPIR_ARG(int64_t, dim);
};
using SoftminOptions = SoftmaxOptions;
using LogSoftmaxOptions = SoftmaxOptions;
struct SoftplusOptions {
  TAPIR_ARG(double, beta) = 1;
  TAPIR_ARG(double, threshold) = 20;
};
struct SoftshrinkOptions {
  SoftshrinkOptions(double lambda = 0.5) : lambda_(lambda) {}  // NOLINT
  TAPIR_ARG(double, lambda);
};
struct ThresholdOptions {
  ThresholdOptions(double threshold, double value) : threshold_(threshold), value_(value) {}
  TAPIR_ARG(double, threshold);
  TAPIR_ARG(double, value);
  TAPIR_ARG(bool, inplace) = false;
};

namespace functional {

using ELUFuncOptions = ELUOptions;
using SELUFuncOptions = SELUOptions;
using CELUFuncOptions = CELUOptions;
using GELUFuncOptions = GELUOptions;
using GLUFuncOptions = GLUOptions;
using HardshrinkFuncOptions = HardshrinkOptions;
using HardtanhFuncOptions = HardtanhOptions;
using HardsigmoidFuncOptions = HardsigmoidOptions;
using HardswishFuncOptions = HardswishOptions;
using LeakyReLUFuncOptions = LeakyReLUOptions;
using ReLU6FuncOptions = ReLU6Options;
using SoftplusFuncOptions = SoftplusOptions;
using SoftshrinkFuncOptions = SoftshrinkOptions;
using ThresholdFuncOptions = ThresholdOptions;
struct RReLUFuncOptions {
  TAPIR_ARG(double, lower) = 1.0 / 8;
  TAPIR_ARG(double, upper) = 1.0 / 3;
  TAPIR_ARG(bool, training) = false;
  TAPIR_ARG(bool, inplace) = false;
};
struct GumbelSoftmaxFuncOptions {
  TAPIR_ARG(double, tau) = 1;
  TAPIR_ARG(bool, hard) = false;  ///< one-hot in the forward, the soft sample's gradient in the backward
  TAPIR_ARG(int64_t, dim) = -1;
};

// What each computes is in autograd/functions/activation.h.
TAPIR_API Tensor elu(Tensor input, const ELUFuncOptions& options = {});
TAPIR_API Tensor selu(Tensor input, const SELUFuncOptions& options = {});
TAPIR_API Tensor celu(Tensor input, const CELUFuncOptions& options = {});
TAPIR_API Tensor gelu(const Tensor& input, const GELUFuncOptions& options = {});
TAPIR_API Tensor glu(const Tensor& input, const GLUFuncOptions& options = {});
TAPIR_API Tensor hardshrink(const Tensor& input, const HardshrinkFuncOptions& options = {});
TAPIR_API Tensor hardtanh(Tensor input, const HardtanhFuncOptions& options = {});
TAPIR_API Tensor hardsigmoid(Tensor input, const HardsigmoidFuncOptions& options = {});
TAPIR_API Tensor hardswish(Tensor input, const HardswishFuncOptions& options = {});
TAPIR_API Tensor leaky_relu(Tensor input, const LeakyReLUFuncOptions& options = {});
TAPIR_API Tensor logsigmoid(const Tensor& input);
TAPIR_API Tensor mish(const Tensor& input);
TAPIR_API Tensor silu(const Tensor& input);
TAPIR_API Tensor prelu(const Tensor& input, const Tensor& weight);
TAPIR_API Tensor relu6(Tensor input, const ReLU6FuncOptions& options = {});
TAPIR_API Tensor rrelu(Tensor input, const RReLUFuncOptions& options = {});
TAPIR_API Tensor softplus(const Tensor& input, const SoftplusFuncOptions& options = {});
TAPIR_API Tensor softshrink(const Tensor& input, const SoftshrinkFuncOptions& options = {});
TAPIR_API Tensor softsign(const Tensor& input);
TAPIR_API Tensor tanhshrink(const Tensor& input);
/// x > threshold ? x : value
TAPIR_API Tensor threshold(Tensor input, const ThresholdFuncOptions& options);
/// softmax((logits + noise) / tau) with Gumbel noise (Jang et al. 2017).
TAPIR_API Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxFuncOptions& options = {});

}  // namespace functional
}  // namespace tapir::nn
