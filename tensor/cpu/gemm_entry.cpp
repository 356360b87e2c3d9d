// The matrix product's entry in the kernel table.
#include "tapir/tensor/cpu/gemm.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/error_format.h"

namespace tapir::cpu {

void gemm(const tapir::GemmArgs& args) {
  visit_dtype(args.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_same_v<T, bool>) {
      throw_error<DTypeError>("matmul: got tensors of bool, expected a number type; cast them first");
    } else {
      GemmArgs<T> g;
      g.trans_a = args.trans_a;
      g.trans_b = args.trans_b;
      g.m = args.m;
      g.n = args.n;
      g.k = args.k;
      g.alpha = static_cast<GemmScalar<T>>(args.alpha);
      g.a = static_cast<const T*>(args.a);
      g.lda = args.lda;
      g.b = static_cast<const T*>(args.b);
      g.ldb = args.ldb;
      g.beta = static_cast<GemmScalar<T>>(args.beta);
      g.c = static_cast<T*>(args.c);
      g.ldc = args.ldc;
      g.bias = static_cast<const T*>(args.bias);
      if (args.batch == 1) {
        gemm(g);
      } else {
        gemm_batched(args.batch, g, args.stride_a, args.stride_b, args.stride_c);
      }
    }
  });
}

}  // namespace tapir::cpu
