// What the ops that work by index share; private to their sources.
#pragma once

#include <algorithm>
#include <atomic>

#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir::raw {

/// The sizes before, at and after dimension d.
struct Middle {
  int64_t outer = 1, n = 1, inner = 1;
  Middle(const Layout& l, int64_t d) {
    for (int64_t i = 0; i < l.dim(); ++i) (i < d ? outer : i == d ? n : inner) *= l.sizes[i];
  }
};

[[noreturn]] TAPIR_COLD inline void bad_index(const char* op, int64_t value, int64_t dim, int64_t size,
                                              int64_t lowest) {
  throw_error<IndexError>("{}: index {} is out of range for dimension {} of size {}; expected [{}, {})", op,
                          value, dim, size, lowest, size);
}

/// `index` as a row-major int64 tensor with every value in [0, size).
inline Tensor checked_index(const char* op, const Tensor& index, int64_t dim, int64_t size, Device device) {
  TAPIR_CHECK_AS(DTypeError, index.dtype() == kInt64 || index.dtype() == kInt32,
                 "{}: indices of {}, expected int64 or int32", op, index.dtype());
  TAPIR_CHECK_AS(DeviceError, index.device() == device, "{}: indices on {}, expected {}", op, index.device(),
                 device);
  Tensor i = contiguous(index.dtype() == kInt64 ? index : cast(index, kInt64));
  const Tensor on_cpu = to_device(i, kCPU);
  const int64_t* p = on_cpu.data_ptr<int64_t>();
  const int64_t n = on_cpu.numel();
  // The sign of either shows an index outside; plain arithmetic, which the compiler turns into vectors.
  std::atomic<uint64_t> signs{0};
  const uint64_t last = static_cast<uint64_t>(size) - 1;
  cpu::parallel_for(0, n, 1 << 15, [&](int64_t begin, int64_t end) {
    uint64_t part = 0;
    for (int64_t k = begin; k < end; ++k)
      part |= static_cast<uint64_t>(p[k]) | (last - static_cast<uint64_t>(p[k]));
    signs.fetch_or(part, std::memory_order_relaxed);
  });
  if (TAPIR_UNLIKELY(signs >> 63))
    bad_index(op, *std::find_if(p, p + n, [&](int64_t v) { return v < 0 || v >= size; }), dim, size, 0);
  return i;
}

/// `alias` of x, whose changes count where those of x do.
inline Tensor same_tracking(Tensor alias, const Tensor& x) {
  alias.impl()->untracked = x.impl()->untracked;
  return alias;
}

/// Runs f on a row-major tensor that stands for dst: dst itself, or a copy that is written back.
template <class F>
void through_contiguous(const Tensor& dst, const char* op, F f) {
  check_writable(dst, op);
  const Tensor work = contiguous(dst);
  f(work);
  if (!work.is_same(dst))
    copy_into(dst, work);
  else
    mark_changed(dst, op);
}

/// The part of x with the sizes of `index` in every dimension but d.
inline Tensor trim(const Tensor& x, const Tensor& index, int64_t d, const char* op, const char* what) {
  const Dims &have = x.layout_of().sizes, &want = index.layout_of().sizes;
  TAPIR_CHECK_AS(ShapeError, have.size() == want.size(),
                 "{}: {} has sizes {} and the index {}; expected as many dimensions", op, what, x.sizes(),
                 index.sizes());
  Layout l = x.layout_of();
  for (int64_t i = 0; i < l.dim(); ++i) {
    if (i == d || l.sizes[i] == want[i]) continue;
    TAPIR_CHECK_AS(ShapeError, want[i] <= have[i],
                   "{}: the index has sizes {}, larger than those of {}, {}, in dimension {}", op,
                   index.sizes(), what, x.sizes(), i);
    l = l.narrow(i, 0, want[i]);
  }
  return l.sizes == have ? x : same_tracking(x.alias(l), x);
}

}  // namespace tapir::raw
