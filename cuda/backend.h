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
