// Reductions of rows and columns of float and double, compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/reduce_rows.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/reduce_rows.h"
#include "tapir/tensor/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

template <class T, bool kSquare>
HWY_INLINE V<T> term(V<T> x) {
  return kSquare ? hn::Mul(x, x) : x;
}

template <class T, bool kSquare>
T row_sum(const T* p, int64_t n) {
  return sum_lanes<T>(fold_row(
      p, n, T(0), splat(T(0)), [](V<T> a, V<T> x, int64_t) { return hn::Add(a, term<T, kSquare>(x)); },
      [](V<T> a, V<T> b) { return hn::Add(a, b); }));
}

template <class T, bool kMin>
T row_best(const T* p, int64_t n) {
  return row_extreme<T, kMin>(p, n);
}

template <class T>
T row_logsumexp(const T* p, int64_t n) {
  const T top = row_extreme<T, false>(p, n);
  if (!std::isfinite(top)) return top;
  return top + std::log(row_sum_exp(p, n, top));
}

template <class T>
int64_t row_find(const T* p, int64_t n, T value) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  const V<T> v = splat(value);
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const V<T> x = hn::LoadU(d, p + i);
    const int64_t at = hn::FindFirstTrue(d, nan ? hn::IsNaN(x) : hn::Eq(x, v));
    if (at >= 0) return i + at;
  }
  while (i < n && !(nan ? p[i] != p[i] : p[i] == value)) ++i;
  return i;
}

/// One panel of columns, a vector wide or its first `count` lanes.
template <class T>
struct Panel {
  int64_t count;
  HWY_INLINE V<T> load(const T* p) const {
    return count == kLanes<T> ? hn::LoadU(Tag<T>(), p) : load_first(p, count, T(0));
  }
  HWY_INLINE void store(V<T> v, T* p) const {
    if (count == kLanes<T>)
      hn::StoreU(v, Tag<T>(), p);
    else
      store_first(v, p, count);
  }
};

/// out[j] = join over rows of term(p[r][j]), kRows rows at a time: the memory is read in order, and `out`
/// stays in the first-level cache.
template <class T, int kRows, class Term, class Join>
HWY_INLINE void add_rows_to(const T* p, int64_t stride, int64_t cols, T* out, bool first, Term term,
                            Join join) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t j = 0; j < cols; j += L) {
    const Panel<T> panel{std::min(L, cols - j)};
    V<T> x[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) x[r] = term(panel.load(p + r * stride + j));
#pragma GCC unroll 8
    for (int step = 1; step < kRows; step *= 2) {
#pragma GCC unroll 8
      for (int r = 0; r + step < kRows; r += 2 * step) x[r] = join(x[r], x[r + step]);
    }
    panel.store(first ? x[0] : join(panel.load(out + j), x[0]), out + j);
  }
}

template <class T, class Term, class Join>
HWY_INLINE void fold_columns(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out, Term term,
                             Join join) {
  constexpr int64_t kColumns = 2048;
  for (int64_t j = 0; j < cols; j += kColumns) {
    const int64_t count = std::min(kColumns, cols - j);
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8)
      add_rows_to<T, 8>(p + r * stride + j, stride, count, out + j, r == 0, term, join);
    for (; r + 2 <= rows; r += 2)
      add_rows_to<T, 2>(p + r * stride + j, stride, count, out + j, r == 0, term, join);
    if (r < rows) add_rows_to<T, 1>(p + r * stride + j, stride, count, out + j, r == 0, term, join);
  }
}

template <class T, bool kSquare>
void sum_columns(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out) {
  fold_columns(
      p, rows, stride, cols, out, [](V<T> x) { return term<T, kSquare>(x); },
      [](V<T> a, V<T> b) { return hn::Add(a, b); });
}
template <class T, bool kMin>
void best_columns(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out) {
  fold_columns(
      p, rows, stride, cols, out, [](V<T> x) { return x; },
      [](V<T> a, V<T> b) { return extreme<T, kMin>(a, b); });
}

template <class T>
void logsumexp_columns(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out) {
  constexpr int64_t L = kLanes<T>;
  for (int64_t j = 0; j < cols; j += L) {
    const Panel<T> panel{std::min(L, cols - j)};
    V<T> top = panel.load(p + j);
    for (int64_t r = 1; r < rows; ++r) top = extreme<T, false>(top, panel.load(p + r * stride + j));
    const V<T> sum = sum_in_blocks<T>(rows, [&](int64_t r) HWY_ATTR {
      return exp_of_negative<T>(hn::Sub(panel.load(p + r * stride + j), top));
    });
    HWY_ALIGN T tops[kLanes<T>], sums[kLanes<T>];
    hn::Store(top, Tag<T>(), tops);
    hn::Store(sum, Tag<T>(), sums);
    for (int64_t i = 0; i < panel.count; ++i)
      out[j + i] = std::isfinite(tops[i]) ? tops[i] + std::log(sums[i]) : tops[i];
  }
}

template <class T>
ReduceKernels<T> make_kernels() {
  return {&row_sum<T, false>,      &row_sum<T, true>,      &row_best<T, false>,    &row_best<T, true>,
          &row_logsumexp<T>,       &row_find<T>,           &sum_columns<T, false>, &sum_columns<T, true>,
          &best_columns<T, false>, &best_columns<T, true>, &logsumexp_columns<T>};
}
ReduceKernels<float> reduce_float() { return make_kernels<float>(); }
ReduceKernels<double> reduce_double() { return make_kernels<double>(); }

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu::rows {

HWY_EXPORT(reduce_float);
HWY_EXPORT(reduce_double);

template <>
const ReduceKernels<float>& reduce_kernels<float>() {
  static const ReduceKernels<float> kernels = HWY_DYNAMIC_DISPATCH(reduce_float)();
  return kernels;
}
template <>
const ReduceKernels<double>& reduce_kernels<double>() {
  static const ReduceKernels<double> kernels = HWY_DYNAMIC_DISPATCH(reduce_double)();
  return kernels;
}

}  // namespace tapir::cpu::rows
#endif
