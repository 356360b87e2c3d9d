// Ref, an intrusive reference-counted pointer, and the count that its targets carry.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "tapir/tensor/macros.h"

namespace tapir {

/// The count inside an object held by Ref. A target class derives from it, and has `static void destroy(T*)`
/// or a virtual destructor and pooled operator delete.
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
  /// True where the caller held the last reference. The sole owner needs no atomic read-modify-write.
  [[nodiscard]] bool release() const {
    if (count_.load(std::memory_order_acquire) == 1) return true;
    return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  uint32_t use_count() const { return count_.load(std::memory_order_acquire); }
  bool unique() const { return use_count() == 1; }

 private:
  mutable std::atomic<uint32_t> count_{1};
};

/// Shared ownership of a T that derives from RefCounted. A new object's count of one is taken over by
/// `Ref::adopt`.
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
      if (p->release()) T::destroy(p);
  }
  /// Gives the reference up without releasing it.
  [[nodiscard]] T* detach() { return std::exchange(p_, nullptr); }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

 private:
  T* p_ = nullptr;
};

}  // namespace tapir
