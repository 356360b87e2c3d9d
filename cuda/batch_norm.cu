// Batch norm and its backward: sums over each channel, then a pass over the elements.
#include <cmath>

#include "tapir/cuda/norm.cuh"

namespace tapir::cuda {

namespace {

template <class T>
struct MeanOp {
  using C = Compute<T>;
  using Acc = C;
  const T* in;
  C* mean;
  C count;
  __device__ Acc init() const { return C(0); }
  __device__ void step(Acc& acc, const Place& e) const { acc += static_cast<C>(in[e.at]); }
  __device__ Acc join(Acc a, Acc b) const { return a + b; }
  __device__ void finish(int64_t q, Acc acc) const { mean[q] = acc / count; }
};

template <class T>
struct VarianceOp {
  using C = Compute<T>;
  using Acc = C;
  const T* in;
  const C* mean;
  C* variance;
  C count;
  __device__ Acc init() const { return C(0); }
  __device__ void step(Acc& acc, const Place& e) const {
    const C d = static_cast<C>(in[e.at]) - mean[e.q];
    acc += d * d;
  }
  __device__ Acc join(Acc a, Acc b) const { return a + b; }
  __device__ void finish(int64_t q, Acc acc) const { variance[q] = acc / count; }
};

template <class C>
__global__ void rstd_kernel(const C* variance, C* rstd, int64_t channels, C eps) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t c = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; c < channels; c += step)
    rstd[c] = C(1) / sqrt(variance[c] + eps);
}

__device__ __forceinline__ int64_t channel_of(int64_t i, int64_t channels, int64_t inner) {
  const int64_t run = inner == 1 ? i : quotient(i, inner);
  return run - quotient(run, channels) * channels;
}

template <class T, class C = Compute<T>>
__global__ void norm_kernel(const T* in, const T* weight, const T* bias, T* out, const C* mean, const C* rstd,
                            int64_t total, int64_t channels, int64_t inner) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    const int64_t c = channel_of(i, channels, inner);
    const C scale = weight ? rstd[c] * static_cast<C>(weight[c]) : rstd[c];
    const C shift = bias ? static_cast<C>(bias[c]) : C(0);
    out[i] = T((static_cast<C>(in[i]) - mean[c]) * scale + shift);
  }
}

/// `sums`: null where mean and variance are constants.
template <class T, class C = Compute<T>>
__global__ void norm_backward_kernel(const T* grad, const T* in, const C* mean, const C* rstd,
                                     const T* weight, const GradSums<C>* sums, T* out, int64_t total,
                                     int64_t channels, int64_t inner) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const C by = C(1) / static_cast<C>(total / channels);
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    const int64_t c = channel_of(i, channels, inner);
    const C scale = weight ? rstd[c] * static_cast<C>(weight[c]) : rstd[c];
    C g = static_cast<C>(grad[i]);
    if (sums) {
      const C x = (static_cast<C>(in[i]) - mean[c]) * rstd[c];
      g -= x * (sums[c].dot * by) + sums[c].sum * by;
    }
    out[i] = T(scale * g);
  }
}

}  // namespace

void batch_norm(const BatchNormArgs& a) {
  if (a.channels == 0) return;
  DeviceGuard guard(device_of(a.rstd));
  const Layout layout = Layout::channels(a.batch, a.channels, a.inner);
  const int64_t total = a.batch * a.channels * a.inner;
  visit_floating(a.dtype, [&]<class T>(T*) {
    using C = Compute<T>;
    const T* in = static_cast<const T*>(a.in);
    C *mean = static_cast<C*>(a.mean), *variance = static_cast<C*>(a.variance),
      *rstd = static_cast<C*>(a.rstd);
    if (a.training) {
      const C count = static_cast<C>(layout.n);
      fold(MeanOp<T>{in, mean, count}, layout, "batch_norm");
      fold(VarianceOp<T>{in, mean, variance, count}, layout, "batch_norm");
    }
    rstd_kernel<<<blocks_for(a.channels), kThreads, 0, current_stream()>>>(variance, rstd, a.channels,
                                                                           static_cast<C>(a.eps));
    check_launch("batch_norm");
    if (total == 0) return;
    norm_kernel<<<blocks_for(total), kThreads, 0, current_stream()>>>(
        in, static_cast<const T*>(a.weight), static_cast<const T*>(a.bias), static_cast<T*>(a.out),
        static_cast<const C*>(mean), static_cast<const C*>(rstd), total, a.channels, a.inner);
    check_launch("batch_norm");
  });
}

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  if (a.channels == 0) return;
  DeviceGuard guard(device_of(a.rstd));
  const int64_t total = a.batch * a.channels * a.inner;
  visit_floating(a.dtype, [&]<class T>(T*) {
    using C = Compute<T>;
    const T *grad = static_cast<const T*>(a.grad_out), *in = static_cast<const T*>(a.in);
    const C *mean = static_cast<const C*>(a.mean), *rstd = static_cast<const C*>(a.rstd);
    const bool through = a.training && a.grad_in;
    const Scratch sums(through ? static_cast<size_t>(a.channels) * sizeof(GradSums<C>) : 0);
    if (through || a.grad_weight || a.grad_bias)
      fold(GradSumsOp<T>{grad, in, mean, rstd, 0, static_cast<T*>(a.grad_weight),
                         static_cast<T*>(a.grad_bias), sums.as<GradSums<C>>()},
           Layout::channels(a.batch, a.channels, a.inner), "batch_norm");
    if (!a.grad_in || total == 0) return;
    norm_backward_kernel<<<blocks_for(total), kThreads, 0, current_stream()>>>(
        grad, in, mean, rstd, static_cast<const T*>(a.weight),
        static_cast<const GradSums<C>*>(sums.as<GradSums<C>>()), static_cast<T*>(a.grad_in), total,
        a.channels, a.inner);
    check_launch("batch_norm");
  });
}

}  // namespace tapir::cuda
