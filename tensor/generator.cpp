#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <utility>

#include "tapir/tensor/cpu/random.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator_impl.h"
#include "tapir/tensor/generator_scope.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

void Mt19937::seed(uint32_t seed) {
  state_[0] = seed;
  for (uint32_t i = 1; i < kSize; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  next_ = kSize;
  fresh_ = true;
}

void Mt19937::advance() {
  cpu::mt19937_advance(state_);
  cpu::mt19937_temper(state_, out_);
  next_ = 0;
  fresh_ = false;
}

void Mt19937::restore(const uint32_t* words, uint32_t given) {
  std::memcpy(state_, words, sizeof(state_));
  fresh_ = given == 0;
  next_ = fresh_ ? kSize : given;
  cpu::mt19937_temper(state_, out_);
}

double GeneratorImpl::normal_double() {
  if (next_normal) {
    const double kept = *next_normal;
    next_normal.reset();
    return kept;
  }
  const double u1 = uniform_double();
  const double u2 = uniform_double();
  const double radius = std::sqrt(-2.0 * std::log(1.0 - u2));
  const double angle = 2.0 * std::numbers::pi * u1;
  next_normal = radius * std::sin(angle);
  return radius * std::cos(angle);
}

Generator::Generator(Device device) : impl_(Ref<GeneratorImpl>::adopt(new GeneratorImpl(device))) {}
Generator::Generator(const Generator&) = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(const Generator&) = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

void Generator::manual_seed(uint64_t seed) {
  const std::lock_guard lock(impl_->mutex);
  impl_->seed = seed;
  impl_->engine.seed(static_cast<uint32_t>(seed));
  impl_->next_normal.reset();
}

uint64_t Generator::initial_seed() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->seed;
}

namespace {

// The bytes of torch.get_rng_state(), so that a state moves between Python and here.
struct StateBytes {
  uint64_t seed;
  int32_t left;  // draws until the next block, plus one
  int32_t seeded;
  uint64_t next;
  std::array<uint64_t, Mt19937::kSize> words;
  double unused_x, normal, unused_rho;
  int32_t has_normal;
  int32_t pad0;
  float normal_float;  // PyTorch keeps a float sample too, which nothing on the CPU draws
  uint8_t has_normal_float;
  uint8_t pad1[3];
};
static_assert(sizeof(StateBytes) == 5056);

}  // namespace

GeneratorState Generator::get_state() const {
  StateBytes s{};
  {
    const std::lock_guard lock(impl_->mutex);
    const Mt19937& engine = impl_->engine;
    s.seed = impl_->seed;
    s.seeded = 1;
    s.next = engine.given();
    s.left = s.next == 0 ? 1 : static_cast<int32_t>(Mt19937::kSize - s.next + 1);
    std::copy_n(engine.words(), Mt19937::kSize, s.words.begin());
    s.normal = impl_->next_normal.value_or(0.0);
    s.has_normal = impl_->next_normal.has_value();
  }
  GeneratorState bytes(sizeof(s));
  std::memcpy(bytes.data(), &s, sizeof(s));
  return bytes;
}

void Generator::set_state(const std::vector<uint8_t>& bytes) {
  StateBytes s;
  TAPIR_CHECK_AS(ValueError, bytes.size() == sizeof(s),
                 "set_state: got {} bytes, expected the {} bytes that get_state returns", bytes.size(),
                 sizeof(s));
  std::memcpy(&s, bytes.data(), sizeof(s));
  bool good = s.seeded == 1 && s.left >= 1 && s.next <= Mt19937::kSize &&
              (s.next == 0 ? s.left == 1 : s.left == static_cast<int32_t>(Mt19937::kSize - s.next + 1));
  std::array<uint32_t, Mt19937::kSize> words;
  for (size_t i = 0; i < words.size(); ++i) {
    good = good && s.words[i] <= UINT32_MAX;
    words[i] = static_cast<uint32_t>(s.words[i]);
  }
  TAPIR_CHECK_AS(ValueError, good, "set_state: the bytes are not a state that get_state returned");
  const std::lock_guard lock(impl_->mutex);
  impl_->seed = s.seed;
  impl_->engine.restore(words.data(), static_cast<uint32_t>(s.next));
  impl_->next_normal = s.has_normal ? std::optional(s.normal) : std::nullopt;
}

void Generator::set_state(const Tensor& state) {
  TAPIR_CHECK_AS(DTypeError, state.dtype() == kUInt8, "set_state: got a tensor of {}, expected uint8",
                 state.dtype());
  const Tensor bytes = raw::contiguous(raw::to_device(state, kCPU));
  const uint8_t* p = bytes.data_ptr<uint8_t>();
  set_state(std::vector<uint8_t>(p, p + bytes.numel()));
}

GeneratorState::operator Tensor() const {
  const Tensor t = Tensor::empty({static_cast<int64_t>(size())}, kUInt8);
  std::copy(begin(), end(), t.data_ptr<uint8_t>());
  return t;
}

uint64_t Generator::seed() {
  std::random_device device;
  const uint64_t seed =
      (uint64_t{device()} << 32 | device()) >> 11;  // 53 bits, as PyTorch's: exact in Python
  manual_seed(seed);
  return seed;
}

Generator Generator::clone() const {
  Generator copy(device());
  copy.set_state(get_state());
  return copy;
}

Device Generator::device() const { return impl_->device; }

namespace {

// Never destroyed: programs may draw while static objects end.
struct DeviceGenerators {
  std::mutex mutex;
  uint64_t seed = GeneratorImpl::kDefaultSeed;
  std::array<Generator*, 128> of{};
};
DeviceGenerators& device_generators() {
  static DeviceGenerators& all = *new DeviceGenerators;
  return all;
}

}  // namespace

namespace {
thread_local Generator* thread_generator = nullptr;
thread_local GeneratorScope* current_scope = nullptr;
}  // namespace

Generator* detail::exchange_thread_generator(Generator* generator) {
  return std::exchange(thread_generator, generator);
}

GeneratorScope::GeneratorScope(uint64_t seed)
    : seed_(seed), outer_(current_scope), outer_generator_(std::exchange(thread_generator, nullptr)) {
  current_scope = this;
}
GeneratorScope::~GeneratorScope() {
  current_scope = outer_;
  thread_generator = outer_generator_;
}
GeneratorScope* GeneratorScope::current() { return current_scope; }
Generator& GeneratorScope::generator() {
  if (!generator_) {
    generator_.emplace(kCPU);
    generator_->manual_seed(seed_);
  }
  return *generator_;
}

Generator& default_generator(Device device) {
  if (device.is_cpu()) {
    if (TAPIR_UNLIKELY(thread_generator != nullptr)) return *thread_generator;
    if (TAPIR_UNLIKELY(current_scope != nullptr)) return current_scope->generator();
    static Generator& generator = *new Generator(kCPU);
    return generator;
  }
  DeviceGenerators& all = device_generators();
  const std::lock_guard lock(all.mutex);
  Generator*& g = all.of[static_cast<size_t>(std::max<int>(device.index(), 0))];
  if (!g) {
    g = new Generator(device);
    g->manual_seed(all.seed);
  }
  return *g;
}

void manual_seed(uint64_t seed) {
  default_generator(kCPU).manual_seed(seed);
  DeviceGenerators& all = device_generators();
  const std::lock_guard lock(all.mutex);
  all.seed = seed;
  for (Generator* g : all.of)
    if (g) g->manual_seed(seed);
}

}  // namespace tapir
