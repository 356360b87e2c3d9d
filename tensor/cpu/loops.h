// The inner loops of the pointwise kernels: one per row of pointwise.def and number type, over contiguous
// arrays.
#pragma once

#include "tapir/tensor/kernels.h"

// Instruction sets that the library is built for beside the compiler's own: AVX2 and AVX-512 on x86-64, NEON
// on Arm.
#define TAPIR_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_WASM)

namespace tapir::cpu {

/// out[i] = functor(in[0][i * step[0]], ...) for i in [0, n). A step is 1, or 0 for an operand of one
/// element. Inputs and output hold the compute type; the output of a comparison and the first input of
/// `where` hold bools. The output may be one of the inputs of the same element size.
using PointwiseLoop = void (*)(int64_t n, const void* const* in, const int64_t* step, void* out,
                               const KernelScalar* params);

/// The loops of a compute type for this machine's instruction set, in the order of Pointwise; null where the
/// row does not have the type.
const PointwiseLoop* float_loops();
const PointwiseLoop* double_loops();
const PointwiseLoop* int_loops();

/// A functor that is compiled for plain numbers only; the SIMD loops leave its rows to the scalar ones.
template <class F>
concept ScalarFunctor = requires {
  F::kScalar;
};
/// Their loops in float and double, which go number by number; null in the other rows.
const PointwiseLoop* scalar_float_loops();
const PointwiseLoop* scalar_double_loops();

}  // namespace tapir::cpu
