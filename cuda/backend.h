// The parts of the CUDA backend that its table is made of. Private to cuda/.
#pragma once

#include "tapir/tensor/allocator.h"
#include "tapir/tensor/kernels.h"

namespace tapir::cuda {

Allocator& allocator(int device);

void pointwise(const PointwiseArgs& args);
void pointwise_float(const PointwiseArgs& args);
void pointwise_double(const PointwiseArgs& args);
void pointwise_int(const PointwiseArgs& args);
void copy(const CopyArgs& args);
void fill(void* data, DType dtype, int64_t n, KernelScalar value);
KernelScalar read(const void* data, DType dtype);
void reduce(const ReduceArgs& args);
void pointwise_sum(const PointwiseSumArgs& args);
void softmax(const SoftmaxArgs& args);
void softmax_backward(const SoftmaxBackwardArgs& args);
void cross_entropy(const CrossEntropyArgs& args);
void cross_entropy_backward(const CrossEntropyBackwardArgs& args);
void moments(const MomentsArgs& args);
void row_norm(const RowNormArgs& args);
void row_norm_backward(const RowNormBackwardArgs& args);
void batch_norm(const BatchNormArgs& args);
void batch_norm_backward(const BatchNormBackwardArgs& args);
void gemm(const GemmArgs& args);

}  // namespace tapir::cuda
