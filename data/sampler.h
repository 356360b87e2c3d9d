// Samplers: which samples the next batch is made of.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::data::samplers {

/// Gives, batch by batch, what a dataset is asked for.
template <class Request = std::vector<size_t>>
class Sampler {
 public:
  using BatchRequestType = Request;
  virtual ~Sampler() = default;
  /// Begins a new epoch, over another number of samples where one is given.
  virtual void reset(std::optional<size_t> new_size) = 0;
  /// Up to `batch_size` samples; none at the end of the epoch.
  virtual std::optional<Request> next(size_t batch_size) = 0;
};

/// 0, 1, 2, ...
class TAPIR_API SequentialSampler : public Sampler<> {
 public:
  explicit SequentialSampler(size_t size) : size_(size) {}
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  /// How many samples were given in this epoch.
  size_t index() const noexcept { return index_; }

 private:
  size_t size_, index_ = 0;
};

/// Every index once in random order, by randperm: as in libtorch, one is drawn at construction and a new one
/// for each epoch, so the same seed gives the same order.
class TAPIR_API RandomSampler : public Sampler<> {
 public:
  /// Throws ValueError for a negative size or where `index_dtype` does not hold size - 1.
  explicit RandomSampler(int64_t size, DType index_dtype = kInt64,
                         std::optional<Generator> generator = std::nullopt);
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  size_t index() const noexcept { return index_; }

 private:
  void draw(int64_t size);
  DType dtype_;
  std::optional<Generator> generator_;
  std::vector<size_t> indices_;
  size_t index_ = 0;
};

/// A number of samples where a stream is read.
class BatchSize {
 public:
  BatchSize(size_t size) : size_(size) {}  // NOLINT
  size_t size() const noexcept { return size_; }
  operator size_t() const noexcept { return size_; }  // NOLINT

 private:
  size_t size_;
};

/// For a StreamDataset: asks for batch_size samples until the epoch's number is reached.
class TAPIR_API StreamSampler : public Sampler<BatchSize> {
 public:
  explicit StreamSampler(size_t epoch_size) : epoch_size_(epoch_size) {}
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<BatchSize> next(size_t batch_size) override;

 private:
  size_t epoch_size_, given_ = 0;
};

/// Batches of samples of about the same length, so that padding wastes little: each epoch shuffles the
/// indices, cuts them into buckets of `batches_per_bucket` batches, sorts each bucket by length, and gives
/// the batches of all buckets in random order. A batch that is not full comes last.
class TAPIR_API BucketBatchSampler : public Sampler<> {
 public:
  /// lengths[i] belongs to sample i.
  explicit BucketBatchSampler(std::vector<int64_t> lengths, size_t batches_per_bucket = 100,
                              std::optional<Generator> generator = std::nullopt);
  /// Throws ValueError for a size other than the number of lengths.
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  /// Throws ValueError where batch_size changes within an epoch.
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  /// How many samples were given in this epoch.
  size_t index() const noexcept { return index_; }

 private:
  void form(size_t batch_size);
  std::vector<int64_t> lengths_;
  size_t batches_per_bucket_;
  std::optional<Generator> generator_;
  std::vector<size_t> order_;    ///< all samples, batch after batch
  std::vector<size_t> batches_;  ///< the batches in the order in which they are given
  size_t batch_size_ = 0, next_batch_ = 0, index_ = 0;
};

}  // namespace tapir::data::samplers
