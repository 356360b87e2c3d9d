#include "tapir/cuda/pointwise.cuh"

namespace tapir::cuda {
void pointwise_float(const PointwiseArgs& args) { run_row<float>(args); }
}  // namespace tapir::cuda
