#pragma once

#include <cstdint>

// What the SIMD files of the matrix product offer to gemm.cpp: tables of functions per instruction set,
// chosen at run time.

namespace tapir::cpu::detail {

/// C = alpha A B + beta C + bias on one thread. Element (i, k) of A lies at `a[i * a_row + k * a_col]`,
/// likewise B (k, j) and C (i, j). C is not read where `beta` is 0. Sizes are positive.
template <class T>
struct Product {
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T beta;
  T* c;
  int64_t c_row, c_col;
  const T* bias;  // null, or element (i, j) is `bias[i * bias_row + j * bias_col]`
  int64_t bias_row, bias_col;
};

/// Products of matrices. One stride of each operand is 1. Where `c_col` is not 1, `c_row` is: C is written
/// transposed. The bias runs along the stride of C that is 1.
template <class T>
struct BlockKernel {
  void (*run)(const Product<T>&);
  int64_t lanes;          // SIMD width in elements
  int64_t rows, columns;  // of the largest tile
};

/// Products with a vector or a few rows.
template <class T>
struct VectorKernels {
  /// A and B contiguous along k (`a_col` and `b_row` are 1): dot products. C and bias any.
  void (*dot)(const Product<T>&);
  /// One row; B, C and bias contiguous along n (`b_col`, `c_col`, `bias_col` are 1): a weighted sum of the
  /// rows of B.
  void (*axpy)(const Product<T>&);
  int64_t dot_rows;  // up to this many rows `dot` reads B once
};

template <class T>
const BlockKernel<T>& block_kernel();
template <class T>
const VectorKernels<T>& vector_kernels();

/// By oneDNN, on the calling thread; C, bias: `c_col` and `bias_col` are 1.
void onednn_gemm(const Product<float>& product);

/// Scratch memory of the calling thread, aligned to 64 bytes, at least `bytes` long. Valid until the next
/// call.
void* scratch(int64_t bytes);

}  // namespace tapir::cpu::detail
