#include "tapir/tensor/cpu/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "tapir/tensor/error.h"

// Note [One job at a time]
//
// The pool holds one job. Its range is cut into one part per participant, and each part is claimed chunk by
// chunk: a participant empties its own part first, so that repeated loops over the same arrays find their
// data in the same core's cache, and then helps with the others. Every other job goes through the parts
// backward, so that it begins with what the last one has left in that cache. The caller is a participant.
// Nobody waits for a worker that has not begun: chunks that no worker has claimed the caller does itself, and
// then it waits only for those that workers have.
//
// A loop of a few microseconds pays only while sharing it costs no more than a few cache lines on their way
// between cores, 0.15 us each. So the whole job lies on one line, which the workers watch; a part's count of
// claimed chunks on one that as a rule only its owner writes; the workers' count of finished chunks on one.
// Nothing has to be set back for the next job: a part's count carries the number of the job it is of, and the
// count of an earlier job stands for 0. A worker that comes late finds every chunk claimed, or the number of
// a later job, and turns back; before it has claimed a chunk it touches nothing that ends with the job.
//
// Workers spin for `kSpin` after a job and then sleep on a futex. A job wakes them where it is long, or where
// short ones come so often that together they would have gained more than the waking costs. Beside other busy
// processes a spinning worker only uses up its own time slice and is then preempted in the middle of a chunk,
// so a worker that finds that others had its CPU for `kTaken` since it last looked sleeps at once for the
// next `kCalm`. (That it was interrupted says little: on a quiet machine, too, that happens some twenty times
// a second, for microseconds.)

namespace tapir::cpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr auto kTaken = std::chrono::milliseconds(1);  // less than a scheduler's shortest slice
constexpr auto kCalm = std::chrono::milliseconds(20);
constexpr auto kWorthWaking = std::chrono::microseconds(25);  // waking a thread costs the caller up to 10 µs
constexpr int kForgetting = 16;                               // a missed µs is forgotten in so many
constexpr int kPauses = 16;                                   // between two looks at the clock
constexpr int kChunksPerPart = 4;                             // enough to even out a slow or late thread
constexpr int kCountBits = 16;                                // of a part's count of claimed chunks

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
  /// True if they have lately had it for `kTaken` at a stretch, or in shorter ones. Looks at every 16th call.
  bool crowded() {
    if (++calls_ % 16 == 0) look();
    return Clock::now() < calm_until_;
  }

  /// Compares the time since the last look, or start(), with the thread's share of it.
  void look() {
    const auto then = now_, used_then = used_;
    start();
    if (now_ - then - (used_ - used_then) > kTaken) calm_until_ = Clock::time_point(now_) + kCalm;
  }

  /// To be called after the thread has slept.
  void start() {
    now_ = Clock::now().time_since_epoch();
    timespec used;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0)
      used_ = std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }

 private:
  uint32_t calls_ = 0;
  Clock::duration now_{}, used_{};
  Clock::time_point calm_until_{};
};

using Body = FunctionRef<void(int64_t, int64_t)>;

/// A job as one participant sees it.
struct Job {
  struct Part {
    int64_t begin, end;
    int64_t size;  // in whole grains
    int64_t chunks;
  };

  uint64_t number;
  int parts;
  bool backward;
  int64_t begin, end, grain, chunk;
  Body* body;

  static int64_t grains(int64_t begin, int64_t end, int64_t grain) { return (end - begin - 1) / grain + 1; }
  Part part(int p) const {
    const int64_t n = grains(begin, end, grain);
    const auto edge = [&](int i) {
      return i == parts ? end : begin + grain * (n / parts * i + n % parts * i / parts);
    };
    Part result{edge(p), edge(p + 1), 0, 0};
    result.size = (result.end - result.begin + grain - 1) / grain * grain;
    result.chunks = (result.size + chunk - 1) / chunk;
    return result;
  }
};

/// Where the caller puts a job and the workers find it.
class alignas(64) Board {
 public:
  /// Even and larger than before for each job; odd while one is being written.
  std::atomic<uint32_t>& epoch() { return epoch_; }

  void write(const Job& job) {
    const uint32_t e = epoch_.load(std::memory_order_relaxed);
    epoch_.store(e + 1, std::memory_order_relaxed);
    // Releases keep these after the odd number, as acquires keep the reader's before its second look.
    parts_.store(job.backward ? -job.parts : job.parts, std::memory_order_release);
    number_.store(job.number, std::memory_order_release);
    begin_.store(job.begin, std::memory_order_release);
    end_.store(job.end, std::memory_order_release);
    grain_.store(job.grain, std::memory_order_release);
    chunk_.store(job.chunk, std::memory_order_release);
    body_.store(job.body, std::memory_order_release);
    epoch_.store(e + 2, std::memory_order_release);
  }

  /// The job of that epoch; false if it has been written over.
  bool read(uint32_t epoch, Job& job) const {
    const int32_t parts = parts_.load(std::memory_order_acquire);
    job.parts = std::abs(parts);
    job.backward = parts < 0;
    job.number = number_.load(std::memory_order_acquire);
    job.begin = begin_.load(std::memory_order_acquire);
    job.end = end_.load(std::memory_order_acquire);
    job.grain = grain_.load(std::memory_order_acquire);
    job.chunk = chunk_.load(std::memory_order_acquire);
    job.body = body_.load(std::memory_order_acquire);
    return epoch_.load(std::memory_order_relaxed) == epoch;
  }

 private:
  std::atomic<uint32_t> epoch_{0};
  std::atomic<int32_t> parts_{0};  // negative: backward
  std::atomic<uint64_t> number_{0};
  std::atomic<int64_t> begin_{0}, end_{0}, grain_{0}, chunk_{0};
  std::atomic<Body*> body_{nullptr};
};
static_assert(sizeof(Board) == 64);

class Pool {
 public:
  explicit Pool(int threads)
      : claimed_(std::make_unique<Claimed[]>(static_cast<size_t>(threads))), threads_(threads) {
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
    board_.epoch().fetch_add(2);
    wake(board_.epoch(), static_cast<int>(workers_.size()));
    for (std::thread& t : workers_) t.join();
  }

  int threads() const { return threads_; }

  bool awake() const { return asleep() < static_cast<int>(workers_.size()); }

  void run(int64_t begin, int64_t end, int64_t grain, Body body, Wake when) {
    const InParallel here;
    if (when == Wake::IfSlow && !awake()) {
      const auto start = Clock::now();
      body(begin, begin + grain);
      begin += grain;
      if (!worth_waking(start, Job::grains(begin, end, grain))) return body(begin, end);
      when = Wake::AtOnce;
    }
    Job job;
    const int64_t grains = Job::grains(begin, end, grain);
    job.number = ++number_;
    job.parts = static_cast<int>(std::min<int64_t>(static_cast<int64_t>(workers_.size()) + 1, grains));
    job.backward = backward_ = !backward_;
    job.begin = begin;
    job.end = end;
    job.grain = grain;
    job.chunk = grain * std::max<int64_t>(1, grains / (static_cast<int64_t>(job.parts) * kChunksPerPart));
    job.body = &body;
    board_.write(job);
    // A worker that is about to sleep is not counted here, but sees the new epoch before it does.
    const int missing = job.parts - 1 - (static_cast<int>(workers_.size()) - asleep());
    int64_t mine = 0, all = 0;
    if (missing > 0) {
      const auto start = Clock::now();
      if (when == Wake::IfSlow) mine = work_on(job, 0, job.part(0), 1);
      if (when == Wake::AtOnce || (mine > 0 && worth_waking(start, grains / (job.chunk / grain))))
        wake(board_.epoch(), missing);
    }
    for (int p = 0; p < job.parts; ++p) {
      const Job::Part part = job.part(p);
      all += part.chunks;
      mine += work_on(job, p, part);
    }
    expected_ += static_cast<uint32_t>(all - mine);
    wait_for_workers();
    if (failed_.load(std::memory_order_relaxed)) {
      failed_.store(false, std::memory_order_relaxed);
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  struct InParallel {
    InParallel() { tls_in_parallel = true; }
    ~InParallel() { tls_in_parallel = false; }
  };

  // The job's number and, in the lowest bits, how many chunks of the part are claimed.
  struct alignas(64) Claimed {
    std::atomic<uint64_t> value{0};
  };

  int asleep() const { return sleepers_.load(std::memory_order_relaxed); }

  /// Claims the next chunk of part `p`; -1 if none is left.
  int64_t claim(const Job& job, int p, const Job::Part& part) noexcept {
    std::atomic<uint64_t>& claimed = claimed_[p].value;
    const uint64_t first = job.number << kCountBits;
    uint64_t value = claimed.load(std::memory_order_relaxed);
    while (true) {
      const int64_t count = static_cast<int64_t>(value - first);  // negative: an earlier job's
      const uint64_t next = count < 0 ? first : value;
      if (count >= part.chunks) return -1;  // or a later job's
      if (claimed.compare_exchange_weak(value, next + 1, std::memory_order_acq_rel,
                                        std::memory_order_relaxed))
        return static_cast<int64_t>(next - first);
    }
  }

  /// Claims and runs chunks of part `p` until none is left, or `most`; how many.
  int64_t work_on(const Job& job, int p, const Job::Part& part,
                  int64_t most = std::numeric_limits<int64_t>::max()) noexcept {
    int64_t count = 0;
    for (int64_t i; count < most && (i = claim(job, p, part)) >= 0; ++count) {
      if (failed_.load(std::memory_order_relaxed)) continue;
      const int64_t from =
          job.backward ? std::max<int64_t>(0, part.size - (i + 1) * job.chunk) : i * job.chunk;
      const int64_t to = job.backward ? part.size - i * job.chunk : from + job.chunk;
      try {
        (*job.body)(part.begin + from, std::min(part.begin + to, part.end));
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
    return count;
  }

  /// Whether to wake sleepers for more pieces like the one that was begun at `start` and has just ended: if
  /// they take longer than that, or if what the sleepers have missed lately adds up to more.
  bool worth_waking(Clock::time_point start, int64_t pieces) noexcept {
    const auto rest = (Clock::now() - start) * pieces;
    missed_ = std::max(Clock::duration::zero(), missed_ - (start - last_missed_) / kForgetting) + rest / 2;
    last_missed_ = start;
    if (std::max(rest, missed_) <= kWorthWaking) return false;
    missed_ = Clock::duration::zero();
    return true;
  }

  /// Returns once the workers have finished what they have claimed.
  void wait_for_workers() {
    const auto all_done = [&] { return done_.load(std::memory_order_acquire) == expected_; };
    if (all_done()) return;
    const auto deadline = Clock::now() + kSpin;
    do {
      for (int i = 0; i < kPauses; ++i) {
        if (all_done()) return;
        relax();
      }
    } while (Clock::now() < deadline);
    caller_sleeps_.store(true);  // sequentially consistent, as is the workers' counting and then looking here
    for (uint32_t done; (done = done_.load()) != expected_;) wait_while_equal(done_, done);
    caller_sleeps_.store(false);
  }

  void worker(int id) {
    tls_in_parallel = true;
    Crowding crowding;
    crowding.start();
    uint32_t epoch = 0;
    while (true) {
      epoch = wait_for_job(epoch, crowding);
      if (stop_.load(std::memory_order_relaxed)) return;
      Job job;
      if (!board_.read(epoch, job)) continue;
      for (int i = 0; i < job.parts; ++i) {
        const int p = (id + i) % job.parts;
        const int64_t count = work_on(job, p, job.part(p));
        if (count == 0) continue;
        done_.fetch_add(static_cast<uint32_t>(count));
        if (caller_sleeps_.load()) wake(done_, 1);
      }
    }
  }

  /// Returns the epoch of the next job after `seen`.
  uint32_t wait_for_job(uint32_t seen, Crowding& crowding) {
    const auto is_new = [&](uint32_t e) { return e != seen && e % 2 == 0; };
    uint32_t e;
    if (!crowding.crowded()) {
      const auto start = Clock::now();
      do {
        for (int i = 0; i < kPauses; ++i) {
          e = board_.epoch().load(std::memory_order_acquire);
          if (is_new(e)) return e;
          relax();
        }
      } while (Clock::now() < start + kSpin);
    }
    crowding.look();
    sleepers_.fetch_add(1);
    while (!is_new(e = board_.epoch().load()))
      if (e == seen) wait_while_equal(board_.epoch(), seen);
    sleepers_.fetch_sub(1);
    crowding.start();
    return e;
  }

  // What each side writes often lies on its own cache line.
  Board board_;
  alignas(64) std::atomic<uint32_t> done_{0};  // chunks that workers have finished, of all jobs
  // Rarely written.
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> caller_sleeps_{false};
  std::exception_ptr error_;
  // The caller's.
  alignas(64) uint64_t number_ = 0;
  uint32_t expected_ = 0;  // of done_
  bool backward_ = false;
  Clock::duration missed_{};  // by sleeping workers
  Clock::time_point last_missed_{};
  const std::unique_ptr<Claimed[]> claimed_;  // of each part
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
