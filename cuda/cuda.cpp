#include "tapir/cuda/cuda.h"

#include "tapir/tensor/cuda_seam.h"

namespace tapir::cuda {

int device_count() { return cuda_seam().device_count(); }
int current_device() { return cuda_seam().current_device(); }
void synchronize(int device) { cuda_seam().synchronize(device); }

}  // namespace tapir::cuda
