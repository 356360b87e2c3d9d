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
void index_rows(const IndexRowsArgs& args);
void add_rows(const AddRowsArgs& args);
void dot_rows(const DotRowsArgs& args);
void put_rows(const PutRowsArgs& args);
void gather(const GatherArgs& args);
void scatter(const ScatterArgs& args);
void max_pool(const MaxPoolArgs& args);
void banded(const BandedArgs& args);
void columns(const ConvArgs& args);
void select(const SelectArgs& args);
void scan(const ScanArgs& args);
void rnn_cell(const RnnCellArgs& args);
void rnn_cell_backward(const RnnCellBackwardArgs& args);
void update(const UpdateArgs& args);

}  // namespace tapir::cuda
