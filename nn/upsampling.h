// Upsample, and interpolation with options; autograd/functions/interpolate.h has the formulas.
#pragma once

#include <optional>
#include <vector>

#include "tapir/nn/enums.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

struct UpsampleOptions {
  TAPIR_ARG(std::optional<std::vector<int64_t>>, size) = std::nullopt;
  TAPIR_ARG(std::optional<std::vector<double>>, scale_factor) = std::nullopt;
  TAPIR_ARG(InterpolationMode, mode) = kNearest;
  TAPIR_ARG(std::optional<bool>, align_corners) = std::nullopt;
};

namespace functional {
struct InterpolateFuncOptions {
  TAPIR_ARG(std::optional<std::vector<int64_t>>, size) = std::nullopt;
  TAPIR_ARG(std::optional<std::vector<double>>, scale_factor) = std::nullopt;
  TAPIR_ARG(InterpolationMode, mode) = kNearest;
  TAPIR_ARG(std::optional<bool>, align_corners) = std::nullopt;
  TAPIR_ARG(std::optional<bool>, recompute_scale_factor) = std::nullopt;
};
TAPIR_API Tensor interpolate(const Tensor& input, const InterpolateFuncOptions& options = {});
}  // namespace functional

/// interpolate of x (N, C, L...) by the options.
class TAPIR_API UpsampleImpl : public Cloneable<UpsampleImpl> {
 public:
  explicit UpsampleImpl(UpsampleOptions o = {}) : options(std::move(o)) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  UpsampleOptions options;
};
TAPIR_BUILTIN_MODULE(Upsample);

}  // namespace tapir::nn
