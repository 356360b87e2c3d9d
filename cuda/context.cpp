#include "tapir/cuda/context.h"

#include <cstdlib>
#include <map>

#include "tapir/tensor/error_format.h"

namespace tapir::cuda {

void check(cudaError_t status, const char* op) {
  if (TAPIR_LIKELY(status == cudaSuccess)) return;
  cudaGetLastError();  // an error that is not sticky is ours now
  throw_error<DeviceError>("{}: CUDA says {} ({})", op, cudaGetErrorString(status), cudaGetErrorName(status));
}

void check(cublasStatus_t status, const char* op) {
  if (TAPIR_LIKELY(status == CUBLAS_STATUS_SUCCESS)) return;
  throw_error<DeviceError>("{}: cuBLAS says {}", op, cublasGetStatusString(status));
}

void check_launch(const char* op) {
  check(cudaGetLastError(), op);
  static const bool sync = [] {
    const char* value = std::getenv("TAPIR_CUDA_SYNC");
    return value && value[0] == '1';
  }();
  if (sync) check(cudaStreamSynchronize(current_stream()), op);
}

int visible_devices() {
  int n = 0;
  if (cudaGetDeviceCount(&n) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return n;
}

int active_device() {
  int device = 0;
  check(cudaGetDevice(&device), "active_device");
  return device;
}

int resolve(int device) {
  const int n = visible_devices();
  if (n == 0) throw DeviceError("cuda: no CUDA device was found; check the driver, or keep tensors on kCPU");
  if (device < 0) return active_device();
  TAPIR_CHECK_AS(DeviceError, device < n, "cuda: device {} does not exist; there are {}", device, n);
  return device;
}

DeviceGuard::DeviceGuard(int device) : before_(active_device()) {
  if (device != before_) check(cudaSetDevice(device), "set_device");
}
DeviceGuard::~DeviceGuard() { cudaSetDevice(before_); }

// The legacy default stream: ordered with all other work of the process on the device.
cudaStream_t current_stream() { return nullptr; }

cublasHandle_t cublas() {
  // Handles live until the thread ends. At the end of the process the driver may be gone already: what
  // destroying reports then does not matter.
  struct Handles {
    std::map<int, cublasHandle_t> of_device;
    ~Handles() {
      for (auto& [device, handle] : of_device) cublasDestroy(handle);
    }
  };
  static thread_local Handles handles;
  cublasHandle_t& handle = handles.of_device[active_device()];
  if (!handle) check(cublasCreate(&handle), "matmul");
  check(cublasSetStream(handle, current_stream()), "matmul");
  return handle;
}

int device_of(const void* data) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, data), "device_of");
  return attributes.device;
}

}  // namespace tapir::cuda
