// The differentiable product with a banded matrix, for the sources of ops that are made of it.
#pragma once

#include <memory>

#include "tapir/autograd/node.h"
#include "tapir/tensor/ops/pool.h"

namespace tapir {

/// raw::banded, recorded as `label`; its derivative is the product with the transposed matrix.
Tensor banded(const char* op, const char* label, const Tensor& x, int64_t dim,
              std::shared_ptr<const raw::Band> band, const void* site);

}  // namespace tapir
