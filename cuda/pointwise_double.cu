#include "tapir/cuda/pointwise.cuh"

namespace tapir::cuda {
void pointwise_double(const PointwiseArgs& args) { run_row<double>(args); }
}  // namespace tapir::cuda
