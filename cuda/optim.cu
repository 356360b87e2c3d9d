// The optimizers' updates, many parameters in one launch. The formulas are in updates.def.
#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/tensor/error.h"
#include "tapir/tensor/functors.h"

namespace tapir::cuda {

namespace {

using functors::abs;
using functors::is_nan;
using functors::select;

template <class T>
__device__ __forceinline__ T root(T x) {
  return functors::sqrt(x);
}
__device__ __forceinline__ float mul_add(float a, float b, float c) { return ::fmaf(a, b, c); }
__device__ __forceinline__ double mul_add(double a, double b, double c) { return ::fma(a, b, c); }

#define TAPIR_FN __device__ __forceinline__
#include "tapir/tensor/updates.def"
#undef TAPIR_FN

constexpr int kEach = 4;                      // elements of a thread in a piece
constexpr int64_t kPiece = kThreads * kEach;  // elements that a block takes at a time

template <class T>
struct ComputeType {
  using type = float;
};
template <>
struct ComputeType<double> {
  using type = double;
};

// The parameters of one launch, which travel as its arguments: those have room for 4 KiB.
template <class Formula, class T>
struct UpdateTable {
  struct Entry {
    int64_t n;
    T* param;
    const T* grad;
    T* states[Formula::kStates];
    double factors[Formula::kFactors];
    double weight_decay;
    int64_t first;  // number of the parameter's first piece
    bool maximize, flag;
  };
  static constexpr int kCapacity = 4000 / sizeof(Entry);
  int count;
  int64_t pieces;
  Entry entries[kCapacity];
};

template <class Formula, class A>
struct UpdateUniform {
  A k[Formula::kFactors];
  bool has[Formula::kStates];
  bool flag;
};

template <class Formula, class T>
__global__ void update_kernel(const __grid_constant__ UpdateTable<Formula, T> table) {
  using A = typename ComputeType<T>::type;
  constexpr int kStates = Formula::kStates;
  int at = 0;
  for (int64_t piece = blockIdx.x; piece < table.pieces; piece += gridDim.x) {
    while (at + 1 < table.count && table.entries[at + 1].first <= piece) ++at;
    const auto& t = table.entries[at];
    UpdateUniform<Formula, A> u;
    for (int k = 0; k < Formula::kFactors; ++k) u.k[k] = static_cast<A>(t.factors[k]);
    for (int k = 0; k < kStates; ++k) u.has[k] = t.states[k] != nullptr;
    u.flag = t.flag;
    const A decay = static_cast<A>(t.weight_decay);
    const int64_t begin = (piece - t.first) * kPiece + threadIdx.x;
    // All loads first, so that they are under way together.
    A p[kEach], g[kEach], s[kEach][kStates];
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const int64_t i = begin + e * kThreads;
      const bool inside = i < t.n;
      p[e] = inside ? static_cast<A>(t.param[i]) : A(0);
      g[e] = inside ? static_cast<A>(t.grad[i]) : A(0);
      for (int k = 0; k < kStates; ++k) s[e][k] = inside && u.has[k] ? static_cast<A>(t.states[k][i]) : A(0);
    }
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const int64_t i = begin + e * kThreads;
      if (i >= t.n) break;
      if (t.maximize) g[e] = -g[e];
      if (t.weight_decay != 0) g[e] = mul_add(decay, p[e], g[e]);
      Formula()(p[e], g[e], s[e], u);
      t.param[i] = static_cast<T>(p[e]);
      for (int k = 0; k < kStates; ++k)
        if (u.has[k]) t.states[k][i] = static_cast<T>(s[e][k]);
    }
  }
}

template <class Formula, class T>
void launch(const UpdateTable<Formula, T>& table) {
  const unsigned blocks = static_cast<unsigned>(table.pieces < 65536 ? table.pieces : 65536);
  update_kernel<<<blocks, kThreads, 0, current_stream()>>>(table);
  check_launch("step");
}

// The parameters of dtype T, as many to a launch as its arguments hold.
template <class Formula, class T>
void update_formula(const UpdateArgs& args) {
  UpdateTable<Formula, T> table{};
  for (int64_t i = 0; i < args.count; ++i) {
    const UpdateTensor& from = args.tensors[i];
    if (from.dtype != dtype_of<T> || from.n == 0) continue;
    auto& to = table.entries[table.count++];
    to.n = from.n;
    to.param = static_cast<T*>(from.param);
    to.grad = static_cast<const T*>(from.grad);
    for (int k = 0; k < Formula::kStates; ++k) to.states[k] = static_cast<T*>(from.states[k]);
    for (int k = 0; k < Formula::kFactors; ++k) to.factors[k] = from.factors[k];
    to.weight_decay = from.weight_decay;
    to.first = table.pieces;
    to.maximize = from.maximize;
    to.flag = from.flag;
    table.pieces += (from.n + kPiece - 1) / kPiece;
    if (table.count < table.kCapacity) continue;
    launch(table);
    table.count = 0;
    table.pieces = 0;
  }
  if (table.count > 0) launch(table);
}

template <class T>
void update_dtype(const UpdateArgs& args) {
  switch (args.op) {
#define TAPIR_UPDATE(Name) \
  case Update::Name:       \
    return update_formula<Name##Update, T>(args);
    TAPIR_UPDATES(TAPIR_UPDATE)
#undef TAPIR_UPDATE
  }
}

}  // namespace

void update(const UpdateArgs& args) {
  const void* any = nullptr;
  bool has[4] = {};
  for (int64_t i = 0; i < args.count; ++i) {
    const UpdateTensor& t = args.tensors[i];
    TAPIR_INTERNAL_CHECK(is_floating_point(t.dtype));
    if (t.n == 0) continue;
    any = t.param;
    has[t.dtype == kFloat32 ? 0 : t.dtype == kFloat64 ? 1 : t.dtype == kFloat16 ? 2 : 3] = true;
  }
  if (!any) return;
  DeviceGuard guard(device_of(any));
  if (has[0]) update_dtype<float>(args);
  if (has[1]) update_dtype<double>(args);
  if (has[2]) update_dtype<Half>(args);
  if (has[3]) update_dtype<BFloat16>(args);
}

}  // namespace tapir::cuda
