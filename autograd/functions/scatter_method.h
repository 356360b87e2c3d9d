// How in-place methods that scatter begin and end; private to their sources.
#pragma once

#include "tapir/autograd/functions/pointwise.h"

// Straight into the tensor where nothing is recorded.
#define TAPIR_SCATTER_METHOD(op, record_it, straight, recorded)                    \
  CallSite site(TAPIR_HERE);                                                       \
  check_inplace(self(), op);                                                       \
  if (record_it)                                                                   \
    detail::assign_inplace(self(), op, [&](const Tensor& x) { return recorded; }); \
  else                                                                             \
    straight;                                                                      \
  return self()
