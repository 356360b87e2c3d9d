#pragma once

#include <cstdint>
#include <type_traits>

#include "tapir/tensor/half.h"
#include "tapir/tensor/macros.h"

namespace tapir::cpu {

/// The type of `alpha` and `beta`: double for double, int64_t for integers, else float.
template <class T>
using GemmScalar = std::conditional_t<std::is_integral_v<T>, int64_t,
                                      std::conditional_t<std::is_same_v<T, double>, double, float>>;

/// One matrix product C (m, n) = alpha op(A) op(B) + beta C + bias, row-major; see `gemm`.
template <class T>
struct GemmArgs {
  bool trans_a = false;  // A is stored (k, m) instead of (m, k)
  bool trans_b = false;  // B is stored (n, k) instead of (k, n)
  int64_t m = 0, n = 0, k = 0;
  GemmScalar<T> alpha = 1;
  const T* a = nullptr;
  int64_t lda = 0;  // elements from one stored row to the next, at least the stored width
  const T* b = nullptr;
  int64_t ldb = 0;
  GemmScalar<T> beta = 0;
  T* c = nullptr;
  int64_t ldc = 0;
  const T* bias = nullptr;  // (n), added to each row; null for none
};

/// C (m, n) = alpha op(A) (m, k) op(B) (k, n) + beta C + bias (n).
///
/// T: float, double, Half, BFloat16 (both summed in float and rounded once), int8_t, uint8_t, int16_t,
/// int32_t, int64_t (they wrap around). C is not read where `beta` is 0, A and B not where `alpha` or k is 0.
/// C overlaps neither A, B nor bias. Runs on the pool where the product is large enough; the result is the
/// same to the bit for any number of threads. Sizes are trusted: the caller has checked them.
template <class T>
TAPIR_API void gemm(const GemmArgs<T>& args);

/// `batch` products of one shape; matrix i of A starts at `args.a + i * stride_a`, likewise B and C (a stride
/// of 0 shares A or B). The bias, if any, is shared.
template <class T>
TAPIR_API void gemm_batched(int64_t batch, const GemmArgs<T>& args, int64_t stride_a, int64_t stride_b,
                            int64_t stride_c);

}  // namespace tapir::cpu
