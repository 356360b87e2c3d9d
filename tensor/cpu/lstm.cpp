// The pointwise part of an LSTM cell, forward and backward. Half types are computed in float, block by block.
#include <algorithm>

#include "hwy/base.h"
#include "tapir/tensor/cpu/convert.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/loops.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/error.h"

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS TAPIR_DISABLED_TARGETS
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/lstm.cpp"
#include "hwy/foreach_target.h"
#include "tapir/tensor/cpu/math-inl.h"

#ifndef TAPIR_CPU_LSTM_ROWS
#define TAPIR_CPU_LSTM_ROWS
namespace tapir::cpu {
// A stretch of one row of the batch; gate k of element j is gates[k * gate_stride + j].
template <class T>
struct LstmRow {
  int64_t n, gate_stride;
  T* gates;
  const T* c;
  T *h_out, *c_out, *tanh_c_out;
};
template <class T>
struct LstmRowBackward {
  int64_t n, gate_stride;
  const T *gates, *c, *tanh_c, *grad_h, *grad_c;
  T *grad_gates, *grad_c_in;
};
}  // namespace tapir::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::HWY_NAMESPACE {

// Loads and stores of whole vectors, or of the first `count` lanes.
template <class T, bool kWhole>
struct Lanes {
  int64_t at, count;
  HWY_INLINE Vec<T> load(const T* p) const {
    if constexpr (kWhole) return Vec<T>::load(p + at);
    return Vec<T>::load_first(p + at, count);
  }
  HWY_INLINE void store(Vec<T> v, T* p) const {
    if constexpr (kWhole) {
      v.store(p + at);
    } else {
      v.store_first(p + at, count);
    }
  }
};

// Calls f(lanes) for vectors that cover [0, n).
template <class T, class F>
HWY_INLINE void for_lanes(int64_t n, F f) {
  constexpr int64_t N = Vec<T>::kLanes;
  int64_t i = 0;
  for (; i + N <= n; i += N) f(Lanes<T, true>{i, N});
  if (i < n) f(Lanes<T, false>{i, n - i});
}

template <class T>
HWY_INLINE void lstm_row(const LstmRow<T>& r) {
  using V = Vec<T>;
  T* const gate_i = r.gates;
  T* const gate_f = gate_i + r.gate_stride;
  T* const gate_g = gate_f + r.gate_stride;
  T* const gate_o = gate_g + r.gate_stride;
  for_lanes<T>(r.n, [&](auto lanes) HWY_ATTR {
    const V i = sigmoid(lanes.load(gate_i));
    const V f = sigmoid(lanes.load(gate_f));
    const V g = tanh(lanes.load(gate_g));
    const V o = sigmoid(lanes.load(gate_o));
    const V c = mul_add(f, lanes.load(r.c), i * g);
    const V t = tanh(c);
    lanes.store(i, gate_i);
    lanes.store(f, gate_f);
    lanes.store(g, gate_g);
    lanes.store(o, gate_o);
    lanes.store(c, r.c_out);
    lanes.store(o * t, r.h_out);
    if (r.tanh_c_out) lanes.store(t, r.tanh_c_out);
  });
}

template <class T>
HWY_INLINE void lstm_row_backward(const LstmRowBackward<T>& r) {
  using V = Vec<T>;
  const int64_t s = r.gate_stride;
  for_lanes<T>(r.n, [&](auto lanes) HWY_ATTR {
    const V one(1);
    const V i = lanes.load(r.gates), f = lanes.load(r.gates + s), g = lanes.load(r.gates + 2 * s),
            o = lanes.load(r.gates + 3 * s);
    const V t = lanes.load(r.tanh_c);
    const V grad_h = r.grad_h ? lanes.load(r.grad_h) : V(0);
    V grad_c = grad_h * o * (one - t * t);
    if (r.grad_c) grad_c = grad_c + lanes.load(r.grad_c);
    lanes.store(grad_c * g * (i * (one - i)), r.grad_gates);
    lanes.store(grad_c * lanes.load(r.c) * (f * (one - f)), r.grad_gates + s);
    lanes.store(grad_c * i * (one - g * g), r.grad_gates + 2 * s);
    lanes.store(grad_h * t * (o * (one - o)), r.grad_gates + 3 * s);
    if (r.grad_c_in) lanes.store(grad_c * f, r.grad_c_in);
  });
}

void lstm_float(const LstmRow<float>& r) { lstm_row(r); }
void lstm_double(const LstmRow<double>& r) { lstm_row(r); }
void lstm_backward_float(const LstmRowBackward<float>& r) { lstm_row_backward(r); }
void lstm_backward_double(const LstmRowBackward<double>& r) { lstm_row_backward(r); }

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {

HWY_EXPORT(lstm_float);
HWY_EXPORT(lstm_double);
HWY_EXPORT(lstm_backward_float);
HWY_EXPORT(lstm_backward_double);

namespace {

constexpr int64_t kGrain = 4096;  // hidden units per thread, about 5 µs
constexpr int64_t kBlock = 128;   // hidden units of half types at a time

template <class T>
T* at(const void* p, int64_t i) {
  return p ? static_cast<T*>(const_cast<void*>(p)) + i : nullptr;
}
int64_t row_grain(int64_t hidden) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, hidden)); }

// f(row) for each row of the batch, on several threads where that pays.
template <class F>
void for_rows(int64_t batch, int64_t hidden, F&& f) {
  if (batch * hidden <= kGrain) {
    for (int64_t b = 0; b < batch; ++b) f(b);
  } else {
    parallel_for(0, batch, row_grain(hidden), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) f(b);
    });
  }
}

// Blocks of a half type, in float: load() reads n values, store() writes them.
struct HalfBlocks {
  Conversion in, out;
  explicit HalfBlocks(DType d) : in(conversion(d, kFloat32)), out(conversion(kFloat32, d)) {}
  const float* load(const void* p, int64_t i, int64_t n, float* buffer) const {
    if (!p) return nullptr;
    in(n, at<uint16_t>(p, i), buffer);
    return buffer;
  }
  void store(const float* buffer, void* p, int64_t i, int64_t n) const {
    if (p) out(n, buffer, at<uint16_t>(p, i));
  }
};

}  // namespace

void lstm_cell(const LstmCellArgs& a) {
  const int64_t H = a.hidden;
  const auto run = [&](auto tag, auto row) {
    using T = decltype(tag);
    for_rows(a.batch, H, [&](int64_t b) {
      row({H, H, at<T>(a.gates, 4 * H * b), at<T>(a.c, H * b), at<T>(a.h_out, H * b), at<T>(a.c_out, H * b),
           at<T>(a.tanh_c_out, H * b)});
    });
  };
  if (a.dtype == kFloat32) return run(float(), HWY_DYNAMIC_DISPATCH(lstm_float));
  if (a.dtype == kFloat64) return run(double(), HWY_DYNAMIC_DISPATCH(lstm_double));
  TAPIR_INTERNAL_CHECK(is_half(a.dtype));
  const HalfBlocks blocks(a.dtype);
  const auto row = HWY_DYNAMIC_DISPATCH(lstm_float);
  for_rows(a.batch, H, [&](int64_t b) {
    float gates[4 * kBlock], c[kBlock], h[kBlock], t[kBlock];
    for (int64_t j = 0; j < H; j += kBlock) {
      const int64_t n = std::min(kBlock, H - j);
      for (int k = 0; k < 4; ++k) blocks.load(a.gates, (4 * b + k) * H + j, n, gates + k * kBlock);
      blocks.load(a.c, b * H + j, n, c);
      row({n, kBlock, gates, c, h, c, t});
      for (int k = 0; k < 4; ++k) blocks.store(gates + k * kBlock, a.gates, (4 * b + k) * H + j, n);
      blocks.store(h, a.h_out, b * H + j, n);
      blocks.store(c, a.c_out, b * H + j, n);
      blocks.store(t, a.tanh_c_out, b * H + j, n);
    }
  });
}

void lstm_cell_backward(const LstmCellBackwardArgs& a) {
  const int64_t H = a.hidden;
  const auto run = [&](auto tag, auto row) {
    using T = decltype(tag);
    for_rows(a.batch, H, [&](int64_t b) {
      const int64_t i = H * b;
      row({H, H, at<T>(a.gates, 4 * i), at<T>(a.c, i), at<T>(a.tanh_c, i), at<T>(a.grad_h, i),
           at<T>(a.grad_c, i), at<T>(a.grad_gates, 4 * i), at<T>(a.grad_c_in, i)});
    });
  };
  if (a.dtype == kFloat32) return run(float(), HWY_DYNAMIC_DISPATCH(lstm_backward_float));
  if (a.dtype == kFloat64) return run(double(), HWY_DYNAMIC_DISPATCH(lstm_backward_double));
  TAPIR_INTERNAL_CHECK(is_half(a.dtype));
  const HalfBlocks blocks(a.dtype);
  const auto row = HWY_DYNAMIC_DISPATCH(lstm_backward_float);
  for_rows(a.batch, H, [&](int64_t b) {
    float gates[4 * kBlock], grad_gates[4 * kBlock], c[kBlock], t[kBlock], gh[kBlock], gc[kBlock],
        out[kBlock];
    for (int64_t j = 0; j < H; j += kBlock) {
      const int64_t n = std::min(kBlock, H - j), i = b * H + j;
      for (int k = 0; k < 4; ++k) blocks.load(a.gates, (4 * b + k) * H + j, n, gates + k * kBlock);
      row({n, kBlock, gates, blocks.load(a.c, i, n, c), blocks.load(a.tanh_c, i, n, t),
           blocks.load(a.grad_h, i, n, gh), blocks.load(a.grad_c, i, n, gc), grad_gates, out});
      for (int k = 0; k < 4; ++k) blocks.store(grad_gates + k * kBlock, a.grad_gates, (4 * b + k) * H + j, n);
      blocks.store(out, a.grad_c_in, i, n);
    }
  });
}

}  // namespace tapir::cpu
#endif
