// Layer norm, group norm and their backward, compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/row_norm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>
#include <vector>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"
#include "tapir/tensor/cpu/staged_norm.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

template <class T>
HWY_INLINE V<T> load_upto(const T* p, int64_t count) {
  return count >= kLanes<T> ? hn::LoadU(Tag<T>(), p) : load_first(p, count, T(0));
}
template <class T>
HWY_INLINE void store_upto(V<T> v, T* p, int64_t count) {
  count >= kLanes<T> ? hn::StoreU(v, Tag<T>(), p) : store_first(v, p, count);
}

template <class T>
T mean_of(const T* x, int64_t n) {
  return sum_lanes<T>(fold_row(
             x, n, T(0), splat(T(0)), [](V<T> a, V<T> v, int64_t) { return hn::Add(a, v); },
             [](V<T> a, V<T> b) { return hn::Add(a, b); })) /
         static_cast<T>(n);
}
template <class T>
T variance_of(const T* x, int64_t n, T mean) {
  const V<T> m = splat(mean);
  return sum_lanes<T>(fold_row(
             x, n, mean, splat(T(0)),
             [m](V<T> a, V<T> v, int64_t) {
               const V<T> d = hn::Sub(v, m);
               return hn::MulAdd(d, d, a);
             },
             [](V<T> a, V<T> b) { return hn::Add(a, b); })) /
         static_cast<T>(n);
}

constexpr int64_t kGrain = 8192;  // elements

template <class T>
void norm(const RowNormArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  T* out = static_cast<T*>(a.out);
  T *means = static_cast<T*>(a.mean), *rstds = static_cast<T*>(a.rstd);
  const int64_t n = a.n, inner = a.inner, channels = n / inner;
  parallel_for(0, a.rows, std::max<int64_t>(1, kGrain / n), [&](int64_t lo, int64_t hi) HWY_ATTR {
    for (int64_t r = lo; r < hi; ++r) {
      const T* x = in + r * n;
      T* y = out + r * n;
      const T mean = mean_of(x, n);
      const T rstd = T(1) / std::sqrt(variance_of(x, n, mean) + static_cast<T>(a.eps));
      means[r] = mean;
      rstds[r] = rstd;
      const int64_t first = (r % a.groups) * channels;
      const T* w = a.weight ? static_cast<const T*>(a.weight) + first : nullptr;
      const T* b = a.bias ? static_cast<const T*>(a.bias) + first : nullptr;
      const V<T> m = splat(mean), s = splat(rstd);
      if (inner > 1) {
        for (int64_t c = 0; c < channels; ++c) {
          const V<T> scale = splat(w ? rstd * w[c] : rstd), shift = splat(b ? b[c] : T(0));
          map_row(x + c * inner, y + c * inner, inner,
                  [=](V<T> v) { return hn::MulAdd(hn::Sub(v, m), scale, shift); });
        }
        continue;
      }
      for (int64_t i = 0; i < n; i += kLanes<T>) {
        V<T> v = hn::Mul(hn::Sub(load_upto(x + i, n - i), m), s);
        if (w) v = hn::Mul(v, load_upto(w + i, n - i));
        if (b) v = hn::Add(v, load_upto(b + i, n - i));
        store_upto(v, y + i, n - i);
      }
    }
  });
}

/// One row of the backward; dw and db, where not null, are added to.
template <class T>
void norm_backward_row(const T* g, const T* x, const T* w, T mean, T rstd, T* dx, T* dw, T* db, int64_t n) {
  constexpr int64_t L = kLanes<T>;
  const V<T> m = splat(mean), s = splat(rstd);
  V<T> sum = splat(T(0)), dot = splat(T(0));
  for (int64_t i = 0; i < n; i += L) {
    const V<T> gv = load_upto(g + i, n - i);
    const V<T> xhat = hn::Mul(hn::Sub(load_upto(x + i, n - i), m), s);
    const V<T> gw = w ? hn::Mul(gv, load_upto(w + i, n - i)) : gv;
    sum = hn::Add(sum, gw);
    dot = hn::MulAdd(gw, xhat, dot);
    if (dw) store_upto(hn::MulAdd(gv, xhat, load_upto(dw + i, n - i)), dw + i, n - i);
    if (db) store_upto(hn::Add(gv, load_upto(db + i, n - i)), db + i, n - i);
  }
  if (!dx) return;
  const V<T> mean_g = splat(sum_lanes<T>(sum) / static_cast<T>(n));
  const V<T> mean_gx = splat(sum_lanes<T>(dot) / static_cast<T>(n));
  for (int64_t i = 0; i < n; i += L) {
    const V<T> gv = load_upto(g + i, n - i);
    const V<T> xhat = hn::Mul(hn::Sub(load_upto(x + i, n - i), m), s);
    const V<T> gw = w ? hn::Mul(gv, load_upto(w + i, n - i)) : gv;
    store_upto(hn::Mul(s, hn::Sub(gw, hn::MulAdd(xhat, mean_gx, mean_g))), dx + i, n - i);
  }
}

/// The same where `inner` elements share an entry of the weight.
template <class T>
void norm_backward_channels(const T* g, const T* x, const T* w, T mean, T rstd, T* dx, T* dw, T* db,
                            int64_t n, int64_t inner) {
  constexpr int64_t L = kLanes<T>;
  const V<T> m = splat(mean), s = splat(rstd);
  T total = 0, total_dot = 0;
  for (int64_t c = 0; c < n / inner; ++c) {
    V<T> sum = splat(T(0)), dot = splat(T(0));
    const T *gc = g + c * inner, *xc = x + c * inner;
    for (int64_t i = 0; i < inner; i += L) {
      const V<T> gv = load_upto(gc + i, inner - i);
      sum = hn::Add(sum, gv);
      dot = hn::MulAdd(gv, hn::Mul(hn::Sub(load_upto(xc + i, inner - i), m), s), dot);
    }
    const T a = sum_lanes<T>(sum), b = sum_lanes<T>(dot), weight = w ? w[c] : T(1);
    if (dw) dw[c] += b;
    if (db) db[c] += a;
    total += a * weight;
    total_dot += b * weight;
  }
  if (!dx) return;
  const V<T> mean_g = splat(total / static_cast<T>(n)), mean_gx = splat(total_dot / static_cast<T>(n));
  for (int64_t c = 0; c < n / inner; ++c) {
    const V<T> weight = splat(w ? w[c] : T(1));
    const T *gc = g + c * inner, *xc = x + c * inner;
    for (int64_t i = 0; i < inner; i += L) {
      const V<T> xhat = hn::Mul(hn::Sub(load_upto(xc + i, inner - i), m), s);
      const V<T> gw = hn::Mul(load_upto(gc + i, inner - i), weight);
      store_upto(hn::Mul(s, hn::Sub(gw, hn::MulAdd(xhat, mean_gx, mean_g))), dx + c * inner + i, inner - i);
    }
  }
}

template <class T>
void norm_backward(const RowNormBackwardArgs& a) {
  const T *g = static_cast<const T*>(a.grad_out), *x = static_cast<const T*>(a.in);
  const T *mean = static_cast<const T*>(a.mean), *rstd = static_cast<const T*>(a.rstd);
  const T* weight = static_cast<const T*>(a.weight);
  T *dx = static_cast<T*>(a.grad_in), *dw = static_cast<T*>(a.grad_weight),
    *db = static_cast<T*>(a.grad_bias);
  const int64_t n = a.n, channels = n / a.inner, entries = channels * a.groups;
  // Each piece of the rows sums into partials of its own; how many pieces there are depends on the sizes
  // only.
  const int64_t pieces = std::clamp<int64_t>(a.rows * n / (2 * kGrain), 1, std::min<int64_t>(a.rows, 16));
  std::vector<T> partials(static_cast<size_t>((dw || db) ? 2 * entries * pieces : 0));
  parallel_for(0, pieces, 1, [&](int64_t lo, int64_t hi) HWY_ATTR {
    for (int64_t piece = lo; piece < hi; ++piece) {
      T* pw = dw ? partials.data() + 2 * piece * entries : nullptr;
      T* pb = db ? partials.data() + (2 * piece + 1) * entries : nullptr;
      for (int64_t r = a.rows * piece / pieces; r < a.rows * (piece + 1) / pieces; ++r) {
        const int64_t first = (r % a.groups) * channels;
        const T* w = weight ? weight + first : nullptr;
        T *rw = pw ? pw + first : nullptr, *rb = pb ? pb + first : nullptr, *rx = dx ? dx + r * n : nullptr;
        if (a.inner == 1)
          norm_backward_row(g + r * n, x + r * n, w, mean[r], rstd[r], rx, rw, rb, n);
        else
          norm_backward_channels(g + r * n, x + r * n, w, mean[r], rstd[r], rx, rw, rb, n, a.inner);
      }
    }
  });
  const auto gather = [&](T* to, int64_t which) {
    for (int64_t i = 0; to && i < entries; ++i) {
      T sum = 0;
      for (int64_t p = 0; p < pieces; ++p)
        sum += partials[static_cast<size_t>((2 * p + which) * entries + i)];
      to[i] = sum;
    }
  };
  gather(dw, 0);
  gather(db, 1);
}

void row_norm_simd(const RowNormArgs& a) { a.dtype == kFloat32 ? norm<float>(a) : norm<double>(a); }
void row_norm_backward_simd(const RowNormBackwardArgs& a) {
  a.dtype == kFloat32 ? norm_backward<float>(a) : norm_backward<double>(a);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(row_norm_simd);
HWY_EXPORT(row_norm_backward_simd);
}  // namespace rows

void row_norm(const RowNormArgs& a) {
  if (a.rows == 0 || a.n == 0) return;
  if (is_half(a.dtype)) return norm_in_float(a, a.rows * a.n, a.groups * a.n / a.inner, row_norm);
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(row_norm_simd)(a);
}

void row_norm_backward(const RowNormBackwardArgs& a) {
  const int64_t entries = a.groups * a.n / a.inner;
  if (a.rows == 0 || a.n == 0) {
    for (void* p : {a.grad_weight, a.grad_bias})
      if (p) fill(p, a.dtype, entries, {0, 0});
    return;
  }
  if (is_half(a.dtype)) return norm_backward_in_float(a, a.rows * a.n, entries, row_norm_backward);
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(row_norm_backward_simd)(a);
}

}  // namespace tapir::cpu
#endif
