// Layer norm, group norm and their backward: a team of threads for each row.
#include <cmath>

#include "tapir/cuda/norm.cuh"

namespace tapir::cuda {

namespace {

template <class T>
struct Forward {
  using C = Compute<T>;
  const T* in;
  const T* weight;
  const T* bias;
  T* out;
  C* mean;
  C* rstd;
  int64_t rows, n, groups, inner;
  C eps;
};

template <class Team, class T>
__global__ void row_norm_kernel(Forward<T> a) {
  using C = Compute<T>;
  const int64_t tasks = div_up(a.rows, Team::kOutputs), entries = a.n / a.inner;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t r = task * Team::kOutputs + Team::output();
    const int64_t n = r < a.rows ? a.n : 0, at = n ? r * a.n : 0;
    C sum = 0;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) sum += static_cast<C>(a.in[at + k]);
    const C mean = Team::join(sum, Plus()) / static_cast<C>(a.n);
    C squares = 0;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const C d = static_cast<C>(a.in[at + k]) - mean;
      squares += d * d;
    }
    const C rstd = C(1) / sqrt(Team::join(squares, Plus()) / static_cast<C>(a.n) + a.eps);
    if (n && Team::rank() == 0) {
      a.mean[r] = mean;
      a.rstd[r] = rstd;
    }
    const int64_t entry = r % a.groups * entries;
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const int64_t e = entry + (a.inner == 1 ? k : quotient(k, a.inner));
      C y = (static_cast<C>(a.in[at + k]) - mean) * rstd;
      if (a.weight) y *= static_cast<C>(a.weight[e]);
      if (a.bias) y += static_cast<C>(a.bias[e]);
      a.out[at + k] = T(y);
    }
  }
}

template <class T>
struct Backward {
  using C = Compute<T>;
  const T* grad;
  const T* in;
  const C* mean;
  const C* rstd;
  const T* weight;
  T* grad_in;
  int64_t rows, n, groups, inner;
};

template <class Team, class T>
__global__ void row_norm_backward_kernel(Backward<T> a) {
  using C = Compute<T>;
  const int64_t tasks = div_up(a.rows, Team::kOutputs), entries = a.n / a.inner;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t r = task * Team::kOutputs + Team::output();
    const int64_t n = r < a.rows ? a.n : 0, at = n ? r * a.n : 0, entry = r % a.groups * entries;
    const C mean = n ? a.mean[r] : C(0), rstd = n ? a.rstd[r] : C(0);
    const auto weighted = [&](int64_t k) {
      const C g = static_cast<C>(a.grad[at + k]);
      return a.weight ? g * static_cast<C>(a.weight[entry + (a.inner == 1 ? k : quotient(k, a.inner))]) : g;
    };
    GradSums<C> sums{C(0), C(0)};
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const C g = weighted(k);
      sums.sum += g;
      sums.dot += g * ((static_cast<C>(a.in[at + k]) - mean) * rstd);
    }
    sums = Team::join(sums, PlusGradSums());
    const C mean_g = sums.sum / static_cast<C>(a.n), mean_gx = sums.dot / static_cast<C>(a.n);
    for (int64_t k = Team::rank(); k < n; k += Team::kAlong) {
      const C x = (static_cast<C>(a.in[at + k]) - mean) * rstd;
      a.grad_in[at + k] = T(rstd * (weighted(k) - (x * mean_gx + mean_g)));
    }
  }
}

}  // namespace

void row_norm(const RowNormArgs& a) {
  if (a.rows == 0 || a.n == 0) return;
  DeviceGuard guard(device_of(a.out));
  visit_floating(a.dtype, [&]<class T>(T*) {
    using C = Compute<T>;
    const Forward<T> args{static_cast<const T*>(a.in),
                          static_cast<const T*>(a.weight),
                          static_cast<const T*>(a.bias),
                          static_cast<T*>(a.out),
                          static_cast<C*>(a.mean),
                          static_cast<C*>(a.rstd),
                          a.rows,
                          a.n,
                          a.groups,
                          a.inner,
                          static_cast<C>(a.eps)};
    with_row_team(Layout::middle(a.rows, a.n, 1), [&]<class Team>(Team) {
      row_norm_kernel<Team>
          <<<grid_of(div_up(a.rows, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(args);
    });
  });
  check_launch("layer_norm");
}

void row_norm_backward(const RowNormBackwardArgs& a) {
  const int64_t entries = a.groups * a.n / a.inner;
  if (a.rows == 0 || a.n == 0) {
    for (void* p : {a.grad_weight, a.grad_bias})
      if (p && entries) fill(p, a.dtype, entries, {0, 0});
    return;
  }
  DeviceGuard guard(device_of(a.in));
  visit_floating(a.dtype, [&]<class T>(T*) {
    using C = Compute<T>;
    const T *grad = static_cast<const T*>(a.grad_out), *in = static_cast<const T*>(a.in);
    const C *mean = static_cast<const C*>(a.mean), *rstd = static_cast<const C*>(a.rstd);
    if (a.grad_weight || a.grad_bias)
      fold(GradSumsOp<T>{grad, in, mean, rstd, a.n, static_cast<T*>(a.grad_weight),
                         static_cast<T*>(a.grad_bias), nullptr},
           Layout::channels(a.rows / a.groups, entries, a.inner), "layer_norm");
    if (!a.grad_in) return;
    const Backward<T> args{
        grad,   in,  mean,     rstd,   static_cast<const T*>(a.weight), static_cast<T*>(a.grad_in),
        a.rows, a.n, a.groups, a.inner};
    with_row_team(Layout::middle(a.rows, a.n, 1), [&]<class Team>(Team) {
      row_norm_backward_kernel<Team>
          <<<grid_of(div_up(a.rows, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(args);
    });
    check_launch("layer_norm");
  });
}

}  // namespace tapir::cuda
