// A stream of random numbers of one's own for a piece of work.
#pragma once

#include <cstdint>
#include <optional>

#include "tapir/tensor/generator.h"

namespace tapir {

/// While it lives, default_generator() of the CPU is, on the thread that made it, a stream of its own that
/// begins as manual_seed(seed) does. So what a piece of work draws depends neither on what other threads draw
/// nor on which thread does it, and the program's stream goes on as if nothing had been drawn. Scopes nest.
class TAPIR_API GeneratorScope {
 public:
  explicit GeneratorScope(uint64_t seed);
  ~GeneratorScope();
  GeneratorScope(const GeneratorScope&) = delete;
  GeneratorScope& operator=(const GeneratorScope&) = delete;
  /// The innermost scope of the calling thread, or null.
  static GeneratorScope* current();
  /// Its stream.
  Generator& generator();

 private:
  uint64_t seed_;
  std::optional<Generator> generator_;  // made at first use: most work draws nothing
  GeneratorScope* outer_;
  Generator* outer_generator_;
};

}  // namespace tapir
