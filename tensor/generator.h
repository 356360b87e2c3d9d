// Generator: a handle to a stream of random numbers. On the CPU the stream is PyTorch's for the same seed.
#pragma once

#include <cstdint>
#include <vector>

#include "tapir/tensor/device.h"
#include "tapir/tensor/ref.h"

namespace tapir {

class GeneratorImpl;
class Tensor;

/// The bytes of a generator's state, those of torch.get_rng_state(): as a vector, or as a uint8 tensor.
struct TAPIR_API GeneratorState : std::vector<uint8_t> {
  using std::vector<uint8_t>::vector;
  operator Tensor() const;  // NOLINT
};

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
  void set_current_seed(uint64_t seed) { manual_seed(seed); }
  /// Restarts the stream with a seed from the operating system, which it returns.
  uint64_t seed();
  uint64_t initial_seed() const;
  uint64_t current_seed() const { return initial_seed(); }
  /// The whole state as bytes, and back; throws ValueError for bytes that are no such state, DTypeError for a
  /// tensor that is not of uint8.
  GeneratorState get_state() const;
  void set_state(const std::vector<uint8_t>& state);
  void set_state(const Tensor& state);
  /// A generator of its own that goes on with the same numbers.
  Generator clone() const;
  Device device() const;
  bool defined() const { return true; }
  friend bool operator==(const Generator& a, const Generator& b) { return &a.impl() == &b.impl(); }
  GeneratorImpl& impl() const { return *impl_; }

 private:
  Ref<GeneratorImpl> impl_;
};

/// The generator that functions draw from where none is given.
TAPIR_API Generator& default_generator(Device device = kCPU);
/// Seeds the default generators of all devices.
TAPIR_API void manual_seed(uint64_t seed);

}  // namespace tapir
