// WeightedRandomSampler: samples drawn by weight.
#pragma once

#include "tapir/data/sampler.h"

namespace tapir::data::samplers {

/// `num_samples` indices per epoch, i with probability weights[i] / sum(weights), with replacement or
/// without. The indices are those of PyTorch's torch.utils.data.WeightedRandomSampler for the same seed.
class TAPIR_API WeightedRandomSampler : public DrawnSampler {
 public:
  /// Throws ValueError for a weight that is negative or not finite, weights that sum to 0, or without
  /// replacement more samples than weights above 0.
  WeightedRandomSampler(std::vector<double> weights, size_t num_samples, bool replacement = true,
                        std::optional<Generator> generator = std::nullopt);
  /// A size gives another num_samples. Throws ValueError as the constructor.
  void reset(std::optional<size_t> new_size = std::nullopt) override;

 protected:
  std::vector<size_t> draw(Generator& generator, size_t batch_size) const override;

 private:
  void check_size(size_t num_samples) const;
  std::vector<double> weights_;
  bool replacement_;
};

}  // namespace tapir::data::samplers
