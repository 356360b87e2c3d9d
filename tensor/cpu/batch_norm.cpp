// Batch norm and its backward, compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/batch_norm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"
#include "tapir/tensor/cpu/staged_norm.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

// Note [Channels]
//
// A channel is `batch` runs of `inner` elements. Where inner is 1 the channels lie side by side instead, and
// a vector holds as many of them as it has lanes. Either way a channel's sums are taken by one thread in an
// order that its sizes give.

constexpr int64_t kGrain = 8192;  // elements

struct Shape {
  int64_t batch, channels, inner;
};

template <class T>
HWY_INLINE V<T> load_upto(const T* p, int64_t count) {
  return count >= kLanes<T> ? hn::LoadU(Tag<T>(), p) : load_first(p, count, T(0));
}
template <class T>
HWY_INLINE void store_upto(V<T> v, T* p, int64_t count) {
  count >= kLanes<T> ? hn::StoreU(v, Tag<T>(), p) : store_first(v, p, count);
}

/// Calls body(lo, hi) for ranges of channels, in multiples of a vector where they lie side by side.
template <class T, class F>
void for_channels(const Shape& s, F body) {
  const int64_t unit = s.inner == 1 ? kLanes<T> : 1, units = (s.channels + unit - 1) / unit,
                work = std::max<int64_t>(1, unit * s.batch * s.inner);
  parallel_for(0, units, std::max<int64_t>(1, kGrain / work),
               [&](int64_t lo, int64_t hi) { body(lo * unit, std::min(s.channels, hi * unit)); });
}

/// The sum over a channel of f(values of x0, of x1), in double across runs.
template <class T, class F>
HWY_INLINE T sum_runs(const Shape& s, const T* x0, const T* x1, int64_t c, F f) {
  double total = 0;
  for (int64_t n = 0; n < s.batch; ++n) {
    const T *a = x0 + (n * s.channels + c) * s.inner, *b = x1 + (n * s.channels + c) * s.inner;
    V<T> sum = splat(T(0)), more = splat(T(0));
    constexpr int64_t L = kLanes<T>;
    int64_t i = 0;
    for (; i + 2 * L <= s.inner; i += 2 * L) {
      sum = hn::Add(sum, f(hn::LoadU(Tag<T>(), a + i), hn::LoadU(Tag<T>(), b + i)));
      more = hn::Add(more, f(hn::LoadU(Tag<T>(), a + i + L), hn::LoadU(Tag<T>(), b + i + L)));
    }
    T rest = 0;
    for (; i < s.inner; i += L) {
      const int64_t count = std::min(L, s.inner - i);
      HWY_ALIGN T lanes[kLanes<T>];
      hn::Store(f(load_upto(a + i, count), load_upto(b + i, count)), Tag<T>(), lanes);
      for (int64_t l = 0; l < count; ++l) rest += lanes[l];
    }
    total += static_cast<double>(sum_lanes<T>(hn::Add(sum, more)) + rest);
  }
  return static_cast<T>(total);
}

template <class T>
void norm(const BatchNormArgs& a) {
  const Shape s{a.batch, a.channels, a.inner};
  const T *in = static_cast<const T*>(a.in), *weight = static_cast<const T*>(a.weight),
          *bias = static_cast<const T*>(a.bias);
  T *out = static_cast<T*>(a.out), *means = static_cast<T*>(a.mean), *variances = static_cast<T*>(a.variance),
    *rstds = static_cast<T*>(a.rstd);
  const T count = static_cast<T>(a.batch * a.inner), eps = static_cast<T>(a.eps);
  for_channels<T>(s, [&](int64_t lo, int64_t hi) HWY_ATTR {
    constexpr int64_t L = kLanes<T>;
    for (int64_t c = lo; c < hi; c += s.inner == 1 ? L : 1) {
      if (s.inner == 1) {
        const int64_t lanes = std::min(L, hi - c);
        const auto row = [&](int64_t n) HWY_ATTR { return load_upto(in + n * s.channels + c, lanes); };
        if (a.training) {
          const V<T> by = splat(T(1) / count);
          const V<T> mean = hn::Mul(sum_in_blocks<T>(s.batch, row), by);
          const V<T> squares = sum_in_blocks<T>(s.batch, [&](int64_t n) HWY_ATTR {
            const V<T> d = hn::Sub(row(n), mean);
            return hn::Mul(d, d);
          });
          store_upto(mean, means + c, lanes);
          store_upto(hn::Mul(squares, by), variances + c, lanes);
        }
        const V<T> rstd =
            hn::Div(splat(T(1)), hn::Sqrt(hn::Add(load_upto(variances + c, lanes), splat(eps))));
        store_upto(rstd, rstds + c, lanes);
        const V<T> mean = load_upto(means + c, lanes);
        const V<T> scale = weight ? hn::Mul(rstd, load_upto(weight + c, lanes)) : rstd;
        const V<T> shift = bias ? load_upto(bias + c, lanes) : splat(T(0));
        for (int64_t n = 0; n < s.batch; ++n)
          store_upto(hn::MulAdd(hn::Sub(row(n), mean), scale, shift), out + n * s.channels + c, lanes);
        continue;
      }
      if (a.training) {
        means[c] = sum_runs(s, in, in, c, [](V<T> x, V<T>) HWY_ATTR { return x; }) / count;
        const V<T> m = splat(means[c]);
        variances[c] = sum_runs(s, in, in, c,
                                [m](V<T> x, V<T>) HWY_ATTR {
                                  const V<T> d = hn::Sub(x, m);
                                  return hn::Mul(d, d);
                                }) /
                       count;
      }
      rstds[c] = T(1) / std::sqrt(variances[c] + eps);
      const V<T> mean = splat(means[c]), scale = splat(weight ? rstds[c] * weight[c] : rstds[c]),
                 shift = splat(bias ? bias[c] : T(0));
      for (int64_t n = 0; n < s.batch; ++n) {
        const int64_t at = (n * s.channels + c) * s.inner;
        map_row(in + at, out + at, s.inner,
                [=](V<T> x) HWY_ATTR { return hn::MulAdd(hn::Sub(x, mean), scale, shift); });
      }
    }
  });
}

template <class T>
void norm_backward(const BatchNormBackwardArgs& a) {
  const Shape s{a.batch, a.channels, a.inner};
  const T *g = static_cast<const T*>(a.grad_out), *in = static_cast<const T*>(a.in),
          *means = static_cast<const T*>(a.mean), *rstds = static_cast<const T*>(a.rstd),
          *weight = static_cast<const T*>(a.weight);
  T *dx = static_cast<T*>(a.grad_in), *dw = static_cast<T*>(a.grad_weight),
    *db = static_cast<T*>(a.grad_bias);
  const T by = T(1) / static_cast<T>(a.batch * a.inner);
  const bool sums = dw || db || a.training;
  for_channels<T>(s, [&](int64_t lo, int64_t hi) HWY_ATTR {
    constexpr int64_t L = kLanes<T>;
    for (int64_t c = lo; c < hi; c += s.inner == 1 ? L : 1) {
      if (s.inner == 1) {
        const int64_t lanes = std::min(L, hi - c);
        const V<T> mean = load_upto(means + c, lanes), rstd = load_upto(rstds + c, lanes);
        const auto grad = [&](int64_t n) HWY_ATTR { return load_upto(g + n * s.channels + c, lanes); };
        const auto normal = [&](int64_t n) HWY_ATTR {
          return hn::Mul(hn::Sub(load_upto(in + n * s.channels + c, lanes), mean), rstd);
        };
        V<T> sum = splat(T(0)), dot = splat(T(0));
        if (sums) {
          sum = sum_in_blocks<T>(s.batch, grad);
          dot = sum_in_blocks<T>(s.batch, [&](int64_t n) HWY_ATTR { return hn::Mul(grad(n), normal(n)); });
        }
        if (db) store_upto(sum, db + c, lanes);
        if (dw) store_upto(dot, dw + c, lanes);
        if (!dx) continue;
        const V<T> scale = weight ? hn::Mul(rstd, load_upto(weight + c, lanes)) : rstd;
        const V<T> mean_g = hn::Mul(sum, splat(by)), mean_gx = hn::Mul(dot, splat(by));
        for (int64_t n = 0; n < s.batch; ++n) {
          V<T> d = grad(n);
          if (a.training) d = hn::Sub(d, hn::MulAdd(normal(n), mean_gx, mean_g));
          store_upto(hn::Mul(scale, d), dx + n * s.channels + c, lanes);
        }
        continue;
      }
      const V<T> mean = splat(means[c]), rstd = splat(rstds[c]);
      T sum = 0, dot = 0;
      if (sums) {
        sum = sum_runs(s, g, in, c, [](V<T> gv, V<T>) HWY_ATTR { return gv; });
        dot = sum_runs(s, g, in, c, [=](V<T> gv, V<T> x) HWY_ATTR { return hn::Mul(gv, hn::Sub(x, mean)); }) *
              rstds[c];
      }
      if (db) db[c] = sum;
      if (dw) dw[c] = dot;
      if (!dx) continue;
      const V<T> scale = splat(weight ? rstds[c] * weight[c] : rstds[c]), mean_g = splat(sum * by),
                 mean_gx = splat(dot * by);
      for (int64_t n = 0; n < s.batch; ++n) {
        const int64_t at = (n * s.channels + c) * s.inner;
        if (!a.training) {
          map_row(g + at, dx + at, s.inner, [=](V<T> gv) HWY_ATTR { return hn::Mul(scale, gv); });
          continue;
        }
        map_row(g + at, in + at, dx + at, s.inner, [=](V<T> gv, V<T> x) HWY_ATTR {
          const V<T> xhat = hn::Mul(hn::Sub(x, mean), rstd);
          return hn::Mul(scale, hn::Sub(gv, hn::MulAdd(xhat, mean_gx, mean_g)));
        });
      }
    }
  });
}

void batch_norm_simd(const BatchNormArgs& a) { a.dtype == kFloat32 ? norm<float>(a) : norm<double>(a); }
void batch_norm_backward_simd(const BatchNormBackwardArgs& a) {
  a.dtype == kFloat32 ? norm_backward<float>(a) : norm_backward<double>(a);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(batch_norm_simd);
HWY_EXPORT(batch_norm_backward_simd);
}  // namespace rows

void batch_norm(const BatchNormArgs& a) {
  if (is_half(a.dtype)) return norm_in_float(a, a.batch * a.channels * a.inner, a.channels, batch_norm);
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(batch_norm_simd)(a);
}

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  if (is_half(a.dtype))
    return norm_backward_in_float(a, a.batch * a.channels * a.inner, a.channels, batch_norm_backward);
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_simd)(a);
}

}  // namespace tapir::cpu
#endif
