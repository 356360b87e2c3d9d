// The CPU's kernel table, and the choice of a device's table and allocator.
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cuda_seam.h"

namespace tapir {

namespace {

constexpr PointwiseInfo kPointwiseInfo[] = {
#define TAPIR_UNARY(name, functor, dtypes) {#name, 1, PointwiseClass::dtypes},
#define TAPIR_PREDICATE(name, functor, dtypes) {#name, 1, PointwiseClass::dtypes},
#define TAPIR_BINARY(name, functor, dtypes) {#name, 2, PointwiseClass::dtypes},
#define TAPIR_KERNEL(name, functor, arity, dtypes) {#name, arity, PointwiseClass::dtypes},
#include "tapir/tensor/pointwise.def"
};

constexpr KernelTable kCpuKernels = {
    .pointwise = cpu::pointwise,
    .copy = cpu::copy,
    .fill = cpu::fill,
    .reduce = cpu::reduce,
    .softmax = cpu::softmax,
    .softmax_backward = cpu::softmax_backward,
    .cross_entropy = cpu::cross_entropy,
    .cross_entropy_backward = cpu::cross_entropy_backward,
    .index_rows = cpu::index_rows,
    .add_rows = cpu::add_rows,
    .put_rows = cpu::put_rows,
    .gather = cpu::gather,
    .scatter_add = cpu::scatter_add,
    .gemm = cpu::gemm,
    .lstm_cell = cpu::lstm_cell,
    .lstm_cell_backward = cpu::lstm_cell_backward,
    .sgd = cpu::sgd,
    .adam = cpu::adam,
    .read = cpu::read,
};

}  // namespace

const PointwiseInfo& pointwise_info(Pointwise op) { return kPointwiseInfo[static_cast<int>(op)]; }

const KernelTable& kernels(Device device) {
  if (TAPIR_LIKELY(device.is_cpu())) return kCpuKernels;
  return cuda_seam().kernels(device.index());
}

}  // namespace tapir
