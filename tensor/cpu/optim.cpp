// The updates of SGD and Adam, each in one pass over its arrays, with PyTorch's order of operations. Half
// types are computed in float, block by block.
#include <algorithm>
#include <cmath>

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
// n elements of a parameter with its state; null for state that the update does not keep.
template <class T>
struct Stretch {
  int64_t n;
  T* param;
  const T* grad;
  T* state[3];
};
struct AdamFactors {
  double step_size, sqrt_correction2, keep;  // keep: 1 - lr * weight_decay, or 1
};
}  // namespace tapir::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

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

template <class T>
HWY_INLINE void sgd_stretch(const SgdArgs& a, const Stretch<T>& s) {
  using V = Vec<T>;
  const V lr(-a.lr), decay(a.weight_decay), momentum(a.momentum), fresh(1 - a.dampening);
  T* const buffer = s.state[0];
  for_vectors<T>(s.n, [&](auto load, auto store) HWY_ATTR {
    const V p = load(s.param);
    V g = load(s.grad);
    if (a.maximize) g = -g;
    if (a.weight_decay != 0) g = mul_add(decay, p, g);
    if (buffer) {
      const V b = a.first_step ? g : mul_add(fresh, g, momentum * load(buffer));
      store(b, buffer);
      g = a.nesterov ? mul_add(momentum, b, g) : b;
    }
    store(mul_add(lr, g, p), s.param);
  });
}

template <class T>
HWY_INLINE void adam_stretch(const AdamArgs& a, const AdamFactors& k, const Stretch<T>& s) {
  using V = Vec<T>;
  const V beta1(a.beta1), fresh1(1 - a.beta1), beta2(a.beta2), fresh2(1 - a.beta2), eps(a.eps);
  const V decay(a.weight_decay), keep(k.keep), step(-k.step_size), correction2(k.sqrt_correction2);
  const bool add_decay = a.weight_decay != 0 && !a.decoupled;
  T *const first = s.state[0], *const second = s.state[1], *const largest = s.state[2];
  for_vectors<T>(s.n, [&](auto load, auto store) HWY_ATTR {
    V p = load(s.param), g = load(s.grad);
    if (a.maximize) g = -g;
    if (add_decay) g = mul_add(decay, p, g);
    p = p * keep;
    const V m = mul_add(fresh1, g, beta1 * load(first));
    V v = mul_add(fresh2 * g, g, beta2 * load(second));
    store(m, first);
    store(v, second);
    if (largest) {
      const V old = load(largest);
      v = select(old > v || is_nan(old), old, v);
      store(v, largest);
    }
    store(p + step * m / (sqrt(v) / correction2 + eps), s.param);
  });
}

void sgd_float(const SgdArgs& a, const Stretch<float>& s) { sgd_stretch(a, s); }
void sgd_double(const SgdArgs& a, const Stretch<double>& s) { sgd_stretch(a, s); }
void adam_float(const AdamArgs& a, const AdamFactors& k, const Stretch<float>& s) { adam_stretch(a, k, s); }
void adam_double(const AdamArgs& a, const AdamFactors& k, const Stretch<double>& s) { adam_stretch(a, k, s); }

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {

HWY_EXPORT(sgd_float);
HWY_EXPORT(sgd_double);
HWY_EXPORT(adam_float);
HWY_EXPORT(adam_double);

namespace {

constexpr int64_t kBlock = 512;    // elements of half types at a time
constexpr int64_t kGrain = 16384;  // elements per thread, about 5 µs

template <class T>
T* at(void* p, int64_t i) {
  return p ? static_cast<T*>(p) + i : nullptr;
}

// Calls update(Stretch<T>) on stretches that cover n elements, on several threads where that pays.
template <class T, class Update>
void each_stretch(int64_t n, void* param, const void* grad, void* const (&state)[3], Update update) {
  const auto stretch = [&](int64_t begin, int64_t end) {
    update(Stretch<T>{end - begin,
                      at<T>(param, begin),
                      static_cast<const T*>(grad) + begin,
                      {at<T>(state[0], begin), at<T>(state[1], begin), at<T>(state[2], begin)}});
  };
  if (n <= kGrain) {
    stretch(0, n);
  } else {
    parallel_for(0, n, kGrain, stretch);
  }
}

template <class Update>
void each_half_stretch(DType dtype, int64_t n, void* param, const void* grad, void* const (&state)[3],
                       Update update) {
  TAPIR_INTERNAL_CHECK(is_half(dtype));
  const Conversion in = conversion(dtype, kFloat32), out = conversion(kFloat32, dtype);
  parallel_for(0, n, kGrain, [&](int64_t begin, int64_t end) {
    float p[kBlock], g[kBlock], s[3][kBlock];
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t m = std::min(kBlock, end - i);
      Stretch<float> f{m, p, g, {}};
      in(m, at<uint16_t>(param, i), p);
      in(m, static_cast<const uint16_t*>(grad) + i, g);
      for (int k = 0; k < 3; ++k) {
        if (!state[k]) continue;
        in(m, at<uint16_t>(state[k], i), s[k]);
        f.state[k] = s[k];
      }
      update(f);
      out(m, p, at<uint16_t>(param, i));
      for (int k = 0; k < 3; ++k)
        if (state[k]) out(m, s[k], at<uint16_t>(state[k], i));
    }
  });
}

}  // namespace

void sgd(const SgdArgs& a) {
  void* const state[3] = {a.momentum_buffer, nullptr, nullptr};
  if (a.dtype == kFloat64) {
    each_stretch<double>(a.n, a.param, a.grad, state, [&](const Stretch<double>& s) {
      HWY_DYNAMIC_DISPATCH(sgd_double)(a, s);
    });
    return;
  }
  const auto update = [&](const Stretch<float>& s) { HWY_DYNAMIC_DISPATCH(sgd_float)(a, s); };
  if (a.dtype == kFloat32) {
    each_stretch<float>(a.n, a.param, a.grad, state, update);
  } else {
    each_half_stretch(a.dtype, a.n, a.param, a.grad, state, update);
  }
}

void adam(const AdamArgs& a) {
  const double correction1 = 1 - std::pow(a.beta1, static_cast<double>(a.step));
  const double correction2 = 1 - std::pow(a.beta2, static_cast<double>(a.step));
  const AdamFactors k{a.lr / correction1, std::sqrt(correction2),
                      a.decoupled ? 1 - a.lr * a.weight_decay : 1};
  void* const state[3] = {a.exp_avg, a.exp_avg_sq, a.max_exp_avg_sq};
  if (a.dtype == kFloat64) {
    each_stretch<double>(a.n, a.param, a.grad, state, [&](const Stretch<double>& s) {
      HWY_DYNAMIC_DISPATCH(adam_double)(a, k, s);
    });
    return;
  }
  const auto update = [&](const Stretch<float>& s) { HWY_DYNAMIC_DISPATCH(adam_float)(a, k, s); };
  if (a.dtype == kFloat32) {
    each_stretch<float>(a.n, a.param, a.grad, state, update);
  } else {
    each_half_stretch(a.dtype, a.n, a.param, a.grad, state, update);
  }
}

}  // namespace tapir::cpu
#endif
