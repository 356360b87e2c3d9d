#include <dnnl.h>

#include <algorithm>

#include "tapir/tensor/cpu/gemm_kernels.h"
#include "tapir/tensor/cpu/one_thread.h"

namespace tapir::cpu::detail {
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
