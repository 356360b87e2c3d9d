// Ref, an intrusive reference-counted pointer, and the count that its targets carry.
//
// The count is biased towards the thread that made the object (Choi, Shull and Torrellas, "Biased reference
// counting", PACT 2018): that thread counts without atomic read-modify-writes, which would be most of the
// cost of a small op, and other threads count in a second, atomic word. See ref.cpp for how the two meet.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "tapir/tensor/macros.h"

namespace tapir {

namespace detail {
/// The calling thread's number as an owner: unique, never used again. 0 is no thread, 1 one that owns nothing
/// yet.
struct RefThread {
  uint32_t id = 1;
  std::atomic<bool> pending{false};  ///< other threads have given up objects of this thread: see drain_refs()
  uint32_t first_version = 0;  ///< the version of new storages; kept here since making one reads `id` anyway
};
extern TAPIR_API constinit thread_local RefThread ref_thread;
TAPIR_API uint32_t register_ref_thread();
/// Frees what other threads were the last to hold of this thread's objects. Called now and then by the
/// allocators.
TAPIR_API void drain_refs();
}  // namespace detail

/// The count inside an object held by Ref.
class RefCounted {
 public:
  using Destroy = void (*)(const RefCounted*);

  RefCounted() : owner_(detail::ref_thread.id), local_(1) {
    if (TAPIR_UNLIKELY(owner_.load(std::memory_order_relaxed) == 1))
      owner_.store(detail::register_ref_thread(), std::memory_order_relaxed);
  }
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  TAPIR_ALWAYS_INLINE void retain() const {
    if (TAPIR_LIKELY(owned_here()))
      local_.store(local_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    else
      shared_.fetch_add(kOne, std::memory_order_relaxed);
  }
  /// True where the caller held the last reference and must destroy the object. `destroy` is kept for the
  /// case that the owning thread must do it later.
  [[nodiscard]] TAPIR_ALWAYS_INLINE bool release(Destroy destroy) const {
    if (TAPIR_LIKELY(owned_here())) {
      const uint32_t left = local_.load(std::memory_order_relaxed) - 1;
      local_.store(left, std::memory_order_relaxed);
      if (TAPIR_LIKELY(left != 0)) return false;
      return TAPIR_LIKELY(shared_.load(std::memory_order_acquire) == 0) || give_up_ownership();
    }
    return release_shared(destroy);
  }
  /// Exact where no other thread is counting at the moment.
  uint32_t use_count() const {
    return local_.load(std::memory_order_relaxed) +
           static_cast<uint32_t>(shared_.load(std::memory_order_acquire) >> 2);
  }
  /// The count where the calling thread keeps it alone, else 0.
  uint32_t own_count() const {
    return owned_here() && shared_.load(std::memory_order_acquire) == 0
               ? local_.load(std::memory_order_relaxed)
               : 0;
  }
  /// True where the caller's is the only reference; may be false by mistake for an object of another thread.
  bool unique() const {
    const int32_t shared = shared_.load(std::memory_order_acquire);
    if (TAPIR_LIKELY(owned_here())) return local_.load(std::memory_order_relaxed) == 1 && shared == 0;
    return shared == (kOne | kMerged);
  }

 protected:
  bool owned_here() const { return owner_.load(std::memory_order_relaxed) == detail::ref_thread.id; }

 private:
  friend struct RefQueues;
  static constexpr int32_t kMerged = 1;  ///< there is no owner any more; the shared word counts all
  static constexpr int32_t kQueued = 2;  ///< waits in the owner's queue, which holds it until then
  static constexpr int32_t kOne = 4;

  TAPIR_API bool give_up_ownership() const;
  TAPIR_API bool release_shared(Destroy destroy) const;

  mutable std::atomic<uint32_t> owner_;  ///< 0 after the counts were merged
  mutable std::atomic<uint32_t> local_;  ///< the owner's count; written by the owner alone
  mutable std::atomic<int32_t> shared_{0};
};

/// Shared ownership of a T that derives from RefCounted and has `static void destroy(T*)`. A new object's
/// count of one is taken over by `Ref::adopt`.
template <class T>
class Ref {
 public:
  constexpr Ref() = default;
  constexpr Ref(std::nullptr_t) {}  // NOLINT
  static Ref adopt(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  static Ref share(T* p) {
    if (p) p->retain();
    return adopt(p);
  }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) p_->retain();
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  requires(std::is_convertible_v<U*, T*>) Ref(Ref<U> o) : p_(o.detach()) {}  // NOLINT
  Ref& operator=(const Ref& o) {
    Ref(o).swap(*this);
    return *this;
  }
  Ref& operator=(Ref&& o) noexcept {
    Ref(std::move(o)).swap(*this);
    return *this;
  }
  ~Ref() { reset(); }
  void swap(Ref& o) noexcept { std::swap(p_, o.p_); }
  TAPIR_ALWAYS_INLINE void reset() {
    if (T* p = std::exchange(p_, nullptr))
      if (p->release(destroy)) T::destroy(p);
  }
  /// Gives the reference up without releasing it.
  [[nodiscard]] T* detach() { return std::exchange(p_, nullptr); }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  static void destroy(const RefCounted* p) { T::destroy(static_cast<T*>(const_cast<RefCounted*>(p))); }
  T* p_ = nullptr;
};

}  // namespace tapir
