// What tensor/ asks of the CUDA backend. cuda/ defines it; in a build without CUDA, cuda/no_cuda.cpp does,
// where every function throws DeviceError. No symbol of the CUDA Toolkit appears here.
#pragma once

#include <cstddef>

#include "tapir/tensor/allocator.h"
#include "tapir/tensor/kernels.h"

namespace tapir {

struct CudaSeam {
  /// Number of devices; 0 without a driver or in a build without CUDA. Never throws, makes no context.
  int (*device_count)();
  int (*current_device)();
  const KernelTable& (*kernels)(int device);
  Allocator& (*allocator)(int device);
  /// Copies bytes between host and device or between devices, and waits until the source may be reused.
  void (*copy_bytes)(void* dst, Device dst_device, const void* src, Device src_device, size_t bytes);
  void (*synchronize)(int device);
};

TAPIR_API const CudaSeam& cuda_seam();

}  // namespace tapir
