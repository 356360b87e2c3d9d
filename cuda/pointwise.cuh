// The pointwise kernels for one compute type, from the same functors as the CPU's. Included by
// pointwise_float.cu and its siblings, which each instantiate one type, so that they compile in parallel.
#pragma once

#include <utility>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/tensor/error.h"
#include "tapir/tensor/functors.h"

namespace tapir::cuda {

template <class F>
concept HasParams = requires {
  F::kParams;
};
template <class F>
inline constexpr int kParamsOf = 0;
template <HasParams F>
inline constexpr int kParamsOf<F> = F::kParams;

// Int is the wrapping integer of the functors; it is loaded and stored as an int64.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<functors::Int> {
  using type = int64_t;
};
template <class T>
using stored_t = typename Stored<T>::type;

template <class T, int kArity>
struct Call {
  struct Operand {
    void* data;  ///< null: the value
    DType dtype;
    stored_t<T> value;
  };
  int64_t n;
  stored_t<T> params[kMaxPointwiseParams];
  Operand operands[kArity + 1];
};

template <class F, class T, bool kSelect, size_t... I, size_t... P>
__device__ __forceinline__ auto compute(const T* x, const T* params, std::index_sequence<I...>,
                                        std::index_sequence<P...>) {
  if constexpr (kSelect) {
    return F()(x[0] != T(0), x[1], x[2]);
  } else {
    return F()(x[I]..., params[P]...);
  }
}

template <class T>
__device__ __forceinline__ void put(void* data, DType dtype, int64_t i, T value) {
  store(data, dtype, i, static_cast<stored_t<T>>(value));
}
__device__ __forceinline__ void put(void* data, DType dtype, int64_t i, bool value) {
  store(data, dtype, i, static_cast<int64_t>(value));
}

// kDirect: dense operands in the compute type, without a look at their dtypes.
template <class F, class T, int kArity, bool kSelect, bool kDirect>
__global__ void pointwise_kernel(Call<T, kArity> call, Space<kArity + 1> space) {
  const auto inputs = std::make_index_sequence<kArity>();
  const auto params = std::make_index_sequence<kParamsOf<F>>();
  T p[kMaxPointwiseParams];
  for (int k = 0; k < kMaxPointwiseParams; ++k) p[k] = T(call.params[k]);
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < call.n; i += step) {
    T x[kArity];
    if constexpr (kDirect) {
      for (int k = 0; k < kArity; ++k)
        x[k] = T(static_cast<const stored_t<T>*>(call.operands[k + 1].data)[i]);
      const auto y = compute<F, T, kSelect>(x, p, inputs, params);
      static_cast<stored_t<T>*>(call.operands[0].data)[i] = static_cast<stored_t<T>>(y);
    } else {
      int64_t at[kArity + 1];
      space.offsets(i, at);
      for (int k = 0; k < kArity; ++k) {
        const auto& o = call.operands[k + 1];
        x[k] = T(o.data ? load<stored_t<T>>(o.data, o.dtype, at[k + 1]) : o.value);
      }
      put(call.operands[0].data, call.operands[0].dtype, at[0], compute<F, T, kSelect>(x, p, inputs, params));
    }
  }
}

template <class F, class T, int kArity, PointwiseClass kClass>
void run_pointwise(const PointwiseArgs& args) {
  constexpr bool kSelect = kClass == PointwiseClass::Select;
  constexpr bool kBool = kClass == PointwiseClass::Compare || kClass == PointwiseClass::Logical;
  const auto number = [](const KernelScalar& s) {
    if constexpr (std::is_same_v<T, functors::Int>) {
      return s.integer;
    } else {
      return static_cast<T>(s.real);
    }
  };
  Call<T, kArity> call;
  call.n = args.numel;
  for (int k = 0; k < kMaxPointwiseParams; ++k) call.params[k] = number(args.params[k]);
  bool scalars = false;
  Space<kArity + 1> space;
  space.ndim = args.contiguous ? 1 : args.ndim;
  for (int d = 0; d < space.ndim; ++d)
    space.sizes[d] = args.contiguous ? args.numel : args.sizes[args.ndim - 1 - d];
  for (int k = 0; k <= kArity; ++k) {
    const auto& from = args.operands[k];
    call.operands[k] = {from.data, from.dtype, from.data ? stored_t<T>(0) : number(from.scalar)};
    scalars = scalars || !from.data;
    for (int d = 0; d < space.ndim; ++d)
      space.strides[k][d] = !from.data ? 0 : args.contiguous ? 1 : from.strides[args.ndim - 1 - d];
  }
  const char* name = pointwise_info(args.op).name;
  DeviceGuard guard(device_of(args.operands[0].data));
  if constexpr (!kSelect && !kBool) {
    if (args.direct && !scalars) {
      pointwise_kernel<F, T, kArity, kSelect, true>
          <<<blocks_for(args.numel), kThreads, 0, current_stream()>>>(call, space);
      return check_launch(name);
    }
  }
  pointwise_kernel<F, T, kArity, kSelect, false>
      <<<blocks_for(args.numel), kThreads, 0, current_stream()>>>(call, space);
  check_launch(name);
}

// A functor that is defined for the type: all but Floating rows for integers, Integral ones for these alone.
template <class F, class T, int kArity, PointwiseClass kClass>
constexpr void (*entry())(const PointwiseArgs&) {
  constexpr bool kInteger = std::is_same_v<T, functors::Int>;
  if constexpr (kInteger ? kClass == PointwiseClass::Floating : kClass == PointwiseClass::Integral) {
    return nullptr;
  } else {
    return run_pointwise<F, T, kArity, kClass>;
  }
}

template <class T>
void run_row(const PointwiseArgs& args) {
  using PointwiseFunction = void (*)(const PointwiseArgs&);
  static constexpr PointwiseFunction rows[] = {
#define TAPIR_UNARY(name, functor, dtypes) entry<functors::functor, T, 1, PointwiseClass::dtypes>(),
#define TAPIR_PREDICATE(name, functor, dtypes) entry<functors::functor, T, 1, PointwiseClass::dtypes>(),
#define TAPIR_BINARY(name, functor, dtypes) entry<functors::functor, T, 2, PointwiseClass::dtypes>(),
#define TAPIR_KERNEL(name, functor, arity, dtypes) \
  entry<functors::functor, T, arity, PointwiseClass::dtypes>(),
#include "tapir/tensor/pointwise.def"
  };
  const PointwiseFunction row = rows[static_cast<int>(args.op)];
  TAPIR_INTERNAL_CHECK(row != nullptr);
  row(args);
}

}  // namespace tapir::cuda
