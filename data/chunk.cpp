#include "tapir/data/chunk.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::data::datasets {

ChunkDatasetOptions::ChunkDatasetOptions(size_t preloader_count, size_t batch_size, size_t cache_size,
                                         size_t cross_chunk_shuffle_count)
    : preloader_count_(preloader_count),
      batch_size_(batch_size),
      cache_size_(cache_size),
      cross_chunk_shuffle_count_(cross_chunk_shuffle_count) {
  TAPIR_CHECK_AS(ValueError, preloader_count > 0 && batch_size > 0 && cross_chunk_shuffle_count > 0,
                 "ChunkDatasetOptions: got preloader_count {}, batch_size {}, cross_chunk_shuffle_count {}, "
                 "expected each to be at least 1",
                 preloader_count, batch_size, cross_chunk_shuffle_count);
  TAPIR_CHECK_AS(ValueError, cache_size >= batch_size,
                 "ChunkDatasetOptions: got cache_size {}, expected room for a batch of {}", cache_size,
                 batch_size);
}

}  // namespace tapir::data::datasets

namespace tapir::data::detail {

void chunk_reset_failure() { throw_error<ValueError>("ChunkDataset: call reset() before get_batch()"); }
void chunk_batch_size_failure(size_t got, size_t expected) {
  throw_error<ValueError>("ChunkDataset: got batch size {}, expected {}, which the dataset was made with",
                          got, expected);
}
void chunk_sampler_failure(size_t examples) {
  throw_error<ValueError>(
      "ChunkDataset: the example sampler did not give {} indices below {}, the number of a chunk's examples",
      examples, examples);
}
uint64_t draw_seed(const Generator& generator) {
  const Tensor seed = raw::randint(0, int64_t{1} << 62, {}, kInt64, kCPU, generator);
  return static_cast<uint64_t>(*seed.data_ptr<int64_t>());
}

}  // namespace tapir::data::detail
