// The optimizers' updates, each in one pass over its arrays and over all parameters at once. The formulas are
// in updates.def. Half types are computed in float, block by block.
#include <algorithm>
#include <vector>

#include "hwy/base.h"
#include "tapir/tensor/cpu/convert.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/loops.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/error.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS TAPIR_DISABLED_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/optim.cpp"
#include "hwy/foreach_target.h"
#include "tapir/tensor/cpu/simd-inl.h"

#ifndef TAPIR_CPU_OPTIM_STRETCH
#define TAPIR_CPU_OPTIM_STRETCH
namespace tapir::cpu {
// n elements of a parameter with its states; null for a state that is not in use.
template <class T>
struct Stretch {
  int64_t n;
  T* param;
  const T* grad;
  T* states[kMaxUpdateStates];
};
}  // namespace tapir::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

// The square root. Where the processor has a good first guess r of 1 / sqrt(x), s = x r is mended by half of
// r (x - s^2), which leaves an error of 2^-27 before rounding and takes a fifth of the time of the
// instruction. Zero, infinity and what comes near them take that.
template <class T>
HWY_INLINE Vec<T> root(Vec<T> x) {
  return sqrt(x);
}
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
HWY_INLINE Vec<float> root(Vec<float> x) {
  const Vec<float>::D d;
  const auto usual = hn::And(hn::Ge(x.raw, hn::Set(d, 0x1p-100F)), hn::Le(x.raw, hn::Set(d, 0x1p100F)));
  const auto r = hn::ApproximateReciprocalSqrt(x.raw), s = hn::Mul(x.raw, r);
  const auto y = hn::MulAdd(hn::Mul(hn::Set(d, 0.5F), r), hn::NegMulAdd(s, s, x.raw), s);
  return Vec<float>(HWY_LIKELY(hn::AllTrue(d, usual)) ? y : hn::IfThenElse(usual, y, hn::Sqrt(x.raw)));
}
#endif

#define TAPIR_FN HWY_INLINE
#include "tapir/tensor/updates.def"
#undef TAPIR_FN

// f(load, store) for vectors that cover [0, n).
template <class T, class F>
HWY_INLINE void for_vectors(int64_t n, F f) {
  constexpr int64_t N = Vec<T>::kLanes;
  int64_t i = 0;
  for (; i + N <= n; i += N)
    f([i](const T* p) HWY_ATTR { return Vec<T>::load(p + i); },
      [i](Vec<T> v, T* p) HWY_ATTR { v.store(p + i); });
  const int64_t m = n - i;
  if (m > 0)
    f([i, m](const T* p) HWY_ATTR { return Vec<T>::load_first(p + i, m); },
      [i, m](Vec<T> v, T* p) HWY_ATTR { v.store_first(p + i, m); });
}

// What is the same for all elements of a parameter.
template <class V, class Formula>
struct Uniform {
  V k[Formula::kFactors];
  bool has[Formula::kStates];
  bool flag;
};

template <class Formula, class T>
void run_formula(const UpdateTensor& t, const Stretch<T>& stretch) {
  using V = Vec<T>;
  Uniform<V, Formula> u;
  for (int i = 0; i < Formula::kFactors; ++i) u.k[i] = V(t.factors[i]);
  for (int i = 0; i < Formula::kStates; ++i) u.has[i] = stretch.states[i] != nullptr;
  u.flag = t.flag;
  const bool negate = t.maximize, decays = t.weight_decay != 0;
  const V decay(t.weight_decay);
  const Stretch<T> a = stretch;
  for_vectors<T>(a.n, [&](auto load, auto store) HWY_ATTR {
    V p = load(a.param), g = load(a.grad), s[Formula::kStates];
    for (int i = 0; i < Formula::kStates; ++i) s[i] = u.has[i] ? load(a.states[i]) : V(T(0));
    if (negate) g = -g;
    if (decays) g = mul_add(decay, p, g);
    Formula()(p, g, s, u);
    store(p, a.param);
    for (int i = 0; i < Formula::kStates; ++i)
      if (u.has[i]) store(s[i], a.states[i]);
  });
}

template <class T>
void run_update(Update op, const UpdateTensor& t, const Stretch<T>& s) {
  switch (op) {
#define TAPIR_UPDATE(Name) \
  case Update::Name:       \
    return run_formula<Name##Update>(t, s);
    TAPIR_UPDATES(TAPIR_UPDATE)
#undef TAPIR_UPDATE
  }
}
void update_float(Update op, const UpdateTensor& t, const Stretch<float>& s) { run_update(op, t, s); }
void update_double(Update op, const UpdateTensor& t, const Stretch<double>& s) { run_update(op, t, s); }

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {

HWY_EXPORT(update_float);
HWY_EXPORT(update_double);

namespace {

constexpr int64_t kBlock = 512;    // elements of half types at a time
constexpr int64_t kGrain = 16384;  // elements per thread, about 5 µs
constexpr int64_t kLine = 64;      // elements that a slice is a multiple of

template <class T>
T* at(void* p, int64_t i) {
  return p ? static_cast<T*>(p) + i : nullptr;
}

template <class T>
Stretch<T> stretch_of(const UpdateTensor& t, int64_t begin, int64_t end) {
  Stretch<T> s{end - begin, at<T>(t.param, begin), static_cast<const T*>(t.grad) + begin, {}};
  for (int k = 0; k < kMaxUpdateStates; ++k) s.states[k] = at<T>(t.states[k], begin);
  return s;
}

void update_halves(Update op, const UpdateTensor& t, int64_t begin, int64_t end) {
  TAPIR_INTERNAL_CHECK(is_half(t.dtype));
  const Conversion in = conversion(t.dtype, kFloat32), out = conversion(kFloat32, t.dtype);
  float p[kBlock], g[kBlock], s[kMaxUpdateStates][kBlock];
  for (int64_t i = begin; i < end; i += kBlock) {
    const Stretch<uint16_t> stored = stretch_of<uint16_t>(t, i, std::min(end, i + kBlock));
    const int64_t m = stored.n;
    Stretch<float> computed{m, p, g, {}};
    in(m, stored.param, p);
    in(m, stored.grad, g);
    for (int k = 0; k < kMaxUpdateStates; ++k) {
      if (!stored.states[k]) continue;
      in(m, stored.states[k], s[k]);
      computed.states[k] = s[k];
    }
    HWY_DYNAMIC_DISPATCH(update_float)(op, t, computed);
    out(m, p, stored.param);
    for (int k = 0; k < kMaxUpdateStates; ++k)
      if (stored.states[k]) out(m, s[k], stored.states[k]);
  }
}

void update_range(Update op, const UpdateTensor& t, int64_t begin, int64_t end) {
  if (t.dtype == kFloat32) {
    HWY_DYNAMIC_DISPATCH(update_float)(op, t, stretch_of<float>(t, begin, end));
  } else if (t.dtype == kFloat64) {
    HWY_DYNAMIC_DISPATCH(update_double)(op, t, stretch_of<double>(t, begin, end));
  } else {
    update_halves(op, t, begin, end);
  }
}

}  // namespace

void update(const UpdateArgs& a) {
  int64_t total = 0;
  for (int64_t i = 0; i < a.count; ++i) total += a.tensors[i].n;
  if (total <= kGrain) {
    for (int64_t i = 0; i < a.count; ++i) update_range(a.op, a.tensors[i], 0, a.tensors[i].n);
    return;
  }
  // One range, which the threads share: the first slices of all parameters, then the second ones, ... A
  // thread so updates the part of each parameter that it also reads in a product, which is then in its cache.
  struct Slice {
    int64_t tensor, begin, end;  // in the tensor
    int64_t start;               // in the range
  };
  const int64_t shares = std::min<int64_t>(get_num_threads(), total / kGrain + 1);
  std::vector<Slice> slices;
  slices.reserve(static_cast<size_t>(shares * a.count));
  int64_t start = 0;
  for (int64_t share = 0; share < shares; ++share)
    for (int64_t i = 0; i < a.count; ++i) {
      const int64_t n = a.tensors[i].n;
      const auto edge = [&](int64_t s) { return s == shares ? n : n / shares * s / kLine * kLine; };
      slices.push_back({i, edge(share), edge(share + 1), start});
      start += edge(share + 1) - edge(share);
    }
  parallel_for(0, total, kGrain / 4, [&](int64_t begin, int64_t end) {
    auto s = std::upper_bound(slices.begin(), slices.end(), begin,
                              [](int64_t at, const Slice& slice) { return at < slice.start; }) -
             1;
    for (; begin < end; ++s) {
      const int64_t first = s->begin + (begin - s->start);
      const int64_t last = std::min(s->end, first + (end - begin));
      if (first < last) update_range(a.op, a.tensors[s->tensor], first, last);
      begin += last - first;
    }
  });
}

}  // namespace tapir::cpu
#endif
