// The sum of a pointwise kernel's results, chunk by chunk.
#include "tapir/cuda/rows.cuh"

namespace tapir::cuda {

void pointwise_sum(const PointwiseSumArgs& a) {
  constexpr int64_t kChunk = int64_t{1} << 22;
  DeviceGuard guard(device_of(a.out));
  const int64_t n = a.call.numel, chunks = div_up(n, kChunk);
  const Scratch values(static_cast<size_t>(n < kChunk ? n : kChunk) * item_size(a.call.compute));
  const Scratch sums(static_cast<size_t>(chunks) * sizeof(double));
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t first = c * kChunk, count = n - first < kChunk ? n - first : kChunk;
    PointwiseArgs part = a.call;
    part.numel = count;
    part.operands[0].data = values.as<void>();
    part.operands[0].dtype = a.call.compute;
    for (int i = 1; i <= part.inputs; ++i)
      if (part.operands[i].data)
        part.operands[i].data = static_cast<std::byte*>(part.operands[i].data) +
                                static_cast<size_t>(first) * item_size(a.call.compute);
    pointwise(part);
    reduce({Reduction::Sum, values.as<void>(), a.call.compute, sums.as<double>() + c, kFloat64, nullptr, 1,
            count, 1, 1});
  }
  reduce({Reduction::Sum, sums.as<void>(), kFloat64, a.out, a.call.compute, nullptr, 1, chunks, 1, a.scale});
}

}  // namespace tapir::cuda
