// The sum of a pointwise kernel's results, block by block in the first-level cache.
#include <algorithm>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {

namespace {

constexpr int64_t kBlock = 2048, kBlocksPerGrain = 8;

template <class T>
double sum_of_block(const PointwiseArgs& call, int64_t first, int64_t n) {
  T values[kBlock];
  PointwiseArgs part = call;
  part.numel = n;
  part.operands[0].data = values;
  part.operands[0].dtype = call.compute;
  for (int i = 1; i <= call.inputs; ++i)
    if (part.operands[i].data) part.operands[i].data = static_cast<T*>(call.operands[i].data) + first;
  pointwise(part);
  T sum;
  reduce({Reduction::Sum, values, call.compute, &sum, call.compute, nullptr, 1, n, 1, 1});
  return static_cast<double>(sum);
}

template <class T>
void sum_in(const PointwiseSumArgs& a) {
  const int64_t n = a.call.numel, blocks = (n + kBlock - 1) / kBlock;
  double sum = 0;
  if (blocks == 1) {
    sum = sum_of_block<T>(a.call, 0, n);
  } else {
    std::vector<double> sums(static_cast<size_t>(blocks));
    parallel_for(0, blocks, kBlocksPerGrain, [&](int64_t lo, int64_t hi) {
      for (int64_t b = lo; b < hi; ++b)
        sums[static_cast<size_t>(b)] = sum_of_block<T>(a.call, b * kBlock, std::min(kBlock, n - b * kBlock));
    });
    for (const double s : sums) sum += s;
  }
  *static_cast<T*>(a.out) = static_cast<T>(sum * a.scale);
}

}  // namespace

void pointwise_sum(const PointwiseSumArgs& a) {
  a.call.compute == kFloat32 ? sum_in<float>(a) : sum_in<double>(a);
}

}  // namespace tapir::cpu
