// The CUDA backend of a build without CUDA: no devices, and an error that says so.
#include "tapir/tensor/cuda_seam.h"
#include "tapir/tensor/error.h"

namespace tapir {

namespace {

[[noreturn]] TAPIR_COLD void unavailable() {
  throw DeviceError(
      "cuda: this build of Tapir is for the CPU only; build it with -DTAPIR_CUDA=ON, or keep tensors on "
      "kCPU");
}

}  // namespace

const CudaSeam& cuda_seam() {
  static constexpr CudaSeam seam = {
      .device_count = [] { return 0; },
      .current_device = []() -> int { unavailable(); },
      .kernels = [](int) -> const KernelTable& { unavailable(); },
      .allocator = [](int) -> Allocator& { unavailable(); },
      .copy_bytes = [](void*, Device, const void*, Device, size_t) { unavailable(); },
      .synchronize = [](int) { unavailable(); },
  };
  return seam;
}

}  // namespace tapir
