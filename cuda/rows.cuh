// What the kernels over rows and columns share: teams of threads that bring values together, where the
// elements of an output lie, and sums over them in one pass or two. Who adds what to what depends on the
// sizes alone, so that a result is the same number every time.
#pragma once

#include <cstring>
#include <type_traits>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/loops.cuh"
#include "tapir/cuda/scratch.h"

namespace tapir::cuda {

inline constexpr int kWarp = 32;

__host__ __device__ inline int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// a / b for a >= 0 and b > 0, in 32 bits where they hold both: a division in 64 is several times slower.
__device__ __forceinline__ int64_t quotient(int64_t a, int64_t b) {
  if (((a | b) >> 32) == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
  return a / b;
}

template <class A>
__device__ __forceinline__ A shuffle_xor(const A& value, int mask) {
  static_assert(std::is_trivially_copyable_v<A> && sizeof(A) % 4 == 0);
  uint32_t words[sizeof(A) / 4];
  memcpy(words, &value, sizeof(A));
  for (uint32_t& w : words) w = __shfl_xor_sync(0xffffffffu, w, mask);
  A other;
  memcpy(&other, words, sizeof(A));
  return other;
}

template <int kLanes, class A, class Join>
__device__ __forceinline__ A join_lanes(A a, const Join& join) {
  for (int mask = kLanes / 2; mask > 0; mask /= 2) a = join(a, shuffle_xor(a, mask));
  return a;
}

// A team is the threads of a block that work on one output, kAlong of them; a block has kOutputs teams. All
// threads of a block call join() together, and each gets what its team's values give.

struct WarpTeam {
  static constexpr int kBlock = kThreads, kAlong = kWarp, kOutputs = kThreads / kWarp;
  __device__ static int output() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ static int rank() { return static_cast<int>(threadIdx.x) % kWarp; }
  template <class A, class Join>
  __device__ static A join(A a, const Join& join) {
    return join_lanes<kWarp>(a, join);
  }
};

template <int kSize>
struct BlockTeam {
  static constexpr int kBlock = kSize, kAlong = kSize, kOutputs = 1;
  __device__ static int output() { return 0; }
  __device__ static int rank() { return static_cast<int>(threadIdx.x); }
  template <class A, class Join>
  __device__ static A join(A a, const Join& join) {
    constexpr int kWarps = kSize / kWarp;
    __shared__ A shared[kWarps];
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    a = join_lanes<kWarp>(a, join);
    __syncthreads();  // the values of an earlier call have been read
    if (lane == 0) shared[threadIdx.x / kWarp] = a;
    __syncthreads();
    return join_lanes<kWarps>(shared[lane % kWarps], join);
  }
};

struct Plus {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a + b;
  }
};
/// The larger of two values; NaN wins.
struct Larger {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return b > a || b != b ? b : a;
  }
};

/// Lanes take outputs that lie side by side, so that a warp reads adjacent memory.
struct ColumnTeam {
  static constexpr int kBlock = kThreads, kAlong = kThreads / kWarp, kOutputs = kWarp;
  __device__ static int output() { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ static int rank() { return static_cast<int>(threadIdx.x) / kWarp; }
  template <class A, class Join>
  __device__ static A join(A a, const Join& join) {
    __shared__ A shared[kAlong][kWarp];
    __syncthreads();  // the values of an earlier call have been read
    shared[rank()][output()] = a;
    __syncthreads();
    a = shared[0][output()];
    for (int r = 1; r < kAlong; ++r) a = join(a, shared[r][output()]);
    return a;
  }
};

/// The elements of each output: element k of output q is at first(q) + (k / run) * gap + k % run.
struct Layout {
  int64_t outputs, n, run, gap;
  int64_t group, group_stride, unit;

  /// Along the middle dimension of a contiguous (outer, n, inner) array.
  static Layout middle(int64_t outer, int64_t n, int64_t inner) {
    return {outer * inner, n, inner == 1 ? n : 1, inner, inner, n * inner, 1};
  }
  /// Over all but the middle dimension of a contiguous (batch, channels, inner) array.
  static Layout channels(int64_t batch, int64_t channels, int64_t inner) {
    return {channels, batch * inner, inner, channels * inner, channels, 0, inner};
  }

  bool columns() const { return run == 1 && unit == 1 && outputs > 1; }
  __device__ __forceinline__ int64_t first(int64_t q) const {
    const int64_t g = quotient(q, group);
    return g * group_stride + (q - g * group) * unit;
  }
  __device__ __forceinline__ int64_t at(int64_t first, int64_t k) const {
    if (run >= n) return first + k;
    if (run == 1) return first + k * gap;
    const int64_t r = quotient(k, run);
    return first + r * gap + (k - r * run);
  }
};

/// Calls f with a value of the team type that suits rows.
template <class F>
void with_row_team(const Layout& layout, F f) {
  if (layout.n <= 512)
    f(WarpTeam());
  else
    f(BlockTeam<kThreads>());
}
/// The same of any layout.
template <class F>
void with_team(const Layout& layout, F f) {
  if (layout.columns())
    f(ColumnTeam());
  else
    with_row_team(layout, f);
}

inline unsigned grid_of(int64_t blocks) { return static_cast<unsigned>(blocks < 65536 ? blocks : 65536); }

// A fold over each output's elements is an Op, a plain struct that goes to the device:
//   Acc                   what it gathers in: a plain struct or number, of a multiple of 4 bytes
//   Acc init()            that of no elements
//   step(acc, place)      adds an element; k ascends
//   Acc join(a, b)        brings two together, in any order
//   finish(q, acc)        stores the result

/// Element k of output q, which lies at offset `at`; element 0 lies at `first`.
struct Place {
  int64_t q, first, at, k;
};

template <class Op>
struct JoinOf {
  Op op;
  template <class A>
  __device__ A operator()(const A& a, const A& b) const {
    return op.join(a, b);
  }
};

/// The fold over what parts of the elements gave.
template <class Op>
struct FoldAgain {
  using Acc = typename Op::Acc;
  Op op;
  const Acc* partial;
  __device__ Acc init() const { return op.init(); }
  __device__ void step(Acc& acc, const Place& e) const { acc = op.join(acc, partial[e.at]); }
  __device__ Acc join(const Acc& a, const Acc& b) const { return op.join(a, b); }
  __device__ void finish(int64_t q, const Acc& acc) const { op.finish(q, acc); }
};

/// `partial`: where parts of an output's elements go, `part` each; null where there is one part.
template <class Team, class Op>
__global__ void fold_kernel(Op op, Layout layout, int64_t parts, int64_t part, typename Op::Acc* partial) {
  const int64_t tasks = div_up(layout.outputs, Team::kOutputs) * parts;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const int64_t q = task / parts * Team::kOutputs + Team::output(), p = task % parts;
    typename Op::Acc acc = op.init();
    if (q < layout.outputs) {
      const int64_t first = layout.first(q);
      const int64_t end = (p + 1) * part < layout.n ? (p + 1) * part : layout.n;
#pragma unroll 4
      for (int64_t k = p * part + Team::rank(); k < end; k += Team::kAlong)
        op.step(acc, {q, first, layout.at(first, k), k});
    }
    acc = Team::join(acc, JoinOf<Op>{op});
    if (Team::rank() != 0 || q >= layout.outputs) continue;
    if (partial)
      partial[q * parts + p] = acc;
    else
      op.finish(q, acc);
  }
}

/// Folds each output's elements, in two passes where the outputs are too few to fill a device.
template <class Op>
void fold(const Op& op, const Layout& layout, const char* name) {
  if (layout.outputs == 0) return;
  with_team(layout, [&](auto team) {
    using Team = decltype(team);
    using Acc = typename Op::Acc;
    const int64_t blocks = div_up(layout.outputs, Team::kOutputs);
    int64_t parts = 1, part = layout.n;
    if (blocks < 256 && layout.n > Team::kAlong * 16) {
      const int64_t wanted = div_up(512, blocks), most = div_up(layout.n, Team::kAlong * 8);
      part = div_up(layout.n, wanted < most ? wanted : most);
      parts = div_up(layout.n, part);
    }
    const Scratch partial(parts > 1 ? static_cast<size_t>(layout.outputs * parts) * sizeof(Acc) : 0);
    fold_kernel<Team><<<grid_of(blocks * parts), Team::kBlock, 0, current_stream()>>>(op, layout, parts, part,
                                                                                      partial.as<Acc>());
    check_launch(name);
    if (parts == 1) return;
    const FoldAgain<Op> again{op, partial.as<Acc>()};
    fold_kernel<WarpTeam>
        <<<grid_of(div_up(layout.outputs, WarpTeam::kOutputs)), WarpTeam::kBlock, 0, current_stream()>>>(
            again, Layout::middle(layout.outputs, parts, 1), 1, parts, static_cast<Acc*>(nullptr));
    check_launch(name);
  });
}

/// What a floating dtype is computed in.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Calls f with a null pointer to the C++ type of a floating dtype.
template <class F>
void visit_floating(DType dtype, F f) {
  switch (dtype) {
    case DType::Float64:
      return f(static_cast<double*>(nullptr));
    case DType::Float16:
      return f(static_cast<Half*>(nullptr));
    case DType::BFloat16:
      return f(static_cast<BFloat16*>(nullptr));
    default:
      return f(static_cast<float*>(nullptr));
  }
}

}  // namespace tapir::cuda
