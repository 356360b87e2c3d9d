// The refusal of an undefined tensor by the name of an op; private to sources.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::detail {

[[noreturn]] TAPIR_COLD void undefined_tensor_failure(const char* op);

/// For functions that an inlined method of another name calls: otherwise they are named themselves.
inline void check_defined(const Tensor& t, const char* op) {
  if (TAPIR_UNLIKELY(!t.defined())) undefined_tensor_failure(op);
}

}  // namespace tapir::detail
