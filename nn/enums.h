// Named choices that options and nn::init take, under libtorch's names.
#pragma once

#include <cstdint>

#include "tapir/tensor/rnn_mode.h"

namespace tapir {

/// What a loss does with the losses of the elements; the values are those of PyTorch's Reduction.
enum class LossReduction : int64_t { None = 0, Mean = 1, Sum = 2, BatchMean = 3 };
inline constexpr LossReduction kNone = LossReduction::None;  ///< one loss per element
inline constexpr LossReduction kMean = LossReduction::Mean;
inline constexpr LossReduction kSum = LossReduction::Sum;
inline constexpr LossReduction kBatchMean = LossReduction::BatchMean;  ///< KLDivLoss only: sum / batch

/// Whether nn::init keeps the variance of the forward (fan in) or of the backward (fan out).
enum class FanMode : uint8_t { FanIn, FanOut };
inline constexpr FanMode kFanIn = FanMode::FanIn;
inline constexpr FanMode kFanOut = FanMode::FanOut;

/// The function after the layer, for nn::init.
enum class Nonlinearity : uint8_t { Linear, Sigmoid, Tanh, ReLU, LeakyReLU, SELU, GELU };
inline constexpr Nonlinearity kLinear = Nonlinearity::Linear;
inline constexpr Nonlinearity kSigmoid = Nonlinearity::Sigmoid;
inline constexpr Nonlinearity kTanh = Nonlinearity::Tanh;
inline constexpr Nonlinearity kReLU = Nonlinearity::ReLU;
inline constexpr Nonlinearity kLeakyReLU = Nonlinearity::LeakyReLU;
inline constexpr Nonlinearity kSELU = Nonlinearity::SELU;
inline constexpr Nonlinearity kGELU = Nonlinearity::GELU;  ///< for transformers; nn::init gives it gain 1

/// The kinds of recurrent layers; see tensor/rnn_mode.h.
inline constexpr RnnMode kLSTM = RnnMode::LSTM;
inline constexpr RnnMode kGRU = RnnMode::GRU;
inline constexpr RnnMode kRNN_TANH = RnnMode::Tanh;
inline constexpr RnnMode kRNN_RELU = RnnMode::ReLU;

}  // namespace tapir
