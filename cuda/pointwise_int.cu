#include "tapir/cuda/pointwise.cuh"

namespace tapir::cuda {
void pointwise_int(const PointwiseArgs& args) { run_row<functors::Int>(args); }
}  // namespace tapir::cuda
