#pragma once

#include "tapir/tensor/macros.h"

namespace tapir {

/// Sets how many threads one CPU operation may use, the calling thread included. Takes effect at the next
/// parallel operation. Throws `ValueError` if `n < 1`. Default: `TAPIR_NUM_THREADS`, else `OMP_NUM_THREADS`,
/// else the number of CPUs this process may run on.
TAPIR_API void set_num_threads(int n);

/// The number of threads one CPU operation may use.
[[nodiscard]] TAPIR_API int get_num_threads();

}  // namespace tapir
