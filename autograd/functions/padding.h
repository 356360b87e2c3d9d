// Padding of the last one to three dimensions of x (N, C, L...) or (C, L...); pad() in shape.h takes any
// sizes. `padding` gives the elements before and after in the last dimension, then those in the one before
// it, and so on; one number stands for all of them, and negative ones cut off. Derivatives of any order.
// Throws ShapeError, ValueError.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir {

// reflection_pad: x mirrored without its edge, less of it than x has. replication_pad: x's edge.
#define TAPIR_PAD(n)                                                           \
  TAPIR_API Tensor reflection_pad##n##d(const Tensor& x, IntArrayRef padding); \
  TAPIR_API Tensor replication_pad##n##d(const Tensor& x, IntArrayRef padding);
TAPIR_PAD(1)
TAPIR_PAD(2)
TAPIR_PAD(3)
#undef TAPIR_PAD

}  // namespace tapir
