// The pointwise loops in int64: plain loops, which the compiler turns into SIMD for each instruction set.
#include <algorithm>

#include "hwy/base.h"
#include "tapir/tensor/cpu/loops.h"
#include "tapir/tensor/functors.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS TAPIR_DISABLED_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/pointwise_int.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

using functors::Int;
constexpr int64_t kBlock = 64;

template <class F>
constexpr int int_params() {
  if constexpr (requires { F::kParams; }) {
    return F::kParams;
  } else {
    return 0;
  }
}

template <class F, int kArity>
HWY_INLINE auto one(const int64_t* const* x, int64_t i, Int p0, Int p1) {
  constexpr int kCount = int_params<F>();
  if constexpr (kArity == 1 && kCount == 0)
    return F()(Int(x[0][i]));
  else if constexpr (kArity == 1)
    return F()(Int(x[0][i]), p0, p1);
  else if constexpr (kArity == 2 && kCount == 0)
    return F()(Int(x[0][i]), Int(x[1][i]));
  else if constexpr (kArity == 2)
    return F()(Int(x[0][i]), Int(x[1][i]), p0);
  else
    return F()(Int(x[0][i]), Int(x[1][i]), Int(x[2][i]), p0);
}

// Operands of one element are spread over a block beforehand, so that every inner loop has unit strides.
template <class F, int kArity>
void int_loop(int64_t n, const void* const* in, const int64_t* step, void* out, const KernelScalar* params) {
  int64_t spread[kArity][kBlock];
  const int64_t* x[kArity];
  for (int k = 0; k < kArity; ++k) {
    x[k] = static_cast<const int64_t*>(in[k]);
    if (step[k] == 0) {
      std::fill_n(spread[k], std::min(n, kBlock), *x[k]);
      x[k] = spread[k];
    }
  }
  const Int p0(params[0].integer), p1(params[1].integer);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t m = std::min(n - begin, kBlock);
    if constexpr (std::is_same_v<decltype(one<F, kArity>(x, 0, p0, p1)), bool>) {
      auto* o = static_cast<uint8_t*>(out) + begin;
      for (int64_t i = 0; i < m; ++i) o[i] = one<F, kArity>(x, i, p0, p1);
    } else {
      auto* o = static_cast<int64_t*>(out) + begin;
      for (int64_t i = 0; i < m; ++i) o[i] = one<F, kArity>(x, i, p0, p1).v;
    }
    for (int k = 0; k < kArity; ++k) x[k] += step[k] * kBlock;
  }
}

template <class F>
void int_select_loop(int64_t n, const void* const* in, const int64_t* step, void* out, const KernelScalar*) {
  const auto* c = static_cast<const uint8_t*>(in[0]);
  const auto *a = static_cast<const int64_t*>(in[1]), *b = static_cast<const int64_t*>(in[2]);
  auto* o = static_cast<int64_t*>(out);
  for (int64_t i = 0; i < n; ++i) o[i] = F()(c[i * step[0]] != 0, Int(a[i * step[1]]), Int(b[i * step[2]])).v;
}

#define TAPIR_LOOP_Floating(functor, arity) nullptr
#define TAPIR_LOOP_Numeric(functor, arity) int_loop<functors::functor, arity>
#define TAPIR_LOOP_Compare(functor, arity) int_loop<functors::functor, arity>
#define TAPIR_LOOP_Logical(functor, arity) int_loop<functors::functor, arity>
#define TAPIR_LOOP_Integral(functor, arity) int_loop<functors::functor, arity>
#define TAPIR_LOOP_Select(functor, arity) int_select_loop<functors::functor>

const PointwiseLoop* make_int_loops() {
  static constexpr PointwiseLoop loops[] = {
#define TAPIR_UNARY(name, functor, dtypes) TAPIR_LOOP_##dtypes(functor, 1),
#define TAPIR_PREDICATE(name, functor, dtypes) TAPIR_LOOP_##dtypes(functor, 1),
#define TAPIR_BINARY(name, functor, dtypes) TAPIR_LOOP_##dtypes(functor, 2),
#define TAPIR_KERNEL(name, functor, arity, dtypes) TAPIR_LOOP_##dtypes(functor, arity),
#include "tapir/tensor/pointwise.def"
  };
  return loops;
}

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
HWY_EXPORT(make_int_loops);
const PointwiseLoop* int_loops() { return HWY_DYNAMIC_DISPATCH(make_int_loops)(); }
}  // namespace tapir::cpu
#endif
