// Running sums, products and extremes. Floats are summed in double, half types in float. Partial results meet
// in an order that depends on the sizes alone.
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"

namespace tapir::cuda {

namespace {

template <class T>
__device__ __forceinline__ bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}

template <class T>
using wide_t =
    std::conditional_t<std::is_integral_v<T>, int64_t, std::conditional_t<sizeof(T) == 2, float, double>>;

__device__ __forceinline__ float log_one_plus_exp(float x) { return ::log1pf(::expf(x)); }
__device__ __forceinline__ double log_one_plus_exp(double x) { return ::log1p(::exp(x)); }

/// What Sum, Prod and LogSumExp keep of the elements so far: a number.
template <Scan kOp, class T>
struct Accumulate {
  using State = wide_t<T>;
  static __device__ __forceinline__ State of(T x, int64_t) { return static_cast<State>(x); }
  static __device__ __forceinline__ State join(State x, State y) {
    if constexpr (kOp == Scan::LogSumExp) {
      if (is_nan(x) || is_nan(y)) return x + y;
      const State low = x < y ? x : y, high = x < y ? y : x;
      return low == high && is_nan(low - high) ? x  // both infinite, of one sign
                                               : log_one_plus_exp(low - high) + high;
    } else if constexpr (std::is_integral_v<T>) {  // wraps
      const auto a = static_cast<uint64_t>(x), b = static_cast<uint64_t>(y);
      return static_cast<int64_t>(kOp == Scan::Sum ? a + b : a * b);
    } else {
      return kOp == Scan::Sum ? x + y : x * y;
    }
  }
  static __device__ __forceinline__ State from_lane(State x, int lane_below) {
    return __shfl_up_sync(0xffffffffu, x, static_cast<unsigned>(lane_below));
  }
  static __device__ __forceinline__ void put(const ScanArgs& a, int64_t at, State x) {
    if constexpr (std::is_same_v<T, bool>)
      static_cast<T*>(a.out)[at] = x != 0;
    else
      static_cast<T*>(a.out)[at] = static_cast<T>(x);
  }
};

/// What Max and Min keep: the value and the last place that holds it; NaN wins.
template <Scan kOp, class T>
struct Extreme {
  struct State {
    T value;
    int64_t place;
  };
  static __device__ __forceinline__ State of(T x, int64_t i) { return {x, i}; }
  static __device__ __forceinline__ State join(State x, State y) {
    const bool later =
        is_nan(y.value) || (!is_nan(x.value) && (kOp == Scan::Min ? y.value <= x.value : y.value >= x.value));
    return later ? y : x;
  }
  static __device__ __forceinline__ State from_lane(State x, int lane_below) {
    const auto below = static_cast<unsigned>(lane_below);
    T value;
    if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>)
      value.bits = static_cast<uint16_t>(__shfl_up_sync(0xffffffffu, static_cast<int>(x.value.bits), below));
    else if constexpr (std::is_floating_point_v<T>)
      value = __shfl_up_sync(0xffffffffu, x.value, below);
    else
      value = static_cast<T>(__shfl_up_sync(0xffffffffu, static_cast<int64_t>(x.value), below));
    return {value, __shfl_up_sync(0xffffffffu, x.place, below)};
  }
  static __device__ __forceinline__ void put(const ScanArgs& a, int64_t at, State x) {
    static_cast<T*>(a.out)[at] = x.value;
    a.indices[at] = x.place;
  }
};

/// A thread for each line, which walks it.
template <class S, class T>
__global__ void scan_lines_kernel(ScanArgs a) {
  const T* const in = static_cast<const T*>(a.in);
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x, lines = a.outer * a.inner;
  for (int64_t l = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; l < lines; l += step) {
    const int64_t o = l / a.inner;
    int64_t at = o * a.n * a.inner + (l - o * a.inner);
    typename S::State running = S::of(in[at], 0);
    S::put(a, at, running);
    for (int64_t i = 1; i < a.n; ++i) {
      at += a.inner;
      running = S::join(running, S::of(in[at], i));
      S::put(a, at, running);
    }
  }
}

/// A block for each line, which takes a tile of as many elements as it has threads at a time: a line takes
/// time in proportion to its tiles. Products and sums of parts may overflow where the running one does not.
/// What lanes past the end hold is joined into other such lanes alone.
template <class S, class T>
__global__ void scan_tiles_kernel(ScanArgs a) {
  using State = typename S::State;
  __shared__ State totals[32];  // of the warps
  const T* const in = static_cast<const T*>(a.in);
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  for (int64_t l = blockIdx.x; l < a.outer * a.inner; l += gridDim.x) {
    const int64_t o = l / a.inner, first = o * a.n * a.inner + (l - o * a.inner);
    State before{};  // of the tiles so far
    for (int64_t begin = 0; begin < a.n; begin += blockDim.x) {
      const int64_t i = begin + threadIdx.x, at = first + i * a.inner;
      State x = i < a.n ? S::of(in[at], i) : State{};
      for (int below = 1; below < 32; below *= 2) {
        const State y = S::from_lane(x, below);
        if (lane >= below) x = S::join(y, x);
      }
      if (lane == 31) totals[warp] = x;
      __syncthreads();
      // All threads join the warps' totals in the same order. A warp with a thread past the end is the last
      // that matters.
      State sum = before;
      bool any = begin > 0;
      for (int w = 0; w < warps; ++w) {
        if (w == warp && any) x = S::join(sum, x);
        sum = any ? S::join(sum, totals[w]) : totals[w];
        any = true;
      }
      before = sum;
      if (i < a.n) S::put(a, at, x);
      __syncthreads();
    }
  }
}

template <class S, class T>
void launch(const ScanArgs& a) {
  const int64_t lines = a.outer * a.inner;
  if (a.n <= 32 || (a.inner > 1 && lines >= a.n)) {
    scan_lines_kernel<S, T><<<blocks_for(lines), kThreads, 0, current_stream()>>>(a);
  } else {
    const auto threads = static_cast<unsigned>(a.n < 1024 ? (a.n + 31) / 32 * 32 : 1024);
    const auto blocks = static_cast<unsigned>(lines < 65536 ? lines : 65536);
    scan_tiles_kernel<S, T><<<blocks, threads, 0, current_stream()>>>(a);
  }
  check_launch("scan");
}

}  // namespace

void scan(const ScanArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  DeviceGuard guard(device_of(a.out));
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    switch (a.op) {
      case Scan::Sum:
        return launch<Accumulate<Scan::Sum, T>, T>(a);
      case Scan::Prod:
        return launch<Accumulate<Scan::Prod, T>, T>(a);
      case Scan::Max:
        return launch<Extreme<Scan::Max, T>, T>(a);
      case Scan::Min:
        return launch<Extreme<Scan::Min, T>, T>(a);
      case Scan::LogSumExp:
        if constexpr (!std::is_integral_v<T>) launch<Accumulate<Scan::LogSumExp, T>, T>(a);
        return;
    }
  });
}

}  // namespace tapir::cuda
