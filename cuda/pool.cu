// Max pooling, and products with banded matrices, of which average pooling and interpolation are made: a
// thread for each result. Half types are computed in float.
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/cuda/scratch.h"
#include "tapir/tensor/error.h"

namespace tapir::cuda {

namespace {

/// Arrays of 8-byte numbers on the host, which go to the device in one copy.
class Tables {
 public:
  /// Returns the place that at() takes.
  template <class T>
  size_t add(const T* array, int64_t n) {
    static_assert(sizeof(T) == sizeof(uint64_t));
    const size_t place = words_.size();
    words_.resize(place + static_cast<size_t>(n));
    if (n > 0) std::memcpy(words_.data() + place, array, static_cast<size_t>(n) * sizeof(T));
    return place;
  }
  /// From pageable memory: the driver has its own copy when this returns.
  void send(int device, const char* op) {
    const size_t bytes = words_.size() * sizeof(uint64_t);
    sent_.emplace(device, bytes);
    check(cudaMemcpyAsync(sent_->data(), words_.data(), bytes, cudaMemcpyHostToDevice, current_stream()), op);
  }
  template <class T>
  const T* at(size_t place) const {
    return static_cast<const T*>(sent_->data()) + place;
  }

 private:
  std::vector<uint64_t> words_;
  std::optional<Scratch> sent_;
};

/// The first of equal elements wins, and the last NaN.
template <class T>
__global__ void max_pool_kernel(MaxPoolArgs a) {
  const int64_t places = a.out[0] * a.out[1] * a.out[2], plane = a.in[0] * a.in[1] * a.in[2];
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < a.planes * places;
       t += step) {
    const int64_t n = t / places;
    int64_t rest = t - n * places, begin[kMaxSpatial], count[kMaxSpatial];
    for (int d = kMaxSpatial - 1; d >= 0; --d) {
      const int64_t p = rest % a.out[d];
      rest /= a.out[d];
      begin[d] = a.begin[d][(a.own_windows ? n * a.out[d] : 0) + p];
      count[d] = a.count[d][p];
    }
    const T* const x = static_cast<const T*>(a.x) + n * plane;
    int64_t best = (begin[0] * a.in[1] + begin[1]) * a.in[2] + begin[2];
    T largest = x[best];
    for (int64_t k0 = 0; k0 < count[0]; ++k0)
      for (int64_t k1 = 0; k1 < count[1]; ++k1) {
        int64_t i = ((begin[0] + k0 * a.step[0]) * a.in[1] + begin[1] + k1 * a.step[1]) * a.in[2] + begin[2];
        for (int64_t k2 = 0; k2 < count[2]; ++k2, i += a.step[2]) {
          const T v = x[i];
          if (!(v > largest) && v == v) continue;
          largest = v;
          best = i;
        }
      }
    static_cast<T*>(a.y)[t] = largest;
    a.indices[t] = best;
  }
}

template <class T>
__global__ void banded_kernel(BandedArgs a) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x, total = a.outer * a.out * a.inner;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step) {
    const int64_t row = t / a.inner, j = t - row * a.inner, o = row / a.out, p = row - o * a.out;
    const int64_t first = a.offset[p], count = a.offset[p + 1] - first;
    const T* const x = static_cast<const T*>(a.x) + (o * a.in + a.begin[p]) * a.inner + j;
    A sum = 0;
    for (int64_t k = 0; k < count; ++k)
      sum += static_cast<A>(a.weights[first + k]) * static_cast<A>(x[k * a.inner]);
    static_cast<T*>(a.y)[t] = static_cast<T>(sum);
  }
}

}  // namespace

void max_pool(const MaxPoolArgs& args) {
  const int64_t total = args.planes * args.out[0] * args.out[1] * args.out[2];
  if (total == 0) return;
  const int device = device_of(args.y);
  DeviceGuard guard(device);
  Tables tables;
  size_t begin[kMaxSpatial], count[kMaxSpatial];
  for (int d = 0; d < kMaxSpatial; ++d) {
    begin[d] = tables.add(args.begin[d], (args.own_windows ? args.planes : 1) * args.out[d]);
    count[d] = tables.add(args.count[d], args.out[d]);
  }
  tables.send(device, "max_pool");
  MaxPoolArgs a = args;
  for (int d = 0; d < kMaxSpatial; ++d) {
    a.begin[d] = tables.at<int64_t>(begin[d]);
    a.count[d] = tables.at<int64_t>(count[d]);
  }
  const unsigned blocks = blocks_for(total);
  if (a.dtype == kFloat32) {
    max_pool_kernel<float><<<blocks, kThreads, 0, current_stream()>>>(a);
  } else if (a.dtype == kFloat64) {
    max_pool_kernel<double><<<blocks, kThreads, 0, current_stream()>>>(a);
  } else if (a.dtype == kFloat16) {
    max_pool_kernel<Half><<<blocks, kThreads, 0, current_stream()>>>(a);
  } else if (a.dtype == kBFloat16) {
    max_pool_kernel<BFloat16><<<blocks, kThreads, 0, current_stream()>>>(a);
  } else {
    TAPIR_INTERNAL_CHECK(a.dtype == kInt64);
    max_pool_kernel<int64_t><<<blocks, kThreads, 0, current_stream()>>>(a);
  }
  check_launch("max_pool");
}

void banded(const BandedArgs& args) {
  const int64_t total = args.outer * args.out * args.inner;
  if (total == 0) return;
  TAPIR_INTERNAL_CHECK(is_floating_point(args.dtype));
  const int device = device_of(args.y);
  DeviceGuard guard(device);
  Tables tables;
  const size_t begin = tables.add(args.begin, args.out), offset = tables.add(args.offset, args.out + 1);
  const size_t weights = tables.add(args.weights, args.offset[args.out]);
  tables.send(device, "banded");
  BandedArgs a = args;
  a.begin = tables.at<int64_t>(begin);
  a.offset = tables.at<int64_t>(offset);
  a.weights = tables.at<double>(weights);
  const unsigned blocks = blocks_for(total);
  if (a.dtype == kFloat32)
    banded_kernel<float><<<blocks, kThreads, 0, current_stream()>>>(a);
  else if (a.dtype == kFloat64)
    banded_kernel<double><<<blocks, kThreads, 0, current_stream()>>>(a);
  else if (a.dtype == kFloat16)
    banded_kernel<Half><<<blocks, kThreads, 0, current_stream()>>>(a);
  else
    banded_kernel<BFloat16><<<blocks, kThreads, 0, current_stream()>>>(a);
  check_launch("banded");
}

}  // namespace tapir::cuda
