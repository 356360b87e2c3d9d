// The pointwise part of recurrent cells, forward and backward. Half types are computed in float, block by
// block.
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
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/rnn.cpp"
#include "hwy/foreach_target.h"
#include "tapir/tensor/cpu/math-inl.h"

#ifndef TAPIR_CPU_RNN_ROWS
#define TAPIR_CPU_RNN_ROWS
namespace tapir::cpu {
// A stretch of one row of the batch; gate k of element j is gates[k * gate_stride + j]. The members are those
// of RnnCellArgs and RnnCellBackwardArgs.
template <class T>
struct RnnRow {
  int64_t n, gate_stride;
  T* gates;
  const T *state_gates, *state;
  T *h_out, *c_out, *saved;
};
template <class T>
struct RnnRowBackward {
  int64_t n, gate_stride;
  const T *gates, *saved, *state, *grad_h, *grad_c;
  T *grad_gates, *grad_state_gates, *grad_state;
  bool add_grad_state;
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
  HWY_INLINE Vec<T> load_or_zero(const T* p) const { return p ? load(p) : Vec<T>(0); }
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
HWY_INLINE void lstm_row(const RnnRow<T>& r) {
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
    const V c = mul_add(f, lanes.load(r.state), i * g);
    const V t = tanh(c);
    lanes.store(i, gate_i);
    lanes.store(f, gate_f);
    lanes.store(g, gate_g);
    lanes.store(o, gate_o);
    lanes.store(c, r.c_out);
    lanes.store(o * t, r.h_out);
    if (r.saved) lanes.store(t, r.saved);
  });
}

template <class T>
HWY_INLINE void lstm_row_backward(const RnnRowBackward<T>& r) {
  using V = Vec<T>;
  const int64_t s = r.gate_stride;
  for_lanes<T>(r.n, [&](auto lanes) HWY_ATTR {
    const V one(1);
    const V i = lanes.load(r.gates), f = lanes.load(r.gates + s), g = lanes.load(r.gates + 2 * s),
            o = lanes.load(r.gates + 3 * s);
    const V t = lanes.load(r.saved);
    const V grad_h = lanes.load_or_zero(r.grad_h);
    V grad_c = grad_h * o * (one - t * t);
    if (r.grad_c) grad_c = grad_c + lanes.load(r.grad_c);
    lanes.store(grad_c * g * (i * (one - i)), r.grad_gates);
    lanes.store(grad_c * lanes.load(r.state) * (f * (one - f)), r.grad_gates + s);
    lanes.store(grad_c * i * (one - g * g), r.grad_gates + 2 * s);
    lanes.store(grad_h * t * (o * (one - o)), r.grad_gates + 3 * s);
    if (r.grad_state) lanes.store(grad_c * f, r.grad_state);
  });
}

template <class T>
HWY_INLINE void gru_row(const RnnRow<T>& row) {
  using V = Vec<T>;
  const int64_t s = row.gate_stride;
  for_lanes<T>(row.n, [&](auto lanes) HWY_ATTR {
    const V r = sigmoid(lanes.load(row.gates) + lanes.load(row.state_gates));
    const V z = sigmoid(lanes.load(row.gates + s) + lanes.load(row.state_gates + s));
    const V state_n = lanes.load(row.state_gates + 2 * s);
    const V n = tanh(mul_add(r, state_n, lanes.load(row.gates + 2 * s)));
    const V h = lanes.load(row.state);
    lanes.store(r, row.gates);
    lanes.store(z, row.gates + s);
    lanes.store(n, row.gates + 2 * s);
    lanes.store(mul_add(z, h - n, n), row.h_out);
    if (row.saved) lanes.store(state_n, row.saved);
  });
}

template <class T>
HWY_INLINE void gru_row_backward(const RnnRowBackward<T>& row) {
  using V = Vec<T>;
  const int64_t s = row.gate_stride;
  for_lanes<T>(row.n, [&](auto lanes) HWY_ATTR {
    const V one(1);
    const V r = lanes.load(row.gates), z = lanes.load(row.gates + s), n = lanes.load(row.gates + 2 * s);
    const V grad_h = lanes.load_or_zero(row.grad_h);
    const V grad_n = grad_h * (one - z) * (one - n * n);
    const V grad_z = grad_h * (lanes.load(row.state) - n) * (z * (one - z));
    const V grad_r = grad_n * lanes.load(row.saved) * (r * (one - r));
    lanes.store(grad_r, row.grad_gates);
    lanes.store(grad_z, row.grad_gates + s);
    lanes.store(grad_n, row.grad_gates + 2 * s);
    lanes.store(grad_r, row.grad_state_gates);
    lanes.store(grad_z, row.grad_state_gates + s);
    lanes.store(grad_n * r, row.grad_state_gates + 2 * s);
    if (!row.grad_state) return;
    const V direct = grad_h * z;
    lanes.store(row.add_grad_state ? lanes.load(row.grad_state) + direct : direct, row.grad_state);
  });
}

template <bool kReLU, class T>
HWY_INLINE void elman_row(const RnnRow<T>& r) {
  using V = Vec<T>;
  for_lanes<T>(r.n, [&](auto lanes) HWY_ATTR {
    const V x = lanes.load(r.gates);
    const V h = kReLU ? select(x < V(0), V(0), x) : tanh(x);  // a NaN stays one
    lanes.store(h, r.gates);
    lanes.store(h, r.h_out);
  });
}

template <bool kReLU, class T>
HWY_INLINE void elman_row_backward(const RnnRowBackward<T>& r) {
  using V = Vec<T>;
  for_lanes<T>(r.n, [&](auto lanes) HWY_ATTR {
    const V h = lanes.load(r.gates), grad_h = lanes.load_or_zero(r.grad_h);
    lanes.store(kReLU ? select(V(0) >= h, V(0), grad_h) : grad_h * (V(1) - h * h), r.grad_gates);
  });
}

template <class T>
HWY_INLINE void any_row(RnnMode mode, const RnnRow<T>& r) {
  switch (mode) {
    case RnnMode::LSTM:
      return lstm_row(r);
    case RnnMode::GRU:
      return gru_row(r);
    case RnnMode::Tanh:
      return elman_row<false>(r);
    case RnnMode::ReLU:
      return elman_row<true>(r);
  }
}
template <class T>
HWY_INLINE void any_row_backward(RnnMode mode, const RnnRowBackward<T>& r) {
  switch (mode) {
    case RnnMode::LSTM:
      return lstm_row_backward(r);
    case RnnMode::GRU:
      return gru_row_backward(r);
    case RnnMode::Tanh:
      return elman_row_backward<false>(r);
    case RnnMode::ReLU:
      return elman_row_backward<true>(r);
  }
}

void rnn_float(RnnMode mode, const RnnRow<float>& r) { any_row(mode, r); }
void rnn_double(RnnMode mode, const RnnRow<double>& r) { any_row(mode, r); }
void rnn_backward_float(RnnMode mode, const RnnRowBackward<float>& r) { any_row_backward(mode, r); }
void rnn_backward_double(RnnMode mode, const RnnRowBackward<double>& r) { any_row_backward(mode, r); }

}  // namespace tapir::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {

HWY_EXPORT(rnn_float);
HWY_EXPORT(rnn_double);
HWY_EXPORT(rnn_backward_float);
HWY_EXPORT(rnn_backward_double);

namespace {

constexpr int64_t kGrain = 4096;  // hidden units per thread, about 5 µs
constexpr int64_t kBlock = 128;   // hidden units of half types at a time
constexpr int64_t kMaxGates = 4;

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

// f(row, j, n) for stretches [j, j + n) of each row.
template <class F>
void for_blocks(int64_t batch, int64_t hidden, F&& f) {
  for_rows(batch, hidden, [&](int64_t b) {
    for (int64_t j = 0; j < hidden; j += kBlock) f(b, j, std::min(kBlock, hidden - j));
  });
}

// Blocks of a half type, in float: load() reads n values, store() writes them; the gates of a block lie
// kBlock apart.
struct HalfBlocks {
  Conversion in, out;
  int64_t hidden, gates;
  HalfBlocks(DType d, int64_t h, RnnMode mode)
      : in(conversion(d, kFloat32)), out(conversion(kFloat32, d)), hidden(h), gates(rnn_gates(mode)) {}
  const float* load(const void* p, int64_t i, int64_t n, float* buffer) const {
    if (!p) return nullptr;
    in(n, at<uint16_t>(p, i), buffer);
    return buffer;
  }
  void store(const float* buffer, void* p, int64_t i, int64_t n) const {
    if (p) out(n, buffer, at<uint16_t>(p, i));
  }
  const float* load_gates(const void* p, int64_t b, int64_t j, int64_t n, float* buffer) const {
    if (!p) return nullptr;
    for (int64_t k = 0; k < gates; ++k) load(p, (gates * b + k) * hidden + j, n, buffer + k * kBlock);
    return buffer;
  }
  void store_gates(const float* buffer, void* p, int64_t b, int64_t j, int64_t n) const {
    for (int64_t k = 0; k < gates; ++k) store(buffer + k * kBlock, p, (gates * b + k) * hidden + j, n);
  }
};

}  // namespace

void rnn_cell(const RnnCellArgs& a) {
  const int64_t H = a.hidden, gates_row = rnn_gates(a.mode) * H;
  const auto run = [&](auto tag, auto row) {
    using T = decltype(tag);
    for_rows(a.batch, H, [&](int64_t b) {
      const int64_t i = H * b, g = gates_row * b;
      row(a.mode, RnnRow<T>{H, H, at<T>(a.gates, g), at<T>(a.state_gates, g), at<T>(a.state, i),
                            at<T>(a.h_out, i), at<T>(a.c_out, i), at<T>(a.saved, i)});
    });
  };
  if (a.dtype == kFloat32) return run(float(), HWY_DYNAMIC_DISPATCH(rnn_float));
  if (a.dtype == kFloat64) return run(double(), HWY_DYNAMIC_DISPATCH(rnn_double));
  TAPIR_INTERNAL_CHECK(is_half(a.dtype));
  const HalfBlocks blocks(a.dtype, H, a.mode);
  const auto row = HWY_DYNAMIC_DISPATCH(rnn_float);
  for_blocks(a.batch, H, [&](int64_t b, int64_t j, int64_t n) {
    float gates[kMaxGates * kBlock], state_gates[kMaxGates * kBlock], state[kBlock], h[kBlock], c[kBlock],
        saved[kBlock];
    const int64_t i = b * H + j;
    blocks.load_gates(a.gates, b, j, n, gates);
    row(a.mode, {n, kBlock, gates, blocks.load_gates(a.state_gates, b, j, n, state_gates),
                 blocks.load(a.state, i, n, state), h, c, saved});
    blocks.store_gates(gates, a.gates, b, j, n);
    blocks.store(h, a.h_out, i, n);
    blocks.store(c, a.c_out, i, n);
    blocks.store(saved, a.saved, i, n);
  });
}

void rnn_cell_backward(const RnnCellBackwardArgs& a) {
  const int64_t H = a.hidden, gates_row = rnn_gates(a.mode) * H;
  const auto run = [&](auto tag, auto row) {
    using T = decltype(tag);
    for_rows(a.batch, H, [&](int64_t b) {
      const int64_t i = H * b, g = gates_row * b;
      row(a.mode, RnnRowBackward<T>{H, H, at<T>(a.gates, g), at<T>(a.saved, i), at<T>(a.state, i),
                                    at<T>(a.grad_h, i), at<T>(a.grad_c, i), at<T>(a.grad_gates, g),
                                    at<T>(a.grad_state_gates, g), at<T>(a.grad_state, i), a.add_grad_state});
    });
  };
  if (a.dtype == kFloat32) return run(float(), HWY_DYNAMIC_DISPATCH(rnn_backward_float));
  if (a.dtype == kFloat64) return run(double(), HWY_DYNAMIC_DISPATCH(rnn_backward_double));
  TAPIR_INTERNAL_CHECK(is_half(a.dtype));
  const HalfBlocks blocks(a.dtype, H, a.mode);
  const auto row = HWY_DYNAMIC_DISPATCH(rnn_backward_float);
  for_blocks(a.batch, H, [&](int64_t b, int64_t j, int64_t n) {
    float gates[kMaxGates * kBlock], grad_gates[kMaxGates * kBlock], grad_state_gates[kMaxGates * kBlock],
        saved[kBlock], state[kBlock], grad_h[kBlock], grad_c[kBlock], grad_state[kBlock];
    const int64_t i = b * H + j;
    if (a.add_grad_state) blocks.load(a.grad_state, i, n, grad_state);
    row(a.mode, {n, kBlock, blocks.load_gates(a.gates, b, j, n, gates), blocks.load(a.saved, i, n, saved),
                 blocks.load(a.state, i, n, state), blocks.load(a.grad_h, i, n, grad_h),
                 blocks.load(a.grad_c, i, n, grad_c), grad_gates, grad_state_gates,
                 a.grad_state ? grad_state : nullptr, a.add_grad_state});
    blocks.store_gates(grad_gates, a.grad_gates, b, j, n);
    blocks.store_gates(grad_state_gates, a.grad_state_gates, b, j, n);
    blocks.store(grad_state, a.grad_state, i, n);
  });
}

}  // namespace tapir::cpu
#endif
