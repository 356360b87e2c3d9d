// Attention by tiles, compiled once per instruction set: Rabe and Staats 2021, Dao et al. 2022.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/attention.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/gemm.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

constexpr int64_t kQueries = 64, kKeys = 256;  // of a tile, whose scores fit into the second-level cache

/// c = alpha op(a) op(b) + beta c
template <class T>
void product(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
             const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  cpu::GemmArgs<T> g;
  g.trans_a = trans_a;
  g.trans_b = trans_b;
  g.m = m;
  g.n = n;
  g.k = k;
  g.alpha = alpha;
  g.a = a;
  g.lda = lda;
  g.b = b;
  g.ldb = ldb;
  g.beta = beta;
  g.c = c;
  g.ldc = ldc;
  cpu::gemm(g);
}

/// One of the batch * heads problems.
template <class T>
struct Problem {
  const AttentionArgs& a;
  int64_t batch, head;
  Problem(const AttentionArgs& args, int64_t index)
      : a(args), batch(index / args.heads), head(index % args.heads) {}
  const T* at(const void* p, const int64_t* strides) const {
    return static_cast<const T*>(p) + batch * strides[0] + head * strides[1];
  }
  T* at(void* p, const int64_t* strides) const {
    return static_cast<T*>(p) + batch * strides[0] + head * strides[1];
  }
  int64_t index() const { return batch * a.heads + head; }
  /// How many keys a tile of queries that ends before `end` sees.
  int64_t keys_seen(int64_t end) const { return a.causal ? std::min(a.keys, end) : a.keys; }

  /// scores (rows, columns) = q k^T * scale + mask of the tile at query `i0` and key `j0`.
  void scores(int64_t i0, int64_t rows, int64_t j0, int64_t columns, T* s) const {
    product<T>(false, true, rows, columns, a.depth, static_cast<T>(a.scale),
               at(a.q, a.q_strides) + i0 * a.q_strides[2], a.q_strides[2],
               at(a.k, a.k_strides) + j0 * a.k_strides[2], a.k_strides[2], T(0), s, columns);
    if (a.mask) {
      const T* mask = at(a.mask, a.mask_strides);
      for (int64_t i = 0; i < rows; ++i) {
        const T* m = mask + (i0 + i) * a.mask_strides[2] + j0 * a.mask_strides[3];
        T* row = s + i * columns;
        if (a.mask_strides[3] == 1)
          map_row(row, m, row, columns, [](V<T> x, V<T> y) { return hn::Add(x, y); });
        else
          for (int64_t j = 0; j < columns; ++j) row[j] += m[j * a.mask_strides[3]];
      }
    }
    if (a.causal)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = std::max<int64_t>(0, i0 + i + 1 - j0); j < columns; ++j)
          s[i * columns + j] = -kInf<T>;
  }
  /// Multiplies what dropout lets through, zeros the rest.
  void drop(int64_t i0, int64_t rows, int64_t j0, int64_t columns, T* s) const {
    const auto scale = static_cast<T>(a.keep_scale);
    for (int64_t i = 0; i < rows; ++i) {
      const uint8_t* keep = a.keep + (index() * a.queries + i0 + i) * a.keys + j0;
      for (int64_t j = 0; j < columns; ++j) s[i * columns + j] *= keep[j] ? scale : T(0);
    }
  }
};

/// exp(x - shift) in place; returns the sum.
template <class T>
T exp_row(T* x, int64_t n, T shift) {
  const Tag<T> d;
  const V<T> s = splat(shift);
  V<T> sum = splat(T(0));
  constexpr int64_t L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const V<T> e = exp_of_negative<T>(hn::Sub(hn::LoadU(d, x + i), s));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, x + i);
  }
  if (i < n) {
    const V<T> e = exp_of_negative<T>(hn::Sub(load_first(x + i, n - i, -kInf<T>), s));
    sum = hn::Add(sum, e);
    store_first(e, x + i, n - i);
  }
  return sum_lanes<T>(sum);
}

template <class T>
void scale_row(T* x, int64_t n, T by) {
  const V<T> s = splat(by);
  map_row(x, x, n, [s](V<T> v) { return hn::Mul(v, s); });
}

template <class T>
void forward_tile(const Problem<T>& p, int64_t i0, int64_t rows, std::vector<T>& tile) {
  const AttentionArgs& a = p.a;
  const int64_t stride = a.out_strides[2];
  T* const out = p.at(a.out, a.out_strides) + i0 * stride;
  T top[kQueries], sum[kQueries];
  std::fill_n(top, rows, -kInf<T>);
  std::fill_n(sum, rows, T(0));
  const T* v = p.at(a.v, a.v_strides);
  const int64_t seen = p.keys_seen(i0 + rows);
  for (int64_t j0 = 0; j0 < seen; j0 += kKeys) {
    const int64_t columns = std::min(kKeys, seen - j0);
    p.scores(i0, rows, j0, columns, tile.data());
    for (int64_t i = 0; i < rows; ++i) {
      T* row = tile.data() + i * columns;
      const T most = row_extreme<T, false>(row, columns);
      const T shift = most > top[i] || std::isnan(most) ? most : top[i];
      if (shift == -kInf<T>) {  // nothing to see so far
        std::fill_n(row, columns, T(0));
        continue;
      }
      const T part = exp_row(row, columns, shift);
      const T faded = std::exp(top[i] - shift);  // 0 at first
      sum[i] = sum[i] * faded + part;
      top[i] = shift;
      if (j0 > 0 && faded != T(1)) scale_row(out + i * stride, a.width, faded);
    }
    if (a.keep) p.drop(i0, rows, j0, columns, tile.data());
    product<T>(false, false, rows, a.width, columns, T(1), tile.data(), columns, v + j0 * a.v_strides[2],
               a.v_strides[2], T(j0 > 0), out, stride);
  }
  T* log_sum = static_cast<T*>(a.log_sum) + p.index() * a.queries + i0;
  for (int64_t i = 0; i < rows; ++i) {
    scale_row(out + i * stride, a.width, T(1) / sum[i]);
    log_sum[i] = top[i] + std::log(sum[i]);
  }
}

template <class T>
void attention_of(const AttentionArgs& a) {
  const int64_t tiles = (a.queries + kQueries - 1) / kQueries, problems = a.batch * a.heads;
  const int64_t work = std::min(a.queries, kQueries) * a.keys * (a.depth + a.width);
  parallel_for(0, problems * tiles, std::max<int64_t>(1, (1 << 17) / std::max<int64_t>(1, work)),
               [&](int64_t lo, int64_t hi) {
                 std::vector<T> tile(static_cast<size_t>(kQueries * std::min(kKeys, a.keys)));
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t i0 = t % tiles * kQueries;
                   forward_tile(Problem<T>(a, t / tiles), i0, std::min(kQueries, a.queries - i0), tile);
                 }
               });
}

template <class T>
void backward_problem(const AttentionBackwardArgs& b, const Problem<T>& p, std::vector<T>& tile,
                      std::vector<T>& grad_tile) {
  const AttentionArgs& a = b.forward;
  const T *q = p.at(a.q, a.q_strides), *k = p.at(a.k, a.k_strides), *v = p.at(a.v, a.v_strides);
  const T *g = p.at(b.grad_out, b.grad_out_strides),
          *out = p.at(static_cast<const void*>(a.out), a.out_strides);
  T *dq = p.at(b.grad_q, b.grad_q_strides), *dk = p.at(b.grad_k, b.grad_k_strides),
    *dv = p.at(b.grad_v, b.grad_v_strides);
  const T* log_sum = static_cast<const T*>(a.log_sum) + p.index() * a.queries;
  T* dmask = b.grad_mask ? static_cast<T*>(b.grad_mask) + p.index() * a.queries * a.keys : nullptr;
  const auto scale = static_cast<T>(a.scale);
  for (int64_t j = 0; j < a.keys; ++j) {
    std::fill_n(dk + j * b.grad_k_strides[2], a.depth, T(0));
    std::fill_n(dv + j * b.grad_v_strides[2], a.width, T(0));
  }
  if (dmask) std::fill_n(dmask, a.queries * a.keys, T(0));
  for (int64_t i0 = 0; i0 < a.queries; i0 += kQueries) {
    const int64_t rows = std::min(kQueries, a.queries - i0), seen = p.keys_seen(i0 + rows);
    const T* gt = g + i0 * b.grad_out_strides[2];
    T dot[kQueries];  // of a row of the result with its gradient
    for (int64_t i = 0; i < rows; ++i) {
      const T* o = out + (i0 + i) * a.out_strides[2];
      const T* gi = gt + i * b.grad_out_strides[2];
      dot[i] = sum_lanes<T>(fold_row(
          gi, a.width, T(0), splat(T(0)),
          [&](V<T> s, V<T> x, int64_t c) HWY_ATTR {
            const int64_t left = a.width - c;
            return hn::MulAdd(
                x, left >= kLanes<T> ? hn::LoadU(Tag<T>(), o + c) : load_first(o + c, left, T(0)), s);
          },
          [](V<T> x, V<T> y) { return hn::Add(x, y); }));
    }
    for (int64_t j0 = 0; j0 < seen; j0 += kKeys) {
      const int64_t columns = std::min(kKeys, seen - j0);
      T *s = tile.data(), *ds = grad_tile.data();
      p.scores(i0, rows, j0, columns, s);
      for (int64_t i = 0; i < rows; ++i) {
        const V<T> shift = splat(log_sum[i0 + i]);
        T* row = s + i * columns;
        map_row(row, row, columns, [shift](V<T> x) { return exp_of_negative<T>(hn::Sub(x, shift)); });
      }
      product<T>(false, true, rows, columns, a.width, T(1), gt, b.grad_out_strides[2],
                 v + j0 * a.v_strides[2], a.v_strides[2], T(0), ds, columns);
      if (a.keep) p.drop(i0, rows, j0, columns, ds);
      for (int64_t i = 0; i < rows; ++i) {
        const V<T> d = splat(dot[i]);
        map_row(s + i * columns, ds + i * columns, ds + i * columns, columns,
                [d](V<T> x, V<T> y) { return hn::Mul(x, hn::Sub(y, d)); });
      }
      if (a.keep) p.drop(i0, rows, j0, columns, s);
      product<T>(true, false, columns, a.width, rows, T(1), s, columns, gt, b.grad_out_strides[2], T(1),
                 dv + j0 * b.grad_v_strides[2], b.grad_v_strides[2]);
      product<T>(false, false, rows, a.depth, columns, scale, ds, columns, k + j0 * a.k_strides[2],
                 a.k_strides[2], T(j0 > 0), dq + i0 * b.grad_q_strides[2], b.grad_q_strides[2]);
      product<T>(true, false, columns, a.depth, rows, scale, ds, columns, q + i0 * a.q_strides[2],
                 a.q_strides[2], T(1), dk + j0 * b.grad_k_strides[2], b.grad_k_strides[2]);
      if (dmask)
        for (int64_t i = 0; i < rows; ++i)
          std::copy_n(ds + i * columns, columns, dmask + (i0 + i) * a.keys + j0);
    }
  }
}

template <class T>
void attention_backward_of(const AttentionBackwardArgs& b) {
  const AttentionArgs& a = b.forward;
  parallel_for(0, a.batch * a.heads, 1, [&](int64_t lo, int64_t hi) {
    const auto size = static_cast<size_t>(kQueries * std::min(kKeys, a.keys));
    std::vector<T> tile(size), grad_tile(size);
    for (int64_t i = lo; i < hi; ++i) backward_problem(b, Problem<T>(a, i), tile, grad_tile);
  });
}

void attention_simd(const AttentionArgs& a) {
  a.dtype == kFloat32 ? attention_of<float>(a) : attention_of<double>(a);
}
void attention_backward_simd(const AttentionBackwardArgs& b) {
  b.forward.dtype == kFloat32 ? attention_backward_of<float>(b) : attention_backward_of<double>(b);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(attention_simd);
HWY_EXPORT(attention_backward_simd);
}  // namespace rows

void attention(const AttentionArgs& a) {
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(attention_simd)(a);
}
void attention_backward(const AttentionBackwardArgs& a) {
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(attention_backward_simd)(a);
}

}  // namespace tapir::cpu
#endif
