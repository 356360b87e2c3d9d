// What PointwiseLoop is made of; included once per instruction set.
#if defined(TAPIR_CPU_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPIR_CPU_LOOPS_INL_H_
#undef TAPIR_CPU_LOOPS_INL_H_
#else
#define TAPIR_CPU_LOOPS_INL_H_
#endif

#include "tapir/tensor/cpu/elementary-inl.h"
#include "tapir/tensor/cpu/loops.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

template <class F>
concept HasParams = requires {
  F::kParams;
};
template <class F>
constexpr int params_of() {
  if constexpr (HasParams<F>) {
    return F::kParams;
  } else {
    return 0;
  }
}

template <class F, class V, size_t... I, size_t... P>
HWY_INLINE auto apply(const V* x, const V* params, std::index_sequence<I...>, std::index_sequence<P...>) {
  return F()(x[I]..., params[P]...);
}

template <class T>
HWY_INLINE void put(Vec<T> v, void* out, int64_t i) {
  v.store(static_cast<T*>(out) + i);
}
template <class T>
HWY_INLINE void put(Mask<T> m, void* out, int64_t i) {
  store_bools(m, static_cast<uint8_t*>(out) + i, Vec<T>::kLanes);
}
template <class T>
HWY_INLINE void put_first(Vec<T> v, void* out, int64_t i, int64_t n) {
  v.store_first(static_cast<T*>(out) + i, n);
}
template <class T>
HWY_INLINE void put_first(Mask<T> m, void* out, int64_t i, int64_t n) {
  store_bools(m, static_cast<uint8_t*>(out) + i, n);
}

/// Operands of one element are spread over a vector beforehand and read again and again.
template <class F, class T, int kArity>
void vector_loop(int64_t n, const void* const* in, const int64_t* step, void* out,
                 const KernelScalar* params) {
  using V = Vec<T>;
  constexpr int64_t N = V::kLanes;
  constexpr auto kInputs = std::make_index_sequence<kArity>();
  constexpr auto kParams = std::make_index_sequence<params_of<F>()>();
  HWY_ALIGN T spread[kArity][N];
  V p[params_of<F>() + 1];
  for (int k = 0; k < params_of<F>(); ++k) p[k] = V(static_cast<T>(params[k].real));
  const T* x[kArity];
  int64_t advance[kArity];
  for (int k = 0; k < kArity; ++k) {
    x[k] = static_cast<const T*>(in[k]);
    advance[k] = step[k] * N;
    if (step[k] == 0) {
      V(*x[k]).store(spread[k]);
      x[k] = spread[k];
    }
  }
  int64_t i = 0;
  V v[kArity];
  for (; i + N <= n; i += N) {
    for (int k = 0; k < kArity; ++k) {
      v[k] = V::load(x[k]);
      x[k] += advance[k];
    }
    put<T>(apply<F>(v, p, kInputs, kParams), out, i);
  }
  if (i < n) {
    for (int k = 0; k < kArity; ++k) v[k] = V::load_first(x[k], n - i);
    put_first<T>(apply<F>(v, p, kInputs, kParams), out, i, n - i);
  }
}

/// where(): the first operand is bytes.
template <class F, class T>
void select_loop(int64_t n, const void* const* in, const int64_t* step, void* out, const KernelScalar*) {
  using V = Vec<T>;
  constexpr int64_t N = V::kLanes;
  const auto* c = static_cast<const uint8_t*>(in[0]);
  const T *a = static_cast<const T*>(in[1]), *b = static_cast<const T*>(in[2]);
  T* o = static_cast<T*>(out);
  if (step[0] == 0) {  // one side is taken throughout
    const T* source = *c ? a : b;
    const int64_t s = *c ? step[1] : step[2];
    for (int64_t i = 0; i < n; ++i) o[i] = source[i * s];
    return;
  }
  for (int64_t i = 0; i < n; i += N) {
    const int64_t m = n - i < N ? n - i : N;
    const auto side = [&](const T* x, int64_t s) HWY_ATTR {
      return s == 0 ? V(*x) : m == N ? V::load(x + i) : V::load_first(x + i, m);
    };
    const V v = F()(load_bools(c + i, m, T()), side(a, step[1]), side(b, step[2]));
    if (m == N) {
      v.store(o + i);
    } else {
      v.store_first(o + i, m);
    }
  }
}

template <class F, class T, int kArity>
constexpr PointwiseLoop loop_or_null() {
  if constexpr (ScalarFunctor<F>) {
    return nullptr;
  } else {
    return vector_loop<F, T, kArity>;
  }
}

#define TAPIR_LOOP_Floating(functor, arity) loop_or_null<functors::functor, TAPIR_LOOP_TYPE, arity>()
#define TAPIR_LOOP_Numeric(functor, arity) loop_or_null<functors::functor, TAPIR_LOOP_TYPE, arity>()
#define TAPIR_LOOP_Compare(functor, arity) vector_loop<functors::functor, TAPIR_LOOP_TYPE, arity>
#define TAPIR_LOOP_Logical(functor, arity) vector_loop<functors::functor, TAPIR_LOOP_TYPE, arity>
#define TAPIR_LOOP_Integral(functor, arity) nullptr
#define TAPIR_LOOP_Select(functor, arity) select_loop<functors::functor, TAPIR_LOOP_TYPE>

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
