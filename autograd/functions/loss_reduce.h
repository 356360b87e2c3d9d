// What losses do with those of the elements; private to the sources of losses.
#pragma once

#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/error_format.h"

namespace tapir::detail {

enum Reductions : int64_t { kNoReduction = 0, kMeanReduction = 1, kSumReduction = 2 };

inline void check_reduction(const char* op, int64_t reduction) {
  TAPIR_CHECK_AS(ValueError, reduction >= kNoReduction && reduction <= kSumReduction,
                 "{}: reduction {}, expected 0 (none), 1 (mean) or 2 (sum)", op, reduction);
}
/// The same, and that the sizes of the tensors broadcast.
inline void check_losses(const char* op, int64_t reduction, const Tensor& a, const Tensor& b,
                         const Tensor& c = {}) {
  check_reduction(op, reduction);
  const Dims sizes = broadcast_sizes(a.sizes(), b.sizes(), op);
  if (c.defined()) broadcast_sizes(sizes, c.sizes(), op);
}
inline Tensor reduce_losses(const Tensor& losses, int64_t reduction) {
  return reduction == kNoReduction ? losses : reduction == kSumReduction ? sum(losses) : mean(losses);
}

}  // namespace tapir::detail
