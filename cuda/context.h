// Devices, streams and errors of CUDA. Private to cuda/.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

namespace tapir::cuda {

/// Throws DeviceError with the driver's words; `op` is what Tapir was doing.
void check(cudaError_t status, const char* op);
void check(cublasStatus_t status, const char* op);
/// After a kernel launch: throws if it could not start; with TAPIR_CUDA_SYNC=1 waits for it, so that its own
/// failure is the one reported.
void check_launch(const char* op);

/// Number of devices; 0 where there is no driver. Makes no context.
int visible_devices();
/// The current device of this thread.
int active_device();
/// `device`, or the current one for -1. Throws DeviceError where there is no such device.
int resolve(int device);

/// Makes a device current for a scope.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_;
};

/// The stream that this thread's work on the current device goes to.
cudaStream_t current_stream();
/// This thread's cuBLAS handle for the current device, set to the current stream.
cublasHandle_t cublas();

/// The device that owns `data`.
int device_of(const void* data);

}  // namespace tapir::cuda
