#include "tapir/data/sampler.h"

#include <algorithm>
#include <numeric>

#include "tapir/data/sampler_state.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::data::samplers {

namespace {

std::vector<size_t> random_order(size_t n, DType dtype, const Generator& generator) {
  const Tensor order = raw::cast(raw::randperm(static_cast<int64_t>(n), dtype, kCPU, generator), kInt64);
  const int64_t* p = order.data_ptr<int64_t>();
  return {p, p + n};
}

std::optional<std::vector<size_t>> next_of(const std::vector<size_t>& indices, size_t& at,
                                           size_t batch_size) {
  if (at == indices.size() || batch_size == 0) return std::nullopt;
  const size_t end = at + std::min(batch_size, indices.size() - at);
  std::vector<size_t> batch(indices.begin() + static_cast<std::ptrdiff_t>(at),
                            indices.begin() + static_cast<std::ptrdiff_t>(end));
  at = end;
  return batch;
}

// The entry "index", which must not lie behind `size`.
size_t index_of(const State& state, size_t size) {
  const uint64_t index = state.number("index");
  TAPIR_CHECK_AS(ValueError, index <= size,
                 "load_state_dict: the sampler stood at {}, but this one has {} samples", index, size);
  return index;
}

void check_size(const char* name, std::optional<size_t> size, size_t expected) {
  TAPIR_CHECK_AS(ValueError, !size || *size == expected,
                 "{}: reset() got size {}, expected the {} samples that it was made with", name, *size,
                 expected);
}

}  // namespace

CustomBatchRequest::~CustomBatchRequest() = default;

void SequentialSampler::reset(std::optional<size_t> new_size) {
  size_ = new_size.value_or(size_);
  index_ = 0;
}

std::optional<std::vector<size_t>> SequentialSampler::next(size_t batch_size) {
  if (index_ >= size_ || batch_size == 0) return std::nullopt;
  std::vector<size_t> batch(std::min(batch_size, size_ - index_));
  std::iota(batch.begin(), batch.end(), index_);
  index_ += batch.size();
  return batch;
}

State SequentialSampler::state_dict() const {
  State state;
  state.set("size", size_);
  state.set("index", index_);
  return state;
}

void SequentialSampler::load_state_dict(const State& state) {
  const size_t size = size_of(state, size_);
  index_ = index_of(state, size);
  size_ = size;
}

void DrawnSampler::reset(std::optional<size_t> new_size) {
  size_ = new_size.value_or(size_);
  indices_.clear();
  index_ = drawn_for_ = 0;
}

void DrawnSampler::draw_epoch(size_t batch_size) {
  Generator& generator = generator_ ? *generator_ : default_generator();
  std::vector<uint8_t> from = generator.get_state();
  indices_ = draw(generator, batch_size);
  drawn_from_ = std::move(from);
  drawn_for_ = batch_size;
  index_ = 0;
}

std::optional<std::vector<size_t>> DrawnSampler::next(size_t batch_size) {
  if (batch_size == 0) return std::nullopt;
  if (drawn_for_ == 0) draw_epoch(batch_size);
  return next_of(indices_, index_, batch_size);
}

State DrawnSampler::state_dict() const {
  State state;
  state.set("size", size_);
  state.set("index", index_);
  state.set("drawn_for", drawn_for_);
  if (drawn_for_ > 0) state.set("drawn_from", drawn_from_);
  if (generator_) state.set("generator", generator_->get_state());
  return state;
}

void DrawnSampler::load_state_dict(const State& state) {
  const size_t size = size_of(state, size_), drawn_for = state.number("drawn_for"), before = size_;
  std::vector<uint8_t> drawn_from, own;
  Generator generator, check;
  if (drawn_for > 0) generator.set_state(drawn_from = state.bytes("drawn_from"));
  if (generator_) check.set_state(own = state.bytes("generator"));
  std::vector<size_t> indices;
  size_t index = 0;
  try {
    size_ = size;
    if (drawn_for > 0) indices = draw(generator, drawn_for);
    index = index_of(state, indices.size());
  } catch (...) {
    size_ = before;
    throw;
  }
  if (generator_) generator_->set_state(own);
  drawn_from_ = std::move(drawn_from);
  indices_ = std::move(indices);
  index_ = index;
  drawn_for_ = drawn_for;
}

RandomSampler::RandomSampler(int64_t size, DType index_dtype, std::optional<Generator> generator)
    : DrawnSampler(static_cast<size_t>(size), std::move(generator)), dtype_(index_dtype) {
  TAPIR_CHECK_AS(ValueError, size >= 0, "RandomSampler: got size {}, expected at least 0", size);
  RandomSampler::reset();
}

void RandomSampler::reset(std::optional<size_t> new_size) {
  const auto size = static_cast<int64_t>(new_size.value_or(size_));
  TAPIR_CHECK_AS(ValueError, size >= 0, "RandomSampler: reset() got size {}, expected at least 0", size);
  DrawnSampler::reset(new_size);
  draw_epoch(1);
}

std::vector<size_t> RandomSampler::draw(Generator& generator, size_t) const {
  return random_order(size_, dtype_, generator);
}

void SubsetSampler::reset(std::optional<size_t> new_size) {
  check_size("SubsetSampler", new_size, indices_.size());
  index_ = 0;
}

std::optional<std::vector<size_t>> SubsetSampler::next(size_t batch_size) {
  return next_of(indices_, index_, batch_size);
}

State SubsetSampler::state_dict() const {
  State state;
  state.set("index", index_);
  return state;
}

void SubsetSampler::load_state_dict(const State& state) { index_ = index_of(state, indices_.size()); }

SubsetRandomSampler::SubsetRandomSampler(std::vector<size_t> indices, std::optional<Generator> generator)
    : DrawnSampler(indices.size(), std::move(generator)), subset_(std::move(indices)) {}

void SubsetRandomSampler::reset(std::optional<size_t> new_size) {
  check_size("SubsetRandomSampler", new_size, subset_.size());
  DrawnSampler::reset();
}

std::vector<size_t> SubsetRandomSampler::draw(Generator& generator, size_t) const {
  TAPIR_CHECK_AS(ValueError, size_ == subset_.size(),
                 "SubsetRandomSampler: got the state of a sampler of {} samples, expected {}", size_,
                 subset_.size());
  std::vector<size_t> order = random_order(size_, kInt64, generator);
  for (size_t& i : order) i = subset_[i];
  return order;
}

void StreamSampler::reset(std::optional<size_t> new_size) {
  epoch_size_ = new_size.value_or(epoch_size_);
  given_ = 0;
}

std::optional<BatchSize> StreamSampler::next(size_t batch_size) {
  if (given_ >= epoch_size_ || batch_size == 0) return std::nullopt;
  const size_t n = std::min(batch_size, epoch_size_ - given_);
  given_ += n;
  return BatchSize(n);
}

State StreamSampler::state_dict() const {
  State state;
  state.set("size", epoch_size_);
  state.set("index", given_);
  return state;
}

void StreamSampler::load_state_dict(const State& state) {
  const size_t size = size_of(state, epoch_size_);
  given_ = index_of(state, size);
  epoch_size_ = size;
}

BucketBatchSampler::BucketBatchSampler(std::vector<int64_t> lengths, size_t batches_per_bucket,
                                       std::optional<Generator> generator)
    : DrawnSampler(lengths.size(), std::move(generator)),
      lengths_(std::move(lengths)),
      batches_per_bucket_(batches_per_bucket) {
  TAPIR_CHECK_AS(ValueError, batches_per_bucket > 0,
                 "BucketBatchSampler: got 0 batches per bucket, expected at least 1");
}

void BucketBatchSampler::reset(std::optional<size_t> new_size) {
  check_size("BucketBatchSampler", new_size, lengths_.size());
  DrawnSampler::reset();
}

std::optional<std::vector<size_t>> BucketBatchSampler::next(size_t batch_size) {
  TAPIR_CHECK_AS(ValueError, batch_size == 0 || drawn_for_ == 0 || batch_size == drawn_for_,
                 "BucketBatchSampler: got batch size {} in an epoch that began with {}; call reset() first",
                 batch_size, drawn_for_);
  return DrawnSampler::next(batch_size);
}

std::vector<size_t> BucketBatchSampler::draw(Generator& generator, size_t batch_size) const {
  const size_t n = lengths_.size();
  TAPIR_CHECK_AS(ValueError, size_ == n,
                 "BucketBatchSampler: got the state of a sampler of {} samples, expected {}", size_, n);
  std::vector<size_t> order = random_order(n, kInt64, generator);
  const auto at = [](std::vector<size_t>& v, size_t i) { return v.begin() + static_cast<std::ptrdiff_t>(i); };
  const size_t bucket = batches_per_bucket_ <= n / batch_size ? batches_per_bucket_ * batch_size : n;
  for (size_t begin = 0; begin < n; begin += bucket)
    std::stable_sort(at(order, begin), at(order, std::min(n, begin + bucket)),
                     [&](size_t a, size_t b) { return lengths_[a] < lengths_[b]; });
  std::vector<size_t> batches = random_order(n / batch_size, kInt64, generator), result;
  if (n % batch_size != 0) batches.push_back(n / batch_size);
  result.reserve(n);
  for (const size_t b : batches)
    result.insert(result.end(), at(order, b * batch_size), at(order, std::min(n, (b + 1) * batch_size)));
  return result;
}

}  // namespace tapir::data::samplers
