// Runs a body on every device that is there.
#pragma once

#include "support/catch.h"
#include "tapir/tapir.h"
#include "tapir/tensor/cuda_seam.h"

/// body(device) on the CPU, and on the first CUDA device where the library was built for one and it is there.
template <class F>
void for_each_device(const F& body) {
  body(tapir::Device(tapir::kCPU));
  if (tapir::cuda_seam().device_count() > 0) {
    INFO("on cuda:0");
    body(tapir::Device(tapir::kCUDA, 0));
  }
}
