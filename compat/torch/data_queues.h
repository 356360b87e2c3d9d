// torch::data::detail: a queue between threads, a pair of them for jobs and results, and what puts results
// into order. extras.h includes it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "tapir/tapir.h"

namespace tapir::data::detail {

/// First in, first out, for several threads.
template <class T>
class Queue {
 public:
  void push(T value) {
    {
      const std::lock_guard lock(monitor_);
      values_.push_back(std::move(value));
    }
    monitor_.notify();
  }
  /// Waits for a value. Throws Error where none comes within `timeout`.
  T pop(std::optional<std::chrono::milliseconds> timeout = std::nullopt) {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    if (timeout) deadline = std::chrono::steady_clock::now() + *timeout;
    const std::lock_guard lock(monitor_);
    while (values_.empty())
      if (!monitor_.wait(deadline))
        throw Error("Queue::pop: nothing came within " + std::to_string(timeout->count()) + " ms");
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }
  /// Drops all values and returns how many there were.
  size_t clear() {
    const std::lock_guard lock(monitor_);
    const size_t n = values_.size();
    values_.clear();
    return n;
  }

 private:
  Monitor monitor_;
  std::deque<T> values_;
};

/// Jobs to the workers, results back.
template <class Job, class Result>
class DataShuttle {
 public:
  void push_job(Job job) {
    jobs_.push(std::move(job));
    ++in_flight_;
  }
  void push_result(Result result) { results_.push(std::move(result)); }
  Job pop_job() { return jobs_.pop(); }
  /// Waits for a result; none where no job is on its way. Throws Error after `timeout`.
  std::optional<Result> pop_result(std::optional<std::chrono::milliseconds> timeout = std::nullopt) {
    if (in_flight_ == 0) return std::nullopt;
    Result result = results_.pop(timeout);
    --in_flight_;
    return result;
  }
  /// Drops the jobs that nobody has begun and waits for the others.
  void drain() {
    in_flight_ -= jobs_.clear();
    while (in_flight_ > 0) pop_result();
  }
  size_t in_flight_jobs() const noexcept { return in_flight_; }

 private:
  size_t in_flight_ = 0;  // counted by the thread that pushes jobs and pops results
  Queue<Job> jobs_;
  Queue<Result> results_;
};

namespace sequencers {
namespace detail {
template <class Result>
struct Sequencer {
  using ResultProducer = std::function<std::optional<Result>()>;
  virtual ~Sequencer() = default;
  virtual std::optional<Result> next(ResultProducer next_result) = 0;
};
}  // namespace detail

/// Results as they come.
template <class Result>
struct NoSequencer final : detail::Sequencer<Result> {
  using typename detail::Sequencer<Result>::ResultProducer;
  std::optional<Result> next(ResultProducer next_result) override { return next_result(); }
};

/// Results by their sequence_number, from 0 on; those that come early wait in the buffer.
template <class Result>
struct OrderedSequencer : detail::Sequencer<Result> {
  using typename detail::Sequencer<Result>::ResultProducer;
  explicit OrderedSequencer(size_t max_jobs) : buffer_(max_jobs) {}
  std::optional<Result> next(ResultProducer next_result) override {
    if (auto& waiting = buffer(next_sequence_number_)) {
      ++next_sequence_number_;
      return std::exchange(waiting, std::nullopt);
    }
    while (auto result = next_result()) {
      if (result->sequence_number == next_sequence_number_) {
        ++next_sequence_number_;
        return result;
      }
      buffer(result->sequence_number) = std::move(result);
    }
    return std::nullopt;
  }
  std::optional<Result>& buffer(size_t index) { return buffer_.at(index % buffer_.size()); }
  size_t next_sequence_number_ = 0;
  std::vector<std::optional<Result>> buffer_;
};
}  // namespace sequencers

}  // namespace tapir::data::detail
