#include "tapir/tensor/allocator.h"

#include "tapir/tensor/cpu/allocator.h"
#include "tapir/tensor/cuda_seam.h"

namespace tapir {

Allocator& allocator(Device device) {
  return device.is_cpu() ? cpu::allocator() : cuda_seam().allocator(device.index());
}

MemoryStats memory_stats(Device device) { return allocator(device).stats(); }

void empty_cache(Device device) { allocator(device).empty_cache(); }

}  // namespace tapir
