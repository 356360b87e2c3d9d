// The loops of the functors that are compiled for plain numbers only.
#include <utility>

#include "tapir/tensor/cpu/loops.h"
#include "tapir/tensor/functors.h"

namespace tapir::cpu {

namespace {

template <class F>
constexpr int params_of() {
  if constexpr (requires { F::kParams; }) {
    return F::kParams;
  } else {
    return 0;
  }
}

template <class F, class T, size_t... I, size_t... P>
void loop_of(int64_t n, const void* const* in, const int64_t* step, void* out, const KernelScalar* params,
             std::index_sequence<I...>, std::index_sequence<P...>) {
  T* o = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i)
    o[i] = F()(static_cast<const T*>(in[I])[i * step[I]]..., static_cast<T>(params[P].real)...);
}
template <class F, class T, int kArity>
void scalar_loop(int64_t n, const void* const* in, const int64_t* step, void* out,
                 const KernelScalar* params) {
  loop_of<F, T>(n, in, step, out, params, std::make_index_sequence<kArity>(),
                std::make_index_sequence<params_of<F>()>());
}

template <class F, class T, int kArity>
constexpr PointwiseLoop loop_or_null() {
  if constexpr (ScalarFunctor<F>) {
    return scalar_loop<F, T, kArity>;
  } else {
    return nullptr;
  }
}

template <class T>
constexpr PointwiseLoop kLoops[] = {
#define TAPIR_UNARY(name, functor, dtypes) loop_or_null<functors::functor, T, 1>(),
#define TAPIR_PREDICATE(name, functor, dtypes) loop_or_null<functors::functor, T, 1>(),
#define TAPIR_BINARY(name, functor, dtypes) loop_or_null<functors::functor, T, 2>(),
#define TAPIR_KERNEL(name, functor, arity, dtypes) loop_or_null<functors::functor, T, arity>(),
#include "tapir/tensor/pointwise.def"
};

}  // namespace

const PointwiseLoop* scalar_float_loops() { return kLoops<float>; }
const PointwiseLoop* scalar_double_loops() { return kLoops<double>; }

}  // namespace tapir::cpu
