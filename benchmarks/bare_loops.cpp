#include "bare_loops.h"

#include <cmath>

namespace bench {

float bare_add(const float* __restrict a, const float* __restrict b, float* __restrict out, std::int64_t n,
               int threads) {
#pragma omp parallel for simd schedule(static) num_threads(threads) if (parallel : threads > 1)
  for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
  return out[0];
}

float bare_exp(const float* __restrict a, float* __restrict out, std::int64_t n, int threads) {
#pragma omp parallel for simd schedule(static) num_threads(threads) if (parallel : threads > 1)
  for (std::int64_t i = 0; i < n; ++i) out[i] = std::exp(a[i]);
  return out[0];
}

}  // namespace bench
