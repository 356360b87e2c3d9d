// Mean and variance on the CPU. The pieces that work is cut into depend on the sizes alone, so that the
// result is the same on any number of threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kBlock = 2048;      // elements that stay in the nearest cache between the two passes
constexpr int64_t kPart = 32 * 2048;  // a longer row is done in parts of this many elements
constexpr int64_t kWidth = 256;       // columns done side by side
constexpr int64_t kRows = 128;        // rows of a block of columns
constexpr int64_t kLanes = 16;

// Note [Shifted moments]
//
// Blocks are merged by the squared distance of their means, and a mean that is large beside the deviations
// carries a rounding error that is no longer small beside that distance. So all is computed for x - shift,
// with the row's first element as the shift: the means are then of the size of the deviations.

/// Count, mean and sum of squared deviations, of shifted elements.
struct Moments {
  double n = 0, mean = 0, squares = 0;
  void merge(const Moments& o) {
    if (o.n == 0) return;
    const double total = n + o.n, delta = o.mean - mean;
    mean += delta * (o.n / total);
    squares += o.squares + delta * delta * (n * o.n / total);
    n = total;
  }
};

/// What a row that starts with x is shifted by.
template <class T>
double shift_of(T x) {
  const double s = static_cast<double>(x);
  return std::isfinite(s) ? s : 0;
}

template <class T>
Moments of_block(const T* p, int64_t n, double shift) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += static_cast<double>(p[i + l]) - shift;
  for (int64_t l = 0; i < n; ++i, ++l) lanes[l] += static_cast<double>(p[i]) - shift;
  double sum = 0;
  for (double l : lanes) sum += l;
  const double mean = sum / static_cast<double>(n);
  std::fill(lanes, lanes + kLanes, 0.0);
  for (i = 0; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const double d = static_cast<double>(p[i + l]) - shift - mean;
      lanes[l] += d * d;
    }
  for (int64_t l = 0; i < n; ++i, ++l) {
    const double d = static_cast<double>(p[i]) - shift - mean;
    lanes[l] += d * d;
  }
  double squares = 0;
  for (double l : lanes) squares += l;
  return {static_cast<double>(n), mean, squares};
}

template <class T>
Moments of_row(const T* p, int64_t n, double shift) {
  Moments all;
  for (int64_t i = 0; i < n; i += kBlock) all.merge(of_block(p + i, std::min(kBlock, n - i), shift));
  return all;
}

template <class T>
void finish(const MomentsArgs& a, int64_t at, const Moments& m, double shift) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  // As in PyTorch: division by zero where there are no degrees of freedom.
  const double variance = m.n == 0 ? nan : m.squares / std::max(0.0, m.n - a.correction);
  static_cast<T*>(a.variance)[at] = static_cast<T>(a.root ? std::sqrt(variance) : variance);
  if (a.mean) static_cast<T*>(a.mean)[at] = static_cast<T>(m.n == 0 ? nan : shift + m.mean);
}

template <class T>
void rows(const MomentsArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  const int64_t parts = std::max<int64_t>(1, (a.n + kPart - 1) / kPart);
  std::vector<Moments> partial(static_cast<size_t>(a.outer * parts));
  parallel_for(0, a.outer * parts, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, std::min(a.n, kPart))),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t begin = (t % parts) * kPart;
                   const T* row = in + (t / parts) * a.n;
                   if (begin < a.n)
                     partial[static_cast<size_t>(t)] =
                         of_row(row + begin, std::min(kPart, a.n - begin), shift_of(row[0]));
                 }
               });
  for (int64_t o = 0; o < a.outer; ++o) {
    Moments all;
    for (int64_t part = 0; part < parts; ++part) all.merge(partial[static_cast<size_t>(o * parts + part)]);
    finish<T>(a, o, all, a.n > 0 ? shift_of(in[o * a.n]) : 0);
  }
}

template <class T>
void columns(const MomentsArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  const int64_t blocks = (a.inner + kWidth - 1) / kWidth, work = a.n * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t o = t / blocks, j = (t % blocks) * kWidth;
                   const int64_t width = std::min(kWidth, a.inner - j);
                   Moments all[kWidth];
                   double sum[kWidth], squares[kWidth], shift[kWidth];
                   for (int64_t c = 0; c < width; ++c)
                     shift[c] = a.n > 0 ? shift_of(in[o * a.n * a.inner + j + c]) : 0;
                   for (int64_t begin = 0; begin < a.n; begin += kRows) {
                     const int64_t end = std::min(a.n, begin + kRows);
                     const T* p = in + o * a.n * a.inner + j;
                     std::fill(sum, sum + width, 0.0);
                     std::fill(squares, squares + width, 0.0);
                     for (int64_t r = begin; r < end; ++r)
                       for (int64_t c = 0; c < width; ++c)
                         sum[c] += static_cast<double>(p[r * a.inner + c]) - shift[c];
                     const double n = static_cast<double>(end - begin);
                     for (int64_t c = 0; c < width; ++c) sum[c] /= n;
                     for (int64_t r = begin; r < end; ++r)
                       for (int64_t c = 0; c < width; ++c) {
                         const double d = static_cast<double>(p[r * a.inner + c]) - shift[c] - sum[c];
                         squares[c] += d * d;
                       }
                     for (int64_t c = 0; c < width; ++c) all[c].merge({n, sum[c], squares[c]});
                   }
                   for (int64_t c = 0; c < width; ++c) finish<T>(a, o * a.inner + j + c, all[c], shift[c]);
                 }
               });
}

}  // namespace

void moments(const MomentsArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if constexpr (!std::is_integral_v<T>) {
      if (a.inner == 1)
        rows<T>(a);
      else
        columns<T>(a);
    }
  });
}

}  // namespace tapir::cpu
