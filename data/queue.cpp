#include "tapir/data/queue.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tapir/data/dataloader.h"
#include "tapir/data/transform.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data {

namespace detail {

namespace {
thread_local int64_t current_sample = -1, current_chunk = -1;
}  // namespace

void set_current_sample(int64_t index) { current_sample = index; }
void set_current_chunk(int64_t chunk) { current_chunk = chunk; }

namespace {
thread_local ArrayRef<size_t> current_batch;
}  // namespace

BatchScope::BatchScope(ArrayRef<size_t> indices) : before_(current_batch) { current_batch = indices; }
BatchScope::~BatchScope() { current_batch = before_; }

void set_current_of_batch(size_t at, size_t size) {
  // A batch of another size has lost samples on the way.
  const bool known = at < size && size == current_batch.size();
  current_sample = known ? static_cast<int64_t>(current_batch[at]) : -1;
}

struct Monitor::State {
  std::mutex mutex;
  std::condition_variable changed;
};
Monitor::Monitor() : state_(std::make_shared<State>()) {}
Monitor::~Monitor() = default;
void Monitor::lock() { state_->mutex.lock(); }
void Monitor::unlock() { state_->mutex.unlock(); }
bool Monitor::wait(std::optional<std::chrono::steady_clock::time_point> deadline) {
  std::unique_lock lock(state_->mutex, std::adopt_lock);
  const bool in_time = !deadline || state_->changed.wait_until(lock, *deadline) == std::cv_status::no_timeout;
  if (!deadline) state_->changed.wait(lock);
  lock.release();
  return in_time;
}
void Monitor::notify() { state_->changed.notify_one(); }

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
        item.job->chunk = current_chunk;
      }
      current_sample = current_chunk = -1;
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

JobQueue::JobQueue(size_t workers, bool ordered) : state_(std::make_shared<State>()) {
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

void throw_worker_exception(const Job& job) {
  try {
    std::rethrow_exception(job.error);
  } catch (const WorkerException&) {
    throw;  // of a worker that the dataset has itself: it says what was being read
  } catch (...) {
  }
  throw WorkerException(job.error, job.worker, job.sample, job.chunk);
}

struct Turns::State {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t now = 0;           // whose turn it is
  std::set<uint64_t> passed;  // numbers above `now` that have done without
};

namespace {
thread_local Turn* current_turn = nullptr;
}  // namespace

Turns::Turns() : state_(std::make_shared<State>()) {}
Turns::~Turns() = default;
void Turns::restart() {
  const std::lock_guard lock(state_->mutex);
  state_->now = 0;
  state_->passed.clear();
}

Turn::Turn(Turns& turns, uint64_t number) : turns_(*turns.state_), number_(number) { current_turn = this; }
Turn::~Turn() {
  current_turn = nullptr;
  pass();
}
void Turn::pass() {
  if (std::exchange(passed_, true)) return;
  {
    const std::lock_guard lock(turns_.mutex);
    turns_.passed.insert(number_);
    while (turns_.passed.erase(turns_.now)) ++turns_.now;
  }
  turns_.changed.notify_all();
}

InTurn::InTurn() {
  if (!current_turn || current_turn->passed_) return;
  Turns::State& turns = current_turn->turns_;
  std::unique_lock lock(turns.mutex);
  turns.changed.wait(lock, [&] { return turns.now == current_turn->number_; });
}
InTurn::~InTurn() {
  if (current_turn) current_turn->pass();
}

}  // namespace detail

namespace {

std::string message_of(const std::exception_ptr& error, size_t worker, int64_t sample, int64_t chunk) {
  std::string where = fmt::format("worker {}", worker);
  if (chunk >= 0) where += fmt::format(", chunk {}", chunk);
  if (sample >= 0) where += fmt::format(", sample {}", sample);
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

WorkerException::WorkerException(std::exception_ptr original, size_t worker, int64_t sample, int64_t chunk)
    : Error(message_of(original, worker, sample, chunk)),
      original_exception(std::move(original)),
      sample(sample),
      chunk(chunk) {}
WorkerException::~WorkerException() = default;

}  // namespace tapir::data
