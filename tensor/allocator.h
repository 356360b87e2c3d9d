// The interface of both devices' allocators, and their statistics.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tapir/tensor/device.h"

namespace tapir {

/// Bytes and counts since the start of the program. Blocks come in size classes: "allocated" counts whole
/// blocks.
struct MemoryStats {
  size_t allocated_bytes = 0;       ///< held by storages now
  size_t peak_allocated_bytes = 0;  ///< the most that was held
  size_t reserved_bytes = 0;        ///< taken from the system, in use or cached
  uint64_t allocations = 0;         ///< requests served
  uint64_t system_allocations = 0;  ///< requests that went to the system
};

/// Gives out memory of one device and keeps what is freed for the next request.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// At least `bytes` bytes, aligned to 64 (CPU) or 256 (CUDA). Throws OutOfMemoryError.
  virtual void* allocate(size_t bytes) = 0;
  /// `bytes` as given to allocate.
  virtual void deallocate(void* data, size_t bytes) noexcept = 0;
  virtual MemoryStats stats() const = 0;
  /// Returns cached blocks to the system.
  virtual void empty_cache() = 0;
};

/// The CPU's allocator, or that of a CUDA device. Throws DeviceError where there is no such device.
TAPIR_API Allocator& allocator(Device device);

/// Of blocks over 1 KiB; smaller tensors live in per-thread pools (see pool.h), which count as reserved only.
TAPIR_API MemoryStats memory_stats(Device device = kCPU);
TAPIR_API void empty_cache(Device device = kCPU);

}  // namespace tapir
