// Generator: a handle to a stream of random numbers. On the CPU the stream is PyTorch's for the same seed.
#pragma once

#include <cstdint>
#include <vector>

#include "tapir/tensor/device.h"
#include "tapir/tensor/ref.h"

namespace tapir {

class GeneratorImpl;

/// Shared handle; copies draw from the same stream. Drawing locks it, so threads may share one.
class TAPIR_API Generator {
 public:
  explicit Generator(Device device = kCPU);  ///< a new stream with PyTorch's default seed
  Generator(const Generator&);
  Generator(Generator&&) noexcept;
  Generator& operator=(const Generator&);
  Generator& operator=(Generator&&) noexcept;
  ~Generator();
  /// Restarts the stream.
  void manual_seed(uint64_t seed);
  uint64_t initial_seed() const;
  /// The whole state as bytes, and back; throws ValueError for bytes that are no such state.
  std::vector<uint8_t> get_state() const;
  void set_state(const std::vector<uint8_t>& state);
  GeneratorImpl& impl() const { return *impl_; }

 private:
  Ref<GeneratorImpl> impl_;
};

/// The generator that functions draw from where none is given.
TAPIR_API Generator& default_generator(Device device = kCPU);
/// Seeds the default generators of all devices.
TAPIR_API void manual_seed(uint64_t seed);

}  // namespace tapir
