// Reductions, by teams of threads whose values meet in an order that the sizes give.
#include <cmath>

#include "tapir/cuda/rows.cuh"
#include "tapir/tensor/error.h"

namespace tapir::cuda {

namespace {

/// Elements as A, stored as S; of any dtype where S is void.
template <class A, class S>
struct Reader {
  const void* data;
  DType dtype;
  __device__ __forceinline__ A operator()(int64_t i) const {
    if constexpr (std::is_void_v<S>)
      return load<A>(data, dtype, i);
    else
      return static_cast<A>(static_cast<const S*>(data)[i]);
  }
};

struct Output {
  void* data;
  DType dtype;
};

/// The sum, or with `squares` the root of the sum of squares.
template <class A, class S>
struct SumOp {
  using Acc = std::conditional_t<std::is_same_v<A, int64_t>, uint64_t, A>;  // integers wrap around
  Reader<A, S> in;
  Output out;
  double scale;
  bool squares;
  __device__ Acc init() const { return Acc(0); }
  __device__ void step(Acc& acc, const Place& e) const {
    const Acc x = static_cast<Acc>(in(e.at));
    acc += squares ? x * x : x;
  }
  __device__ Acc join(Acc a, Acc b) const { return a + b; }
  __device__ void finish(int64_t q, Acc acc) const {
    const A sum = static_cast<A>(acc);
    if constexpr (std::is_same_v<A, int64_t>) {
      store(out.data, out.dtype, q, scale == 1 ? sum : cast<int64_t>(static_cast<double>(sum) * scale));
    } else if (squares) {
      store(out.data, out.dtype, q, sqrt(sum));
    } else {
      store(out.data, out.dtype, q, scale == 1 ? sum : static_cast<A>(static_cast<double>(sum) * scale));
    }
  }
};

template <class A>
struct ProdOp {
  using Acc = std::conditional_t<std::is_same_v<A, int64_t>, uint64_t, A>;
  Reader<A, void> in;
  Output out;
  __device__ Acc init() const { return Acc(1); }
  __device__ void step(Acc& acc, const Place& e) const { acc *= static_cast<Acc>(in(e.at)); }
  __device__ Acc join(Acc a, Acc b) const { return a * b; }
  __device__ void finish(int64_t q, Acc acc) const { store(out.data, out.dtype, q, static_cast<A>(acc)); }
};

template <class A>
struct Best {
  A value;
  int64_t index;  // -1 before the first element
};

/// The largest or smallest element and its first place; NaN wins.
template <class A, class S>
struct BestOp {
  using Acc = Best<A>;
  Reader<A, S> in;
  Output out;        // null data: only the place is wanted
  int64_t* indices;  // null: only the value is
  bool min;
  __device__ bool beats(A x, A best) const { return (min ? x < best : x > best) || (x != x && best == best); }
  __device__ Acc init() const { return {A(0), -1}; }
  __device__ void step(Acc& acc, const Place& e) const {
    const A x = in(e.at);
    if (acc.index < 0 || beats(x, acc.value)) acc = {x, e.k};
  }
  __device__ Acc join(const Acc& a, const Acc& b) const {
    if (b.index < 0) return a;
    if (a.index < 0 || beats(b.value, a.value)) return b;
    return b.index < a.index && !beats(a.value, b.value) ? b : a;
  }
  __device__ void finish(int64_t q, const Acc& acc) const {
    if (out.data) store(out.data, out.dtype, q, acc.value);
    if (indices) indices[q] = acc.index;
  }
};

template <class A>
struct TopAndSum {
  A top, sum;  // sum of exp(x - top), where top is finite
};

template <class A, class S>
struct LogSumExpOp {
  using Acc = TopAndSum<A>;
  Reader<A, S> in;
  Output out;
  __device__ Acc init() const { return {-A(INFINITY), A(0)}; }
  __device__ Acc join(const Acc& a, const Acc& b) const {
    if (a.top != a.top) return a;
    if (!(b.top <= a.top)) return join_lower(b, a);
    return join_lower(a, b);
  }
  /// high.top is not below low.top, or is NaN.
  __device__ static Acc join_lower(const Acc& high, const Acc& low) {
    if (!isfinite(high.top) || !isfinite(low.top)) return high;
    return {high.top, high.sum + low.sum * exp(low.top - high.top)};
  }
  __device__ void step(Acc& acc, const Place& e) const { acc = join(acc, {in(e.at), A(1)}); }
  __device__ void finish(int64_t q, const Acc& acc) const {
    store(out.data, out.dtype, q, isfinite(acc.top) ? acc.top + log(acc.sum) : acc.top);
  }
};

/// Whether an element's truth is `wanted` anywhere; any() looks for true ones, all() for false ones.
struct QuantifyOp {
  using Acc = int;
  Reader<double, void> in;
  bool* out;
  bool wanted;
  __device__ Acc init() const { return 0; }
  __device__ void step(Acc& acc, const Place& e) const { acc |= (in(e.at) != 0) == wanted; }
  __device__ Acc join(Acc a, Acc b) const { return a | b; }
  __device__ void finish(int64_t q, Acc acc) const { out[q] = (acc != 0) == wanted; }
};

template <class A, class S>
void run_sum(const ReduceArgs& a, const Layout& layout) {
  fold(SumOp<A, S>{{a.in, a.dtype}, {a.out, a.out_dtype}, a.scale, a.op == Reduction::NormTwo}, layout,
       "sum");
}

void sum(const ReduceArgs& a, const Layout& layout) {
  if (a.out_dtype == kFloat64)
    return a.dtype == kFloat64 ? run_sum<double, double>(a, layout) : run_sum<double, void>(a, layout);
  if (!is_floating_point(a.out_dtype)) return run_sum<int64_t, void>(a, layout);
  switch (a.dtype) {
    case DType::Float32:
      return run_sum<float, float>(a, layout);
    case DType::Float16:
      return run_sum<float, Half>(a, layout);
    case DType::BFloat16:
      return run_sum<float, BFloat16>(a, layout);
    default:
      return run_sum<float, void>(a, layout);
  }
}

template <class A>
void run_prod(const ReduceArgs& a, const Layout& layout) {
  fold(ProdOp<A>{{a.in, a.dtype}, {a.out, a.out_dtype}}, layout, "prod");
}

void prod(const ReduceArgs& a, const Layout& layout) {
  if (a.out_dtype == kFloat64)
    run_prod<double>(a, layout);
  else if (is_floating_point(a.out_dtype))
    run_prod<float>(a, layout);
  else
    run_prod<int64_t>(a, layout);
}

template <class A, class S>
void run_best(const ReduceArgs& a, const Layout& layout) {
  TAPIR_INTERNAL_CHECK(a.reduced > 0);
  const bool min = a.op == Reduction::Min || a.op == Reduction::ArgMin || a.op == Reduction::MinIndex;
  const bool only_index = a.op == Reduction::ArgMax || a.op == Reduction::ArgMin;
  const bool only_value = a.op == Reduction::Max || a.op == Reduction::Min;
  int64_t* indices = only_value ? nullptr : only_index ? static_cast<int64_t*>(a.out) : a.indices;
  fold(BestOp<A, S>{{a.in, a.dtype}, {only_index ? nullptr : a.out, a.dtype}, indices, min}, layout,
       min ? "min" : "max");
}

void best(const ReduceArgs& a, const Layout& layout) {
  if (a.dtype == kFloat32)
    run_best<float, float>(a, layout);
  else if (a.dtype == kFloat64)
    run_best<double, double>(a, layout);
  else if (is_floating_point(a.dtype))
    run_best<float, void>(a, layout);
  else
    run_best<int64_t, void>(a, layout);
}

template <class A, class S>
void run_logsumexp(const ReduceArgs& a, const Layout& layout) {
  fold(LogSumExpOp<A, S>{{a.in, a.dtype}, {a.out, a.dtype}}, layout, "logsumexp");
}

void logsumexp(const ReduceArgs& a, const Layout& layout) {
  if (a.dtype == kFloat32)
    run_logsumexp<float, float>(a, layout);
  else if (a.dtype == kFloat64)
    run_logsumexp<double, double>(a, layout);
  else
    run_logsumexp<float, void>(a, layout);
}

}  // namespace

void reduce(const ReduceArgs& a) {
  if (a.outer == 0 || a.inner == 0) return;
  DeviceGuard guard(device_of(a.out));
  const Layout layout = Layout::middle(a.outer, a.reduced, a.inner);
  switch (a.op) {
    case Reduction::Sum:
    case Reduction::NormTwo:
      return sum(a, layout);
    case Reduction::Prod:
      return prod(a, layout);
    case Reduction::LogSumExp:
      return logsumexp(a, layout);
    case Reduction::Max:
    case Reduction::ArgMax:
    case Reduction::MaxIndex:
    case Reduction::Min:
    case Reduction::ArgMin:
    case Reduction::MinIndex:
      return best(a, layout);
    case Reduction::All:
    case Reduction::Any: {
      const bool wanted = a.op == Reduction::Any;
      return fold(QuantifyOp{{a.in, a.dtype}, static_cast<bool*>(a.out), wanted}, layout,
                  wanted ? "any" : "all");
    }
  }
}

}  // namespace tapir::cuda
