// What samplers check in a state that they are to go on from; private to their sources.
#pragma once

#include "tapir/data/state.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::samplers {

// The entry "size", which must be the sampler's own. One made for 0 samples gets its number later, by
// reset(): it takes any, and a state of 0 was taken before that.
inline size_t size_of(const State& state, size_t own) {
  const uint64_t size = state.number("size");
  if (size == 0) return own;
  TAPIR_CHECK_AS(ValueError, size == own || own == 0,
                 "load_state_dict: the state is that of a sampler of {} samples, this one has {}; reset({}) "
                 "first where that is meant",
                 size, own, size);
  return size;
}

}  // namespace tapir::data::samplers
