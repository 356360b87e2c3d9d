// Named choices that options and nn::init take, under libtorch's names.
#pragma once

#include <cstddef>
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
inline constexpr Nonlinearity kConv1D = Nonlinearity::Linear;  ///< a layer without a function has gain 1
inline constexpr Nonlinearity kConv2D = Nonlinearity::Linear;
inline constexpr Nonlinearity kConv3D = Nonlinearity::Linear;
inline constexpr Nonlinearity kConvTranspose1D = Nonlinearity::Linear;
inline constexpr Nonlinearity kConvTranspose2D = Nonlinearity::Linear;
inline constexpr Nonlinearity kConvTranspose3D = Nonlinearity::Linear;
inline constexpr Nonlinearity kSigmoid = Nonlinearity::Sigmoid;
inline constexpr Nonlinearity kTanh = Nonlinearity::Tanh;
inline constexpr Nonlinearity kReLU = Nonlinearity::ReLU;
inline constexpr Nonlinearity kLeakyReLU = Nonlinearity::LeakyReLU;
inline constexpr Nonlinearity kSELU = Nonlinearity::SELU;
inline constexpr Nonlinearity kGELU = Nonlinearity::GELU;  ///< for transformers; nn::init gives it gain 1

/// What nn::functional::pad puts around a tensor; see pad() in autograd/functions/shape.h.
enum class PadMode : uint8_t { Constant, Reflect, Replicate, Circular };
inline constexpr PadMode kConstant = PadMode::Constant;
inline constexpr PadMode kReflect = PadMode::Reflect;
inline constexpr PadMode kReplicate = PadMode::Replicate;
inline constexpr PadMode kCircular = PadMode::Circular;

/// Zeros around the input: a padding mode of convolutions and of grid_sample.
enum class ZeroPadding : uint8_t { Zeros };
inline constexpr ZeroPadding kZeros = ZeroPadding::Zeros;

/// What grid_sample finds outside of the input: kZeros, the element at the border, or the input mirrored.
enum class OutsideGrid : uint8_t { Border = 1, Reflection = 2 };
inline constexpr OutsideGrid kBorder = OutsideGrid::Border;
inline constexpr OutsideGrid kReflection = OutsideGrid::Reflection;
class GridPaddingMode {
 public:
  constexpr GridPaddingMode(ZeroPadding) : number_(0) {}                                // NOLINT
  constexpr GridPaddingMode(OutsideGrid mode) : number_(static_cast<int64_t>(mode)) {}  // NOLINT
  constexpr int64_t number() const noexcept { return number_; }                         ///< PyTorch's
  friend constexpr bool operator==(GridPaddingMode a, GridPaddingMode b) { return a.number_ == b.number_; }

 private:
  int64_t number_;
};

/// Padding of a convolution by name: as much as keeps the sizes, or none.
enum class NamedPadding : uint8_t { Same, Valid };
inline constexpr NamedPadding kSame = NamedPadding::Same;
inline constexpr NamedPadding kValid = NamedPadding::Valid;

/// How interpolate reads between the elements; see interpolate in autograd/functions/interpolate.h. kLinear,
/// which nn::init knows too, is one of them.
enum class Interpolation : uint8_t { Nearest, NearestExact, Bilinear, Bicubic, Trilinear, Area };
inline constexpr Interpolation kNearest = Interpolation::Nearest;
inline constexpr Interpolation kNearestExact = Interpolation::NearestExact;
inline constexpr Interpolation kBilinear = Interpolation::Bilinear;
inline constexpr Interpolation kBicubic = Interpolation::Bicubic;
inline constexpr Interpolation kTrilinear = Interpolation::Trilinear;
inline constexpr Interpolation kArea = Interpolation::Area;
class InterpolationMode {
 public:
  constexpr InterpolationMode(Interpolation mode) : name_(kNames[static_cast<size_t>(mode)]) {}  // NOLINT
  constexpr InterpolationMode(Nonlinearity linear)                                               // NOLINT
      : name_(linear == kLinear ? "linear" : "no mode of interpolation") {}
  constexpr const char* name() const { return name_; }  ///< PyTorch's: "nearest-exact"

 private:
  static constexpr const char* kNames[] = {"nearest", "nearest-exact", "bilinear",
                                           "bicubic", "trilinear",     "area"};
  const char* name_;
};

/// How EmbeddingBag joins the rows of a bag: kSum, kMean or kMax.
enum class LargestOf : uint8_t { Max };
inline constexpr LargestOf kMax = LargestOf::Max;
class EmbeddingBagMode {
 public:
  constexpr EmbeddingBagMode(
      LossReduction sum_or_mean)  // NOLINT: implicit; kNone is refused where it is used
      : number_(sum_or_mean == kSum    ? 0
                : sum_or_mean == kMean ? 1
                                       : -1) {}
  constexpr EmbeddingBagMode(LargestOf) : number_(2) {}          // NOLINT: implicit
  constexpr int64_t number() const noexcept { return number_; }  ///< PyTorch's: 0 sum, 1 mean, 2 max
  friend constexpr bool operator==(EmbeddingBagMode a, EmbeddingBagMode b) { return a.number_ == b.number_; }

 private:
  int64_t number_;
};

namespace nn {
using tapir::EmbeddingBagMode;
}

/// The kinds of recurrent layers; see tensor/rnn_mode.h.
inline constexpr RnnMode kLSTM = RnnMode::LSTM;
inline constexpr RnnMode kGRU = RnnMode::GRU;
inline constexpr RnnMode kRNN_TANH = RnnMode::Tanh;
inline constexpr RnnMode kRNN_RELU = RnnMode::ReLU;

}  // namespace tapir
