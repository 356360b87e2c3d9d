#pragma once
// Plain loops compiled with everything the compiler has (see CMakeLists.txt): what the machine allows a
// pointwise op whose memory is already mapped. `threads` is OpenMP's.

#include <cstdint>

namespace bench {

// out[i] = a[i] + b[i]; returns out[0].
float bare_add(const float* a, const float* b, float* out, std::int64_t n, int threads);

// out[i] = exp(a[i]); returns out[0].
float bare_exp(const float* a, float* out, std::int64_t n, int threads);

}  // namespace bench
