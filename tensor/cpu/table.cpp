// The CPU's kernel table.
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cuda_seam.h"

namespace tapir {

constexpr KernelTable cpu_kernels = {
    .pointwise = cpu::pointwise,
    .copy = cpu::copy,
    .fill = cpu::fill,
    .reduce = cpu::reduce,
    .pointwise_sum = cpu::pointwise_sum,
    .softmax = cpu::softmax,
    .softmax_backward = cpu::softmax_backward,
    .cross_entropy = cpu::cross_entropy,
    .cross_entropy_backward = cpu::cross_entropy_backward,
    .index_rows = cpu::index_rows,
    .add_rows = cpu::add_rows,
    .dot_rows = cpu::dot_rows,
    .put_rows = cpu::put_rows,
    .gather = cpu::gather,
    .scatter = cpu::scatter,
    .moments = cpu::moments,
    .scan = cpu::scan,
    .sort = cpu::sort,
    .select = cpu::select,
    .gemm = cpu::gemm,
    .lapack = cpu::lapack,
    .rnn_cell = cpu::rnn_cell,
    .rnn_cell_backward = cpu::rnn_cell_backward,
    .row_norm = cpu::row_norm,
    .row_norm_backward = cpu::row_norm_backward,
    .ctc = cpu::ctc,
    .ctc_backward = cpu::ctc_backward,
    .attention = cpu::attention,
    .attention_backward = cpu::attention_backward,
    .batch_norm = cpu::batch_norm,
    .batch_norm_backward = cpu::batch_norm_backward,
    .conv = cpu::conv,
    .columns = cpu::columns,
    .banded = cpu::banded,
    .max_pool = cpu::max_pool,
    .grid_sample = cpu::grid_sample,
    .grid_sample_backward = cpu::grid_sample_backward,
    .update = cpu::update,
    .read = cpu::read,
};

const KernelTable& detail::other_kernels(Device device) { return cuda_seam().kernels(device.index()); }

}  // namespace tapir
