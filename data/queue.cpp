#include "tapir/data/queue.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tapir/data/dataloader.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data {

namespace detail {

namespace {
thread_local int64_t current_sample = -1;
}  // namespace

void set_current_sample(int64_t index) { current_sample = index; }

Job::~Job() = default;

struct JobQueue::State {
  struct Item {
    uint64_t number, epoch;
    std::unique_ptr<Job> job;
  };
  mutable std::mutex mutex;
  std::condition_variable work, done, idle;
  std::deque<Item> pending;
  std::map<uint64_t, std::unique_ptr<Job>>
      finished;  // by number where ordered, else in the order of finishing
  uint64_t pushed = 0, popped = 0, ended = 0, epoch = 0;
  size_t running = 0;
  bool ordered = true, stop = false;
  std::vector<std::thread> threads;

  void run_worker(size_t worker) {
    std::unique_lock lock(mutex);
    for (;;) {
      work.wait(lock, [&] { return stop || !pending.empty(); });
      if (stop) return;
      Item item = std::move(pending.front());
      pending.pop_front();
      ++running;
      lock.unlock();
      item.job->worker = worker;
      try {
        item.job->run(worker);
      } catch (...) {
        item.job->error = std::current_exception();
        item.job->sample = current_sample;
      }
      current_sample = -1;
      lock.lock();
      --running;
      if (item.epoch == epoch) {
        finished.emplace(ordered ? item.number : ended++, std::move(item.job));
        done.notify_one();
      } else {  // cleared meanwhile
        idle.notify_all();
        lock.unlock();
        item.job.reset();
        lock.lock();
      }
    }
  }
};

JobQueue::JobQueue(size_t workers, bool ordered) : state_(std::make_unique<State>()) {
  state_->ordered = ordered;
  state_->threads.reserve(workers);
  for (size_t i = 0; i < workers; ++i)
    state_->threads.emplace_back([s = state_.get(), i] { s->run_worker(i); });
}

JobQueue::~JobQueue() {
  clear();
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->work.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

void JobQueue::push(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->pending.push_back({state_->pushed++, state_->epoch, std::move(job)});
  }
  state_->work.notify_one();
}

std::unique_ptr<Job> JobQueue::pop(std::optional<std::chrono::milliseconds> timeout) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  if (s.pushed == s.popped) return nullptr;
  const auto ready = [&] { return s.ordered ? s.finished.contains(s.popped) : !s.finished.empty(); };
  if (!timeout) {
    s.done.wait(lock, ready);
  } else if (!s.done.wait_for(lock, *timeout, ready)) {
    throw_error<Error>("DataLoader: no batch came within the timeout of {} ms", timeout->count());
  }
  auto first = s.finished.begin();
  std::unique_ptr<Job> job = std::move(first->second);
  s.finished.erase(first);
  ++s.popped;
  return job;
}

size_t JobQueue::outstanding() const {
  const std::lock_guard lock(state_->mutex);
  return static_cast<size_t>(state_->pushed - state_->popped);
}

void JobQueue::clear() {
  std::deque<State::Item> pending;
  std::map<uint64_t, std::unique_ptr<Job>> finished;
  {
    std::unique_lock lock(state_->mutex);
    pending.swap(state_->pending);
    finished.swap(state_->finished);
    state_->popped = state_->pushed;
    ++state_->epoch;
    state_->idle.wait(lock, [&] { return state_->running == 0; });
  }
  // Their results are given up here, outside the lock.
}

void throw_worker_exception(const Job& job) { throw WorkerException(job.error, job.worker, job.sample); }

}  // namespace detail

namespace {

std::string message_of(const std::exception_ptr& error, size_t worker, int64_t sample) {
  const std::string where =
      sample < 0 ? fmt::format("worker {}", worker) : fmt::format("worker {}, sample {}", worker, sample);
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return fmt::format("Caught exception in DataLoader worker thread ({}).\nOriginal message: {}", where,
                       e.what());
  } catch (...) {
    return fmt::format("Caught exception in DataLoader worker thread ({}), which is no std::exception.",
                       where);
  }
}

}  // namespace

WorkerException::WorkerException(std::exception_ptr original, size_t worker, int64_t sample)
    : Error(message_of(original, worker, sample)), original_exception(std::move(original)), sample(sample) {}
WorkerException::~WorkerException() = default;

FullDataLoaderOptions::FullDataLoaderOptions(const DataLoaderOptions& options)
    : batch_size(options.batch_size()),
      workers(options.workers()),
      max_jobs(options.max_jobs().value_or(2 * workers)),
      timeout(options.timeout()),
      enforce_ordering(options.enforce_ordering()),
      drop_last(options.drop_last()) {
  TAPIR_CHECK_AS(ValueError, batch_size > 0, "DataLoader: got batch_size 0, expected at least 1");
  TAPIR_CHECK_AS(ValueError, workers == 0 || max_jobs > 0, "DataLoader: got max_jobs 0, expected at least 1");
}

namespace detail {

void check_iteration(bool current, bool joined) {
  TAPIR_CHECK_AS(ValueError, !joined, "DataLoader: got a call of begin() or ++ after join()");
  TAPIR_CHECK_AS(ValueError, current,
                 "DataLoader: this iterator's epoch ended when begin() was called again on the same loader");
}
void end_iterator_failure() { throw_error<ValueError>("DataLoader: got a use of the iterator past the end"); }
void copies_failure(size_t workers) {
  throw_error<ValueError>(
      "DataLoader: got {} workers for a dataset that cannot be copied; use make_shared_dataset", workers);
}
void unknown_size_failure() {
  throw_error<ValueError>(
      "make_data_loader: the dataset does not know its size, which this sampler is made with; pass a "
      "sampler");
}

}  // namespace detail

}  // namespace tapir::data
