// The columns of a convolution, and the sum of what columns say of its input: a thread for each element that
// is written. Half types are summed in float.
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/tensor/error.h"

namespace tapir::cuda {

namespace {

__device__ __forceinline__ int64_t volume_of(const int64_t* sizes) { return sizes[0] * sizes[1] * sizes[2]; }

/// The coordinates of element i of an array of the given sizes, of which it takes i out.
__device__ __forceinline__ void split(int64_t& i, const int64_t* sizes, int64_t* at) {
  for (int d = kMaxSpatial - 1; d >= 0; --d) {
    at[d] = i % sizes[d];
    i /= sizes[d];
  }
}

template <class T>
__global__ void to_columns_kernel(ConvArgs a, int64_t total) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step) {
    int64_t at = t, place[kMaxSpatial], k[kMaxSpatial];
    split(at, a.out, place);
    split(at, a.kernel, k);
    bool inside = true;  // `at` is the plane now
    for (int d = 0; d < kMaxSpatial; ++d) {
      const int64_t i = place[d] * a.stride[d] - a.padding[d] + k[d] * a.dilation[d];
      inside = inside && i >= 0 && i < a.in[d];
      at = at * a.in[d] + i;
    }
    static_cast<T*>(a.y)[t] = inside ? static_cast<const T*>(a.x)[at] : T(0.0f);
  }
}

/// An element sums what is said of it in the order of the kernel's places.
template <class T>
__global__ void from_columns_kernel(ConvArgs a, int64_t total) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x, places = volume_of(a.out);
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step) {
    int64_t plane = t, x[kMaxSpatial];
    split(plane, a.in, x);
    const T* const from = static_cast<const T*>(a.y) + plane * volume_of(a.kernel) * places;
    A sum = 0;
    int64_t k[kMaxSpatial] = {}, p[kMaxSpatial] = {};
    // Whether the window of some place has x at k[d], and which place that is.
    const auto meets = [&](int d) {
      const int64_t offset = x[d] + a.padding[d] - k[d] * a.dilation[d];
      p[d] = offset / a.stride[d];
      return offset >= 0 && p[d] * a.stride[d] == offset && p[d] < a.out[d];
    };
    for (k[0] = 0; k[0] < a.kernel[0]; ++k[0]) {
      if (!meets(0)) continue;
      for (k[1] = 0; k[1] < a.kernel[1]; ++k[1]) {
        if (!meets(1)) continue;
        for (k[2] = 0; k[2] < a.kernel[2]; ++k[2]) {
          if (!meets(2)) continue;
          const int64_t row = (k[0] * a.kernel[1] + k[1]) * a.kernel[2] + k[2];
          sum += static_cast<A>(from[row * places + (p[0] * a.out[1] + p[1]) * a.out[2] + p[2]]);
        }
      }
    }
    static_cast<T*>(a.x)[t] = static_cast<T>(sum);
  }
}

template <class T>
void run(const ConvArgs& a, int64_t total) {
  const unsigned blocks = blocks_for(total);
  if (a.op == Conv::Forward)
    to_columns_kernel<T><<<blocks, kThreads, 0, current_stream()>>>(a, total);
  else
    from_columns_kernel<T><<<blocks, kThreads, 0, current_stream()>>>(a, total);
}

}  // namespace

void columns(const ConvArgs& a) {
  TAPIR_INTERNAL_CHECK(is_floating_point(a.dtype));
  const bool forward = a.op == Conv::Forward;
  int64_t total = a.batch * a.in_channels;
  for (int d = 0; d < kMaxSpatial; ++d) total *= forward ? a.kernel[d] * a.out[d] : a.in[d];
  if (total == 0) return;
  DeviceGuard guard(device_of(forward ? a.y : a.x));
  if (a.dtype == kFloat32)
    run<float>(a, total);
  else if (a.dtype == kFloat64)
    run<double>(a, total);
  else if (a.dtype == kFloat16)
    run<Half>(a, total);
  else
    run<BFloat16>(a, total);
  check_launch(forward ? "unfold" : "fold");
}

}  // namespace tapir::cuda
