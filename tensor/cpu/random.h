// The vectorised parts of the CPU's random streams.
#pragma once

#include <cstdint>

#include "tapir/tensor/macros.h"

namespace tapir::cpu {

/// The next 624 words of mt19937's state, in place.
void mt19937_advance(uint32_t* state);
/// out[i] = the output that belongs to state[i], for 624 words.
void mt19937_temper(const uint32_t* state, uint32_t* out);

/// out[i] = fma((draws[i] mod 2^24) / 2^24, range, from).
void uniform_floats(const uint32_t* draws, float* out, int64_t n, float from, float range);
/// out[i] = fma((draws[2 i] : draws[2 i + 1] mod 2^53) / 2^53, range, from).
void uniform_doubles(const uint32_t* draws, double* out, int64_t n, double from, double range);
/// out[i] = value where the double uniform of draws 2 i and 2 i + 1 lies below p, else 0.
void bernoulli_floats(const uint32_t* draws, float* out, int64_t n, double p, float value);
/// Turns blocks of 16 uniforms in [0, 1) into normals, in place: pairs j and j + 8, cosine half first.
///   fma(sqrt(-2 log(1 - u_j)) cos(2 pi u_{j+8}), std, mean)
/// with the logarithm, sine and cosine of Moshier's Cephes library, operation for operation as PyTorch's AVX2
/// code computes them, so that every bit agrees.
void normal_floats(float* data, int64_t blocks, float mean, float std);

}  // namespace tapir::cpu
