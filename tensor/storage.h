// StorageImpl: a block of memory that tensors share, with its version counter.
#pragma once

#include <functional>

#include "tapir/tensor/allocator.h"
#include "tapir/tensor/pool.h"
#include "tapir/tensor/ref.h"

namespace tapir {

/// Memory shared by a tensor and its views. Small CPU blocks lie directly behind the header, in one pooled
/// block.
class TAPIR_API __attribute__((aligned(64))) StorageImpl final : public RefCounted {
 public:
  /// Largest block that lies behind its header.
  static constexpr size_t kInlineBytes = pool::kMaxBlock - 64;

  /// Uninitialised memory. Throws OutOfMemoryError, DeviceError.
  static Ref<StorageImpl> make(size_t bytes, Device device) {
    if (TAPIR_LIKELY(bytes <= kInlineBytes && device.is_cpu())) {
      void* block = pool::allocate(sizeof(StorageImpl) + bytes);
      return Ref<StorageImpl>::adopt(new (block) StorageImpl(bytes));
    }
    return make_large(bytes, device);
  }
  /// Memory of the caller's, given back through `deleter` (which may be empty) when the last user is gone.
  static Ref<StorageImpl> wrap(void* data, size_t bytes, Device device, std::function<void(void*)> deleter);

  std::byte* data() const { return data_; }
  size_t nbytes() const { return nbytes_; }
  Device device() const { return device_; }
  /// Counts in-place changes; autograd compares it with the count at the time a tensor was saved.
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  /// The version of what was made in inference mode (autograd/inference_mode.h), which counts no changes.
  static constexpr uint32_t kNoVersion = UINT32_MAX;
  bool is_inference() const { return version() == kNoVersion; }
  /// Throws AutogradError where `op` is about to change what was made in inference mode from outside of it.
  void check_changeable(const char* op) const {
    if (TAPIR_UNLIKELY(is_inference()) && detail::ref_thread.first_version != kNoVersion)
      inference_failure(op);
  }
  /// Counts a change made by `op`, a string literal that error messages name.
  void bump_version(const char* op) {
    if (TAPIR_UNLIKELY(is_inference())) return check_changeable(op);
    version_.store(version() + 1, std::memory_order_relaxed);
    last_change_.store(op, std::memory_order_relaxed);
  }
  /// Counts on from the count of the storage that this one replaces.
  void succeed(const StorageImpl& old, const char* op) {
    raise_version(old.version(), op);
    bump_version(op);
  }
  /// Makes the version at least `version`, so that what was saved before it counts as changed.
  void raise_version(uint32_t least, const char* op) {
    if (is_inference() || version() >= least) return;
    version_.store(least, std::memory_order_relaxed);
    last_change_.store(op, std::memory_order_relaxed);
  }
  /// The op that changed it last, or null.
  const char* last_change() const { return last_change_.load(std::memory_order_relaxed); }

  static void destroy(StorageImpl* s) {
    if (TAPIR_LIKELY(s->kind_ == Kind::kInline)) {
      pool::release(s, sizeof(StorageImpl) + s->nbytes_);
    } else {
      destroy_large(s);
    }
  }

 private:
  enum class Kind : uint8_t { kInline, kAllocator, kExternal };
  explicit StorageImpl(size_t bytes)
      : data_(reinterpret_cast<std::byte*>(this) + sizeof(StorageImpl)), nbytes_(bytes), device_(kCPU) {}
  static Ref<StorageImpl> make_large(size_t bytes, Device device);
  [[noreturn]] TAPIR_COLD static void inference_failure(const char* op);
  static void destroy_large(StorageImpl* s);

  std::byte* data_;
  size_t nbytes_;
  std::function<void(void*)>* deleter_ = nullptr;
  std::atomic<const char*> last_change_{nullptr};
  std::atomic<uint32_t> version_{detail::ref_thread.first_version};
  Device device_;
  Kind kind_ = Kind::kInline;
};
static_assert(sizeof(StorageImpl) == 64);

/// Memory as libtorch programs see it, without owning it. The context is what a deleter is called with: the
/// memory.
class DataPtr {
 public:
  DataPtr() = default;
  DataPtr(void* data, Device device) : data_(data), device_(device) {}
  void* get() const { return data_; }
  void* get_context() const { return data_; }
  Device device() const { return device_; }
  operator void*() const { return data_; }  // NOLINT

 private:
  void* data_ = nullptr;
  Device device_ = kCPU;
};

/// A tensor's storage as libtorch programs see it.
class Storage {
 public:
  Storage() = default;
  explicit Storage(Ref<StorageImpl> impl) : impl_(std::move(impl)) {}
  void* data() const { return impl_ ? impl_->data() : nullptr; }
  DataPtr data_ptr() const { return {data(), device()}; }
  size_t nbytes() const { return impl_ ? impl_->nbytes() : 0; }
  Device device() const { return impl_ ? impl_->device() : Device(kCPU); }
  bool is_alias_of(const Storage& other) const { return impl_ == other.impl_; }
  explicit operator bool() const { return static_cast<bool>(impl_); }

 private:
  Ref<StorageImpl> impl_;
};

}  // namespace tapir
