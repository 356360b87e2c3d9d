// DataLoader: batches of a dataset, read ahead by worker threads.
//
//   auto loader = data::make_data_loader(dataset.map(data::transforms::Stack<>()),
//                                        data::DataLoaderOptions().batch_size(64).workers(2));
//   for (auto& batch : *loader) train(batch.data, batch.target);
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/data/dataset.h"
#include "tapir/data/iterator.h"
#include "tapir/data/queue.h"
#include "tapir/data/sampler.h"
#include "tapir/data/state.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/generator_scope.h"

namespace tapir::data {

/// How a loader makes batches.
struct DataLoaderOptions {
  DataLoaderOptions() = default;
  DataLoaderOptions(size_t batch_size) : batch_size_(batch_size) {}  // NOLINT: implicit as in libtorch
  /// Samples per batch, at least 1.
  TAPIR_ARG(size_t, batch_size) = 1;
  /// Threads that read batches ahead. 0: each batch is read by the caller when it asks for it.
  TAPIR_ARG(size_t, workers) = 0;
  /// Batches that are read ahead or being read: what bounds the memory. 2 * workers where not given.
  TAPIR_ARG(std::optional<size_t>, max_jobs);
  /// How long to wait for a worker's batch before Error is thrown. The batch can be asked for again.
  TAPIR_ARG(std::optional<std::chrono::milliseconds>, timeout);
  /// Batches come in the sampler's order whatever worker was first; false gives them as they are ready.
  TAPIR_ARG(bool, enforce_ordering) = true;
  /// Leaves out the last batch where it is not full. Of no effect, as in libtorch, on a stateful dataset
  /// (iterable, in chunks), which makes its batches itself.
  TAPIR_ARG(bool, drop_last) = false;
};

/// DataLoaderOptions with the defaults worked out. Throws ValueError for a batch size or max_jobs of 0.
struct TAPIR_API FullDataLoaderOptions {
  explicit FullDataLoaderOptions(const DataLoaderOptions& options);
  size_t batch_size;
  size_t workers;
  size_t max_jobs;
  std::optional<std::chrono::milliseconds> timeout;
  bool enforce_ordering;
  bool drop_last;
};

/// Thrown to whoever asks for a batch whose reading threw on a worker. The loader goes on with the next
/// batch.
struct TAPIR_API WorkerException : public Error {
  explicit WorkerException(std::exception_ptr original, size_t worker = 0, int64_t sample = -1,
                           int64_t chunk = -1);
  WorkerException(const WorkerException&) = default;
  ~WorkerException() override;
  std::exception_ptr original_exception;
  int64_t sample;  ///< index of the sample that was being read, -1 where it is not known
  int64_t chunk;   ///< number of the chunk that a ChunkDataset was reading, -1 where there is none
};

namespace detail {
TAPIR_API void check_iteration(bool current, bool joined);
[[noreturn]] TAPIR_API TAPIR_COLD void copies_failure(size_t workers);
[[noreturn]] TAPIR_API TAPIR_COLD void unknown_size_failure();

/// A seed of one's own for number `number`.
TAPIR_API uint64_t mix(uint64_t seed, uint64_t number);
/// The same from a generator's state.
TAPIR_API uint64_t seed_of(const std::vector<uint8_t>& generator_state, uint64_t number);

/// A generator that a loader's source was given to draw an epoch from when it begins, instead of the default
/// one.
struct TAPIR_API OwnGenerator {
  std::string entry;  ///< of its state in the source's
  Generator generator;
};

/// Where a loader stands. An epoch is described by how it began and by the batches that were taken since; to
/// resume it is begun again in the same way, and those batches are passed over.
struct TAPIR_API Epoch {
  uint64_t number = 0;             ///< epochs begun so far
  uint64_t seed = 0;               ///< of what is drawn while batches are read
  std::vector<uint8_t> generator;  ///< the default generator when the epoch began
  State source;                    ///< the sampler or the stateful dataset before it began
  uint64_t below = 0;              ///< batches that were taken: these
  std::vector<uint64_t> beyond;    ///< and, where the order is not kept, these, in ascending order
  /// Of what was loaded within an epoch: the source's own generators when it was saved.
  std::vector<std::vector<uint8_t>> own_generators;

  void begin(State source_state);
  bool taken(uint64_t batch) const;
  void take(uint64_t batch);
  State state_dict(bool within, const FullDataLoaderOptions& options,
                   const std::vector<OwnGenerator>& own) const;
  /// Returns whether the state is one within an epoch.
  bool load(const State& state, const FullDataLoaderOptions& options, const std::vector<OwnGenerator>& own);
};

/// The default generator and the source's own ones as they were when the epoch began, and back again at the
/// end.
class TAPIR_API GeneratorRewind {
 public:
  GeneratorRewind(const Epoch& epoch, const std::vector<OwnGenerator>& own);
  ~GeneratorRewind();
  GeneratorRewind(const GeneratorRewind&) = delete;
  GeneratorRewind& operator=(const GeneratorRewind&) = delete;

 private:
  struct Kept {
    Generator generator;
    std::vector<uint8_t> now;
  };
  std::vector<Kept> kept_;
};

template <class T>
State state_of(const T& source) {
  if constexpr (requires { source.state_dict(); }) return source.state_dict();
  return {};
}
template <class T>
void load_state_of(T& source, const State& state) {
  if constexpr (requires { source.load_state_dict(state); }) source.load_state_dict(state);
}
}  // namespace detail

/// What the two kinds of loader share. Destroying one, in the middle of an epoch too, waits only for the
/// batches that are being read at that moment.
///
/// What is drawn from the default generator while a batch is read (random augmentation) comes from a stream
/// that belongs to the batch: it is the same whatever the number of workers, and the program's own stream
/// goes on as if nothing had been drawn.
template <class Dataset, class Batch, class Request>
class DataLoaderBase {
 public:
  using BatchType = Batch;
  using BatchRequestType = Request;

  virtual ~DataLoaderBase() { join(); }
  DataLoaderBase(const DataLoaderBase&) = delete;
  DataLoaderBase& operator=(const DataLoaderBase&) = delete;

  /// Begins an epoch, or goes on with the one that load_state_dict was given. One that was left in the middle
  /// is given up; its iterators throw ValueError from then on.
  Iterator<Batch> begin() {
    detail::check_iteration(true, joined_);
    stop();
    if (resumes_) {
      resumes_ = false;
      // The loop may have drawn since the epoch began: what it draws next must not depend on this.
      const detail::GeneratorRewind rewind(at_, own_generators());
      reset();
      pending_ = next_request();
      if (queue_) prefetch(options_.max_jobs);
    } else {
      at_.begin(source_state());
      reset();
      if (queue_) prefetch(options_.max_jobs);
    }
    const auto token = std::make_shared<char>();
    iteration_token_ = token;
    return Iterator<Batch>([this, iteration = iteration_, token] {
      detail::check_iteration(iteration == iteration_, joined_);
      return next();
    });
  }
  Iterator<Batch> end() { return {}; }
  /// Ends the workers; the loader cannot be used afterwards.
  void join() {
    joined_ = true;
    queue_.reset();
  }
  const FullDataLoaderOptions& options() const noexcept { return options_; }

  /// Where it stands: which batches of this epoch were taken, the one in the loop's hands among them. Taken
  /// between epochs, or after a loop that was left, it says that the next epoch comes next.
  State state_dict() const {
    const bool within = resumes_ || (!exhausted_ && !iteration_token_.expired());
    if (within) return at_.state_dict(true, options_, own_generators());
    detail::Epoch between = at_;
    between.source = source_state();
    return between.state_dict(false, options_, own_generators());
  }
  /// Into a loader made with the same dataset, sampler and options (the number of workers may differ), with
  /// the default generator's state loaded too: the next begin() gives the same batches that would have come
  /// next. Iterators throw ValueError from then on. Throws ValueError for a state that does not fit, and
  /// changes nothing then.
  void load_state_dict(const State& state) {
    detail::Epoch loaded;
    auto own = own_generators();
    const bool within = loaded.load(state, options_, own);
    load_source(loaded.source);
    for (size_t i = 0; within && i < own.size(); ++i) own[i].generator.set_state(loaded.own_generators[i]);
    stop();
    at_ = std::move(loaded);
    resumes_ = within;
  }

 protected:
  DataLoaderBase(DataLoaderOptions options, std::vector<Dataset> datasets)
      : options_(options), datasets_(std::move(datasets)) {
    if (options_.workers > 0)
      queue_ = std::make_unique<detail::JobQueue>(options_.workers, options_.enforce_ordering);
  }
  /// One of them for each worker, or one for all.
  Dataset& dataset(size_t worker) { return datasets_[worker < datasets_.size() ? worker : 0]; }
  const Dataset& dataset() const { return datasets_[0]; }
  /// What to ask the dataset for next; none at the end of the epoch.
  virtual std::optional<Request> get_batch_request() = 0;
  virtual void reset() = 0;
  /// What says which batches come: the sampler or the dataset.
  virtual State source_state() const = 0;
  virtual void load_source(const State& state) = 0;
  /// The generators that it draws from at reset() beside the default one.
  virtual std::vector<detail::OwnGenerator> own_generators() const { return {}; }

  const FullDataLoaderOptions options_;

 private:
  // A batch of a stateful dataset can be passed over only by reading it.
  static constexpr bool kMustRead = Dataset::is_stateful;

  struct ReadJob final : detail::Job {
    ReadJob(DataLoaderBase* loader, uint64_t number, Request request)
        : loader(loader), number(number), request(std::move(request)) {}
    void run(size_t worker) override { batch.emplace(loader->read(worker, number, std::move(request))); }
    DataLoaderBase* loader;
    uint64_t number;
    Request request;
    std::optional<typename Dataset::BatchType> batch;
  };
  struct Numbered {
    uint64_t number;
    Request request;
  };

  typename Dataset::BatchType read(size_t worker, uint64_t number, Request request) {
    const GeneratorScope scope(detail::mix(at_.seed, number));
    std::optional<detail::Turn> turn;
    if constexpr (kMustRead) turn.emplace(turns_, number);
    return dataset(worker).get_batch(std::move(request));
  }
  static std::optional<Batch> unwrap(typename Dataset::BatchType batch) { return {std::move(batch)}; }

  void stop() {
    if (queue_) queue_->clear();
    turns_.restart();
    ++iteration_;
    iteration_token_.reset();
    pending_.reset();
    produced_ = 0;
    exhausted_ = false;
  }
  std::optional<Numbered> next_request() {
    if (pending_) return std::exchange(pending_, std::nullopt);
    while (auto request = get_batch_request()) {
      const uint64_t number = produced_++;
      if (kMustRead || !at_.taken(number)) return Numbered{number, std::move(*request)};
    }
    return std::nullopt;
  }
  std::optional<Batch> next() {
    if (queue_) {
      while (auto job = queue_->pop(options_.timeout)) {
        prefetch(1);
        auto& done = static_cast<ReadJob&>(*job);
        if (at_.taken(done.number)) continue;
        at_.take(done.number);
        if (job->error) detail::throw_worker_exception(*job);
        if (auto batch = unwrap(std::move(*done.batch))) return batch;
        exhausted_ = true;  // a stateful dataset's end; the jobs behind it give nothing either
      }
    } else {
      while (auto request = next_request()) {
        const bool before = at_.taken(request->number);
        at_.take(request->number);
        try {
          auto batch = unwrap(read(0, request->number, std::move(request->request)));
          if (!batch) break;
          if (!before) return batch;
        } catch (...) {
          if (!before) throw;  // else the loop has had this exception
        }
      }
    }
    exhausted_ = true;
    return std::nullopt;
  }
  void prefetch(size_t jobs) {
    for (; jobs > 0 && !exhausted_; --jobs) {
      auto request = next_request();
      if (!request) return;
      queue_->push(std::make_unique<ReadJob>(this, request->number, std::move(request->request)));
    }
  }

  std::vector<Dataset> datasets_;
  detail::Epoch at_;
  bool joined_ = false, exhausted_ = true, resumes_ = false;
  uint64_t iteration_ = 0, produced_ = 0;
  std::weak_ptr<char> iteration_token_;  // expires with the iterators
  std::optional<Numbered> pending_;
  detail::Turns turns_;
  std::unique_ptr<detail::JobQueue> queue_;
};

/// A loader whose sampler says which samples make a batch. Each worker has its own copy of the dataset.
/// Batches are the same for the same seed, whatever the number of workers.
template <class Dataset, class Sampler>
class StatelessDataLoader
    : public DataLoaderBase<Dataset, typename Dataset::BatchType, typename Sampler::BatchRequestType> {
 public:
  using super = DataLoaderBase<Dataset, typename Dataset::BatchType, typename Sampler::BatchRequestType>;
  using typename super::BatchRequestType;
  /// Throws ValueError for options out of range, or several workers and a dataset that cannot be copied.
  StatelessDataLoader(Dataset dataset, Sampler sampler, DataLoaderOptions options)
      : super(options, copies(std::move(dataset), options.workers())), sampler_(std::move(sampler)) {}
  ~StatelessDataLoader() override { this->join(); }

 private:
  static std::vector<Dataset> copies(Dataset dataset, size_t workers) {
    std::vector<Dataset> all;
    if constexpr (std::is_copy_constructible_v<Dataset>) {
      all.reserve(workers > 0 ? workers : 1);
      for (size_t i = 1; i < workers; ++i) all.push_back(dataset);
    } else if (workers > 1) {
      detail::copies_failure(workers);
    }
    all.push_back(std::move(dataset));
    return all;
  }
  std::optional<BatchRequestType> get_batch_request() override {
    auto indices = sampler_.next(this->options_.batch_size);
    if (!indices || (this->options_.drop_last && indices->size() < this->options_.batch_size))
      return std::nullopt;
    return indices;
  }
  void reset() override { sampler_.reset(std::nullopt); }
  State source_state() const override { return detail::state_of(sampler_); }
  void load_source(const State& state) override { detail::load_state_of(sampler_, state); }
  std::vector<detail::OwnGenerator> own_generators() const override {
    if constexpr (std::is_base_of_v<samplers::DrawnSampler, Sampler>)
      if (const auto& own = sampler_.generator()) return {{"generator", *own}};
    return {};
  }
  Sampler sampler_;
};

/// A loader of a dataset that knows which samples come next. All workers use the same dataset, which must
/// allow that. To resume within an epoch it is begun again and the batches that were taken are read over.
template <class Dataset>
class StatefulDataLoader : public DataLoaderBase<Dataset, typename Dataset::BatchType::value_type,
                                                 typename Dataset::BatchRequestType> {
 public:
  using super =
      DataLoaderBase<Dataset, typename Dataset::BatchType::value_type, typename Dataset::BatchRequestType>;
  using typename super::BatchRequestType;
  StatefulDataLoader(Dataset dataset, DataLoaderOptions options) : super(options, one(std::move(dataset))) {}
  ~StatefulDataLoader() override { this->join(); }

 private:
  static std::vector<Dataset> one(Dataset dataset) {
    std::vector<Dataset> all;
    all.push_back(std::move(dataset));
    return all;
  }
  std::optional<BatchRequestType> get_batch_request() override { return this->options_.batch_size; }
  void reset() override { this->dataset(0).reset(); }
  State source_state() const override { return detail::state_of(this->dataset()); }
  void load_source(const State& state) override { detail::load_state_of(this->dataset(0), state); }
  std::vector<detail::OwnGenerator> own_generators() const override {
    if constexpr (requires(const Dataset& d) { d.own_generators(); }) return this->dataset().own_generators();
    return {};
  }
};

/// A loader of `dataset` with the batches that `sampler` gives.
template <class Dataset, class Sampler>
requires(!Dataset::is_stateful) std::unique_ptr<StatelessDataLoader<Dataset, Sampler>> make_data_loader(
    Dataset dataset, Sampler sampler, DataLoaderOptions options) {
  return std::make_unique<StatelessDataLoader<Dataset, Sampler>>(std::move(dataset), std::move(sampler),
                                                                 options);
}

/// The same with a sampler made from the dataset's size. Throws ValueError where the dataset does not know
/// it.
template <class Sampler = samplers::RandomSampler, class Dataset>
requires(!Dataset::is_stateful && std::is_constructible_v<Sampler, size_t>)
    std::unique_ptr<StatelessDataLoader<Dataset, Sampler>> make_data_loader(Dataset dataset,
                                                                            DataLoaderOptions options = {}) {
  const std::optional<size_t> size = dataset.size();
  if (!size) detail::unknown_size_failure();
  return make_data_loader(std::move(dataset), Sampler(*size), options);
}

/// A loader of a stateful dataset.
template <class Dataset, class = std::enable_if_t<Dataset::is_stateful>>
std::unique_ptr<StatefulDataLoader<Dataset>> make_data_loader(Dataset dataset,
                                                              DataLoaderOptions options = {}) {
  return std::make_unique<StatefulDataLoader<Dataset>>(std::move(dataset), options);
}

}  // namespace tapir::data
