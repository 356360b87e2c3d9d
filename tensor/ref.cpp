#include "tapir/tensor/ref.h"

#include <mutex>
#include <unordered_map>
#include <vector>

// Note [Biased counts]
// An object has local_ + count(shared_) references. References move between threads, so a thread may release
// more than it retained: count(shared_) can be negative while local_ is positive, and only their sum says
// that the object is dead. Whoever makes the shared count negative therefore puts the object into its owner's
// queue (kQueued, in the same atomic step), and the owner, or, after its end, whoever comes, merges: adds
// local_ to the shared word and gives up ownership (kMerged). From then on the shared word alone counts. A
// queued object is destroyed by whoever takes it from the queue.
//
// The owner's own last release merges too. It needs no atomic step where the shared word is 0: then nobody
// else has a reference, and nobody can get one.

namespace tapir {

constinit thread_local detail::RefThread detail::ref_thread{};

struct RefQueues {
  struct Entry {
    const RefCounted* object;
    RefCounted::Destroy destroy;
  };
  struct Queue {
    std::vector<Entry> entries;
    std::atomic<bool>* pending;
  };
  std::mutex mutex;
  std::unordered_map<uint32_t, Queue> of_thread;  // threads that are alive
  uint32_t next_id = 2;

  static RefQueues& get() {
    static auto* queues = new RefQueues;  // never destroyed: static objects may hold tensors
    return *queues;
  }

  // Ends ownership and takes the object off the queue. Called by the owner, or after its end.
  static void settle(const Entry& e) {
    const RefCounted& o = *e.object;
    if (!(o.shared_.load(std::memory_order_acquire) & RefCounted::kMerged)) {
      const auto local = static_cast<int32_t>(o.local_.load(std::memory_order_relaxed));
      o.local_.store(0, std::memory_order_relaxed);
      o.owner_.store(0, std::memory_order_relaxed);
      o.shared_.fetch_add(local * RefCounted::kOne + RefCounted::kMerged, std::memory_order_acq_rel);
    }
    const int32_t before = o.shared_.fetch_and(~RefCounted::kQueued, std::memory_order_acq_rel);
    if (before >> 2 == 0) e.destroy(e.object);
  }

  void push(const Entry& e) {
    {
      std::lock_guard lock(mutex);
      const auto it = of_thread.find(e.object->owner_.load(std::memory_order_relaxed));
      if (it != of_thread.end()) {
        it->second.entries.push_back(e);
        it->second.pending->store(true, std::memory_order_relaxed);
        return;
      }
    }
    settle(e);  // the owner has ended, or has merged already
  }

  std::vector<Entry> take(uint32_t id, bool ending) {
    std::lock_guard lock(mutex);
    const auto it = of_thread.find(id);
    if (it == of_thread.end()) return {};
    std::vector<Entry> entries = std::move(it->second.entries);
    it->second.entries.clear();
    it->second.pending->store(false, std::memory_order_relaxed);
    if (ending) of_thread.erase(it);
    return entries;
  }
};

bool RefCounted::give_up_ownership() const {
  owner_.store(0, std::memory_order_relaxed);
  const int32_t before = shared_.fetch_or(kMerged, std::memory_order_acq_rel);
  return before >> 2 == 0 && !(before & kQueued);
}

bool RefCounted::release_shared(Destroy destroy) const {
  int32_t before = shared_.load(std::memory_order_relaxed), after;
  bool queue;
  do {
    after = before - kOne;
    queue = after < 0 && !(before & (kMerged | kQueued));
    if (queue) after |= kQueued;
  } while (
      !shared_.compare_exchange_weak(before, after, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (queue) {
    RefQueues::get().push({this, destroy});
    return false;
  }
  return after == kMerged;
}

namespace detail {

namespace {
// When a thread ends, its objects lose their owner.
struct Ender {
  uint32_t id;
  ~Ender() {
    const auto entries = RefQueues::get().take(id, true);
    ref_thread.id = 1;
    for (const auto& e : entries) RefQueues::settle(e);
  }
};
}  // namespace

uint32_t register_ref_thread() {
  static thread_local Ender ender{[] {
    RefQueues& queues = RefQueues::get();
    std::lock_guard lock(queues.mutex);
    const uint32_t id = queues.next_id++;
    queues.of_thread[id].pending = &ref_thread.pending;
    ref_thread.id = id;
    return id;
  }()};
  // Made after the thread's own objects have ended: by an owner that is not alive.
  return ref_thread.id == 1 ? UINT32_MAX : ref_thread.id;
}

void drain_refs() {
  if (!ref_thread.pending.load(std::memory_order_relaxed)) return;
  for (const auto& e : RefQueues::get().take(ref_thread.id, false)) RefQueues::settle(e);
}

}  // namespace detail
}  // namespace tapir
