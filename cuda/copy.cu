// Strided copies with casts, filling, and reading one element.
#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/tensor/scalar.h"

namespace tapir::cuda {

namespace {

// Integers go through int64 and floats through double, so that no value is lost on the way.
template <class T>
__global__ void copy_kernel(void* dst, DType dst_dtype, const void* src, DType src_dtype, int64_t n,
                            Space<2> space) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    int64_t at[2];
    space.offsets(i, at);
    store(dst, dst_dtype, at[0], load<T>(src, src_dtype, at[1]));
  }
}

template <class T>
__global__ void fill_kernel(void* data, DType dtype, int64_t n, T value) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step)
    store(data, dtype, i, value);
}

}  // namespace

void copy(const CopyArgs& args) {
  DeviceGuard guard(device_of(args.dst));
  const bool dense = args.ndim == 1 && args.dst_strides[0] == 1 && args.src_strides[0] == 1;
  if (dense && args.dst_dtype == args.src_dtype) {
    const size_t bytes = static_cast<size_t>(args.numel) * item_size(args.dst_dtype);
    return check(cudaMemcpyAsync(args.dst, args.src, bytes, cudaMemcpyDeviceToDevice, current_stream()),
                 "copy_");
  }
  Space<2> space;
  space.ndim = args.ndim;
  for (int d = 0; d < args.ndim; ++d) {
    space.sizes[d] = args.sizes[args.ndim - 1 - d];
    space.strides[0][d] = args.dst_strides[args.ndim - 1 - d];
    space.strides[1][d] = args.src_strides[args.ndim - 1 - d];
  }
  const unsigned blocks = blocks_for(args.numel);
  if (is_floating_point(args.src_dtype))
    copy_kernel<double><<<blocks, kThreads, 0, current_stream()>>>(args.dst, args.dst_dtype, args.src,
                                                                   args.src_dtype, args.numel, space);
  else
    copy_kernel<int64_t><<<blocks, kThreads, 0, current_stream()>>>(args.dst, args.dst_dtype, args.src,
                                                                    args.src_dtype, args.numel, space);
  check_launch("copy_");
}

void fill(void* data, DType dtype, int64_t n, KernelScalar value) {
  DeviceGuard guard(device_of(data));
  const unsigned blocks = blocks_for(n);
  if (is_floating_point(dtype) || dtype == kBool)
    fill_kernel<<<blocks, kThreads, 0, current_stream()>>>(data, dtype, n, value.real);
  else
    fill_kernel<<<blocks, kThreads, 0, current_stream()>>>(data, dtype, n, value.integer);
  check_launch("fill_");
}

KernelScalar read(const void* data, DType dtype) {
  DeviceGuard guard(device_of(data));
  alignas(8) std::byte bytes[8];
  check(cudaMemcpyAsync(bytes, data, item_size(dtype), cudaMemcpyDeviceToHost, current_stream()), "item");
  check(cudaStreamSynchronize(current_stream()), "item");
  return visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Scalar value(*reinterpret_cast<const T*>(bytes));
    return KernelScalar{value.to_double(), value.to_int64()};
  });
}

}  // namespace tapir::cuda
