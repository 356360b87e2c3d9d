#include "tapir/tensor/cpu/allocator.h"

#include <atomic>
#include <cstdlib>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/pool.h"

namespace tapir::cpu {

namespace {

class SystemAllocator final : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    const size_t size = (bytes + 63) / 64 * 64;
    void* p = std::aligned_alloc(64, size);
    if (!p)
      throw_error<OutOfMemoryError>("allocate: the system has no {} bytes; {} bytes are held by tensors",
                                    bytes, allocated_.load());
    const size_t now = allocated_.fetch_add(size, std::memory_order_relaxed) + size;
    size_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < now && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
    allocations_.fetch_add(1, std::memory_order_relaxed);
    return p;
  }
  void deallocate(void* data, size_t bytes) noexcept override {
    allocated_.fetch_sub((bytes + 63) / 64 * 64, std::memory_order_relaxed);
    std::free(data);
  }
  MemoryStats stats() const override {
    return {allocated_, peak_, allocated_ + pool::reserved_bytes(), allocations_, allocations_};
  }
  void empty_cache() override {}

 private:
  std::atomic<size_t> allocated_{0}, peak_{0};
  std::atomic<uint64_t> allocations_{0};
};

}  // namespace

Allocator& allocator() {
  alignas(SystemAllocator) static char storage[sizeof(SystemAllocator)];
  static Allocator* a = new (storage) SystemAllocator;  // never destroyed: static tensors may outlive it
  return *a;
}

}  // namespace tapir::cpu
