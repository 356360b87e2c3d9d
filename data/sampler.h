// Samplers: which samples the next batch is made of. More of them are in weighted_sampler.h and
// distributed_sampler.h.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tapir/data/state.h"
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
  /// Where it stands. A sampler of your own needs this only for what does not come from the default generator
  /// or its constructor: a loader begins the epoch again with the generator as it was, and passes over the
  /// batches that were taken.
  virtual State state_dict() const { return {}; }
  /// Into a sampler made with the same arguments; next() goes on from there. Throws ValueError for a state
  /// that does not fit, such as one of another number of samples, and changes nothing then. A sampler made
  /// for 0 samples, as for the chunks of a ChunkDataset, gets its number by reset(): it takes a state of any
  /// number, and its own state fits any.
  virtual void load_state_dict(const State& /*state*/) {}
  /// The same to and from archives.
  virtual void save(serialize::OutputArchive& archive) const { detail::write_state(archive, state_dict()); }
  virtual void load(serialize::InputArchive& archive) { load_state_dict(detail::read_state(archive)); }
};

template <class Request>
serialize::OutputArchive& operator<<(serialize::OutputArchive& archive, const Sampler<Request>& sampler) {
  sampler.save(archive);
  return archive;
}
template <class Request>
serialize::InputArchive& operator>>(serialize::InputArchive& archive, Sampler<Request>& sampler) {
  sampler.load(archive);
  return archive;
}

/// 0, 1, 2, ...
class TAPIR_API SequentialSampler : public Sampler<> {
 public:
  explicit SequentialSampler(size_t size) : size_(size) {}
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  State state_dict() const override;
  void load_state_dict(const State& state) override;
  /// How many samples were given in this epoch.
  size_t index() const noexcept { return index_; }

 private:
  size_t size_, index_ = 0;
};

/// Base of the samplers that draw an order of samples for each epoch. Where no generator is given, they draw
/// from the default one.
class TAPIR_API DrawnSampler : public Sampler<> {
 public:
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  /// The position and the generator's state from which the order was drawn: some 5 kB for any number of
  /// samples.
  State state_dict() const override;
  void load_state_dict(const State& state) override;
  /// How many samples were given in this epoch.
  size_t index() const noexcept { return index_; }
  /// The generator that it was given.
  const std::optional<Generator>& generator() const noexcept { return generator_; }
  /// Another one to draw from; without one, the default generator.
  void set_generator(std::optional<Generator> generator) { generator_ = std::move(generator); }

 protected:
  DrawnSampler(size_t size, std::optional<Generator> generator)
      : size_(size), generator_(std::move(generator)) {}
  /// The samples of an epoch, for batches of that size.
  virtual std::vector<size_t> draw(Generator& generator, size_t batch_size) const = 0;
  /// Otherwise done by the first next() of an epoch.
  void draw_epoch(size_t batch_size);

  size_t size_;           ///< number of samples, or of what they are drawn from
  size_t drawn_for_ = 0;  ///< the batch size; 0 where nothing is drawn yet

 private:
  std::optional<Generator> generator_;
  std::vector<uint8_t> drawn_from_;
  std::vector<size_t> indices_;
  size_t index_ = 0;
};

/// Every index once in random order, by randperm: as in libtorch, one is drawn at construction and a new one
/// for each epoch, so the same seed gives the same order.
class TAPIR_API RandomSampler : public DrawnSampler {
 public:
  /// Throws ValueError for a negative size or where `index_dtype` does not hold size - 1.
  explicit RandomSampler(int64_t size, DType index_dtype = kInt64,
                         std::optional<Generator> generator = std::nullopt);
  void reset(std::optional<size_t> new_size = std::nullopt) override;

 protected:
  std::vector<size_t> draw(Generator& generator, size_t batch_size) const override;

 private:
  DType dtype_;
};

/// These indices, in this order.
class TAPIR_API SubsetSampler : public Sampler<> {
 public:
  explicit SubsetSampler(std::vector<size_t> indices) : indices_(std::move(indices)) {}
  /// Throws ValueError for a size other than the number of indices.
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<std::vector<size_t>> next(size_t batch_size) override;
  State state_dict() const override;
  void load_state_dict(const State& state) override;

 private:
  std::vector<size_t> indices_;
  size_t index_ = 0;
};

/// These indices, in a random order for each epoch.
class TAPIR_API SubsetRandomSampler : public DrawnSampler {
 public:
  explicit SubsetRandomSampler(std::vector<size_t> indices,
                               std::optional<Generator> generator = std::nullopt);
  /// Throws ValueError for a size other than the number of indices.
  void reset(std::optional<size_t> new_size = std::nullopt) override;

 protected:
  std::vector<size_t> draw(Generator& generator, size_t batch_size) const override;

 private:
  std::vector<size_t> subset_;
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

/// Base for requests of one's own to a dataset.
struct TAPIR_API CustomBatchRequest {
  virtual ~CustomBatchRequest();
  /// Number of samples that it asks for.
  virtual size_t size() const = 0;
};

/// For a StreamDataset: asks for batch_size samples until the epoch's number is reached.
class TAPIR_API StreamSampler : public Sampler<BatchSize> {
 public:
  explicit StreamSampler(size_t epoch_size) : epoch_size_(epoch_size) {}
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  std::optional<BatchSize> next(size_t batch_size) override;
  State state_dict() const override;
  void load_state_dict(const State& state) override;

 private:
  size_t epoch_size_, given_ = 0;
};

/// Batches of samples of about the same length, so that padding wastes little: each epoch shuffles the
/// indices, cuts them into buckets of `batches_per_bucket` batches, sorts each bucket by length, and gives
/// the batches of all buckets in random order. A batch that is not full comes last.
class TAPIR_API BucketBatchSampler : public DrawnSampler {
 public:
  /// lengths[i] belongs to sample i.
  explicit BucketBatchSampler(std::vector<int64_t> lengths, size_t batches_per_bucket = 100,
                              std::optional<Generator> generator = std::nullopt);
  /// Throws ValueError for a size other than the number of lengths.
  void reset(std::optional<size_t> new_size = std::nullopt) override;
  /// Throws ValueError where batch_size changes within an epoch.
  std::optional<std::vector<size_t>> next(size_t batch_size) override;

 protected:
  std::vector<size_t> draw(Generator& generator, size_t batch_size) const override;

 private:
  std::vector<int64_t> lengths_;
  size_t batches_per_bucket_;
};

}  // namespace tapir::data::samplers
