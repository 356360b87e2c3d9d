// Cross-entropy with class indices and its backward: a team of threads for each row.
#include <cmath>

#include "tapir/cuda/rows.cuh"

namespace tapir::cuda {

namespace {

struct Targets {
  double weight_sum;
  int64_t bad_row;  // INT64_MAX: none
};

/// Looks at all targets: the first that is out of range, and the weights of those that count.
struct TargetsOp {
  using Acc = Targets;
  const int64_t* targets;
  const void* weight;
  DType dtype;
  int64_t classes, ignore_index;
  Targets* out;
  __device__ Acc init() const { return {0, INT64_MAX}; }
  __device__ void step(Acc& acc, const Place& e) const {
    const int64_t target = targets[e.k];
    if (target == ignore_index) return;
    if (static_cast<uint64_t>(target) >= static_cast<uint64_t>(classes))
      acc.bad_row = e.k < acc.bad_row ? e.k : acc.bad_row;
    else
      acc.weight_sum += weight ? load<double>(weight, dtype, target) : 1.0;
  }
  __device__ Acc join(const Acc& a, const Acc& b) const {
    return {a.weight_sum + b.weight_sum, a.bad_row < b.bad_row ? a.bad_row : b.bad_row};
  }
  __device__ void finish(int64_t, const Acc& acc) const { *out = acc; }
};

template <class T>
struct Forward {
  const T* logits;
  const int64_t* targets;
  const T* weight;
  T* losses;
  T* log_probs;
  int64_t n, classes, ignore_index;
  Compute<T> hard, soft;
};

template <class Team, class T>
__global__ void cross_entropy_kernel(Forward<T> a) {
  using C = Compute<T>;
  const int64_t tasks = div_up(a.n, Team::kOutputs);
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t row = task * Team::kOutputs + Team::output();
    const int64_t classes = row < a.n ? a.classes : 0;
    const T* x = a.logits + (row < a.n ? row : 0) * a.classes;
    C top = -C(INFINITY);
    for (int64_t c = Team::rank(); c < classes; c += Team::kAlong) top = Larger()(top, static_cast<C>(x[c]));
    top = Team::join(top, Larger());
    C sum = 0;
    for (int64_t c = Team::rank(); c < classes; c += Team::kAlong) sum += exp(static_cast<C>(x[c]) - top);
    const C log_sum = log(Team::join(sum, Plus()));
    if (a.log_probs)
      for (int64_t c = Team::rank(); c < classes; c += Team::kAlong)
        a.log_probs[row * a.classes + c] = T(static_cast<C>(x[c]) - top - log_sum);
    C all = 0;  // the weighted sum over the classes, for label smoothing
    if (a.soft != 0) {
      for (int64_t c = Team::rank(); c < classes; c += Team::kAlong) {
        const C v = static_cast<C>(x[c]) - top - log_sum;
        all += a.weight ? static_cast<C>(a.weight[c]) * v : v;
      }
      all = Team::join(all, Plus());
    }
    if (Team::rank() != 0 || row >= a.n) continue;
    const int64_t target = a.targets[row];
    C loss = 0;
    if (target != a.ignore_index) {
      loss = -(static_cast<C>(x[target]) - top - log_sum);
      if (a.weight) loss *= static_cast<C>(a.weight[target]);
      if (a.soft != 0) loss = a.hard * loss - a.soft * all;
    }
    a.losses[row] = T(loss);
  }
}

template <class T>
struct Backward {
  const T* grad;
  int64_t grad_stride;
  double scale;
  const T* log_probs;
  const int64_t* targets;
  const T* weight;
  const double* total;  // sum of the weights; null where it is `classes` or does not matter
  T* grad_logits;
  int64_t n, classes, ignore_index;
  double label_smoothing;
};

template <class Team, class T>
__global__ void cross_entropy_backward_kernel(Backward<T> a) {
  using C = Compute<T>;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * Team::kOutputs + Team::output(); row < a.n;
       row += static_cast<int64_t>(gridDim.x) * Team::kOutputs) {
    T* out = a.grad_logits + row * a.classes;
    const int64_t target = a.targets[row];
    if (target == a.ignore_index) {
      for (int64_t c = Team::rank(); c < a.classes; c += Team::kAlong) out[c] = T(0.0f);
      continue;
    }
    const double g = static_cast<double>(a.grad[row * a.grad_stride]) * a.scale;
    const double hard =
        g * (1 - a.label_smoothing) * (a.weight ? static_cast<double>(a.weight[target]) : 1.0);
    const double soft = g * a.label_smoothing / static_cast<double>(a.classes);
    const double total = a.total ? *a.total : static_cast<double>(a.classes);
    const C scale = static_cast<C>(hard + soft * total), each = static_cast<C>(soft);
    const T* log_probs = a.log_probs + row * a.classes;
    for (int64_t c = Team::rank(); c < a.classes; c += Team::kAlong) {
      C value = scale * exp(static_cast<C>(log_probs[c]));
      if (soft != 0) value -= a.weight ? each * static_cast<C>(a.weight[c]) : each;
      if (c == target) value -= static_cast<C>(hard);
      out[c] = T(value);
    }
  }
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& a) {
  *a.bad_row = -1;
  *a.weight_sum = 0;
  if (a.n == 0) return;
  DeviceGuard guard(device_of(a.losses));
  const Scratch scratch(sizeof(Targets));
  fold(TargetsOp{a.targets, a.weight, a.dtype, a.classes, a.ignore_index, scratch.as<Targets>()},
       Layout::middle(1, a.n, 1), "cross_entropy");
  Targets seen;
  check(cudaMemcpyAsync(&seen, scratch.as<Targets>(), sizeof(seen), cudaMemcpyDeviceToHost, current_stream()),
        "cross_entropy");
  check(cudaStreamSynchronize(current_stream()), "cross_entropy");
  if (seen.bad_row != INT64_MAX) {
    *a.bad_row = seen.bad_row;
    return;
  }
  *a.weight_sum = seen.weight_sum;
  const Layout rows = Layout::middle(a.n, a.classes, 1);
  visit_floating(a.dtype, [&]<class T>(T*) {
    using C = Compute<T>;
    const Forward<T> args{static_cast<const T*>(a.logits),
                          a.targets,
                          static_cast<const T*>(a.weight),
                          static_cast<T*>(a.losses),
                          static_cast<T*>(a.log_probs),
                          a.n,
                          a.classes,
                          a.ignore_index,
                          static_cast<C>(1 - a.label_smoothing),
                          static_cast<C>(a.label_smoothing / static_cast<double>(a.classes))};
    with_row_team(rows, [&]<class Team>(Team) {
      cross_entropy_kernel<Team>
          <<<grid_of(div_up(a.n, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(args);
    });
  });
  check_launch("cross_entropy");
}

void cross_entropy_backward(const CrossEntropyBackwardArgs& a) {
  if (a.n == 0 || a.classes == 0) return;
  DeviceGuard guard(device_of(a.grad_logits));
  const bool weigh = a.weight && a.label_smoothing != 0;
  const Scratch total(weigh ? sizeof(double) : 0);
  if (weigh)
    reduce({Reduction::Sum, a.weight, a.dtype, total.as<double>(), kFloat64, nullptr, 1, a.classes, 1, 1});
  const Layout rows = Layout::middle(a.n, a.classes, 1);
  visit_floating(a.dtype, [&]<class T>(T*) {
    const Backward<T> args{static_cast<const T*>(a.grad),
                           a.grad_stride,
                           a.scale,
                           static_cast<const T*>(a.log_probs),
                           a.targets,
                           static_cast<const T*>(a.weight),
                           total.as<double>(),
                           static_cast<T*>(a.grad_logits),
                           a.n,
                           a.classes,
                           a.ignore_index,
                           a.label_smoothing};
    with_row_team(rows, [&]<class Team>(Team) {
      cross_entropy_backward_kernel<Team>
          <<<grid_of(div_up(a.n, Team::kOutputs)), Team::kBlock, 0, current_stream()>>>(args);
    });
  });
  check_launch("cross_entropy");
}

}  // namespace tapir::cuda
