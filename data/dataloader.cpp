#include "tapir/data/dataloader.h"

#include <algorithm>
#include <cstring>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator.h"

namespace tapir::data {

FullDataLoaderOptions::FullDataLoaderOptions(const DataLoaderOptions& options)
    : batch_size(options.batch_size()),
      workers(options.workers()),
      max_jobs(options.max_jobs().value_or(2 * workers)),
      timeout(options.timeout()),
      enforce_ordering(options.enforce_ordering()),
      drop_last(options.drop_last()) {
  TAPIR_CHECK_AS(ValueError, batch_size > 0, "DataLoader: got batch_size 0, expected at least 1");
  TAPIR_CHECK_AS(ValueError, workers == 0 || max_jobs > 0, "DataLoader: got max_jobs 0, expected at least 1");
}

namespace detail {

uint64_t mix(uint64_t seed, uint64_t number) {
  // SplitMix64 (Steele, Lea and Flood 2014): neighbouring numbers give unrelated seeds.
  uint64_t x = seed + (number + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t seed_of(const std::vector<uint8_t>& bytes, uint64_t number) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, by words
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, &bytes[i], 8);
    hash = (hash ^ word) * 0x100000001b3;
    hash ^= hash >> 29;
  }
  return mix(hash, number);
}

void Epoch::begin(State source_state) {
  source = std::move(source_state);
  generator = default_generator().get_state();
  seed = seed_of(generator, ++number);
  below = 0;
  beyond.clear();
}

bool Epoch::taken(uint64_t batch) const {
  return batch < below || std::binary_search(beyond.begin(), beyond.end(), batch);
}

void Epoch::take(uint64_t batch) {
  if (batch == below && beyond.empty()) {
    ++below;
  } else if (!taken(batch)) {
    beyond.insert(std::lower_bound(beyond.begin(), beyond.end(), batch), batch);
    size_t next = 0;
    while (next < beyond.size() && beyond[next] == below) ++next, ++below;
    beyond.erase(beyond.begin(), beyond.begin() + static_cast<std::ptrdiff_t>(next));
  }
}

State Epoch::state_dict(bool within, const FullDataLoaderOptions& options,
                        const std::vector<OwnGenerator>& own) const {
  State state;
  state.set("epoch", number);
  state.set("within", within);
  state.set("batch_size", options.batch_size);
  if (within) {
    state.set("generator", generator);
    state.set("seed", seed);
    state.set("below", below);
    state.set("beyond", beyond);
    for (const OwnGenerator& o : own) state.set("own_" + o.entry, o.generator.get_state());
  }
  state.set("source", source);
  return state;
}

bool Epoch::load(const State& state, const FullDataLoaderOptions& options,
                 const std::vector<OwnGenerator>& own) {
  Epoch loaded;
  loaded.number = state.number("epoch");
  const uint64_t batch_size = state.number("batch_size");
  TAPIR_CHECK_AS(
      ValueError, batch_size == options.batch_size,
      "DataLoader: load_state_dict: the state is that of a loader with batch size {}, this one has "
      "{}",
      batch_size, options.batch_size);
  const bool within = state.number("within") != 0;
  if (within) {
    loaded.generator = state.bytes("generator");
    Generator().set_state(loaded.generator);  // throws for bytes that are none
    loaded.seed = state.number("seed");
    loaded.below = state.number("below");
    for (const uint64_t batch : state.numbers("beyond")) loaded.take(batch);
    for (const OwnGenerator& o : own) {
      loaded.own_generators.push_back(state.bytes("own_" + o.entry));
      Generator().set_state(loaded.own_generators.back());
    }
  }
  loaded.source = state.part("source");
  *this = std::move(loaded);
  return within;
}

GeneratorRewind::GeneratorRewind(const Epoch& epoch, const std::vector<OwnGenerator>& own) {
  // All are read before one is set: they may be handles to the same stream.
  std::vector<std::vector<uint8_t>> begun{epoch.generator};
  kept_.push_back({default_generator(), default_generator().get_state()});
  for (const OwnGenerator& o : own) {
    begun.push_back(epoch.source.bytes(o.entry));
    kept_.push_back({o.generator, o.generator.get_state()});
  }
  for (size_t i = 0; i < kept_.size(); ++i) kept_[i].generator.set_state(begun[i]);
}
GeneratorRewind::~GeneratorRewind() {
  for (Kept& k : kept_) k.generator.set_state(k.now);
}

void check_iteration(bool current, bool joined) {
  TAPIR_CHECK_AS(ValueError, !joined, "DataLoader: got a call of begin() or ++ after join()");
  TAPIR_CHECK_AS(
      ValueError, current,
      "DataLoader: this iterator's epoch ended when begin() or load_state_dict() was called on the "
      "same loader");
}
void end_iterator_failure() { throw_error<ValueError>("DataLoader: got a use of the iterator past the end"); }
void copies_failure(size_t workers) {
  throw_error<ValueError>(
      "DataLoader: got {} workers for a dataset that cannot be copied; use make_shared_dataset", workers);
}
void unknown_size_failure() {
  throw_error<ValueError>(
      "make_data_loader: the dataset does not know its size, which this sampler is made with; pass a "
      "sampler");
}

}  // namespace detail

}  // namespace tapir::data
