// The transpose of broadcasting, without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// Sums x over the dimensions in which it was broadcast from `sizes` (checked by the caller); x itself where
/// the sizes agree. The result has exactly `sizes`.
TAPIR_API Tensor sum_to(const Tensor& x, IntArrayRef sizes);

}  // namespace tapir::raw
