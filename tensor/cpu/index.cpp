// Rows and elements picked by index. The ops have checked every index.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

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

template <class T>
void add_rows_in(const AddRowsArgs& a) {
  each_part_of_rows(a.outer, a.n, a.row, [&](int64_t o, int64_t begin, int64_t end) {
    T* dst = static_cast<T*>(a.dst) + o * a.count * a.row;
    const T* src = static_cast<const T*>(a.src) + o * a.n * a.row;
    for (int64_t i = 0; i < a.n; ++i) {
      if (a.index[i] == a.skip) continue;
      T* to = dst + a.index[i] * a.row;
      const T* from = src + i * a.row;
      for (int64_t j = begin; j < end; ++j) add(to[j], from[j]);
    }
  });
}

/// Calls f(position in index and out, position in src) for every element.
template <class F>
void each_gathered(const GatherArgs& a, F f) {
  parallel_for(0, a.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, a.n * a.inner)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t o = lo; o < hi; ++o)
                   for (int64_t i = 0; i < a.n; ++i)
                     for (int64_t j = 0; j < a.inner; ++j) {
                       const int64_t at = (o * a.n + i) * a.inner + j;
                       f(at, (o * a.count + a.index[at]) * a.inner + j);
                     }
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
    each_gathered(a, [=](int64_t at, int64_t from) { out[at] = src[from]; });
  });
}

void scatter_add(const GatherArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    T* dst = static_cast<T*>(const_cast<void*>(a.src));
    const T* values = static_cast<const T*>(a.out);
    each_gathered(a, [=](int64_t at, int64_t to) { add(dst[to], values[at]); });
  });
}

}  // namespace tapir::cpu
