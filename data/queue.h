// The worker threads of a DataLoader, and the queues to and from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>  // also for std::chrono::milliseconds: all of <chrono> would cost the compiler 0.07 s
#include <optional>

#include "tapir/tensor/macros.h"

namespace tapir::data::detail {

/// A piece of work that keeps its own result.
class TAPIR_API Job {
 public:
  virtual ~Job();
  /// Called on worker number `worker`; what it throws is kept in `error`.
  virtual void run(size_t worker) = 0;

  std::exception_ptr error;
  size_t worker = 0;
  int64_t sample = -1;  ///< the sample that was being read when `error` was thrown
  int64_t chunk = -1;   ///< the chunk
};

/// Notes which chunk the calling thread is about to read, for the message of an exception thrown by it.
TAPIR_API void set_current_chunk(int64_t chunk);

/// Runs jobs on its threads and gives them back finished.
class TAPIR_API JobQueue {
 public:
  /// With `ordered`, jobs come back in the order in which they were pushed, else as they finish.
  JobQueue(size_t workers, bool ordered);
  /// Drops the jobs that no worker has begun and waits for the others.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  void push(std::unique_ptr<Job> job);
  /// Waits for the next finished job; null where none is outstanding. Throws Error where that takes longer
  /// than `timeout`; the job is then still to come.
  std::unique_ptr<Job> pop(std::optional<std::chrono::milliseconds> timeout);
  /// Jobs pushed and not popped.
  size_t outstanding() const;
  /// Drops all outstanding jobs. Those that a worker has begun are waited for and end unseen.
  void clear();

 private:
  struct State;
  std::shared_ptr<State> state_;  // not shared: a std::unique_ptr costs the compiler four times as much
};

/// A mutex with a condition; a std::lock_guard locks it. Its headers stay in queue.cpp.
class TAPIR_API Monitor {
 public:
  Monitor();
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  void lock();
  void unlock();
  /// With the lock held: waits for a notify(), at most until `deadline`. False where that has passed.
  bool wait(std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt);
  void notify();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Throws WorkerException with the job's error.
[[noreturn]] TAPIR_API void throw_worker_exception(const Job& job);

/// An order for jobs that read one dataset at the same time, so that what each gets does not depend on which
/// is first. Jobs are numbered from 0, each number is used once, and jobs begin in the order of their
/// numbers.
class TAPIR_API Turns {
 public:
  Turns();
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  /// Numbers begin at 0 again. No job may be running.
  void restart();

 private:
  friend class Turn;
  friend class InTurn;
  struct State;
  std::shared_ptr<State> state_;
};

/// Gives what the calling thread does the number `number`, until it is destroyed.
class TAPIR_API Turn {
 public:
  Turn(Turns& turns, uint64_t number);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  friend class InTurn;
  void pass();
  Turns::State& turns_;
  uint64_t number_;
  bool passed_ = false;
};

/// Waits until it is the calling thread's turn, which is over when this is destroyed. Nothing happens on a
/// thread without a Turn.
class TAPIR_API InTurn {
 public:
  InTurn();
  ~InTurn();
  InTurn(const InTurn&) = delete;
  InTurn& operator=(const InTurn&) = delete;
};

}  // namespace tapir::data::detail
