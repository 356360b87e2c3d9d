// Selection by radix: a block for each line narrows the (key, place) of what it looks for digit by digit,
// from the top, by the histogram of the digits of those that still come into question.
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"

namespace tapir::cuda {

namespace {

template <class T>
__device__ __forceinline__ bool is_number(T x) {
  if constexpr (std::is_integral_v<T>)
    return true;
  else
    return x == x;
}

template <class T>
constexpr int kKeyBits = sizeof(T) == 8 ? 64 : 32;

// No templates: nvcc stumbles over the builtin in one.
__device__ __forceinline__ uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
__device__ __forceinline__ uint64_t bits_of(double x) { return __builtin_bit_cast(uint64_t, x); }

/// An unsigned number whose order is that of the values; NaN gets the largest, both zeros the same.
template <class T>
__device__ __forceinline__ uint64_t key_of(T x) {
  if constexpr (std::is_same_v<T, double>) {
    if (x != x) return ~uint64_t{0};
    const uint64_t u = bits_of(x == 0 ? 0.0 : x);
    return u >> 63 ? ~u : u | uint64_t{1} << 63;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return static_cast<uint64_t>(x) ^ uint64_t { 1 } << 63;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<uint32_t>(static_cast<int32_t>(x)) ^ uint32_t { 1 } << 31;
  } else {
    const float f = static_cast<float>(x);
    if (f != f) return ~uint32_t{0};
    const uint32_t u = bits_of(f == 0 ? 0.0f : f);
    return u >> 31 ? ~u : u | uint32_t{1} << 31;
  }
}

using Count = unsigned long long;  // that atomics know

/// Which elements come into question: those with `prefix` as their number's bits from `bit` on.
struct Narrowed {
  uint64_t prefix = 0;
  int bit;
  __device__ bool has(uint64_t number) const { return bit >= 64 || number >> bit == prefix; }
};

/// Narrows to the digit that element k, counted from 0, has among the `n` numbers that number_at gives and
/// `in` has; k becomes its place among those with this digit. All threads of the block get the same.
template <class F>
__device__ __forceinline__ void narrow(int64_t n, F number_at, Narrowed& in, int64_t& k, Count* histogram) {
  constexpr int kDigit = 8;
  for (int d = static_cast<int>(threadIdx.x); d < 1 << kDigit; d += static_cast<int>(blockDim.x))
    histogram[d] = 0;
  __syncthreads();
  const int bit = in.bit - kDigit;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    uint64_t number;
    if (number_at(i, number) && in.has(number)) atomicAdd(histogram + (number >> bit & 255), Count{1});
  }
  __syncthreads();
  int digit = 0;
  while (digit < 255 && static_cast<Count>(k) >= histogram[digit])
    k -= static_cast<int64_t>(histogram[digit++]);
  in.prefix = in.prefix << kDigit | static_cast<uint64_t>(digit);
  in.bit = bit;
  __syncthreads();
}

template <class T>
__global__ void select_kernel(SelectArgs a) {
  __shared__ Count histogram[256];
  __shared__ Count numbers, first_nan;
  for (int64_t l = blockIdx.x; l < a.outer * a.inner; l += gridDim.x) {
    const int64_t o = l / a.inner;
    const T* const x = static_cast<const T*>(a.in) + o * a.n * a.inner + (l - o * a.inner);
    int64_t k = a.k, at = -1;
    if (!std::is_integral_v<T> && (a.nan_wins || a.skip_nan)) {
      if (threadIdx.x == 0) {
        numbers = 0;
        first_nan = static_cast<Count>(a.n);
      }
      __syncthreads();
      Count mine = 0, nan = static_cast<Count>(a.n);
      for (int64_t i = threadIdx.x; i < a.n; i += blockDim.x) {
        if (is_number(x[i * a.inner]))
          ++mine;
        else if (nan == static_cast<Count>(a.n))
          nan = static_cast<Count>(i);
      }
      atomicAdd(&numbers, mine);
      atomicMin(&first_nan, nan);
      __syncthreads();
      const auto count = static_cast<int64_t>(numbers), first = static_cast<int64_t>(first_nan);
      if ((a.nan_wins || count == 0) && first < a.n) at = first;
      if (a.skip_nan) k = count > 0 ? (count - 1) / 2 : 0;
      __syncthreads();
    }
    if (at < 0) {
      Narrowed key{0, kKeyBits<T>};
      const auto key_at = [&](int64_t i, uint64_t& number) {
        number = key_of(x[i * a.inner]);
        return true;
      };
      // Above the first digit every number is in: its key has no further bits.
      while (key.bit > 0) narrow(a.n, key_at, key, k, histogram);
      // Of those with this key, the one at place k.
      Narrowed place{0, 8};
      while (place.bit < 56 && (a.n - 1) >> place.bit) place.bit += 8;
      const auto place_at = [&](int64_t i, uint64_t& number) {
        number = static_cast<uint64_t>(i);
        return key_of(x[i * a.inner]) == key.prefix;
      };
      while (place.bit > 0) narrow(a.n, place_at, place, k, histogram);
      at = static_cast<int64_t>(place.prefix);
    }
    if (threadIdx.x == 0) {
      static_cast<T*>(a.values)[l] = x[at * a.inner];
      a.indices[l] = at;
    }
  }
}

}  // namespace

void select(const SelectArgs& a) {
  const int64_t lines = a.outer * a.inner;
  if (lines == 0 || a.n == 0) return;
  DeviceGuard guard(device_of(a.values));
  const auto threads = static_cast<unsigned>(a.n < 1024 ? (a.n + 31) / 32 * 32 : 1024);
  const auto blocks = static_cast<unsigned>(lines < 65536 ? lines : 65536);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    select_kernel<typename Tag::type><<<blocks, threads, 0, current_stream()>>>(a);
  });
  check_launch("kthvalue");
}

}  // namespace tapir::cuda
