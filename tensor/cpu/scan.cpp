// Running sums, products and extremes on the CPU. Floats are summed in double, half types in float.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kWidth = 256;  // columns done side by side

template <class T>
using Wide =
    std::conditional_t<std::is_integral_v<T>, int64_t, std::conditional_t<sizeof(T) == 2, float, double>>;

template <class T>
T narrow_to(Wide<T> v) {
  if constexpr (std::is_same_v<T, bool>)
    return v != 0;
  else
    return static_cast<T>(v);
}

/// Calls f(first element, columns) for parts of the columns; an element's successor is a.inner further on.
template <class F>
void each_part(const ScanArgs& a, F f) {
  const int64_t blocks = (a.inner + kWidth - 1) / kWidth, work = a.n * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t j = (t % blocks) * kWidth;
                   f((t / blocks) * a.n * a.inner + j, std::min(kWidth, a.inner - j));
                 }
               });
}

template <class T, class Op>
void accumulate(const ScanArgs& a, Wide<T> start, Op op) {
  const T* in = static_cast<const T*>(a.in);
  T* out = static_cast<T*>(a.out);
  each_part(a, [=, &a](int64_t first, int64_t columns) {
    if (columns == 1) {
      Wide<T> running = start;
      for (int64_t i = 0, at = first; i < a.n; ++i, at += a.inner)
        out[at] = narrow_to<T>(running = op(running, static_cast<Wide<T>>(in[at])));
      return;
    }
    Wide<T> running[kWidth];
    std::fill(running, running + columns, start);
    for (int64_t i = 0; i < a.n; ++i) {
      const T* from = in + first + i * a.inner;
      T* to = out + first + i * a.inner;
      for (int64_t c = 0; c < columns; ++c)
        to[c] = narrow_to<T>(running[c] = op(running[c], static_cast<Wide<T>>(from[c])));
    }
  });
}

template <class T>
bool is_nan(T x) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return x != x;
}

template <class T, bool kMin>
void extreme(const ScanArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  T* out = static_cast<T*>(a.out);
  each_part(a, [=, &a](int64_t first, int64_t columns) {
    T best[kWidth];
    int64_t index[kWidth];
    for (int64_t i = 0; i < a.n; ++i)
      for (int64_t c = 0; c < columns; ++c) {
        const int64_t at = first + i * a.inner + c;
        const T x = in[at];
        if (i == 0 || is_nan(x) || (!is_nan(best[c]) && (kMin ? x <= best[c] : x >= best[c]))) {
          best[c] = x;
          index[c] = i;
        }
        out[at] = best[c];
        a.indices[at] = index[c];
      }
  });
}

template <class A>
A log_add_exp(A x, A y) {
  const A low = std::isnan(y) ? y : std::min(x, y), high = std::isnan(y) ? y : std::max(x, y);
  if (low != high || std::isfinite(low)) return std::log1p(std::exp(low - high)) + high;
  return x;  // both infinite, of one sign
}

}  // namespace

void scan(const ScanArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    using A = Wide<T>;
    switch (a.op) {
      case Scan::Sum:
        if constexpr (std::is_integral_v<T>)
          return accumulate<T>(a, 0, [](int64_t x, int64_t y) {
            return static_cast<int64_t>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));  // wraps
          });
        else
          return accumulate<T>(a, 0, [](A x, A y) { return x + y; });
      case Scan::Prod:
        if constexpr (std::is_integral_v<T>)
          return accumulate<T>(a, 1, [](int64_t x, int64_t y) {
            return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
          });
        else
          return accumulate<T>(a, 1, [](A x, A y) { return x * y; });
      case Scan::Max:
        return extreme<T, false>(a);
      case Scan::Min:
        return extreme<T, true>(a);
      case Scan::LogSumExp:
        if constexpr (!std::is_integral_v<T>)
          accumulate<T>(a, -std::numeric_limits<A>::infinity(), [](A x, A y) { return log_add_exp(x, y); });
        return;
    }
  });
}

}  // namespace tapir::cpu
