#include "tapir/data/sampler.h"

#include <algorithm>
#include <numeric>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::data::samplers {

namespace {

std::vector<size_t> random_order(int64_t n, DType dtype, const std::optional<Generator>& generator) {
  const Tensor order = raw::cast(raw::randperm(n, dtype, kCPU, generator), kInt64);
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

}  // namespace

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

RandomSampler::RandomSampler(int64_t size, DType index_dtype, std::optional<Generator> generator)
    : dtype_(index_dtype), generator_(std::move(generator)) {
  draw(size);
}

void RandomSampler::draw(int64_t size) {
  indices_ = random_order(size, dtype_, generator_);
  index_ = 0;
}

void RandomSampler::reset(std::optional<size_t> new_size) {
  draw(static_cast<int64_t>(new_size.value_or(indices_.size())));
}

std::optional<std::vector<size_t>> RandomSampler::next(size_t batch_size) {
  return next_of(indices_, index_, batch_size);
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

BucketBatchSampler::BucketBatchSampler(std::vector<int64_t> lengths, size_t batches_per_bucket,
                                       std::optional<Generator> generator)
    : lengths_(std::move(lengths)),
      batches_per_bucket_(batches_per_bucket),
      generator_(std::move(generator)) {
  TAPIR_CHECK_AS(ValueError, batches_per_bucket > 0,
                 "BucketBatchSampler: got 0 batches per bucket, expected at least 1");
}

void BucketBatchSampler::reset(std::optional<size_t> new_size) {
  TAPIR_CHECK_AS(ValueError, !new_size || *new_size == lengths_.size(),
                 "BucketBatchSampler: got size {}, expected the {} samples that have lengths", *new_size,
                 lengths_.size());
  batch_size_ = next_batch_ = index_ = 0;
}

void BucketBatchSampler::form(size_t batch_size) {
  const size_t n = lengths_.size();
  batch_size_ = batch_size;
  order_ = random_order(static_cast<int64_t>(n), kInt64, generator_);
  const size_t bucket = batches_per_bucket_ <= n / batch_size ? batches_per_bucket_ * batch_size : n;
  for (size_t begin = 0; begin < n; begin += bucket) {
    const auto first = order_.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = order_.begin() + static_cast<std::ptrdiff_t>(std::min(n, begin + bucket));
    std::stable_sort(first, last, [&](size_t a, size_t b) { return lengths_[a] < lengths_[b]; });
  }
  batches_ = random_order(static_cast<int64_t>(n / batch_size), kInt64, generator_);
  if (n % batch_size != 0) batches_.push_back(n / batch_size);
}

std::optional<std::vector<size_t>> BucketBatchSampler::next(size_t batch_size) {
  if (batch_size == 0 || lengths_.empty()) return std::nullopt;
  if (batch_size_ == 0) form(batch_size);
  TAPIR_CHECK_AS(ValueError, batch_size == batch_size_,
                 "BucketBatchSampler: got batch size {} in an epoch that began with {}; call reset() first",
                 batch_size, batch_size_);
  if (next_batch_ == batches_.size()) return std::nullopt;
  const size_t begin = batches_[next_batch_++] * batch_size;
  const size_t end = std::min(order_.size(), begin + batch_size);
  index_ += end - begin;
  return std::vector<size_t>(order_.begin() + static_cast<std::ptrdiff_t>(begin),
                             order_.begin() + static_cast<std::ptrdiff_t>(end));
}

}  // namespace tapir::data::samplers
