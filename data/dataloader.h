// DataLoader: batches of a dataset, read ahead by worker threads.
//
//   auto loader = data::make_data_loader(dataset.map(data::transforms::Stack<>()),
//                                        data::DataLoaderOptions().batch_size(64).workers(2));
//   for (auto& batch : *loader) train(batch.data, batch.target);
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/data/dataset.h"
#include "tapir/data/iterator.h"
#include "tapir/data/queue.h"
#include "tapir/data/sampler.h"
#include "tapir/tensor/args.h"

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
  /// Leaves out the last batch where it is not full.
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
  explicit WorkerException(std::exception_ptr original, size_t worker = 0, int64_t sample = -1);
  WorkerException(const WorkerException&) = default;
  ~WorkerException() override;
  std::exception_ptr original_exception;
  int64_t sample;  ///< index of the sample that was being read, -1 where it is not known
};

namespace detail {
TAPIR_API void check_iteration(bool current, bool joined);
[[noreturn]] TAPIR_API TAPIR_COLD void copies_failure(size_t workers);
[[noreturn]] TAPIR_API TAPIR_COLD void unknown_size_failure();
}  // namespace detail

/// What the two kinds of loader share. Destroying one, in the middle of an epoch too, waits only for the
/// batches that are being read at that moment.
template <class Dataset, class Batch, class Request>
class DataLoaderBase {
 public:
  using BatchType = Batch;
  using BatchRequestType = Request;

  virtual ~DataLoaderBase() { join(); }
  DataLoaderBase(const DataLoaderBase&) = delete;
  DataLoaderBase& operator=(const DataLoaderBase&) = delete;

  /// Begins an epoch. One that was left in the middle is given up; its iterators throw ValueError from then
  /// on.
  Iterator<Batch> begin() {
    detail::check_iteration(true, joined_);
    if (queue_) queue_->clear();
    ++epoch_;
    exhausted_ = false;
    reset();
    if (queue_) prefetch(options_.max_jobs);
    return Iterator<Batch>([this, epoch = epoch_] {
      detail::check_iteration(epoch == epoch_, joined_);
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

 protected:
  DataLoaderBase(DataLoaderOptions options, std::vector<Dataset> datasets)
      : options_(options), datasets_(std::move(datasets)) {
    if (options_.workers > 0)
      queue_ = std::make_unique<detail::JobQueue>(options_.workers, options_.enforce_ordering);
  }
  /// One of them for each worker, or one for all.
  Dataset& dataset(size_t worker) { return datasets_[worker < datasets_.size() ? worker : 0]; }
  /// What to ask the dataset for next; none at the end of the epoch.
  virtual std::optional<Request> get_batch_request() = 0;
  virtual void reset() = 0;

  const FullDataLoaderOptions options_;

 private:
  struct ReadJob final : detail::Job {
    ReadJob(DataLoaderBase* loader, Request request) : loader(loader), request(std::move(request)) {}
    void run(size_t worker) override { batch.emplace(loader->dataset(worker).get_batch(std::move(request))); }
    DataLoaderBase* loader;
    Request request;
    std::optional<typename Dataset::BatchType> batch;
  };

  static std::optional<Batch> unwrap(typename Dataset::BatchType batch) { return {std::move(batch)}; }

  std::optional<Batch> next() {
    if (!queue_) {
      if (auto request = get_batch_request()) return unwrap(dataset(0).get_batch(std::move(*request)));
      return std::nullopt;
    }
    while (auto job = queue_->pop(options_.timeout)) {
      prefetch(1);
      if (job->error) detail::throw_worker_exception(*job);
      if (auto batch = unwrap(std::move(*static_cast<ReadJob&>(*job).batch))) return batch;
      exhausted_ = true;  // a stateful dataset's end; the jobs behind it give nothing either
    }
    return std::nullopt;
  }
  void prefetch(size_t jobs) {
    for (; jobs > 0 && !exhausted_; --jobs) {
      auto request = get_batch_request();
      if (!request) return;
      queue_->push(std::make_unique<ReadJob>(this, std::move(*request)));
    }
  }

  std::vector<Dataset> datasets_;
  uint64_t epoch_ = 0;
  bool joined_ = false, exhausted_ = false;
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
  Sampler sampler_;
};

/// A loader of a dataset that knows which samples come next. All workers use the same dataset, which must
/// allow that.
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
