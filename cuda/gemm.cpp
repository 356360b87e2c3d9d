// Matrix products through cuBLAS, in the row-major convention of GemmArgs.
#include <library_types.h>

#include "tapir/cuda/backend.h"
#include "tapir/cuda/context.h"
#include "tapir/tensor/error_format.h"

namespace tapir::cuda {

namespace {

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return CUDA_R_16F;
    case DType::BFloat16:
      return CUDA_R_16BF;
    case DType::Float32:
      return CUDA_R_32F;
    case DType::Float64:
      return CUDA_R_64F;
    default:
      throw_error<DTypeError>("matmul: {} is not supported on CUDA; cast to a floating-point dtype", dtype);
  }
}

// Rows of C begin as the bias: C = bias + beta * C, before the product is added.
void start_with_bias(const GemmArgs& args) {
  for (int64_t b = 0; b < args.batch; ++b) {
    auto* c =
        static_cast<std::byte*>(args.c) + static_cast<size_t>(b * args.stride_c) * item_size(args.dtype);
    if (args.beta == 0) {
      CopyArgs copy_args;
      copy_args.dst = c;
      copy_args.src = args.bias;
      copy_args.dst_dtype = copy_args.src_dtype = args.dtype;
      copy_args.ndim = 2;
      copy_args.numel = args.m * args.n;
      copy_args.sizes[0] = args.m;
      copy_args.sizes[1] = args.n;
      copy_args.dst_strides[0] = args.ldc;
      copy_args.src_strides[0] = 0;
      copy_args.dst_strides[1] = copy_args.src_strides[1] = 1;
      copy(copy_args);
      continue;
    }
    PointwiseArgs add;
    add.op = Pointwise::add;
    add.compute = args.dtype == kFloat64 ? kFloat64 : kFloat32;
    add.inputs = 2;
    add.contiguous = add.direct = false;
    add.ndim = 2;
    add.numel = args.m * args.n;
    add.sizes[0] = args.m;
    add.sizes[1] = args.n;
    add.params[0] = {args.beta, static_cast<int64_t>(args.beta)};
    add.params[1] = {0, 0};
    void* data[] = {c, const_cast<void*>(args.bias), c};
    for (int k = 0; k < 3; ++k) {
      add.operands[k].data = data[k];
      add.operands[k].dtype = args.dtype;
      add.operands[k].strides[0] = k == 1 ? 0 : args.ldc;
      add.operands[k].strides[1] = 1;
    }
    pointwise(add);
  }
}

int narrow(int64_t n) {
  TAPIR_CHECK_AS(ShapeError, n <= INT32_MAX, "matmul: a size of {} is over cuBLAS's limit of 2^31 - 1", n);
  return static_cast<int>(n);
}

}  // namespace

void gemm(const GemmArgs& args) {
  if (args.m == 0 || args.n == 0 || args.batch == 0) return;
  DeviceGuard guard(device_of(args.c));
  double beta = args.beta;
  if (args.bias) {
    start_with_bias(args);
    beta = 1;
  }
  const cudaDataType_t type = data_type(args.dtype);
  const bool wide = args.dtype == kFloat64;
  const float alpha32 = static_cast<float>(args.alpha), beta32 = static_cast<float>(beta);
  const void* alpha_ptr = wide ? static_cast<const void*>(&args.alpha) : &alpha32;
  const void* beta_ptr = wide ? static_cast<const void*>(&beta) : &beta32;
  // cuBLAS is column-major: it sees the transposes, so C^T = op(B)^T op(A)^T.
  check(cublasGemmStridedBatchedEx(cublas(), args.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                                   args.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N, narrow(args.n), narrow(args.m),
                                   narrow(args.k), alpha_ptr, args.b, type, narrow(args.ldb), args.stride_b,
                                   args.a, type, narrow(args.lda), args.stride_a, beta_ptr, args.c, type,
                                   narrow(args.ldc), args.stride_c, narrow(args.batch),
                                   wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
        "matmul");
}

}  // namespace tapir::cuda
