#include "tapir/data/distributed_sampler.h"

#include <algorithm>
#include <random>

#include "tapir/data/sampler_state.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::samplers {

DistributedSequentialSampler::DistributedSequentialSampler(size_t size, size_t num_replicas, size_t rank,
                                                           bool allow_duplicates)
    : DistributedSampler(size, num_replicas, rank, allow_duplicates) {
  TAPIR_CHECK_AS(ValueError, rank < num_replicas,
                 "DistributedSampler: got rank {} of {} replicas, expected one below their number", rank,
                 num_replicas);
}

void DistributedSequentialSampler::reset(std::optional<size_t> new_size) {
  size_ = new_size.value_or(size_);
  given_ = 0;
}

std::optional<std::vector<size_t>> DistributedSequentialSampler::next(size_t batch_size) {
  const size_t count = local_sample_count();
  if (given_ >= count || batch_size == 0) return std::nullopt;
  std::vector<size_t> batch(std::min(batch_size, count - given_));
  for (size_t& i : batch) i = sample(rank_ * count + given_++);
  return batch;
}

State DistributedSequentialSampler::state_dict() const {
  State state;
  state.set("size", size_);
  state.set("epoch", epoch_);
  state.set("given", given_);
  return state;
}

void DistributedSequentialSampler::load_state_dict(const State& state) {
  const size_t size = size_of(state, size_), epoch = state.number("epoch"), given = state.number("given");
  size_ = size;
  epoch_ = epoch;
  given_ = std::min(given, local_sample_count());
}

DistributedRandomSampler::DistributedRandomSampler(size_t size, size_t num_replicas, size_t rank,
                                                   bool allow_duplicates)
    : DistributedSequentialSampler(size, num_replicas, rank, allow_duplicates) {
  DistributedRandomSampler::reset();
}

void DistributedRandomSampler::shuffle() {
  order_.resize(local_sample_count() * num_replicas_);
  for (size_t i = 0; i < order_.size(); ++i) order_[i] = i % size_;
  std::mt19937 engine(static_cast<uint32_t>(shuffled_with_));
  std::shuffle(order_.begin(), order_.end(), engine);
}

void DistributedRandomSampler::reset(std::optional<size_t> new_size) {
  DistributedSequentialSampler::reset(new_size);
  shuffled_with_ = epoch_;
  shuffle();
}

State DistributedRandomSampler::state_dict() const {
  State state = DistributedSequentialSampler::state_dict();
  state.set("shuffled_with", shuffled_with_);
  return state;
}

void DistributedRandomSampler::load_state_dict(const State& state) {
  const size_t shuffled_with = state.number("shuffled_with");
  DistributedSequentialSampler::load_state_dict(state);
  shuffled_with_ = shuffled_with;
  shuffle();
}

}  // namespace tapir::data::samplers
