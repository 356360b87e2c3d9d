// Looks a kernel up; private to the sources of ops.
#pragma once

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"

namespace tapir::raw {

/// The kernel of `device` at `entry` of the table. Throws DeviceError, naming `op`, where the device has
/// none.
template <class F>
F* require(F* KernelTable::*entry, Device device, const char* op) {
  F* kernel = kernels(device).*entry;
  TAPIR_CHECK_AS(DeviceError, kernel != nullptr,
                 "{}: not available on {}; move the tensors to the CPU with to(kCPU)", op, device);
  return kernel;
}

}  // namespace tapir::raw
