// The CUDA kernel table and the seam through which tensor/ sees it. Entries that are null are not there yet
// on CUDA.
#include "tapir/cuda/backend.h"
#include "tapir/cuda/context.h"
#include "tapir/tensor/cuda_seam.h"
#include "tapir/tensor/error.h"

namespace tapir {

namespace cuda {

void pointwise(const PointwiseArgs& args) {
  if (args.compute == kFloat32)
    pointwise_float(args);
  else if (args.compute == kFloat64)
    pointwise_double(args);
  else
    pointwise_int(args);
}

namespace {

// Stands in the table for what the CUDA backend does not hold yet.
template <class Args>
void lacking(const Args&) {
  throw DeviceError(
      "cuda: this op has no CUDA kernel yet (there are none for sorting, linear algebra, convolution, "
      "attention, "
      "CTC and grid sampling); move the tensors to the CPU with to(kCPU)");
}

constexpr KernelTable kTable = {
    .pointwise = pointwise,
    .copy = copy,
    .fill = fill,
    .reduce = reduce,
    .pointwise_sum = pointwise_sum,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .index_rows = index_rows,
    .add_rows = add_rows,
    .dot_rows = dot_rows,
    .put_rows = put_rows,
    .gather = gather,
    .scatter = scatter,
    .moments = moments,
    .scan = scan,
    .sort = lacking<SortArgs>,
    .select = select,
    .gemm = gemm,
    .lapack = lacking<LapackArgs>,
    .rnn_cell = rnn_cell,
    .rnn_cell_backward = rnn_cell_backward,
    .row_norm = row_norm,
    .row_norm_backward = row_norm_backward,
    .ctc = lacking<CtcArgs>,
    .ctc_backward = lacking<CtcBackwardArgs>,
    .attention = lacking<AttentionArgs>,
    .attention_backward = lacking<AttentionBackwardArgs>,
    .batch_norm = batch_norm,
    .batch_norm_backward = batch_norm_backward,
    .conv = lacking<ConvArgs>,
    .columns = columns,
    .banded = banded,
    .max_pool = max_pool,
    .grid_sample = lacking<GridSampleArgs>,
    .grid_sample_backward = lacking<GridSampleBackwardArgs>,
    .update = update,
    .read = read,
};

const KernelTable& kernels(int device) {
  resolve(device);
  return kTable;
}

// Between host and device the copy is done when this returns: the host's memory may be pageable and reused at
// once.
void copy_bytes(void* dst, Device dst_device, const void* src, Device src_device, size_t bytes) {
  DeviceGuard guard(resolve(dst_device.is_cuda() ? dst_device.index() : src_device.index()));
  check(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDefault, current_stream()), "copy_");
  if (dst_device.is_cpu() || src_device.is_cpu()) check(cudaStreamSynchronize(current_stream()), "copy_");
}

void synchronize(int device) {
  DeviceGuard guard(resolve(device));
  check(cudaDeviceSynchronize(), "synchronize");
}

}  // namespace
}  // namespace cuda

const CudaSeam& cuda_seam() {
  static constexpr CudaSeam seam = {
      .device_count = cuda::visible_devices,
      .current_device = cuda::active_device,
      .kernels = cuda::kernels,
      .allocator = cuda::allocator,
      .copy_bytes = cuda::copy_bytes,
      .synchronize = cuda::synchronize,
  };
  return seam;
}

}  // namespace tapir
