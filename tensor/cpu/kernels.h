// The CPU's kernels, which table.cpp puts into the kernel table. What each computes stands beside its
// arguments in tensor/kernels.h; each is defined in the file named here.
#pragma once

#include "tapir/tensor/kernels.h"

namespace tapir::cpu {

void pointwise(const PointwiseArgs& args);                          // pointwise.cpp
void copy(const CopyArgs& args);                                    // copy.cpp
void fill(void* data, DType dtype, int64_t n, KernelScalar value);  // copy.cpp
KernelScalar read(const void* data, DType dtype);                   // copy.cpp
void reduce(const ReduceArgs& args);                                // reduce.cpp
void pointwise_sum(const PointwiseSumArgs& args);                   // pointwise_sum.cpp
void softmax(const SoftmaxArgs& args);                              // softmax.cpp
void softmax_backward(const SoftmaxBackwardArgs& args);             // softmax.cpp
void cross_entropy(const CrossEntropyArgs& args);                   // loss.cpp
void cross_entropy_backward(const CrossEntropyBackwardArgs& args);  // loss.cpp
void index_rows(const IndexRowsArgs& args);                         // index.cpp
void add_rows(const AddRowsArgs& args);                             // index.cpp
void dot_rows(const DotRowsArgs& args);                             // index.cpp
void put_rows(const PutRowsArgs& args);                             // index.cpp
void gather(const GatherArgs& args);                                // index.cpp
void scatter(const ScatterArgs& args);                              // index.cpp
void prod(const ReduceArgs& args);                                  // reduce_prod.cpp
void moments(const MomentsArgs& args);                              // moments.cpp
void scan(const ScanArgs& args);                                    // scan.cpp
void sort(const SortArgs& args);                                    // sort.cpp
void select(const SelectArgs& args);                                // sort.cpp
void gemm(const tapir::GemmArgs& args);                             // gemm_entry.cpp
void lapack(const LapackArgs& args);                                // lapack.cpp
void rnn_cell(const RnnCellArgs& args);                             // rnn.cpp
void rnn_cell_backward(const RnnCellBackwardArgs& args);            // rnn.cpp
void row_norm(const RowNormArgs& args);                             // row_norm.cpp
void row_norm_backward(const RowNormBackwardArgs& args);            // row_norm.cpp
void ctc(const CtcArgs& args);                                      // ctc.cpp
void ctc_backward(const CtcBackwardArgs& args);                     // ctc.cpp
void attention(const AttentionArgs& args);                          // attention.cpp
void attention_backward(const AttentionBackwardArgs& args);         // attention.cpp
void conv(const ConvArgs& args);                                    // conv.cpp
void columns(const ConvArgs& args);                                 // conv_columns.cpp
void batch_norm(const BatchNormArgs& args);                         // batch_norm.cpp
void batch_norm_backward(const BatchNormBackwardArgs& args);        // batch_norm.cpp
void banded(const BandedArgs& args);                                // pool.cpp
void max_pool(const MaxPoolArgs& args);                             // pool.cpp
void grid_sample(const GridSampleArgs& args);                       // grid_sample.cpp
void grid_sample_backward(const GridSampleBackwardArgs& args);      // grid_sample.cpp
void update(const UpdateArgs& args);                                // optim.cpp

/// Of add_rows, those rows with `from`, of kFloat32 or kFloat64, that go to places [low, high). In
/// add_rows.cpp.
void add_picked_rows(const AddRowsArgs& args, int64_t low, int64_t high);

}  // namespace tapir::cpu
