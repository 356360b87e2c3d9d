// Rows and elements picked by index. The ops have checked every index.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/scalar.h"
#include "tapir/tensor/storage.h"

namespace tapir::cpu {
namespace {

constexpr int64_t kGrainBytes = 65536;  // memory moved below which a second thread does not pay
constexpr int64_t kGrain = 16384;       // the same in elements

template <class T>
void add(T& to, T value) {
  if constexpr (std::is_same_v<T, bool>)
    to = to || value;
  else if constexpr (std::is_integral_v<T>)
    to = static_cast<T>(static_cast<uint64_t>(to) + static_cast<uint64_t>(value));  // wraps
  else if constexpr (std::is_floating_point_v<T>)
    to += value;
  else
    to = T(static_cast<float>(to) + static_cast<float>(value));
}

template <class T>
void multiply(T& to, T value) {
  if constexpr (std::is_same_v<T, bool>)
    to = to && value;
  else if constexpr (std::is_integral_v<T>)
    to = static_cast<T>(static_cast<uint64_t>(to) * static_cast<uint64_t>(value));  // wraps
  else if constexpr (std::is_floating_point_v<T>)
    to *= value;
  else
    to = T(static_cast<float>(to) * static_cast<float>(value));
}

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}

/// Rows of one element of kItem bytes.
template <size_t kItem>
void pick(const std::byte* src, const int64_t* index, std::byte* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) std::memcpy(out + i * kItem, src + index[i] * kItem, kItem);
}

/// Calls f(o, first column, last column) for parts of the rows, so that threads share no element and each
/// element sees the rows in ascending order.
template <class F>
void each_part_of_rows(int64_t outer, int64_t n, int64_t row, F f) {
  constexpr int64_t kWidth = 256;
  const int64_t blocks = (row + kWidth - 1) / kWidth;
  const int64_t work = std::max<int64_t>(1, n * std::min(row, kWidth));
  parallel_for(0, outer * blocks, std::max<int64_t>(1, kGrain / work), [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi;) {
      const int64_t o = t / blocks, first = t % blocks, last = std::min(blocks, first + hi - t);
      f(o, first * kWidth, std::min(row, last * kWidth));
      t += last - first;
    }
  });
}

/// to[j] += from[j] * factor, without the product where kFactor is false. In blocks of a fixed length, which
/// the compiler turns into vectors.
template <bool kFactor, class T>
void add_row(T* __restrict to, const T* __restrict from, T factor, int64_t n) {
  const auto one = [factor](T& sum, T x) {
    if constexpr (kFactor) multiply(x, factor);
    add(sum, x);
  };
  int64_t j = 0;
  for (; j + 16 <= n; j += 16)
    for (int64_t l = 0; l < 16; ++l) one(to[j + l], from[j + l]);
  for (; j < n; ++j) one(to[j], from[j]);
}

/// Columns [begin, end) of those rows of AddRows that go to places [low, high).
template <class T>
void add_rows_part(const AddRowsArgs& a, int64_t o, int64_t begin, int64_t end, int64_t low, int64_t high) {
  T* const dst = static_cast<T*>(a.dst) + o * a.count * a.row;
  const T* const src = static_cast<const T*>(a.src) + o * a.n * a.row;
  const T* const factor = static_cast<const T*>(a.factor);
  for (int64_t i = 0; i < a.n; ++i) {
    const int64_t place = a.index[i];
    if (place == a.skip || place < low || place >= high) continue;
    T* const to = dst + place * a.row + begin;
    const T* const from = src + (a.from ? a.from[i] : i) * a.row + begin;
    if (factor)
      add_row<true>(to, from, factor[i], end - begin);
    else
      add_row<false>(to, from, T(), end - begin);
  }
}

template <class T>
void add_rows_in(const AddRowsArgs& a) {
  // Threads take different columns, or, of short rows, different places: each place sees its rows in order.
  constexpr int64_t kShort = 256;
  if (a.outer > 1 || a.row > kShort)
    return each_part_of_rows(a.outer, a.n, a.row, [&](int64_t o, int64_t begin, int64_t end) {
      add_rows_part<T>(a, o, begin, end, 0, a.count);
    });
  const int64_t parts = std::min<int64_t>({get_num_threads(), a.count, a.n * a.row / kGrain + 1});
  parallel_for(0, parts, 1, [&](int64_t lo, int64_t hi) {
    const int64_t low = a.count * lo / parts, high = a.count * hi / parts;
    if (std::is_floating_point_v<T> && a.from)
      add_picked_rows(a, low, high);
    else
      add_rows_part<T>(a, 0, 0, a.row, low, high);
  });
}

template <class T>
void dot_rows_in(const DotRowsArgs& a) {
  using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;
  parallel_for(0, a.n, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, a.row)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t i = lo; i < hi; ++i) {
                   const T* const x = static_cast<const T*>(a.a) + a.a_index[i] * a.row;
                   const T* const y = static_cast<const T*>(a.b) + a.b_index[i] * a.row;
                   Sum lanes[16] = {};
                   int64_t j = 0;
                   for (; j + 16 <= a.row; j += 16)
                     for (int64_t l = 0; l < 16; ++l)
                       lanes[l] += static_cast<Sum>(x[j + l]) * static_cast<Sum>(y[j + l]);
                   for (; j < a.row; ++j) lanes[j % 16] += static_cast<Sum>(x[j]) * static_cast<Sum>(y[j]);
                   for (int width = 8; width > 0; width /= 2)
                     for (int l = 0; l < width; ++l) lanes[l] += lanes[l + width];
                   static_cast<T*>(a.out)[i] = T(lanes[0]);
                 }
               });
}

/// Calls f(position in index, position in the array that it points into) for the rows [lo, hi) of a gather or
/// scatter, of `inner` elements each.
template <class Args, class F>
void each_gathered(const Args& a, int64_t lo, int64_t hi, F f) {
  for (int64_t t = lo; t < hi;) {  // the rows of one outer part after another
    const int64_t o = t / a.n, end = std::min(hi, (o + 1) * a.n), base = o * a.count * a.inner;
    if (a.inner == 1) {
      for (; t < end; ++t) f(t, base + a.index[t]);
      continue;
    }
    for (; t < end; ++t) {
      const int64_t row = t * a.inner;
      for (int64_t j = 0; j < a.inner; ++j) f(row + j, base + a.index[row + j] * a.inner + j);
    }
  }
}

/// The same for all rows of a scatter, on several threads: each place sees its values in ascending i.
template <class F>
void each_scattered(const ScatterArgs& a, F f) {
  constexpr int64_t kWidth = 512;
  if (a.inner == 1)
    return parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, a.n)),
                        [&](int64_t lo, int64_t hi) { each_gathered(a, lo * a.n, hi * a.n, f); });
  // Threads take different columns.
  const int64_t blocks = (a.inner + kWidth - 1) / kWidth, work = a.n * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t o = t / blocks, begin = (t % blocks) * kWidth;
                   const int64_t end = std::min(a.inner, begin + kWidth), base = o * a.count * a.inner;
                   for (int64_t i = 0; i < a.n; ++i) {
                     const int64_t row = (o * a.n + i) * a.inner;
                     for (int64_t j = begin; j < end; ++j) f(row + j, base + a.index[row + j] * a.inner + j);
                   }
                 }
               });
}

/// Parts that many values added into one array are cut into. It depends on the sizes alone, so that results
/// do not depend on the number of threads; each part but the first costs a pass over an array like dst.
int64_t parts_of_scatter(const ScatterArgs& a) {
  constexpr int64_t kMany = 1 << 17, kMost = 8;
  if (a.mode != ScatterMode::Add || a.outer != 1 || a.inner != 1 || a.n < kMany) return 1;
  return std::clamp<int64_t>(2 * a.n / std::max<int64_t>(1, a.count), 1, kMost);
}

/// Adds the parts at the same time, the first into dst, each other one into zeros that dst gets at the end.
template <class T>
void scatter_add_parts(const ScatterArgs& a, int64_t parts, T one) {
  T* const dst = static_cast<T*>(a.dst);
  const T* const src = static_cast<const T*>(a.src);
  const auto memory = StorageImpl::make(static_cast<size_t>((parts - 1) * a.count) * sizeof(T), kCPU);
  T* const sums = reinterpret_cast<T*>(memory->data());
  const T zero = std::is_integral_v<T> ? T(0) : T(-0.F);  // x + -0 is x, for -0 too
  parallel_for(
      0, parts, 1,
      [&](int64_t lo, int64_t hi) {
        for (int64_t p = lo; p < hi; ++p) {
          T* const to = p == 0 ? dst : sums + (p - 1) * a.count;
          if (p > 0) std::fill_n(to, a.count, zero);
          const int64_t begin = a.n * p / parts, end = a.n * (p + 1) / parts;
          if (src)
            for (int64_t i = begin; i < end; ++i) add(to[a.index[i]], src[i]);
          else
            for (int64_t i = begin; i < end; ++i) add(to[a.index[i]], one);
        }
      },
      Wake::AtOnce);
  parallel_for(0, a.count, kGrain, [&](int64_t lo, int64_t hi) {
    for (int64_t p = 1; p < parts; ++p) add_row<false>(dst + lo, sums + (p - 1) * a.count + lo, T(), hi - lo);
  });
}

}  // namespace

void index_rows(const IndexRowsArgs& a) {
  const int64_t bytes = a.row * static_cast<int64_t>(a.item);
  if (bytes == 0) return;
  const auto* src = static_cast<const std::byte*>(a.src);
  auto* out = static_cast<std::byte*>(a.out);
  parallel_for(0, a.outer * a.n, std::max<int64_t>(1, kGrainBytes / bytes), [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi;) {  // the pieces of one outer row after another
      const int64_t o = t / a.n, i = t % a.n, count = std::min(a.n - i, hi - t);
      const std::byte* from = src + o * a.count * bytes;
      const int64_t* index = a.index + i;
      std::byte* to = out + t * bytes;
      switch (bytes) {
        case 1:
          pick<1>(from, index, to, count);
          break;
        case 2:
          pick<2>(from, index, to, count);
          break;
        case 4:
          pick<4>(from, index, to, count);
          break;
        case 8:
          pick<8>(from, index, to, count);
          break;
        default:
          for (int64_t r = 0; r < count; ++r)
            std::memcpy(to + r * bytes, from + index[r] * bytes, static_cast<size_t>(bytes));
      }
      t += count;
    }
  });
}

void add_rows(const AddRowsArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) { add_rows_in<typename Tag::type>(a); });
}

void dot_rows(const DotRowsArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    if constexpr (!std::is_integral_v<typename Tag::type>) dot_rows_in<typename Tag::type>(a);
  });
}

void put_rows(const PutRowsArgs& a) {
  const auto item = static_cast<int64_t>(a.item);
  each_part_of_rows(a.outer, a.n, a.row, [&](int64_t o, int64_t begin, int64_t end) {
    auto* dst = static_cast<std::byte*>(a.dst) + (o * a.count * a.row + begin) * item;
    const auto* src = static_cast<const std::byte*>(a.src) + (o * a.n * a.row + begin) * item;
    const auto bytes = static_cast<size_t>((end - begin) * item);
    for (int64_t i = 0; i < a.n; ++i)
      std::memcpy(dst + a.index[i] * a.row * item, src + i * a.row * item, bytes);
  });
}

void gather(const GatherArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* src = static_cast<const T*>(a.src);
    T* out = static_cast<T*>(a.out);
    parallel_for(0, a.outer * a.n, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, a.inner)),
                 [&](int64_t lo, int64_t hi) {
                   each_gathered(a, lo, hi, [=](int64_t at, int64_t from) { out[at] = src[from]; });
                 });
  });
}

void scatter(const ScatterArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    T* dst = static_cast<T*>(a.dst);
    const T* src = static_cast<const T*>(a.src);
    const T one =
        is_floating_point(a.dtype) ? Scalar(a.value.real).cast<T>() : Scalar(a.value.integer).cast<T>();
    if (const int64_t parts = parts_of_scatter(a); parts > 1) return scatter_add_parts<T>(a, parts, one);
    const auto value = [=](int64_t at) { return src ? src[at] : one; };
    switch (a.mode) {
      case ScatterMode::Set:
        return each_scattered(a, [=](int64_t at, int64_t to) { dst[to] = value(at); });
      case ScatterMode::Add:
        return each_scattered(a, [=](int64_t at, int64_t to) { add(dst[to], value(at)); });
      case ScatterMode::Multiply:
        return each_scattered(a, [=](int64_t at, int64_t to) { multiply(dst[to], value(at)); });
      case ScatterMode::Minimum:
        return each_scattered(a, [=](int64_t at, int64_t to) {
          const T v = value(at);
          if (v < dst[to] || is_nan(v)) dst[to] = v;
        });
      case ScatterMode::Maximum:
        return each_scattered(a, [=](int64_t at, int64_t to) {
          const T v = value(at);
          if (v > dst[to] || is_nan(v)) dst[to] = v;
        });
    }
  });
}

}  // namespace tapir::cpu
