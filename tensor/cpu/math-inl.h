// Elementary functions of Vec<float> and Vec<double>; included once per instruction set.
#if defined(TAPIR_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_MATH_INL_H_
#undef TAPIR_CPU_MATH_INL_H_
#else
#define TAPIR_CPU_MATH_INL_H_
#endif

#include <cmath>

#include "tapir/tensor/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

// Lane by lane through the C library.
template <class T>
HWY_NOINLINE void each_lane(T (*f)(T), T* x) {
  for (int64_t i = 0; i < Vec<T>::kLanes; ++i) x[i] = f(x[i]);
}
template <class T>
HWY_INLINE Vec<T> each_lane(T (*f)(T), Vec<T> x) {
  HWY_ALIGN T lanes[Vec<T>::kLanes];
  x.store(lanes);
  each_lane(f, lanes);
  return Vec<T>::load(lanes);
}
template <class T>
HWY_INLINE Vec<T> exp(Vec<T> x) {
  return each_lane<T>(std::exp, x);
}
template <class T>
HWY_INLINE Vec<T> expm1(Vec<T> x) {
  return each_lane<T>(std::expm1, x);
}
template <class T>
HWY_INLINE Vec<T> log(Vec<T> x) {
  return each_lane<T>(std::log, x);
}
template <class T>
HWY_INLINE Vec<T> log1p(Vec<T> x) {
  return each_lane<T>(std::log1p, x);
}
template <class T>
HWY_INLINE Vec<T> sin(Vec<T> x) {
  return each_lane<T>(std::sin, x);
}
template <class T>
HWY_INLINE Vec<T> cos(Vec<T> x) {
  return each_lane<T>(std::cos, x);
}
template <class T>
HWY_INLINE Vec<T> tanh(Vec<T> x) {
  return each_lane<T>(std::tanh, x);
}
template <class T>
HWY_INLINE Vec<T> erf(Vec<T> x) {
  return each_lane<T>(std::erf, x);
}
template <class T>
HWY_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> z = exp(-abs(x));
  return select(x < Vec<T>(0), z, Vec<T>(1)) / (Vec<T>(1) + z);
}
template <class T>
HWY_INLINE Vec<T> pow(Vec<T> x, Vec<T> y) {
  HWY_ALIGN T a[Vec<T>::kLanes], b[Vec<T>::kLanes];
  x.store(a);
  y.store(b);
  for (int64_t i = 0; i < Vec<T>::kLanes; ++i) a[i] = std::pow(a[i], b[i]);
  return Vec<T>::load(a);
}

namespace functors {
#define TAPIR_FN HWY_INLINE
#include "tapir/tensor/functors.def"
#undef TAPIR_FN
}  // namespace functors

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
