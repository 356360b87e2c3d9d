// The options of convolutions and pooling: numbers for spatial dimensions.
#pragma once

#include "tapir/tensor/array_ref.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

/// A number for each of `n` spatial dimensions, at least `least`.
inline Dims numbers(const char* op, const char* what, IntArrayRef given, size_t n, int64_t least) {
  TAPIR_CHECK_AS(ValueError, given.size() == n || given.size() == 1,
                 "{}: {} is {}, expected one number or one for each of {} spatial dimensions", op, what,
                 given, n);
  Dims d = Dims::uninitialized(n);
  for (size_t i = 0; i < n; ++i) {
    d[i] = given[given.size() == 1 ? 0 : i];
    TAPIR_CHECK_AS(ValueError, d[i] >= least, "{}: {} is {}, expected at least {}", op, what, given, least);
  }
  return d;
}

}  // namespace tapir
