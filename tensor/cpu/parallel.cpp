#include "tapir/tensor/cpu/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "tapir/tensor/error.h"

// Note [One job at a time]
//
// The pool holds one job. Its range is cut into one part per participant, and each part is claimed chunk by
// chunk with fetch_add: a participant empties its own part first, so that repeated loops over the same arrays
// find their data in the same core's cache, and then helps with the others. Every other job goes through the
// parts backward, so that it begins with what the last one has left in that cache. The caller is a
// participant. Nobody waits for a worker that has not begun: when no chunk is left the caller closes the job
// and waits only for workers inside it.
//
// `state_` says whether the job is open and counts the workers inside. A worker enters with a
// compare-and-swap that succeeds only while the job is open, so the job's fields are written only while
// nobody reads them.
//
// Workers spin for `kSpin` after a job and then sleep on a futex. A job wakes them where it is long, or where
// short ones come so often that together they would have gained more than the waking costs. Beside other busy
// processes a spinning worker only uses up its own time slice and is then preempted in the middle of a chunk,
// so a worker that finds that the kernel took the CPU away from it (involuntary context switches) sleeps at
// once for the next `kCalm`.

namespace tapir::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr auto kCalm = std::chrono::milliseconds(20);
constexpr auto kWorthWaking = std::chrono::microseconds(25);  // waking a thread costs the caller up to 10 µs
constexpr int kForgetting = 16;                               // a missed µs is forgotten in so many
constexpr int kPauses = 16;                                   // between two looks at the clock
constexpr int kChunksPerPart = 4;                             // enough to even out a slow or late thread
constexpr uint32_t kOpen = 1u << 31;                          // workers may enter
constexpr uint32_t kAsleep = 1u << 30;  // the caller sleeps until the last worker leaves

thread_local bool tls_in_parallel = false;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void wait_while_equal(std::atomic<uint32_t>& word, uint32_t value) {
#ifdef __linux__
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  word.wait(value);
#endif
}

void wake(std::atomic<uint32_t>& word, int count) {
#ifdef __linux__
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
#else
  (void)count;
  word.notify_all();
#endif
}

/// Tells whether other processes compete with the calling thread for its CPU.
class Crowding {
 public:
  /// True if the kernel has lately taken the CPU away from this thread. Looks at every 16th call.
  bool crowded() {
    if (++calls_ % 16 == 0) look();
    return calm_ && Clock::now() < calm_until_;
  }

  void look() {
#ifdef __linux__
    rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0) return;
    calm_ = usage.ru_nivcsw != preemptions_;
    if (calm_) calm_until_ = Clock::now() + kCalm;
    preemptions_ = usage.ru_nivcsw;
#endif
  }

 private:
  uint32_t calls_ = 0;
  bool calm_ = false;
  long preemptions_ = 0;
  Clock::time_point calm_until_{};
};

class Pool {
 public:
  explicit Pool(int threads)
      : parts_(std::make_unique<Part[]>(static_cast<size_t>(threads))), threads_(threads) {
    // User signal handlers belong on the user's threads.
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { worker(i); });
    } catch (const std::system_error&) {
      // The system grants no more threads; work with those there are.
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
  }

  ~Pool() {
    stop_.store(true, std::memory_order_relaxed);
    epoch_.fetch_add(1);
    wake(epoch_, static_cast<int>(workers_.size()));
    for (std::thread& t : workers_) t.join();
  }

  int threads() const { return threads_; }

  bool awake() const { return sleepers_.load(std::memory_order_relaxed) < static_cast<int>(workers_.size()); }

  void run(int64_t begin, int64_t end, int64_t grain, FunctionRef<void(int64_t, int64_t)> body, Wake when) {
    const int64_t grains = (end - begin - 1) / grain + 1;
    const int parts = static_cast<int>(std::min<int64_t>(static_cast<int64_t>(workers_.size()) + 1, grains));
    for (int p = 0; p < parts; ++p) {
      const auto edge = [&](int i) {
        return i == parts ? end : begin + grain * (grains / parts * i + grains % parts * i / parts);
      };
      Part& part = parts_[p];
      part.claimed.store(0, std::memory_order_relaxed);
      part.begin = edge(p);
      part.end = edge(p + 1);
      part.size = (part.end - part.begin + grain - 1) / grain * grain;
    }
    body_ = &body;
    backward_ = !backward_;
    used_parts_ = parts;
    chunk_ = grain * std::max<int64_t>(1, grains / (static_cast<int64_t>(parts) * kChunksPerPart));
    state_.store(kOpen, std::memory_order_release);
    epoch_.fetch_add(1);
    const int missing = parts - 1 - (static_cast<int>(workers_.size()) - sleepers_.load());

    tls_in_parallel = true;
    if (missing > 0) {
      if (when == Wake::AtOnce) {
        wake(epoch_, missing);
      } else {
        wake_if_worthwhile(missing, grain, grains);
      }
    }
    work(0);
    finish();
    tls_in_parallel = false;
    if (failed_.load(std::memory_order_relaxed)) {
      failed_.store(false, std::memory_order_relaxed);
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  struct alignas(64) Part {
    std::atomic<int64_t> claimed{0};  // elements
    int64_t begin = 0, end = 0;
    int64_t size = 0;  // in whole grains
  };

  /// Claims and runs the next `size` elements of a part; false if none was left.
  bool work_on(Part& part, int64_t size) noexcept {
    if (part.claimed.load(std::memory_order_relaxed) >= part.size) return false;
    const int64_t before = part.claimed.fetch_add(size, std::memory_order_relaxed);
    if (before >= part.size) return false;
    const int64_t lo = part.begin + (backward_ ? std::max<int64_t>(0, part.size - before - size) : before);
    const int64_t hi = part.begin + (backward_ ? part.size - before : before + size);
    try {
      (*body_)(lo, std::min(hi, part.end));
    } catch (...) {
      if (!failed_.exchange(true)) error_ = std::current_exception();
      for (int p = 0; p < used_parts_; ++p)
        parts_[p].claimed.store(parts_[p].size, std::memory_order_relaxed);
    }
    return true;
  }

  /// Claims and runs chunks until none is left, starting with part `first`.
  void work(int first) noexcept {
    for (int i = 0; i < used_parts_; ++i) {
      while (work_on(parts_[(first + i) % used_parts_], chunk_)) {
      }
    }
  }

  /// Runs one grain here and wakes up to `count` sleepers if the rest would take longer than that, or if what
  /// they have missed lately adds up to more.
  void wake_if_worthwhile(int count, int64_t grain, int64_t grains) noexcept {
    const auto start = Clock::now();
    work_on(parts_[0], grain);
    const auto rest = (Clock::now() - start) * (grains - 1);
    missed_ = std::max(Clock::duration::zero(), missed_ - (start - last_missed_) / kForgetting) + rest / 2;
    last_missed_ = start;
    if (std::max(rest, missed_) <= kWorthWaking) return;
    missed_ = Clock::duration::zero();
    wake(epoch_, count);
  }

  /// Lets no further worker in and returns once all have left.
  void finish() {
    uint32_t s = state_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    if (s == 0) return;
    const auto deadline = Clock::now() + kSpin;
    do {
      for (int i = 0; i < kPauses; ++i) {
        s = state_.load(std::memory_order_acquire);
        if (s == 0) return;
        relax();
      }
    } while (Clock::now() < deadline);
    while (s != 0) {
      if (state_.compare_exchange_weak(s, s | kAsleep, std::memory_order_acquire)) {
        while ((s = state_.load(std::memory_order_acquire)) & ~kAsleep) wait_while_equal(state_, s);
        break;
      }
    }
  }

  void worker(int id) {
    tls_in_parallel = true;
    Crowding crowding;
    uint32_t seen = 0;
    while (true) {
      seen = wait_for_job(seen, crowding);
      if (stop_.load(std::memory_order_relaxed)) return;
      uint32_t s = state_.load(std::memory_order_relaxed);
      while ((s & kOpen) && !state_.compare_exchange_weak(s, s + 1, std::memory_order_acquire)) {
      }
      if (!(s & kOpen)) continue;
      work(id);
      if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kAsleep | 1)) wake(state_, 1);
    }
  }

  /// Returns the first epoch that differs from `seen`.
  uint32_t wait_for_job(uint32_t seen, Crowding& crowding) {
    uint32_t e;
    if (!crowding.crowded()) {
      const auto start = Clock::now();
      do {
        for (int i = 0; i < kPauses; ++i) {
          e = epoch_.load(std::memory_order_acquire);
          if (e != seen) return e;
          relax();
        }
      } while (Clock::now() < start + kSpin);
      crowding.look();
    }
    // Sequentially consistent, like the caller's `epoch_` then `sleepers_`: one of the two sees the other.
    sleepers_.fetch_add(1);
    while ((e = epoch_.load()) == seen) wait_while_equal(epoch_, seen);
    sleepers_.fetch_sub(1);
    return e;
  }

  // What each side writes often lies on its own cache line.
  alignas(64) std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<uint32_t> state_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  // The job; written by the caller while it is closed.
  alignas(64) FunctionRef<void(int64_t, int64_t)>* body_ = nullptr;
  int64_t chunk_ = 0;
  bool backward_ = false;
  int used_parts_ = 0;
  Clock::duration missed_{};  // by sleeping workers
  Clock::time_point last_missed_{};
  std::unique_ptr<Part[]> parts_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  const int threads_;
  std::vector<std::thread> workers_;
};

// Plain globals without destructors: a static of the user's may run a loop after ours are gone.
constinit std::atomic<bool> g_busy{false};  // held by the thread that runs a job; guards the pool
constinit std::atomic<Pool*> g_pool{nullptr};
constinit std::atomic<int> g_threads{0};  // 0: not looked up yet

int env_threads(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* rest = nullptr;
  const long n = std::strtol(text, &rest, 10);  // OMP_NUM_THREADS may be a list; its first entry counts.
  return rest != text && n >= 1 && n <= 4096 ? static_cast<int>(n) : 0;
}

int default_threads() {
  if (int n = env_threads("TAPIR_NUM_THREADS")) return n;
  if (int n = env_threads("OMP_NUM_THREADS")) return n;
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// Joins the workers at exit. Keeps the pool taken for good, so that later loops run serially.
struct Teardown {
  ~Teardown() {
    if (tls_in_parallel) return;  // exit() called by a loop's body: nobody can be joined
    while (g_busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    delete g_pool.exchange(nullptr);
  }
};

/// In a forked child there are no workers: forget them, so that the next loop makes new ones.
void forget_pool() {
  g_pool.store(nullptr);
  g_busy.store(false);
  tls_in_parallel = false;
}

/// The pool with the number of threads asked for; the caller holds `g_busy`.
Pool* acquire_pool(int threads) {
  Pool* pool = g_pool.load(std::memory_order_relaxed);
  if (pool != nullptr && pool->threads() == threads) [[likely]]
    return pool;
  static const Teardown teardown;
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
  (void)registered;
  g_pool.store(nullptr, std::memory_order_relaxed);
  delete pool;
  pool = new Pool(threads);
  g_pool.store(pool, std::memory_order_release);
  return pool;
}

struct Release {
  ~Release() { g_busy.store(false, std::memory_order_release); }
};

}  // namespace

void parallel_for(int64_t begin, int64_t end, int64_t grain, FunctionRef<void(int64_t, int64_t)> body,
                  Wake wake) {
  if (begin >= end) return;
  grain = std::max<int64_t>(grain, 1);
  int threads = 1;
  if (end - begin <= grain || tls_in_parallel || (threads = get_num_threads()) == 1 ||
      g_busy.exchange(true, std::memory_order_acquire)) {
    body(begin, end);
    return;
  }
  const Release release;
  acquire_pool(threads)->run(begin, end, grain, body, wake);
}

bool in_parallel() noexcept { return tls_in_parallel; }

bool workers_awake() noexcept {
  const Pool* pool = g_pool.load(std::memory_order_acquire);
  return pool != nullptr && pool->awake();
}

}  // namespace tapir::cpu

namespace tapir {

void set_num_threads(int n) {
  if (n < 1) {
    throw ValueError("set_num_threads: got " + std::to_string(n) + ", expected 1 or more");
  }
  cpu::g_threads.store(n, std::memory_order_relaxed);
}

int get_num_threads() {
  int n = cpu::g_threads.load(std::memory_order_relaxed);
  if (n == 0) {
    n = cpu::default_threads();
    int unset = 0;
    if (!cpu::g_threads.compare_exchange_strong(unset, n)) n = unset;
  }
  return n;
}

}  // namespace tapir
