// The allocator of a CUDA device: the driver's stream-ordered memory pool, which keeps freed blocks for the
// next request in stream order. Freeing does not wait for the device, and a block is reused only after the
// work that was in its stream when it was freed.
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/context.h"
#include "tapir/tensor/error_format.h"

namespace tapir::cuda {

namespace {

class PoolAllocator final : public Allocator {
 public:
  explicit PoolAllocator(int device) : device_(device) {
    check(cudaDeviceGetDefaultMemPool(&pool_, device), "allocator");
    uint64_t keep = UINT64_MAX;  // give nothing back before empty_cache()
    check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep), "allocator");
  }

  void* allocate(size_t bytes) override {
    DeviceGuard guard(device_);
    void* data = nullptr;
    cudaError_t status = cudaMallocAsync(&data, bytes, current_stream());
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      check(cudaStreamSynchronize(current_stream()), "allocate");
      empty_cache();
      status = cudaMallocAsync(&data, bytes, current_stream());
    }
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      const MemoryStats s = stats();
      throw_error<OutOfMemoryError>(
          "cuda:{}: out of memory: {} bytes were asked for, {} are in use by tensors and {} reserved; free "
          "tensors or "
          "use smaller ones",
          device_, bytes, s.allocated_bytes, s.reserved_bytes);
    }
    check(status, "allocate");
    allocations_.fetch_add(1, std::memory_order_relaxed);
    return data;
  }

  void deallocate(void* data, size_t) noexcept override {
    // At the end of the process the driver may be shutting down; the memory goes with it.
    int before = 0;
    if (cudaGetDevice(&before) != cudaSuccess || cudaSetDevice(device_) != cudaSuccess) return;
    cudaFreeAsync(data, current_stream());
    cudaSetDevice(before);
  }

  MemoryStats stats() const override {
    MemoryStats s;
    s.allocated_bytes = attribute(cudaMemPoolAttrUsedMemCurrent);
    s.peak_allocated_bytes = attribute(cudaMemPoolAttrUsedMemHigh);
    s.reserved_bytes = attribute(cudaMemPoolAttrReservedMemCurrent);
    s.allocations = allocations_.load(std::memory_order_relaxed);
    return s;
  }

  void empty_cache() override { check(cudaMemPoolTrimTo(pool_, 0), "empty_cache"); }

 private:
  size_t attribute(cudaMemPoolAttr which) const {
    uint64_t value = 0;
    check(cudaMemPoolGetAttribute(pool_, which, &value), "memory_stats");
    return value;
  }

  int device_;
  cudaMemPool_t pool_ = nullptr;
  std::atomic<uint64_t> allocations_{0};
};

}  // namespace

Allocator& allocator(int device) {
  // Never destroyed: tensors in static storage may be freed after static destructors have run.
  static std::mutex mutex;
  static auto& allocators = *new std::vector<std::unique_ptr<PoolAllocator>>;
  device = resolve(device);
  std::lock_guard lock(mutex);
  if (allocators.empty()) allocators.resize(static_cast<size_t>(visible_devices()));
  auto& a = allocators[static_cast<size_t>(device)];
  if (!a) a = std::make_unique<PoolAllocator>(device);
  return *a;
}

}  // namespace tapir::cuda
