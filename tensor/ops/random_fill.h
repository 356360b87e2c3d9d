// How the ops that draw random numbers fill a tensor; private to their sources.
#pragma once

#include <algorithm>
#include <mutex>
#include <type_traits>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator_impl.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::raw {

// The iteration space of a tensor in memory order: innermost first, dimensions merged.
struct MemoryOrder {
  int ndim = 0;
  int source[kMaxDims];  // one of the dimensions that was merged into this one (its stride belongs to it)
  int64_t sizes[kMaxDims];
  int64_t strides[kMaxDims];
  bool flat() const { return ndim == 0 || (ndim == 1 && strides[0] == 1); }
};

inline MemoryOrder memory_order(const Tensor& x, bool merge = true) {
  MemoryOrder m;
  int order[kMaxDims];
  int n = 0;
  for (int d = static_cast<int>(x.dim()) - 1; d >= 0; --d)
    if (x.sizes()[d] != 1) order[n++] = d;
  const IntArrayRef strides = x.strides();
  std::stable_sort(order, order + n, [&](int a, int b) { return strides[a] < strides[b]; });
  for (int i = 0; i < n; ++i) {
    const int d = order[i];
    if (merge && m.ndim > 0 && strides[d] == m.strides[m.ndim - 1] * m.sizes[m.ndim - 1]) {
      m.sizes[m.ndim - 1] *= x.sizes()[d];
    } else {
      m.source[m.ndim] = d;
      m.sizes[m.ndim] = x.sizes()[d];
      m.strides[m.ndim++] = strides[d];
    }
  }
  return m;
}

// Calls f(offset) for the elements in that order; the offset is in elements.
template <class F>
void for_each_offset(const MemoryOrder& m, F f) {
  int64_t index[kMaxDims] = {};
  const int64_t n = m.ndim ? m.sizes[0] : 1, step = m.ndim ? m.strides[0] : 0;
  for (int64_t base = 0;;) {
    for (int64_t i = 0; i < n; ++i) f(base + i * step);
    int d = 1;
    for (; d < m.ndim; ++d) {
      base += m.strides[d];
      if (++index[d] < m.sizes[d]) break;
      base -= m.strides[d] * m.sizes[d];
      index[d] = 0;
    }
    if (d >= m.ndim) return;
  }
}

// Runs `fill(cpu tensor, generator)` under the generator's lock, on x or on a CPU stand-in that is copied to
// x.
template <class F>
void draw_into(const Tensor& x, const char* op, const OptionalGenerator& generator, F fill) {
  check_writable(x, op);
  if (x.numel() == 0) return;
  GeneratorImpl& g = (generator ? *generator : default_generator(x.device())).impl();
  const bool on_cpu = x.is_cpu();
  const Tensor target = on_cpu ? x : Tensor::empty(x.sizes(), x.dtype());
  {
    const std::lock_guard lock(g.mutex);
    fill(target, g);
  }
  if (on_cpu) {
    mark_changed(x, op);
  } else {
    copy_into(x, target);
  }
}

// Each element of x, in memory order, = draw().
template <class T, class F>
void fill_serially(const Tensor& x, F draw) {
  T* const data = x.data_ptr<T>();
  const MemoryOrder m = memory_order(x);
  if (m.flat()) {
    for (int64_t i = 0, n = x.numel(); i < n; ++i) data[i] = draw();
  } else {
    for_each_offset(m, [&](int64_t offset) { data[offset] = draw(); });
  }
}

template <class F>
void visit_floating(DType dtype, const char* op, F f) {
  switch (dtype) {
    case kFloat32:
      return f(TypeTag<float>{});
    case kFloat64:
      return f(TypeTag<double>{});
    case kFloat16:
      return f(TypeTag<Half>{});
    case kBFloat16:
      return f(TypeTag<BFloat16>{});
    default:
      throw_error<DTypeError>("{}: got {}, expected a floating dtype", op, dtype);
  }
}
inline void check_floating(const Tensor& x, const char* op) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()), "{}: got {}, expected a floating dtype", op,
                 x.dtype());
}

// The type that PyTorch computes a dtype's distributions in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace tapir::raw
