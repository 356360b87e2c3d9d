// The CPU's caching allocator.
//
// Blocks come in size classes, four per doubling. Middle-sized ones (up to 1 MiB) lie in lists per thread,
// bounded in bytes, so that taking and giving back needs no lock; what overflows goes to lists shared by all
// threads. Large ones are mapped from the system, on huge pages from 2 MiB on, and stay mapped when freed:
// the first touch of fresh memory costs more than most kernels that use it.
//
// The cache is bounded: memory taken from the system, in use and cached together, stays below 1.25 times the
// most that was ever in use, plus 64 MiB. Beyond that, the large blocks that lay unused longest go back to
// the system, then shared middle-sized ones. empty_cache() gives back all but what other threads' lists hold.
#include "tapir/tensor/cpu/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/pool.h"

namespace tapir::cpu {

namespace {

#if defined(TAPIR_NO_POOL)
constexpr bool kCaches = false;  // under AddressSanitizer every block comes from malloc
#else
constexpr bool kCaches = true;
#endif

constexpr size_t kSmallest = 1024;
constexpr size_t kMiddleMax = size_t{1} << 20;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLargest = size_t{1} << 46;
constexpr size_t kThreadBytes = size_t{8} << 20;  // that a thread's lists may hold
constexpr int64_t kFold = int64_t{64} << 10;  // a change of this much in a thread's use is told to the others
constexpr size_t kSlack = size_t{64} << 20;
constexpr int kMiddleClasses = 41, kClasses = 4 * 36 + 1;

// Class 4 * e + k holds blocks of (4 + k) / 4 * 1 KiB * 2^e bytes.
int class_of(size_t bytes) {
  if (bytes <= kSmallest) return 0;
  const int e = std::bit_width(bytes - 1) - 11;
  const size_t quarter = (kSmallest / 4) << e;
  return 4 * e + static_cast<int>((bytes - 1) / quarter) - 3;
}
constexpr size_t class_size(int c) { return static_cast<size_t>(4 + c % 4) * ((kSmallest / 4) << (c / 4)); }
static_assert(class_size(kMiddleClasses - 1) == kMiddleMax && class_size(kClasses - 1) == kLargest);

struct FreeBlock {
  FreeBlock* next;
};
struct List {
  FreeBlock* head = nullptr;
  uint32_t count = 0;
  void push(void* p) {
    auto* b = static_cast<FreeBlock*>(p);
    b->next = head;
    head = b;
    ++count;
  }
  void* pop() {
    FreeBlock* b = head;
    head = b->next;
    --count;
    return b;
  }
};

// A thread's blocks. Zero-initialised and never destroyed, so that it may be used at any time of a thread's
// life.
enum class ThreadState : uint8_t { kNew, kAlive, kEnded };
struct ThreadLists {
  List lists[kMiddleClasses];
  size_t bytes = 0;
  std::atomic<uint64_t> allocations{0};  // written by this thread only, as is
  std::atomic<int64_t> unfolded{0};  // what this thread took and gave since it was last added to allocated_
  ThreadLists* next = nullptr;       // in the list of living threads
  ThreadState state = ThreadState::kNew;
};
constinit thread_local ThreadLists thread_lists{};

struct CachedBlock {
  void* data;
  uint64_t freed_at;
};

class CachingAllocator final : public Allocator {
 public:
  void* allocate(size_t bytes) override;
  void deallocate(void* data, size_t bytes) noexcept override;
  MemoryStats stats() const override;
  void empty_cache() override;
  void begin_thread(ThreadLists& t);
  void end_thread(ThreadLists& t);

 private:
  void* allocate_middle(int c);
  void* allocate_large(int c);
  void release_middle(int c, void* data);
  void* from_system(int c);
  void to_system(int c, void* data);
  void trim(size_t reserved_limit);
  void shrink_thread(ThreadLists& t, int c);
  void count(int64_t size);
  size_t limit() const {
    const size_t peak = peak_.load(std::memory_order_relaxed);
    return peak + peak / 4 + kSlack;
  }
  [[noreturn]] TAPIR_COLD void out_of_memory(size_t bytes) const;

  std::atomic<size_t> allocated_{0}, peak_{0}, reserved_{0};
  std::atomic<uint64_t> system_allocations_{0};
  mutable std::mutex mutex_;  // guards what follows
  List middle_[kMiddleClasses];
  std::vector<CachedBlock> large_[kClasses];
  std::unordered_map<void*, int>
      taken_from_;  // large blocks in use that are of a larger class than asked for
  uint64_t clock_ = 0;
  ThreadLists* threads_ = nullptr;
  uint64_t ended_allocations_ = 0;  // of threads that have ended
};

CachingAllocator& instance() {
  alignas(CachingAllocator) static char storage[sizeof(CachingAllocator)];
  static auto* a = new (storage) CachingAllocator;  // never destroyed: static tensors may outlive it
  return *a;
}

struct Reaper {
  ~Reaper() { instance().end_thread(thread_lists); }
};
void register_thread() {
  static thread_local Reaper reaper;
  (void)reaper;
  instance().begin_thread(thread_lists);
}

// Threads count for themselves and tell the others only of larger changes, since an atomic addition for each
// block would cost more than the block. stats() adds up; the peak may be short by kFold per thread.
void CachingAllocator::count(int64_t size) {
  ThreadLists& t = thread_lists;
  if (size > 0)
    t.allocations.store(t.allocations.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const int64_t sum = t.unfolded.load(std::memory_order_relaxed) + size;
  if (TAPIR_LIKELY(sum < kFold && sum > -kFold && t.state == ThreadState::kAlive))
    return t.unfolded.store(sum, std::memory_order_relaxed);
  t.unfolded.store(0, std::memory_order_relaxed);
  const size_t now =
      allocated_.fetch_add(static_cast<size_t>(sum), std::memory_order_relaxed) + static_cast<size_t>(sum);
  size_t peak = peak_.load(std::memory_order_relaxed);
  while (TAPIR_UNLIKELY(sum > 0 && peak < now) &&
         !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

void CachingAllocator::out_of_memory(size_t bytes) const {
  const MemoryStats s = stats();
  throw_error<OutOfMemoryError>(
      "allocate: the system refused {} bytes ({:.2f} GiB); tensors hold {} bytes and {} more are cached",
      bytes, static_cast<double>(bytes) / (1 << 30), s.allocated_bytes, s.reserved_bytes - s.allocated_bytes);
}

void* map_large(size_t size) {
  const size_t extra = size >= kHugePage ? kHugePage : 0;
  void* p = mmap(nullptr, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (!extra) return p;
  auto* begin = static_cast<std::byte*>(p);
  const size_t skip = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip) munmap(begin, skip);
  if (skip < extra) munmap(begin + skip + size, extra - skip);
#if defined(MADV_HUGEPAGE)
  madvise(begin + skip, size, MADV_HUGEPAGE);  // may fail: the system decides
#endif
  return begin + skip;
}

void* CachingAllocator::from_system(int c) {
  const size_t size = class_size(c);
  void* p = c < kMiddleClasses ? std::aligned_alloc(64, size) : map_large(size);
  if (p) {
    reserved_.fetch_add(size, std::memory_order_relaxed);
    system_allocations_.fetch_add(1, std::memory_order_relaxed);
  }
  return p;
}

void CachingAllocator::to_system(int c, void* data) {
  const size_t size = class_size(c);
  if (c < kMiddleClasses) {
    std::free(data);
  } else {
    munmap(data, size);
  }
  reserved_.fetch_sub(size, std::memory_order_relaxed);
}

// Gives cached blocks back until no more than `reserved_limit` bytes are held, or none is left to give.
// Locked.
void CachingAllocator::trim(size_t reserved_limit) {
  while (reserved_.load(std::memory_order_relaxed) > reserved_limit) {
    int oldest = -1;
    for (int c = kMiddleClasses; c < kClasses; ++c)
      if (!large_[c].empty() && (oldest < 0 || large_[c].front().freed_at < large_[oldest].front().freed_at))
        oldest = c;
    if (oldest < 0) break;
    to_system(oldest, large_[oldest].front().data);
    large_[oldest].erase(large_[oldest].begin());
  }
  for (int c = kMiddleClasses; c-- > 0;)
    while (middle_[c].head && reserved_.load(std::memory_order_relaxed) > reserved_limit)
      to_system(c, middle_[c].pop());
}

// The thread's list is empty: a few blocks from the shared list, or one from the system.
void* CachingAllocator::allocate_middle(int c) {
  ThreadLists& t = thread_lists;
  const size_t size = class_size(c);
  std::lock_guard lock(mutex_);
  if (middle_[c].head) {
    void* p = middle_[c].pop();
    if (t.state == ThreadState::kAlive) {
      for (size_t moved = size; moved + size <= (size_t{64} << 10) && middle_[c].head; moved += size) {
        t.lists[c].push(middle_[c].pop());
        t.bytes += size;
      }
    }
    return p;
  }
  if (void* p = from_system(c)) return p;
  trim(0);
  return from_system(c);
}

// A cached block of this class or, where none is there, of up to twice the size; else a new one.
void* CachingAllocator::allocate_large(int c) {
  std::lock_guard lock(mutex_);
  for (int from = c; from < kClasses && from <= c + 4; ++from) {
    if (large_[from].empty()) continue;
    void* p = large_[from].back().data;
    large_[from].pop_back();
    if (from != c) taken_from_[p] = from;
    return p;
  }
  const size_t size = class_size(c), bound = limit();
  if (reserved_.load(std::memory_order_relaxed) + size > bound) trim(bound > size ? bound - size : 0);
  if (void* p = from_system(c)) return p;
  trim(0);
  return from_system(c);
}

void* CachingAllocator::allocate(size_t bytes) {
  if (TAPIR_UNLIKELY(thread_lists.state == ThreadState::kNew)) register_thread();
  if constexpr (!kCaches) {
    void* p = nullptr;
    if (bytes > kLargest || posix_memalign(&p, 64, bytes)) out_of_memory(bytes);
    reserved_.fetch_add(bytes, std::memory_order_relaxed);
    system_allocations_.fetch_add(1, std::memory_order_relaxed);
    count(static_cast<int64_t>(bytes));
    return p;
  }
  if (TAPIR_UNLIKELY(bytes > kLargest)) out_of_memory(bytes);
  const int c = class_of(bytes);
  void* p;
  if (TAPIR_LIKELY(c < kMiddleClasses)) {
    ThreadLists& t = thread_lists;
    if (TAPIR_LIKELY(t.lists[c].head != nullptr)) {
      p = t.lists[c].pop();
      t.bytes -= class_size(c);
    } else {
      p = allocate_middle(c);
    }
  } else {
    p = allocate_large(c);
  }
  if (TAPIR_UNLIKELY(!p)) out_of_memory(bytes);
  count(static_cast<int64_t>(class_size(c)));
  return p;
}

// The thread's lists hold more than they may: half of the list that grew, at least one block, goes to the
// others.
void CachingAllocator::shrink_thread(ThreadLists& t, int c) {
  const size_t size = class_size(c);
  std::lock_guard lock(mutex_);
  for (uint32_t n = (t.lists[c].count + 1) / 2; n > 0; --n) {
    middle_[c].push(t.lists[c].pop());
    t.bytes -= size;
  }
  trim(limit());
}

void CachingAllocator::release_middle(int c, void* data) {
  ThreadLists& t = thread_lists;
  if (TAPIR_UNLIKELY(t.state != ThreadState::kAlive)) {
    if (t.state == ThreadState::kEnded) {
      std::lock_guard lock(mutex_);
      middle_[c].push(data);
      return;
    }
    register_thread();
  }
  t.lists[c].push(data);
  t.bytes += class_size(c);
  if (TAPIR_UNLIKELY(t.bytes > kThreadBytes)) shrink_thread(t, c);
}

void CachingAllocator::deallocate(void* data, size_t bytes) noexcept {
  if (!data) return;
  if constexpr (!kCaches) {
    count(-static_cast<int64_t>(bytes));
    reserved_.fetch_sub(bytes, std::memory_order_relaxed);
    std::free(data);
    return;
  }
  const int c = class_of(bytes);
  count(-static_cast<int64_t>(class_size(c)));
  if (TAPIR_LIKELY(c < kMiddleClasses)) return release_middle(c, data);
  std::lock_guard lock(mutex_);
  int from = c;
  if (!taken_from_.empty()) {
    if (const auto it = taken_from_.find(data); it != taken_from_.end()) {
      from = it->second;
      taken_from_.erase(it);
    }
  }
  large_[from].push_back({data, ++clock_});
  trim(limit());
}

void CachingAllocator::begin_thread(ThreadLists& t) {
  std::lock_guard lock(mutex_);
  t.state = ThreadState::kAlive;
  t.next = threads_;
  threads_ = &t;
}

void CachingAllocator::end_thread(ThreadLists& t) {
  t.state = ThreadState::kEnded;
  std::lock_guard lock(mutex_);
  ThreadLists** link = &threads_;
  while (*link != &t) link = &(*link)->next;
  *link = t.next;
  ended_allocations_ += t.allocations.load(std::memory_order_relaxed);
  allocated_.fetch_add(static_cast<size_t>(t.unfolded.exchange(0)), std::memory_order_relaxed);
  for (int c = 0; c < kMiddleClasses; ++c)
    while (t.lists[c].head) middle_[c].push(t.lists[c].pop());
  t.bytes = 0;
}

MemoryStats CachingAllocator::stats() const {
  MemoryStats s;
  s.allocated_bytes = allocated_.load(std::memory_order_relaxed);
  s.reserved_bytes = reserved_.load(std::memory_order_relaxed) + pool::reserved_bytes();
  {
    std::lock_guard lock(mutex_);
    s.allocations = ended_allocations_;
    for (const ThreadLists* t = threads_; t; t = t->next) {
      s.allocations += t->allocations.load(std::memory_order_relaxed);
      s.allocated_bytes += static_cast<size_t>(t->unfolded.load(std::memory_order_relaxed));
    }
  }
  s.peak_allocated_bytes = std::max(peak_.load(std::memory_order_relaxed), s.allocated_bytes);
  s.system_allocations = system_allocations_.load(std::memory_order_relaxed);
  return s;
}

void CachingAllocator::empty_cache() {
  ThreadLists& t = thread_lists;
  std::lock_guard lock(mutex_);
  for (int c = 0; c < kMiddleClasses; ++c) {
    while (t.lists[c].head) {
      t.bytes -= class_size(c);
      middle_[c].push(t.lists[c].pop());
    }
  }
  trim(0);
}

}  // namespace

Allocator& allocator() { return instance(); }

}  // namespace tapir::cpu
