// Softmax, log-softmax and their backward.
#include <cmath>

#include "tapir/cuda/rows.cuh"

namespace tapir::cuda {

namespace {

// A thread reads in every pass the elements that it writes in the last, so that in may equal out.
template <class Team, class T>
__global__ void softmax_kernel(const T* in, T* out, Layout layout, bool log_of_it) {
  using C = Compute<T>;
  const int64_t tasks = div_up(layout.outputs, Team::kOutputs);
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t q = task * Team::kOutputs + Team::output();
    const int64_t n = q < layout.outputs ? layout.n : 0, first = n ? layout.first(q) : 0;
    C top = -C(INFINITY);
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong)
      top = Larger()(top, static_cast<C>(in[layout.at(first, k)]));
    top = Team::join(top, Larger());
    C sum = 0;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong)
      sum += exp(static_cast<C>(in[layout.at(first, k)]) - top);
    sum = Team::join(sum, Plus());
    const C log_sum = log(sum), scale = C(1) / sum;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const int64_t at = layout.at(first, k);
      const C x = static_cast<C>(in[at]) - top;
      out[at] = T(log_of_it ? x - log_sum : exp(x) * scale);
    }
  }
}

template <class Team, class T>
__global__ void softmax_backward_kernel(const T* grad, const T* y, T* out, Layout layout, bool log_of_it) {
  using C = Compute<T>;
  const int64_t tasks = div_up(layout.outputs, Team::kOutputs);
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t q = task * Team::kOutputs + Team::output();
    const int64_t n = q < layout.outputs ? layout.n : 0, first = n ? layout.first(q) : 0;
    C sum = 0;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const int64_t at = layout.at(first, k);
      const C g = static_cast<C>(grad[at]);
      sum += log_of_it ? g : g * static_cast<C>(y[at]);
    }
    sum = Team::join(sum, Plus());
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const int64_t at = layout.at(first, k);
      const C g = static_cast<C>(grad[at]), v = static_cast<C>(y[at]);
      out[at] = T(log_of_it ? g - exp(v) * sum : v * (g - sum));
    }
  }
}

}  // namespace

void softmax(const SoftmaxArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  DeviceGuard guard(device_of(a.out));
  const Layout layout = Layout::middle(a.outer, a.n, a.inner);
  visit_floating(a.dtype, [&]<class T>(T*) {
    with_team(layout, [&]<class Team>(Team) {
      softmax_kernel<Team>
          <<<grid_of(div_up(layout.outputs, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(
              static_cast<const T*>(a.in), static_cast<T*>(a.out), layout, a.log);
    });
  });
  check_launch("softmax");
}

void softmax_backward(const SoftmaxBackwardArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  DeviceGuard guard(device_of(a.grad_in));
  const Layout layout = Layout::middle(a.outer, a.n, a.inner);
  visit_floating(a.dtype, [&]<class T>(T*) {
    with_team(layout, [&]<class Team>(Team) {
      softmax_backward_kernel<Team>
          <<<grid_of(div_up(layout.outputs, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(
              static_cast<const T*>(a.grad_out), static_cast<const T*>(a.out), static_cast<T*>(a.grad_in),
              layout, a.log);
    });
  });
  check_launch("softmax");
}

}  // namespace tapir::cuda
