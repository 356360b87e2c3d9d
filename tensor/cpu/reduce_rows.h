// What reduce_rows.cpp, compiled once per instruction set, offers to reduce.cpp.
#pragma once

#include <cstdint>

namespace tapir::cpu::rows {

/// Kernels on rows of n values, and on columns: `rows` rows of `cols` values, `stride` apart, joined row by
/// row.
template <class T>
struct ReduceKernels {
  // n <= kBlock for the sums, any n > 0 for the others
  T (*sum)(const T* p, int64_t n);
  T (*sum_squares)(const T* p, int64_t n);
  T (*max)(const T* p, int64_t n);  ///< NaN wins
  T (*min)(const T* p, int64_t n);
  T (*logsumexp)(const T* p, int64_t n);
  int64_t (*find)(const T* p, int64_t n, T value);  ///< first index of a value that is there; NaN finds a NaN
  // rows > 0
  void (*sum_columns)(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out);
  void (*sum_squares_columns)(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out);
  void (*max_columns)(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out);
  void (*min_columns)(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out);
  void (*logsumexp_columns)(const T* p, int64_t rows, int64_t stride, int64_t cols, T* out);
};

/// The kernels for this machine, for float and double.
template <class T>
const ReduceKernels<T>& reduce_kernels();

/// Numbers summed in one go: each of the at least 16 partial sums takes few enough that its error stays
/// small.
inline constexpr int64_t kBlock = 2048;

}  // namespace tapir::cpu::rows
