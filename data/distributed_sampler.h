// Samplers for training by several processes, each on its part of the samples.
#pragma once

#include "tapir/data/sampler.h"

namespace tapir::data::samplers {

/// Gives the process `rank` of `num_replicas` its part: ceil(size / num_replicas) samples, where the first
/// ones come again to make up the number, or without duplicates floor(size / num_replicas).
template <class Request = std::vector<size_t>>
class DistributedSampler : public Sampler<Request> {
 public:
  explicit DistributedSampler(size_t size, size_t num_replicas = 1, size_t rank = 0,
                              bool allow_duplicates = true)
      : size_(size), num_replicas_(num_replicas), rank_(rank), allow_duplicates_(allow_duplicates) {}
  /// All processes give the same number before an epoch's reset(): it seeds the order.
  void set_epoch(size_t epoch) { epoch_ = epoch; }
  size_t epoch() const { return epoch_; }

 protected:
  size_t local_sample_count() const {
    return (size_ + (allow_duplicates_ ? num_replicas_ - 1 : 0)) / num_replicas_;
  }
  size_t size_, num_replicas_, rank_, epoch_ = 0;
  bool allow_duplicates_;
};

/// The part of the indices in order: `rank` has one run of them.
class TAPIR_API DistributedSequentialSampler : public DistributedSampler<> {
 public:
  /// Throws ValueError where rank is not below num_replicas.
  explicit DistributedSequentialSampler(size_t size, size_t num_replicas = 1, size_t rank = 0,
                                        bool allow_duplicates = true);
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  State state_dict() const override;
  void load_state_dict(const State& state) override;
  /// Place of the next sample among those of all processes.
  size_t index() const noexcept { return rank_ * local_sample_count() + given_; }

 protected:
  /// What index i of all processes' is.
  virtual size_t sample(size_t i) const { return i % size_; }
  size_t given_ = 0;
};

/// The part of a random order, which all processes shuffle alike: std::mt19937 seeded with the epoch, and
/// std::shuffle, as in libtorch.
class TAPIR_API DistributedRandomSampler : public DistributedSequentialSampler {
 public:
  explicit DistributedRandomSampler(size_t size, size_t num_replicas = 1, size_t rank = 0,
                                    bool allow_duplicates = true);
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  State state_dict() const override;
  void load_state_dict(const State& state) override;

 protected:
  size_t sample(size_t i) const override { return order_[i]; }

 private:
  void shuffle();
  size_t shuffled_with_ = 0;  // the epoch at the last reset()
  std::vector<size_t> order_;
};

}  // namespace tapir::data::samplers
