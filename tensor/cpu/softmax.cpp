// Softmax, log-softmax and their backward, compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/softmax.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"
#include "tapir/tensor/cpu/staging.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

template <class T, bool kLog>
void softmax_row(const T* x, T* y, int64_t n) {
  const V<T> top = splat(row_extreme<T, false>(x, n));
  const Tag<T> d;
  if constexpr (kLog) {
    const V<T> log_sum = splat(static_cast<T>(std::log(row_sum_exp(x, n, hn::GetLane(top)))));
    map_row(x, y, n, [top, log_sum](V<T> v) { return hn::Sub(hn::Sub(v, top), log_sum); });
  } else {
    V<T> sum = splat(T(0));
    constexpr int64_t L = kLanes<T>;
    int64_t i = 0;
    for (; i + L <= n; i += L) {
      const V<T> e = exp_of_negative<T>(hn::Sub(hn::LoadU(d, x + i), top));
      sum = hn::Add(sum, e);
      hn::StoreU(e, d, y + i);
    }
    V<T> last = splat(T(0));
    if (i < n) {
      last = exp_of_negative<T>(hn::Sub(load_first(x + i, n - i, -kInf<T>), top));
      sum = hn::Add(sum, last);
    }
    const V<T> scale = splat(T(1) / sum_lanes<T>(sum));
    if (i < n) store_first(hn::Mul(last, scale), y + i, n - i);
    map_row(y, y, i, [scale](V<T> v) { return hn::Mul(v, scale); });
  }
}

/// A vector's width of columns, `stride` apart from row to row.
template <class T, bool kLog>
void softmax_columns(const T* x, T* y, int64_t n, int64_t stride, int64_t count) {
  const Tag<T> d;
  const bool full = count == kLanes<T>;
  const auto load = [=](const T* p) { return full ? hn::LoadU(d, p) : load_first(p, count, T(0)); };
  const auto save = [=](V<T> v, T* p) { full ? hn::StoreU(v, d, p) : store_first(v, p, count); };
  V<T> top = load(x);
  for (int64_t r = 1; r < n; ++r) top = extreme<T, false>(top, load(x + r * stride));
  const V<T> sum = sum_in_blocks<T>(n, [&](int64_t r) HWY_ATTR {
    const V<T> e = exp_of_negative<T>(hn::Sub(load(x + r * stride), top));
    if constexpr (!kLog) save(e, y + r * stride);
    return e;
  });
  if constexpr (kLog) {
    HWY_ALIGN T lanes[kLanes<T>];
    hn::Store(sum, d, lanes);
    for (int64_t i = 0; i < count; ++i) lanes[i] = std::log(lanes[i]);
    const V<T> log_sum = hn::Load(d, lanes);
    for (int64_t r = 0; r < n; ++r)
      save(hn::Sub(hn::Sub(load(x + r * stride), top), log_sum), y + r * stride);
  } else {
    const V<T> scale = hn::Div(splat(T(1)), sum);
    for (int64_t r = 0; r < n; ++r) save(hn::Mul(load(y + r * stride), scale), y + r * stride);
  }
}

/// Of the gradient g and the result y of the forward.
template <class T, bool kLog>
void softmax_backward_row(const T* g, const T* y, T* out, int64_t n) {
  const Tag<T> d;
  const auto add = [](V<T> a, V<T> b) { return hn::Add(a, b); };
  if constexpr (kLog) {
    const V<T> sum = splat(sum_lanes<T>(fold_row(
        g, n, T(0), splat(T(0)), [](V<T> a, V<T> x, int64_t) { return hn::Add(a, x); }, add)));
    map_row(g, y, out, n, [sum](V<T> gv, V<T> yv) { return hn::NegMulAdd(exp_of_negative<T>(yv), sum, gv); });
  } else {
    const auto step = [=](V<T> a, V<T> x, int64_t i) {
      return hn::MulAdd(x, i + kLanes<T> <= n ? hn::LoadU(d, y + i) : load_first(y + i, n - i, T(0)), a);
    };
    const V<T> dot = splat(sum_lanes<T>(fold_row(g, n, T(0), splat(T(0)), step, add)));
    map_row(g, y, out, n, [dot](V<T> gv, V<T> yv) { return hn::Mul(yv, hn::Sub(gv, dot)); });
  }
}

template <class T, bool kLog>
void softmax_backward_columns(const T* g, const T* y, T* out, int64_t n, int64_t stride, int64_t count) {
  const Tag<T> d;
  const bool full = count == kLanes<T>;
  const auto load = [=](const T* p) { return full ? hn::LoadU(d, p) : load_first(p, count, T(0)); };
  const auto save = [=](V<T> v, T* p) { full ? hn::StoreU(v, d, p) : store_first(v, p, count); };
  const V<T> sum = sum_in_blocks<T>(n, [&](int64_t r) HWY_ATTR {
    const V<T> gv = load(g + r * stride);
    return kLog ? gv : hn::Mul(gv, load(y + r * stride));
  });
  for (int64_t i = 0; i < n * stride; i += stride) {
    if constexpr (kLog)
      save(hn::NegMulAdd(exp_of_negative<T>(load(y + i)), sum, load(g + i)), out + i);
    else
      save(hn::Mul(load(y + i), hn::Sub(load(g + i), sum)), out + i);
  }
}

constexpr int64_t kGrain = 4096;  // elements, of about an exponential each

/// Calls row(offset) for each row of a contiguous (outer, n) array, or columns(offset, count) for each
/// vector's width of columns of an (outer, n, inner) one.
template <class T, class Row, class Columns>
void walk(int64_t outer, int64_t n, int64_t inner, Row row, Columns columns) {
  if (inner == 1) {
    parallel_for(0, outer, std::max<int64_t>(1, kGrain / n), [&](int64_t lo, int64_t hi) {
      for (int64_t i = lo; i < hi; ++i) row(i * n);
    });
    return;
  }
  constexpr int64_t L = kLanes<T>;
  const int64_t panels = (inner + L - 1) / L;
  parallel_for(0, outer * panels, std::max<int64_t>(1, kGrain / (n * L)), [&](int64_t lo, int64_t hi) {
    for (int64_t t = lo; t < hi; ++t) {
      const int64_t j = (t % panels) * L;
      columns((t / panels) * n * inner + j, std::min(L, inner - j));
    }
  });
}

template <class T, bool kLog>
void forward(const SoftmaxArgs& a) {
  const T* x = static_cast<const T*>(a.in);
  T* y = static_cast<T*>(a.out);
  walk<T>(
      a.outer, a.n, a.inner, [=](int64_t at) { softmax_row<T, kLog>(x + at, y + at, a.n); },
      [=](int64_t at, int64_t count) { softmax_columns<T, kLog>(x + at, y + at, a.n, a.inner, count); });
}
template <class T, bool kLog>
void backward(const SoftmaxBackwardArgs& a) {
  const T* g = static_cast<const T*>(a.grad_out);
  const T* y = static_cast<const T*>(a.out);
  T* out = static_cast<T*>(a.grad_in);
  walk<T>(
      a.outer, a.n, a.inner,
      [=](int64_t at) { softmax_backward_row<T, kLog>(g + at, y + at, out + at, a.n); },
      [=](int64_t at, int64_t count) {
        softmax_backward_columns<T, kLog>(g + at, y + at, out + at, a.n, a.inner, count);
      });
}

void softmax_simd(const SoftmaxArgs& a) {
  if (a.dtype == kFloat32)
    a.log ? forward<float, true>(a) : forward<float, false>(a);
  else
    a.log ? forward<double, true>(a) : forward<double, false>(a);
}
void softmax_backward_simd(const SoftmaxBackwardArgs& a) {
  if (a.dtype == kFloat32)
    a.log ? backward<float, true>(a) : backward<float, false>(a);
  else
    a.log ? backward<double, true>(a) : backward<double, false>(a);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(softmax_simd);
HWY_EXPORT(softmax_backward_simd);
}  // namespace rows

void softmax(const SoftmaxArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  if (is_half(a.dtype)) {
    Staged in(a.in, a.dtype, a.outer * a.n * a.inner);
    SoftmaxArgs b = a;
    b.in = b.out = in.data();
    b.dtype = kFloat32;
    softmax(b);
    return in.write(a.out);
  }
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(softmax_simd)(a);
}

void softmax_backward(const SoftmaxBackwardArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  if (is_half(a.dtype)) {
    const int64_t count = a.outer * a.n * a.inner;
    Staged grad(a.grad_out, a.dtype, count), out(a.out, a.dtype, count);
    SoftmaxBackwardArgs b = a;
    b.grad_out = b.grad_in = grad.data();
    b.out = out.data();
    b.dtype = kFloat32;
    softmax_backward(b);
    return grad.write(a.grad_in);
  }
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(softmax_backward_simd)(a);
}

}  // namespace tapir::cpu
#endif
