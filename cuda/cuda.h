// CUDA devices, as a program sees them. Works in every build: without CUDA there are no devices.
#pragma once

#include "tapir/tensor/macros.h"

namespace tapir::cuda {

/// Number of CUDA devices that can be used; 0 in a build without CUDA or on a machine without a driver. Never
/// throws and makes no CUDA context.
TAPIR_API int device_count();
/// True where there is at least one.
inline bool is_available() { return device_count() > 0; }
/// The device that kCUDA without an index means on this thread. Throws DeviceError where there is none.
TAPIR_API int current_device();
/// Waits for all work on the device (-1: the current one). Throws DeviceError.
TAPIR_API void synchronize(int device = -1);

}  // namespace tapir::cuda
