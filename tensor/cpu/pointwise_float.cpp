// The pointwise loops in float.
#include "hwy/base.h"
#include "tapir/tensor/cpu/loops.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS TAPIR_DISABLED_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/pointwise_float.cpp"
#include "hwy/foreach_target.h"
#include "tapir/tensor/cpu/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

#define TAPIR_LOOP_TYPE float
const PointwiseLoop* make_float_loops() {
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
HWY_EXPORT(make_float_loops);
const PointwiseLoop* float_loops() { return HWY_DYNAMIC_DISPATCH(make_float_loops)(); }
}  // namespace tapir::cpu
#endif
