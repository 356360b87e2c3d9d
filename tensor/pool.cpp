#include "tapir/tensor/pool.h"

#include <cstdlib>
#include <mutex>
#include <new>

#include "tapir/tensor/ref.h"

namespace tapir::pool {

constinit thread_local FreeLists free_lists{};

namespace {

// What threads gave up: blocks of ended threads and of lists that overflowed. Never destroyed, since static
// destructors of the program may still free tensors.
struct Shared {
  std::mutex mutex;
  FreeBlock* head[kClasses] = {};
  size_t reserved = 0;
};
Shared& shared() {
  alignas(Shared) static char storage[sizeof(Shared)];
  static Shared* s = new (storage) Shared;
  return *s;
}

enum class ThreadState : uint8_t { kNew, kAlive, kEnded };
constinit thread_local ThreadState thread_state = ThreadState::kNew;

// Moves the thread's lists to the shared ones when it ends. Later frees of this thread find count == 0 and
// take the slow path, which sees kEnded.
struct Reaper {
  ~Reaper() {
    thread_state = ThreadState::kEnded;
    Shared& s = shared();
    std::lock_guard lock(s.mutex);
    for (size_t c = 0; c < kClasses; ++c) {
      while (FreeBlock* b = free_lists.head[c]) {
        free_lists.head[c] = b->next;
        b->next = s.head[c];
        s.head[c] = b;
      }
      free_lists.count[c] = 0;
    }
  }
};

void register_thread() {
  if (thread_state != ThreadState::kNew) return;
  thread_state = ThreadState::kAlive;
  static thread_local Reaper reaper;
  (void)reaper;
}

constexpr size_t kSlab = 32 * 1024;

}  // namespace

// Note [First free]: release() takes the slow path where the list's count is 0, so that a thread which has
// only ever freed blocks still registers its Reaper, and a thread that has ended never fills its lists again.
// count is kept one above the real length from the first slow path on, which makes the common test a single
// comparison.
namespace detail {

void* refill(size_t c) {
  tapir::detail::drain_refs();
  const size_t size = (c + 1) * kGranule;
#if defined(TAPIR_NO_POOL)
  if (void* p = std::aligned_alloc(kGranule, size)) return p;
  throw std::bad_alloc();
#else
  register_thread();
  FreeLists& lists = free_lists;
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  const bool ended = thread_state == ThreadState::kEnded;
  size_t want = ended ? 1 : kSlab / size;
  FreeBlock* got = nullptr;
  size_t n = 0;
  while (n < want && s.head[c]) {
    FreeBlock* b = s.head[c];
    s.head[c] = b->next;
    b->next = got;
    got = b;
    ++n;
  }
  if (!got) {
    auto* slab = static_cast<std::byte*>(std::aligned_alloc(kGranule, kSlab / size * size));
    if (!slab) throw std::bad_alloc();
    s.reserved += kSlab / size * size;
    for (size_t i = kSlab / size; i-- > 0;) {
      auto* b = reinterpret_cast<FreeBlock*>(slab + i * size);
      if (ended && i > 0) {
        b->next = s.head[c];
        s.head[c] = b;
      } else {
        b->next = got;
        got = b;
        ++n;
      }
    }
  }
  if (!ended) {
    lists.head[c] = got->next;
    lists.count[c] = static_cast<uint32_t>(n);  // n - 1 blocks, kept one above
  }
  return got;
#endif
}

void overflow(void* block, size_t c) {
#if defined(TAPIR_NO_POOL)
  (void)c;
  std::free(block);
#else
  register_thread();
  FreeLists& lists = free_lists;
  auto* b = static_cast<FreeBlock*>(block);
  if (thread_state == ThreadState::kAlive && lists.count[c] == 0) {
    b->next = lists.head[c];
    lists.head[c] = b;
    lists.count[c] = 2;
    return;
  }
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  b->next = s.head[c];
  s.head[c] = b;
  // Hand half of a full list over at once, so that the lock is taken once in many frees.
  if (thread_state == ThreadState::kAlive) {
    for (uint32_t i = 0; i < kMaxListed / 2 && lists.head[c]; ++i) {
      FreeBlock* moved = lists.head[c];
      lists.head[c] = moved->next;
      --lists.count[c];
      moved->next = s.head[c];
      s.head[c] = moved;
    }
  }
#endif
}

}  // namespace detail

size_t reserved_bytes() {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  return s.reserved;
}

}  // namespace tapir::pool
