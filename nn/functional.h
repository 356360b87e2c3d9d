// The layers as functions, with libtorch's option structs: namespace F = tapir::nn::functional.
#pragma once

#include <vector>

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
using SoftminFuncOptions = SoftmaxFuncOptions;
/// exp(x) / sum(exp(x)) along dim; with dtype, the input is cast first.
TAPIR_API Tensor softmax(const Tensor& input, const SoftmaxFuncOptions& options);
TAPIR_API Tensor log_softmax(const Tensor& input, const LogSoftmaxFuncOptions& options);
/// softmax(-x)
TAPIR_API Tensor softmin(const Tensor& input, const SoftminFuncOptions& options);

struct DropoutFuncOptions {
  TAPIR_ARG(double, p) = 0.5;
  TAPIR_ARG(bool, training) = true;
  TAPIR_ARG(bool, inplace) = false;
};
using Dropout2dFuncOptions = DropoutFuncOptions;
using Dropout3dFuncOptions = DropoutFuncOptions;
/// While training, zero with probability p, else x / (1 - p).
TAPIR_API Tensor dropout(Tensor input, const DropoutFuncOptions& options = {});
/// The same for whole channels of (N, C, ...).
TAPIR_API Tensor dropout2d(Tensor input, const Dropout2dFuncOptions& options = {});
TAPIR_API Tensor dropout3d(Tensor input, const Dropout3dFuncOptions& options = {});

struct AlphaDropoutFuncOptions {
  TAPIR_ARG(double, p) = 0.5;
  TAPIR_ARG(bool, training) = false;
  TAPIR_ARG(bool, inplace) = false;
};
using FeatureAlphaDropoutFuncOptions = AlphaDropoutFuncOptions;
/// Dropout that keeps mean and variance; see autograd/functions/dropout.h.
TAPIR_API Tensor alpha_dropout(Tensor input, const AlphaDropoutFuncOptions& options = {});
TAPIR_API Tensor feature_alpha_dropout(Tensor input, const FeatureAlphaDropoutFuncOptions& options = {});
namespace detail {
TAPIR_API Tensor alpha_dropout(Tensor input, double p, bool training, bool inplace);
}  // namespace detail

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

struct EmbeddingBagFuncOptions {
  TAPIR_ARG(Tensor, offsets) = Tensor();  ///< where each bag starts, for one-dimensional input
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  TAPIR_ARG(EmbeddingBagMode, mode) = kMean;  ///< kSum, kMean or kMax
  TAPIR_ARG(bool, sparse) = false;
  TAPIR_ARG(Tensor, per_sample_weights) = Tensor();  ///< factors of the rows, of input's sizes, with kSum
  TAPIR_ARG(bool, include_last_offset) = false;
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
};
/// The sum, mean or maximum of the rows of weight in each bag: the rows of input (bags, n), or bags of any
/// lengths of one-dimensional input, which start at `offsets`. See embedding_bag in
/// autograd/functions/embedding_bag.h.
TAPIR_API Tensor embedding_bag(const Tensor& input, const Tensor& weight,
                               const EmbeddingBagFuncOptions& options = {});

struct PadFuncOptions {
  PadFuncOptions(std::vector<int64_t> pad) : pad_(std::move(pad)) {}  // NOLINT
  TAPIR_ARG(std::vector<int64_t>, pad);
  TAPIR_ARG(PadMode, mode) = kConstant;
  TAPIR_ARG(double, value) = 0;
};
/// See pad in autograd/functions/shape.h.
TAPIR_API Tensor pad(const Tensor& input, const PadFuncOptions& options);
/// See one_hot in autograd/functions/shape.h.
TAPIR_API Tensor one_hot(const Tensor& tensor, int64_t num_classes = -1);
/// |x[i] - x[j]|_p for all pairs i < j of rows of input (n, d): (n (n - 1) / 2).
TAPIR_API Tensor pdist(const Tensor& input, double p = 2);

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
