// What a Generator points to: mt19937, the engine of PyTorch's CPU streams, in blocks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <optional>

#include "tapir/tensor/generator.h"

namespace tapir {

/// Matsumoto and Nishimura's mt19937, seeded as std::mt19937 is (with the low half of the seed, as PyTorch
/// does). It computes 624 outputs at a time, and gives them one by one or as a run.
class Mt19937 {
 public:
  static constexpr uint32_t kSize = 624;
  explicit Mt19937(uint32_t seed) { this->seed(seed); }
  void seed(uint32_t seed);

  uint32_t next32() {
    if (TAPIR_UNLIKELY(next_ == kSize)) advance();
    return out_[next_++];
  }
  /// Two draws; the first is the high half.
  uint64_t next64() {
    const uint64_t high = next32();
    return (high << 32) | next32();
  }
  /// Between 1 and n of the next draws, as they lie in memory; n > 0. They stay valid until the next call.
  const uint32_t* take(size_t n, size_t& taken) {
    if (next_ == kSize) advance();
    taken = std::min<size_t>(n, kSize - next_);
    const uint32_t* p = out_ + next_;
    next_ += static_cast<uint32_t>(taken);
    return p;
  }

  /// The words that the next block is made from, and how many of the current block's outputs were given
  /// (0 only straight after seeding, when there is no current block).
  const uint32_t* words() const { return state_; }
  uint32_t given() const { return fresh_ ? 0 : next_; }
  void restore(const uint32_t* words, uint32_t given);

 private:
  void advance();
  uint32_t next_ = kSize;  ///< index of the next output; kSize: the block is used up
  bool fresh_ = true;      ///< seeded, and no block computed yet
  alignas(64) uint32_t state_[kSize];
  alignas(64) uint32_t out_[kSize];  ///< the outputs of state_, tempered
};

/// Hold `mutex` while drawing.
class GeneratorImpl final : public RefCounted {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;  // PyTorch's
  explicit GeneratorImpl(Device d) : device(d), engine(static_cast<uint32_t>(kDefaultSeed)) {}
  static void destroy(GeneratorImpl* g) { delete g; }

  /// Uniform in [0, 1) with 53 random bits: two draws.
  double uniform_double() {
    return static_cast<double>(engine.next64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
  }
  /// Standard normal by Box and Muller's transform; every second call returns the sine half that the last one
  /// kept.
  double normal_double();

  std::mutex mutex;
  Device device;
  uint64_t seed = kDefaultSeed;
  Mt19937 engine;
  std::optional<double> next_normal;  ///< the kept half
};

namespace detail {
/// What this thread's default_generator(kCPU) is from now on, null for the one that all threads share.
/// Returns what it was.
Generator* exchange_thread_generator(Generator* generator);
}  // namespace detail

}  // namespace tapir
