// The layers as functions, with libtorch's option structs: namespace F = tapir::nn::functional.
#pragma once

#include "tapir/nn/enums.h"
#include "tapir/nn/functional_activation.h"
#include "tapir/nn/functional_loss.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::nn::functional {

/// input weight^T + bias
TAPIR_API Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias = {});

struct ReLUFuncOptions {
  ReLUFuncOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};
/// max(x, 0)
TAPIR_API Tensor relu(Tensor input, const ReLUFuncOptions& options = {});
TAPIR_API Tensor tanh(const Tensor& input);
TAPIR_API Tensor sigmoid(const Tensor& input);

struct SoftmaxFuncOptions {
  SoftmaxFuncOptions(int64_t dim) : dim_(dim) {}  // NOLINT
  TAPIR_ARG(int64_t, dim);
  TAPIR_ARG(std::optional<DType>, dtype) = std::nullopt;
};
using LogSoftmaxFuncOptions = SoftmaxFuncOptions;
/// exp(x) / sum(exp(x)) along dim; with dtype, the input is cast first.
TAPIR_API Tensor softmax(const Tensor& input, const SoftmaxFuncOptions& options);
TAPIR_API Tensor log_softmax(const Tensor& input, const LogSoftmaxFuncOptions& options);

struct DropoutFuncOptions {
  TAPIR_ARG(double, p) = 0.5;
  TAPIR_ARG(bool, training) = true;
  TAPIR_ARG(bool, inplace) = false;
};
/// While training, zero with probability p, else x / (1 - p).
TAPIR_API Tensor dropout(Tensor input, const DropoutFuncOptions& options = {});

struct EmbeddingFuncOptions {
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
  /// Rows that are looked up and whose norm of order norm_type is larger are first scaled down to it, in
  /// place.
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  /// Divides a row's gradient by how often the input names it.
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  /// Keeps the weight's gradient by rows (autograd/row_gradient.h), so that a step costs what was looked up,
  /// not the whole table: for SGD without momentum, Adagrad and SparseAdam.
  TAPIR_ARG(bool, sparse) = false;
};
/// The rows of weight that input (int64 or int32) names; that of padding_idx gets no gradient.
TAPIR_API Tensor embedding(const Tensor& input, const Tensor& weight,
                           const EmbeddingFuncOptions& options = {});

struct CrossEntropyFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(int64_t, ignore_index) = -100;
  TAPIR_ARG(LossReduction, reduction) = kMean;
  TAPIR_ARG(double, label_smoothing) = 0;
};
/// nll_loss(log_softmax(input, 1), target) for class indices; see cross_entropy in autograd/functions/loss.h.
TAPIR_API Tensor cross_entropy(const Tensor& input, const Tensor& target,
                               const CrossEntropyFuncOptions& options = {});

struct NLLLossFuncOptions {
  TAPIR_ARG(Tensor, weight) = Tensor();
  TAPIR_ARG(int64_t, ignore_index) = -100;
  TAPIR_ARG(LossReduction, reduction) = kMean;
};
/// -weight[target] * input[target], over log-probabilities.
TAPIR_API Tensor nll_loss(const Tensor& input, const Tensor& target, const NLLLossFuncOptions& options = {});

struct MSELossFuncOptions {
  MSELossFuncOptions(LossReduction reduction = kMean) : reduction_(reduction) {}  // NOLINT
  TAPIR_ARG(LossReduction, reduction);
};
/// (input - target)^2
TAPIR_API Tensor mse_loss(const Tensor& input, const Tensor& target, const MSELossFuncOptions& options = {});

}  // namespace tapir::nn::functional
