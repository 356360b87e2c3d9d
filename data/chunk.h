// ChunkDataset: data that is read chunk by chunk, such as files that are together larger than memory.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/data/dataloader.h"

namespace tapir::data::detail {
[[noreturn]] TAPIR_API TAPIR_COLD void chunk_reset_failure();
[[noreturn]] TAPIR_API TAPIR_COLD void chunk_batch_size_failure(size_t got, size_t expected);
[[noreturn]] TAPIR_API TAPIR_COLD void chunk_sampler_failure(size_t examples);
/// A seed drawn from the generator.
TAPIR_API uint64_t draw_seed(const Generator& generator);
}  // namespace tapir::data::detail

namespace tapir::data::datasets {

/// Reads chunks by number. Several threads call read_chunk at once.
template <class ExampleType_, class ChunkType_ = std::vector<ExampleType_>>
class ChunkDataReader {
 public:
  using ExampleType = ExampleType_;
  using ChunkType = ChunkType_;
  using BatchType = ChunkType_;
  virtual ~ChunkDataReader() = default;
  /// The examples of chunk `chunk_index`.
  virtual ChunkType read_chunk(size_t chunk_index) = 0;
  virtual size_t chunk_count() = 0;
  /// Called when an epoch begins.
  virtual void reset() = 0;
};

/// How a ChunkDataset reads.
struct TAPIR_API ChunkDatasetOptions {
  /// Throws ValueError for a number of 0, or a cache that is smaller than a batch.
  ChunkDatasetOptions(size_t preloader_count, size_t batch_size, size_t cache_size = 2048,
                      size_t cross_chunk_shuffle_count = 1);
  /// Threads that read chunks ahead.
  TAPIR_ARG(size_t, preloader_count);
  TAPIR_ARG(size_t, batch_size);
  /// Examples in memory: no further chunk is asked for while there are that many. It bounds memory together
  /// with the chunks that are being read.
  TAPIR_ARG(size_t, cache_size);
  /// Chunks that are read together and whose examples are shuffled among each other.
  TAPIR_ARG(size_t, cross_chunk_shuffle_count);
};

/// Batches of the examples that a ChunkReader reads: chunk_sampler says in which order chunks are read, and
/// example_sampler the order of examples within a chunk (or cross_chunk_shuffle_count of them). Batches go on
/// from one chunk to the next; only an epoch's last one may be smaller. They are the same for the same seed,
/// whatever the number of preloaders and of the loader's workers. Samplers with generators of their own draw
/// from them when an epoch begins: the order of examples comes from a seed that is drawn then. It cannot be
/// copied:
///   auto dataset = make_shared_dataset<ChunkDataset<Reader>>(Reader(files), RandomSampler(0),
///                                                            RandomSampler(0), ChunkDatasetOptions(2, 64));
///   auto loader = make_data_loader(dataset, DataLoaderOptions(64).workers(1));
template <class ChunkReader, class ChunkSampler = samplers::RandomSampler,
          class ExampleSampler = samplers::RandomSampler>
class ChunkDataset final : public StatefulDataset<ChunkDataset<ChunkReader, ChunkSampler, ExampleSampler>,
                                                  typename ChunkReader::BatchType, size_t> {
 public:
  using UnwrappedBatchType = typename ChunkReader::BatchType;
  using BatchType = std::optional<UnwrappedBatchType>;
  using BatchRequestType = size_t;
  using ChunkSamplerType = ChunkSampler;
  using ExampleSamplerType = ExampleSampler;

  /// preprocessing_policy changes the examples of chunks that were read together, before they are shuffled.
  ChunkDataset(ChunkReader chunk_reader, ChunkSampler chunk_sampler, ExampleSampler example_sampler,
               ChunkDatasetOptions options,
               std::function<void(UnwrappedBatchType&)> preprocessing_policy = {})
      : chunk_reader_(std::move(chunk_reader)),
        chunk_sampler_(std::move(chunk_sampler)),
        example_sampler_(std::move(example_sampler)),
        options_(options),
        preprocessing_policy_(std::move(preprocessing_policy)) {
    if constexpr (kDrawsExamples) {
      example_generator_ = example_sampler_.generator();
      example_sampler_.set_generator(std::nullopt);
    }
  }

  /// The next batch; none at the end of the epoch. Throws ValueError before the first reset(), or for a size
  /// other than the options'; WorkerException, which names the chunk, where reading one threw (the next
  /// call goes on after it).
  BatchType get_batch(size_t batch_size) override {
    const data::detail::InTurn turn;
    const std::lock_guard lock(mutex_);
    if (!preloaders_) data::detail::chunk_reset_failure();
    if (batch_size != options_.batch_size())
      data::detail::chunk_batch_size_failure(batch_size, options_.batch_size());
    while (cache_.size() < batch_size && take_chunk()) {
    }
    request_chunks();
    if (cache_.empty()) return std::nullopt;
    UnwrappedBatchType batch;
    for (size_t n = batch_size; n > 0 && !cache_.empty(); --n) {
      batch.push_back(std::move(cache_.front()));
      cache_.pop_front();
    }
    return batch;
  }
  BatchType get_batch() { return get_batch(options_.batch_size()); }

  /// Begins an epoch: needed before the first batch too, where no loader does it.
  void reset() override {
    const std::lock_guard lock(mutex_);
    if (preloaders_) preloaders_->clear();
    cache_.clear();
    if (!std::exchange(loaded_, false)) {
      chunk_reader_.reset();
      chunk_sampler_.reset(chunk_reader_.chunk_count());
    }
    seed_ = data::detail::seed_of(default_generator().get_state(), ++epoch_);
    if (example_generator_) example_seed_ = data::detail::draw_seed(*example_generator_);
    requested_ = taken_ = taken_examples_ = 0;
    all_requested_ = false;
    if (!preloaders_)
      preloaders_ = std::make_unique<data::detail::JobQueue>(options_.preloader_count(), true);
    request_chunks();
  }
  /// Unknown.
  std::optional<size_t> size() const override { return std::nullopt; }
  /// A distributed sampler's set_epoch is called on it, before reset().
  ChunkSamplerType& chunk_sampler() { return chunk_sampler_; }

  /// What the next reset() depends on beside the default generator.
  State state_dict() const {
    const std::lock_guard lock(mutex_);
    State state;
    state.set("epoch", epoch_);
    state.set("loaded", loaded_);
    state.set("chunks", data::detail::state_of(chunk_sampler_));
    if (example_generator_) state.set(kExampleGenerator, example_generator_->get_state());
    if constexpr (kKeepsExamples) state.set("examples", data::detail::state_of(example_sampler_));
    return state;
  }
  /// An epoch that was begun ends with the chunks that were asked for already. Throws ValueError for a state
  /// that does not fit, and changes nothing then.
  void load_state_dict(const State& state) {
    const std::lock_guard lock(mutex_);
    const uint64_t epoch = state.number("epoch");
    const bool loaded = state.contains("loaded") && state.number("loaded") != 0;
    const State chunks = state.part("chunks");
    std::vector<uint8_t> generator;
    if (example_generator_) Generator().set_state(generator = state.bytes(kExampleGenerator));
    if constexpr (kKeepsExamples) {
      const State before = data::detail::state_of(example_sampler_);
      data::detail::load_state_of(example_sampler_, state.part("examples"));
      try {
        data::detail::load_state_of(chunk_sampler_, chunks);
      } catch (...) {
        data::detail::load_state_of(example_sampler_, before);
        throw;
      }
    } else {
      data::detail::load_state_of(chunk_sampler_, chunks);
    }
    if (example_generator_) example_generator_->set_state(generator);
    epoch_ = epoch;
    loaded_ = loaded;
    all_requested_ = true;  // a worker that still reads must not ask the sampler for more
  }
  /// The generators that its samplers were given, for a loader.
  std::vector<data::detail::OwnGenerator> own_generators() const {
    std::vector<data::detail::OwnGenerator> own;
    if constexpr (std::is_base_of_v<samplers::DrawnSampler, ChunkSampler>)
      if (const auto& generator = chunk_sampler_.generator()) own.push_back({"chunks.generator", *generator});
    if (example_generator_) own.push_back({kExampleGenerator, *example_generator_});
    return own;
  }
  /// As in libtorch: the chunk sampler's position. The reset() after load() goes on with the chunks that were
  /// not yet asked for when it was saved; chunks that lay in memory then are lost. A loader's state_dict has
  /// no such loss.
  void save(serialize::OutputArchive& archive) const override {
    const std::lock_guard lock(mutex_);
    chunk_sampler_.save(archive);
  }
  void load(serialize::InputArchive& archive) override {
    const std::lock_guard lock(mutex_);
    chunk_sampler_.load(archive);
    loaded_ = true;
  }

 private:
  static constexpr const char* kExampleGenerator = "examples.generator";
  static constexpr bool kDrawsExamples = std::is_base_of_v<samplers::DrawnSampler, ExampleSampler>;
  // Tapir's samplers begin anew with each chunk's number of examples; one of the user's may keep more.
  static constexpr bool kKeepsExamples =
      !kDrawsExamples && !std::is_same_v<ExampleSampler, samplers::SequentialSampler>;

  struct ReadChunks final : data::detail::Job {
    ReadChunks(ChunkDataset* dataset, std::vector<size_t> chunks, uint64_t seed)
        : dataset(dataset), chunks(std::move(chunks)), seed(seed) {}
    void run(size_t) override {
      const GeneratorScope scope(seed);
      for (const size_t chunk : chunks) {
        data::detail::set_current_chunk(static_cast<int64_t>(chunk));
        auto more = dataset->chunk_reader_.read_chunk(chunk);
        if (examples.size() == 0)
          examples = std::move(more);
        else
          for (auto& e : more) examples.push_back(std::move(e));
      }
      if (chunks.size() > 1) data::detail::set_current_chunk(-1);  // the policy gets all of them
      if (dataset->preprocessing_policy_) dataset->preprocessing_policy_(examples);
    }
    ChunkDataset* dataset;
    std::vector<size_t> chunks;
    uint64_t seed;
    UnwrappedBatchType examples;
  };

  // Keeps the preloaders busy, and reads further ahead while what is expected fits into the cache.
  void request_chunks() {
    const auto fits = [&](size_t outstanding) {
      if (cache_.size() >= options_.cache_size()) return false;
      if (outstanding < options_.preloader_count()) return true;
      return taken_ > 0 &&
             cache_.size() + (outstanding + 1) * (taken_examples_ / taken_ + 1) <= options_.cache_size();
    };
    while (!all_requested_ && fits(requested_ - taken_)) {
      auto chunks = chunk_sampler_.next(options_.cross_chunk_shuffle_count());
      all_requested_ = !chunks;
      if (chunks)
        preloaders_->push(std::make_unique<ReadChunks>(this, std::vector<size_t>(std::move(*chunks)),
                                                       data::detail::mix(seed_, requested_++)));
    }
  }
  // Moves the next chunk's examples into the cache; false where there is none.
  bool take_chunk() {
    request_chunks();
    const auto job = preloaders_->pop(std::nullopt);
    if (!job) return false;
    ++taken_;
    if (job->error) data::detail::throw_worker_exception(*job);
    auto& examples = static_cast<ReadChunks&>(*job).examples;
    const size_t n = examples.size();
    taken_examples_ += n;
    if (n == 0) return true;
    // A stream of each chunk's own: the generator itself may be drawn from elsewhere meanwhile.
    std::optional<GeneratorScope> scope;
    if (example_generator_) scope.emplace(data::detail::mix(example_seed_, taken_));
    example_sampler_.reset(n);
    const auto order = example_sampler_.next(n);
    if (!order || order->size() != n) data::detail::chunk_sampler_failure(n);
    for (const size_t i : *order) {
      if (i >= n) data::detail::chunk_sampler_failure(n);
      cache_.push_back(std::move(examples[i]));
    }
    return true;
  }

  ChunkReader chunk_reader_;
  ChunkSampler chunk_sampler_;
  ExampleSampler example_sampler_;
  const ChunkDatasetOptions options_;
  std::function<void(UnwrappedBatchType&)> preprocessing_policy_;
  mutable std::mutex mutex_;
  std::deque<typename UnwrappedBatchType::value_type> cache_;
  std::optional<Generator> example_generator_;
  uint64_t seed_ = 0, example_seed_ = 0, epoch_ = 0;
  size_t requested_ = 0, taken_ = 0, taken_examples_ = 0;
  bool all_requested_ = false, loaded_ = false;
  std::unique_ptr<data::detail::JobQueue> preloaders_;  // last: its threads use the others
};

}  // namespace tapir::data::datasets
