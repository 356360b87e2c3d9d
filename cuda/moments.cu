// Mean and variance: the mean first, then the squared deviations from it, both in double.
#include <cmath>

#include "tapir/cuda/rows.cuh"

namespace tapir::cuda {

namespace {

// As on the CPU, all is computed for x - shift, with an output's first element as the shift, so that a mean
// that is large beside the deviations costs them no digits.
template <class T>
struct Shifted {
  const T* in;
  Layout layout;
  __device__ double shift(int64_t first) const {
    const double x = layout.n ? static_cast<double>(in[first]) : 0;
    return isfinite(x) ? x : 0;
  }
  __device__ double operator()(const Place& e) const {
    return static_cast<double>(in[e.at]) - shift(e.first);
  }
};

template <class T>
struct MeanOp {
  using Acc = double;
  Shifted<T> in;
  T* out;
  double* means;  // of the shifted elements
  __device__ Acc init() const { return 0; }
  __device__ void step(Acc& acc, const Place& e) const { acc += in(e); }
  __device__ Acc join(Acc a, Acc b) const { return a + b; }
  __device__ void finish(int64_t q, Acc acc) const {
    const double mean = acc / static_cast<double>(in.layout.n);
    means[q] = mean;
    if (out) out[q] = T(in.shift(in.layout.first(q)) + mean);
  }
};

template <class T>
struct SquaresOp {
  using Acc = double;
  Shifted<T> in;
  T* out;
  const double* means;
  double correction;
  bool root;
  __device__ Acc init() const { return 0; }
  __device__ void step(Acc& acc, const Place& e) const {
    const double d = in(e)-means[e.q];
    acc += d * d;
  }
  __device__ Acc join(Acc a, Acc b) const { return a + b; }
  __device__ void finish(int64_t q, Acc acc) const {
    const double freedom = static_cast<double>(in.layout.n) - correction;
    const double variance = in.layout.n ? acc / (freedom > 0 ? freedom : 0) : means[q];  // that is NaN
    out[q] = T(root ? sqrt(variance) : variance);
  }
};

}  // namespace

void moments(const MomentsArgs& a) {
  if (a.outer == 0 || a.inner == 0) return;
  DeviceGuard guard(device_of(a.variance));
  const Layout layout = Layout::middle(a.outer, a.n, a.inner);
  const Scratch means(static_cast<size_t>(layout.outputs) * sizeof(double));
  visit_floating(a.dtype, [&]<class T>(T*) {
    const Shifted<T> in{static_cast<const T*>(a.in), layout};
    fold(MeanOp<T>{in, static_cast<T*>(a.mean), means.as<double>()}, layout, "var");
    fold(SquaresOp<T>{in, static_cast<T*>(a.variance), means.as<double>(), a.correction, a.root}, layout,
         "var");
  });
}

}  // namespace tapir::cuda
