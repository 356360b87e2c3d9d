// The pointwise part of recurrent cells, forward and backward, a thread for each hidden unit of each row.
// Half types are computed in float.
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/tensor/error.h"
#include "tapir/tensor/functors.h"

namespace tapir::cuda {

namespace {

using functors::sigmoid;
using functors::tanh;

template <class T>
struct ComputeType {
  using type = float;
};
template <>
struct ComputeType<double> {
  using type = double;
};
template <class T>
using compute_t = typename ComputeType<T>::type;

template <class T>
__device__ __forceinline__ compute_t<T> get(const void* p, int64_t i) {
  return static_cast<compute_t<T>>(static_cast<const T*>(p)[i]);
}
template <class T>
__device__ __forceinline__ compute_t<T> get_or_zero(const void* p, int64_t i) {
  return p ? get<T>(p, i) : compute_t<T>(0);
}
template <class T>
__device__ __forceinline__ void put(void* p, int64_t i, compute_t<T> value) {
  static_cast<T*>(p)[i] = static_cast<T>(value);
}

/// Unit i of (batch, hidden); its first gate is g in (batch, gates * hidden), the others s apart.
template <RnnMode kMode, class T>
__device__ __forceinline__ void cell(const RnnCellArgs& a, int64_t i, int64_t g, int64_t s) {
  using A = compute_t<T>;
  if constexpr (kMode == RnnMode::LSTM) {
    const A in = sigmoid(get<T>(a.gates, g)), forget = sigmoid(get<T>(a.gates, g + s));
    const A fresh = tanh(get<T>(a.gates, g + 2 * s)), out = sigmoid(get<T>(a.gates, g + 3 * s));
    const A c = forget * get<T>(a.state, i) + in * fresh, t = tanh(c);
    put<T>(a.gates, g, in);
    put<T>(a.gates, g + s, forget);
    put<T>(a.gates, g + 2 * s, fresh);
    put<T>(a.gates, g + 3 * s, out);
    put<T>(a.c_out, i, c);
    put<T>(a.h_out, i, out * t);
    if (a.saved) put<T>(a.saved, i, t);
  } else if constexpr (kMode == RnnMode::GRU) {
    const A r = sigmoid(get<T>(a.gates, g) + get<T>(a.state_gates, g));
    const A z = sigmoid(get<T>(a.gates, g + s) + get<T>(a.state_gates, g + s));
    const A state_n = get<T>(a.state_gates, g + 2 * s);
    const A n = tanh(r * state_n + get<T>(a.gates, g + 2 * s)), h = get<T>(a.state, i);
    put<T>(a.gates, g, r);
    put<T>(a.gates, g + s, z);
    put<T>(a.gates, g + 2 * s, n);
    put<T>(a.h_out, i, z * (h - n) + n);
    if (a.saved) put<T>(a.saved, i, state_n);
  } else {
    const A x = get<T>(a.gates, g);
    const A h = kMode == RnnMode::Tanh ? tanh(x) : x < A(0) ? A(0) : x;  // a NaN stays one
    put<T>(a.gates, g, h);
    put<T>(a.h_out, i, h);
  }
}

template <RnnMode kMode, class T>
__device__ __forceinline__ void cell_backward(const RnnCellBackwardArgs& a, int64_t i, int64_t g, int64_t s) {
  using A = compute_t<T>;
  const A one = 1, grad_h = get_or_zero<T>(a.grad_h, i);
  if constexpr (kMode == RnnMode::LSTM) {
    const A in = get<T>(a.gates, g), forget = get<T>(a.gates, g + s), fresh = get<T>(a.gates, g + 2 * s),
            out = get<T>(a.gates, g + 3 * s), t = get<T>(a.saved, i);
    const A grad_c = grad_h * out * (one - t * t) + get_or_zero<T>(a.grad_c, i);
    put<T>(a.grad_gates, g, grad_c * fresh * (in * (one - in)));
    put<T>(a.grad_gates, g + s, grad_c * get<T>(a.state, i) * (forget * (one - forget)));
    put<T>(a.grad_gates, g + 2 * s, grad_c * in * (one - fresh * fresh));
    put<T>(a.grad_gates, g + 3 * s, grad_h * t * (out * (one - out)));
    if (a.grad_state) put<T>(a.grad_state, i, grad_c * forget);
  } else if constexpr (kMode == RnnMode::GRU) {
    const A r = get<T>(a.gates, g), z = get<T>(a.gates, g + s), n = get<T>(a.gates, g + 2 * s);
    const A grad_n = grad_h * (one - z) * (one - n * n);
    const A grad_z = grad_h * (get<T>(a.state, i) - n) * (z * (one - z));
    const A grad_r = grad_n * get<T>(a.saved, i) * (r * (one - r));
    put<T>(a.grad_gates, g, grad_r);
    put<T>(a.grad_gates, g + s, grad_z);
    put<T>(a.grad_gates, g + 2 * s, grad_n);
    put<T>(a.grad_state_gates, g, grad_r);
    put<T>(a.grad_state_gates, g + s, grad_z);
    put<T>(a.grad_state_gates, g + 2 * s, grad_n * r);
    if (!a.grad_state) return;
    const A direct = grad_h * z;
    put<T>(a.grad_state, i, a.add_grad_state ? get<T>(a.grad_state, i) + direct : direct);
  } else {
    const A h = get<T>(a.gates, g);
    put<T>(a.grad_gates, g, kMode == RnnMode::Tanh ? grad_h * (one - h * h) : h <= A(0) ? A(0) : grad_h);
  }
}

template <RnnMode kMode>
constexpr int64_t kGates = rnn_gates(kMode);

template <RnnMode kMode, class T, class Args>
__global__ void cell_kernel(Args a) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x, n = a.batch * a.hidden;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) {
    const int64_t b = i / a.hidden, g = b * kGates<kMode> * a.hidden + (i - b * a.hidden);
    if constexpr (std::is_same_v<Args, RnnCellArgs>)
      cell<kMode, T>(a, i, g, a.hidden);
    else
      cell_backward<kMode, T>(a, i, g, a.hidden);
  }
}

template <RnnMode kMode, class Args>
void launch(const Args& a, const char* op) {
  const unsigned blocks = blocks_for(a.batch * a.hidden);
  if (a.dtype == kFloat32)
    cell_kernel<kMode, float><<<blocks, kThreads, 0, current_stream()>>>(a);
  else if (a.dtype == kFloat64)
    cell_kernel<kMode, double><<<blocks, kThreads, 0, current_stream()>>>(a);
  else if (a.dtype == kFloat16)
    cell_kernel<kMode, Half><<<blocks, kThreads, 0, current_stream()>>>(a);
  else
    cell_kernel<kMode, BFloat16><<<blocks, kThreads, 0, current_stream()>>>(a);
  check_launch(op);
}

template <class Args>
void run(const Args& a, const char* op) {
  TAPIR_INTERNAL_CHECK(is_floating_point(a.dtype));
  if (a.batch * a.hidden == 0) return;
  DeviceGuard guard(device_of(a.gates));
  switch (a.mode) {
    case RnnMode::LSTM:
      return launch<RnnMode::LSTM>(a, op);
    case RnnMode::GRU:
      return launch<RnnMode::GRU>(a, op);
    case RnnMode::Tanh:
      return launch<RnnMode::Tanh>(a, op);
    case RnnMode::ReLU:
      return launch<RnnMode::ReLU>(a, op);
  }
}

}  // namespace

void rnn_cell(const RnnCellArgs& args) { run(args, "rnn_cell"); }
void rnn_cell_backward(const RnnCellBackwardArgs& args) { run(args, "rnn_cell_backward"); }

}  // namespace tapir::cuda
