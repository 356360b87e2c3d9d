#include <dnnl.h>

#include <algorithm>

#include "tapir/tensor/cpu/gemm_kernels.h"

extern "C" {
// Of the OpenMP runtime that oneDNN brings; null where it is built with other threads.
[[gnu::weak]] void omp_set_num_threads(int);
[[gnu::weak]] int omp_get_max_threads(void);
}

namespace tapir::cpu::detail {
namespace {

/// oneDNN works on the calling thread alone while this lives. The setting is the thread's own.
struct OneThread {
  OneThread() {
    if (before > 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before > 1) omp_set_num_threads(before);
  }
  const int before =
      omp_set_num_threads != nullptr && omp_get_max_threads != nullptr ? omp_get_max_threads() : 1;
};

}  // namespace

void onednn_gemm(const Product<float>& p) {
  Product<float> q = p;
  if (q.bias != nullptr) {
    for (int64_t i = 0; i < q.m; ++i) {
      float* const c = q.c + i * q.c_row;
      if (q.beta == 0) {
        std::copy(q.bias, q.bias + q.n, c);
      } else {
        for (int64_t j = 0; j < q.n; ++j) c[j] = q.beta * c[j] + q.bias[j];
      }
    }
    q.bias = nullptr;
    q.beta = 1;
  }
  const OneThread one;
  const bool trans_a = q.a_col != 1, trans_b = q.b_col != 1;
  const dnnl_status_t status =
      dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', q.m, q.n, q.k, q.alpha, q.a,
                 trans_a ? q.a_col : q.a_row, q.b, trans_b ? q.b_col : q.b_row, q.beta, q.c, q.c_row);
  if (status != dnnl_success) block_kernel<float>().run(q);
}

}  // namespace tapir::cpu::detail
