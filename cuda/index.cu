// Rows and elements picked by index. The ops have checked every index. Where several values meet in one
// place, they do so in ascending order, so that results are the same from run to run: no atomics on them.
#include <cub/device/device_radix_sort.cuh>
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/cuda/scratch.h"
#include "tapir/tensor/error.h"
#include "tapir/tensor/scalar.h"

namespace tapir::cuda {

namespace {

template <class T>
__device__ __forceinline__ T add(T x, T y) {
  if constexpr (std::is_same_v<T, bool>)
    return x || y;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));  // wraps
  else if constexpr (std::is_floating_point_v<T>)
    return x + y;
  else
    return T(static_cast<float>(x) + static_cast<float>(y));
}

template <class T>
__device__ __forceinline__ T multiply(T x, T y) {
  if constexpr (std::is_same_v<T, bool>)
    return x && y;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));  // wraps
  else if constexpr (std::is_floating_point_v<T>)
    return x * y;
  else
    return T(static_cast<float>(x) * static_cast<float>(y));
}

template <class T>
__device__ __forceinline__ bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}

/// Blocks of kThreads threads over rows of `columns` elements: threads (x) stand along a row, as many as it
/// has use for, the others (y) take further rows.
struct RowGrid {
  dim3 blocks, threads;
  RowGrid(int64_t rows, int64_t columns) {
    unsigned x = 1;
    while (x < kThreads && x < columns) x *= 2;
    threads = dim3(x, kThreads / x);
    const int64_t down = (rows + threads.y - 1) / threads.y, across = (columns + x - 1) / x;
    blocks.x = static_cast<unsigned>(down < 65536 ? down : 65536);
    // Long rows are shared by several blocks where there are few of them.
    const int64_t most = 65536 / blocks.x;
    blocks.y = static_cast<unsigned>(across < most ? across : most);
    blocks.z = 1;
    if (blocks.y > 65535) blocks.y = 65535;
  }
};

/// f(row, column) for the part of (rows, columns) that a thread of a RowGrid has.
template <class F>
__device__ __forceinline__ void each_in_rows(int64_t rows, int64_t columns, F f) {
  const int64_t down = static_cast<int64_t>(gridDim.x) * blockDim.y;
  const int64_t across = static_cast<int64_t>(gridDim.y) * blockDim.x;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; r < rows; r += down)
    for (int64_t c = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; c < columns; c += across)
      f(r, c);
}

struct alignas(16) Word16 {
  uint64_t parts[2];
};

/// Calls f(Word(), words of a row) with the widest word that rows of `bytes` bytes at both places are made
/// of.
template <class F>
void visit_word(int64_t bytes, const void* a, const void* b, F f) {
  const uint64_t all =
      static_cast<uint64_t>(bytes) | reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b);
  if (all % 16 == 0) return f(Word16(), bytes / 16);
  if (all % 8 == 0) return f(uint64_t(), bytes / 8);
  if (all % 4 == 0) return f(uint32_t(), bytes / 4);
  if (all % 2 == 0) return f(uint16_t(), bytes / 2);
  f(uint8_t(), bytes);
}

template <class W>
__global__ void index_rows_kernel(const W* src, const int64_t* index, W* out, int64_t outer, int64_t count,
                                  int64_t n, int64_t words) {
  each_in_rows(outer * n, words, [=](int64_t t, int64_t w) {
    const int64_t o = outer == 1 ? 0 : t / n, i = t - o * n;
    out[t * words + w] = src[(o * count + index[i]) * words + w];
  });
}

/// last[p] = the last place i for which place(i) is p; last begins as -1.
template <class F>
__global__ void last_kernel(int64_t n, F place, long long* last) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step)
    atomicMax(last + place(i), static_cast<long long>(i));
}

struct PlaceOfRow {
  const int64_t* index;
  __device__ int64_t operator()(int64_t i) const { return index[i]; }
};

/// Where element t of (outer, n, inner) goes in (outer, count, inner).
struct PlaceOfElement {
  const int64_t* index;
  int64_t count, n, inner;
  __device__ int64_t operator()(int64_t t) const {
    const int64_t o = t / (n * inner), j = inner == 1 ? 0 : t % inner;
    return (o * count + index[t]) * inner + j;
  }
};

template <class W>
__global__ void put_rows_kernel(const W* src, const int64_t* index, const long long* last, W* dst,
                                int64_t outer, int64_t count, int64_t n, int64_t words) {
  each_in_rows(outer * n, words, [=](int64_t t, int64_t w) {
    const int64_t o = outer == 1 ? 0 : t / n, i = t - o * n, to = index[i];
    if (last[to] == i) dst[(o * count + to) * words + w] = src[t * words + w];
  });
}

template <class F>
__global__ void keys_kernel(int64_t n, F place, int64_t* keys, int64_t* order) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    keys[i] = place(i);
    order[i] = i;
  }
}

/// Places 0 to n - 1 of values in the order of the places where they go: those for one place stand together,
/// in ascending order. Takes 32 bytes of memory per value.
struct ByPlace {
  const int64_t* keys;  ///< where value order[i] goes
  const int64_t* order;
};
class PlaceSort {
 public:
  template <class F>
  PlaceSort(int device, int64_t n, int64_t places, F place, const char* op)
      : keys_(device, static_cast<size_t>(n) * 4 * sizeof(int64_t)) {
    int64_t* const keys = static_cast<int64_t*>(keys_.data());
    keys_kernel<<<blocks_for(n), kThreads, 0, current_stream()>>>(n, place, keys, keys + n);
    check_launch(op);
    int bits = 1;
    while (bits < 63 && (int64_t{1} << bits) < places) ++bits;
    size_t bytes = 0;
    const auto sort = [&](void* memory) {
      check(cub::DeviceRadixSort::SortPairs(memory, bytes, keys, keys + 2 * n, keys + n, keys + 3 * n, n, 0,
                                            bits, current_stream()),
            op);
    };
    sort(nullptr);
    Scratch memory(device, bytes);
    sort(memory.data());
    sorted_ = {keys + 2 * n, keys + 3 * n};
  }
  ByPlace sorted() const { return sorted_; }

 private:
  Scratch keys_;
  ByPlace sorted_;
};

template <class T>
struct SumType {
  using type = float;
};
template <>
struct SumType<double> {
  using type = double;
};
template <class T>
using sum_t = std::conditional_t<std::is_integral_v<T>, T, typename SumType<T>::type>;

/// The rows that go to one place are summed by one group of threads, one after the other: many rows for one
/// place take time in proportion. Half types are rounded once, at the end.
template <class T>
__global__ void add_rows_kernel(AddRowsArgs a, ByPlace by) {
  using A = sum_t<T>;
  const T* const src = static_cast<const T*>(a.src);
  const T* const factor = static_cast<const T*>(a.factor);
  each_in_rows(a.outer * a.n, a.row, [=](int64_t t, int64_t j) {
    const int64_t o = a.outer == 1 ? 0 : t / a.n, first = t - o * a.n, place = by.keys[first];
    if (place == a.skip || (first > 0 && by.keys[first - 1] == place)) return;
    T* const to = static_cast<T*>(a.dst) + (o * a.count + place) * a.row + j;
    A sum = static_cast<A>(*to);
    for (int64_t k = first; k < a.n && by.keys[k] == place; ++k) {
      const int64_t i = by.order[k], from = a.from ? a.from[i] : i;
      A x = static_cast<A>(src[(o * a.n + from) * a.row + j]);
      if (factor) x = multiply(x, static_cast<A>(factor[i]));
      sum = add(sum, x);
    }
    *to = static_cast<T>(sum);
  });
}

/// A warp for each product: its lanes take every 32nd element, and their sums meet in a fixed order.
template <class T>
__global__ void dot_rows_kernel(DotRowsArgs a) {
  using A = typename SumType<T>::type;
  const int lane = threadIdx.x % 32;
  const int64_t step = static_cast<int64_t>(gridDim.x) * (blockDim.x / 32);
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32; i < a.n;
       i += step) {
    const T* const x = static_cast<const T*>(a.a) + a.a_index[i] * a.row;
    const T* const y = static_cast<const T*>(a.b) + a.b_index[i] * a.row;
    A sum = 0;
    for (int64_t j = lane; j < a.row; j += 32) sum += static_cast<A>(x[j]) * static_cast<A>(y[j]);
    for (int width = 16; width > 0; width /= 2) sum += __shfl_down_sync(0xffffffffu, sum, width);
    if (lane == 0) static_cast<T*>(a.out)[i] = static_cast<T>(sum);
  }
}

template <class W>
__global__ void gather_kernel(const W* src, W* out, int64_t total, PlaceOfElement place) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step)
    out[t] = src[place(t)];
}

template <class T>
struct Scattered {
  const T* src;  ///< or null: `one`
  T one;
  __device__ T operator()(int64_t t) const { return src ? src[t] : one; }
};

template <ScatterMode kMode, class T>
__device__ __forceinline__ T meet(T old, T value) {
  if constexpr (kMode == ScatterMode::Set) return value;
  if constexpr (kMode == ScatterMode::Add) return add(old, value);
  if constexpr (kMode == ScatterMode::Multiply) return multiply(old, value);
  if constexpr (kMode == ScatterMode::Minimum) return value < old || is_nan(value) ? value : old;
  return value > old || is_nan(value) ? value : old;
}

/// A thread for each column, which walks its n values in order.
template <ScatterMode kMode, class T>
__global__ void scatter_columns_kernel(ScatterArgs a, Scattered<T> value) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x, columns = a.outer * a.inner;
  for (int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; c < columns; c += step) {
    const int64_t o = c / a.inner, j = c - o * a.inner;
    T* const dst = static_cast<T*>(a.dst) + o * a.count * a.inner + j;
    for (int64_t i = 0; i < a.n; ++i) {
      const int64_t t = (o * a.n + i) * a.inner + j;
      T& to = dst[a.index[t] * a.inner];
      to = meet<kMode>(to, value(t));
    }
  }
}

/// Values in the order of their places: a thread for each place, which walks what goes there.
template <ScatterMode kMode, class T>
__global__ void scatter_sorted_kernel(int64_t total, ByPlace by, T* dst, Scattered<T> value) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step) {
    const int64_t place = by.keys[t];
    if (t > 0 && by.keys[t - 1] == place) continue;
    T to = dst[place];
    for (int64_t k = t; k < total && by.keys[k] == place; ++k) to = meet<kMode>(to, value(by.order[k]));
    dst[place] = to;
  }
}

template <class T>
__global__ void scatter_last_kernel(int64_t total, PlaceOfElement place, const long long* last, T* dst,
                                    Scattered<T> value) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t t = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; t < total; t += step) {
    const int64_t to = place(t);
    if (last[to] == t) dst[to] = value(t);
  }
}

/// The table that last_kernel fills.
class LastOfEach {
 public:
  template <class F>
  LastOfEach(int device, int64_t n, int64_t places, F place, const char* op)
      : memory_(device, static_cast<size_t>(places) * sizeof(long long)) {
    check(cudaMemsetAsync(memory_.data(), 0xff, static_cast<size_t>(places) * sizeof(long long),
                          current_stream()),
          op);
    last_kernel<<<blocks_for(n), kThreads, 0, current_stream()>>>(n, place,
                                                                  static_cast<long long*>(memory_.data()));
    check_launch(op);
  }
  const long long* data() const { return static_cast<const long long*>(memory_.data()); }

 private:
  Scratch memory_;
};

template <ScatterMode kMode, class T>
void scatter_mode(const ScatterArgs& a, int device, Scattered<T> value) {
  const int64_t columns = a.outer * a.inner, total = columns * a.n;
  const PlaceOfElement place{a.index, a.count, a.n, a.inner};
  T* const dst = static_cast<T*>(a.dst);
  // Which way is taken depends on the sizes alone; all give the same result.
  if (a.n <= 32 || columns >= a.n) {
    scatter_columns_kernel<kMode><<<blocks_for(columns), kThreads, 0, current_stream()>>>(a, value);
  } else if constexpr (kMode == ScatterMode::Set) {
    const LastOfEach last(device, total, columns * a.count, place, "scatter");
    scatter_last_kernel<<<blocks_for(total), kThreads, 0, current_stream()>>>(total, place, last.data(), dst,
                                                                              value);
  } else {
    const PlaceSort sort(device, total, columns * a.count, place, "scatter");
    scatter_sorted_kernel<kMode>
        <<<blocks_for(total), kThreads, 0, current_stream()>>>(total, sort.sorted(), dst, value);
  }
  check_launch("scatter");
}

}  // namespace

void index_rows(const IndexRowsArgs& a) {
  const int64_t bytes = a.row * static_cast<int64_t>(a.item);
  if (a.outer * a.n == 0 || bytes == 0) return;
  DeviceGuard guard(device_of(a.out));
  visit_word(bytes, a.src, a.out, [&]<class W>(W, int64_t words) {
    const RowGrid grid(a.outer * a.n, words);
    index_rows_kernel<<<grid.blocks, grid.threads, 0, current_stream()>>>(
        static_cast<const W*>(a.src), a.index, static_cast<W*>(a.out), a.outer, a.count, a.n, words);
  });
  check_launch("index_select");
}

void put_rows(const PutRowsArgs& a) {
  const int64_t bytes = a.row * static_cast<int64_t>(a.item);
  if (a.outer * a.n == 0 || bytes == 0) return;
  const int device = device_of(a.dst);
  DeviceGuard guard(device);
  const LastOfEach last(device, a.n, a.count, PlaceOfRow{a.index}, "index_copy_");
  visit_word(bytes, a.src, a.dst, [&]<class W>(W, int64_t words) {
    const RowGrid grid(a.outer * a.n, words);
    put_rows_kernel<<<grid.blocks, grid.threads, 0, current_stream()>>>(static_cast<const W*>(a.src), a.index,
                                                                        last.data(), static_cast<W*>(a.dst),
                                                                        a.outer, a.count, a.n, words);
  });
  check_launch("index_copy_");
}

void add_rows(const AddRowsArgs& a) {
  if (a.outer * a.n * a.row == 0) return;
  const int device = device_of(a.dst);
  DeviceGuard guard(device);
  const PlaceSort sort(device, a.n, a.count, PlaceOfRow{a.index}, "index_add_");
  const RowGrid grid(a.outer * a.n, a.row);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    add_rows_kernel<typename Tag::type><<<grid.blocks, grid.threads, 0, current_stream()>>>(a, sort.sorted());
  });
  check_launch("index_add_");
}

void dot_rows(const DotRowsArgs& a) {
  if (a.n == 0) return;
  TAPIR_INTERNAL_CHECK(is_floating_point(a.dtype));
  DeviceGuard guard(device_of(a.out));
  const unsigned blocks = blocks_for(a.n < INT64_MAX / 32 ? a.n * 32 : a.n);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if constexpr (!std::is_integral_v<T>) dot_rows_kernel<T><<<blocks, kThreads, 0, current_stream()>>>(a);
  });
  check_launch("dot_rows");
}

void gather(const GatherArgs& a) {
  const int64_t total = a.outer * a.n * a.inner;
  if (total == 0) return;
  DeviceGuard guard(device_of(a.out));
  const PlaceOfElement place{a.index, a.count, a.n, a.inner};
  const auto run = [&]<class W>(W) {
    gather_kernel<<<blocks_for(total), kThreads, 0, current_stream()>>>(static_cast<const W*>(a.src),
                                                                        static_cast<W*>(a.out), total, place);
  };
  switch (item_size(a.dtype)) {
    case 1:
      run(uint8_t());
      break;
    case 2:
      run(uint16_t());
      break;
    case 4:
      run(uint32_t());
      break;
    default:
      run(uint64_t());
  }
  check_launch("gather");
}

void scatter(const ScatterArgs& a) {
  if (a.outer * a.n * a.inner == 0) return;
  const int device = device_of(a.dst);
  DeviceGuard guard(device);
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T one =
        is_floating_point(a.dtype) ? Scalar(a.value.real).cast<T>() : Scalar(a.value.integer).cast<T>();
    const Scattered<T> value{static_cast<const T*>(a.src), one};
    switch (a.mode) {
      case ScatterMode::Set:
        return scatter_mode<ScatterMode::Set>(a, device, value);
      case ScatterMode::Add:
        return scatter_mode<ScatterMode::Add>(a, device, value);
      case ScatterMode::Multiply:
        return scatter_mode<ScatterMode::Multiply>(a, device, value);
      case ScatterMode::Minimum:
        return scatter_mode<ScatterMode::Minimum>(a, device, value);
      case ScatterMode::Maximum:
        return scatter_mode<ScatterMode::Maximum>(a, device, value);
    }
  });
}

}  // namespace tapir::cuda
