// Data that is read chunk by chunk, and data that comes one sample after the other.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <sstream>

#include "support/catch.h"
#include "tapir/data/chunk.h"
#include "tapir/data/transform.h"
#include "tapir/io/archive.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;
using namespace tapir::data;
using datasets::ChunkDatasetOptions;
using samplers::RandomSampler;
using samplers::SequentialSampler;

namespace {

// Chunk i of sizes[i] examples, numbered through.
struct Numbers : datasets::ChunkDataReader<int64_t> {
  explicit Numbers(std::vector<int64_t> sizes) : sizes(std::move(sizes)) {}
  std::vector<int64_t> read_chunk(size_t chunk) override {
    if (chunk == bad) throw std::runtime_error("bad chunk");
    std::vector<int64_t> examples(static_cast<size_t>(sizes[chunk]));
    const auto end = sizes.begin() + static_cast<std::ptrdiff_t>(chunk);
    std::iota(examples.begin(), examples.end(), std::accumulate(sizes.begin(), end, int64_t{0}));
    *reads += 1;
    return examples;
  }
  size_t chunk_count() override { return sizes.size(); }
  void reset() override {}
  std::vector<int64_t> sizes;
  size_t bad = 1000;
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
};

using Batches = std::vector<std::vector<int64_t>>;
template <class Loader>
Batches read_all(Loader& loader) {
  Batches batches;
  for (auto& batch : loader) batches.push_back(batch);
  return batches;
}
std::vector<int64_t> sorted(const Batches& batches) {
  std::vector<int64_t> all;
  for (const auto& b : batches) all.insert(all.end(), b.begin(), b.end());
  std::sort(all.begin(), all.end());
  return all;
}
std::vector<int64_t> range(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

using Ordered = datasets::ChunkDataset<Numbers, SequentialSampler, SequentialSampler>;
using Shuffled = datasets::ChunkDataset<Numbers>;

auto shuffled(size_t preloaders, size_t batch, size_t cross = 1) {
  return datasets::make_shared_dataset<Shuffled>(Numbers({5, 0, 7, 4, 9, 1}), RandomSampler(0),
                                                 RandomSampler(0),
                                                 ChunkDatasetOptions(preloaders, batch, 12, cross));
}

}  // namespace

TEST_CASE("chunks come one after the other, batches across them") {
  for (size_t preloaders : {1, 3})
    for (size_t workers : {0, 1, 3}) {
      auto loader = make_data_loader(
          datasets::make_shared_dataset<Ordered>(Numbers({5, 0, 7, 1}), SequentialSampler(0),
                                                 SequentialSampler(0), ChunkDatasetOptions(preloaders, 4)),
          DataLoaderOptions(4).workers(workers));
      for (int epoch = 0; epoch < 2; ++epoch)
        CHECK(read_all(*loader) == Batches{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}, {12}});
    }
}

TEST_CASE("chunks and their examples are shuffled, alike for any number of threads") {
  std::vector<Batches> epochs;
  for (size_t preloaders : {1, 3})
    for (size_t workers : {0, 1, 3}) {
      manual_seed(7);
      auto loader = make_data_loader(shuffled(preloaders, 4), DataLoaderOptions(4).workers(workers));
      for (int epoch = 0; epoch < 2; ++epoch) epochs.push_back(read_all(*loader));
    }
  for (size_t i = 2; i < epochs.size(); ++i) CHECK(epochs[i] == epochs[i % 2]);
  CHECK(epochs[0] != epochs[1]);
  for (size_t i = 0; i < 2; ++i) CHECK(sorted(epochs[i]) == range(26));

  // Chunks that are read together are shuffled among each other.
  auto dataset = datasets::make_shared_dataset<datasets::ChunkDataset<Numbers, SequentialSampler>>(
      Numbers({50, 50}), SequentialSampler(0), RandomSampler(0), ChunkDatasetOptions(1, 50, 200, 2));
  dataset.reset();
  const auto first = *dataset->get_batch();
  CHECK(std::any_of(first.begin(), first.end(), [](int64_t i) { return i >= 50; }));
  CHECK(std::any_of(first.begin(), first.end(), [](int64_t i) { return i < 50; }));
}

TEST_CASE("no more chunks are read ahead than the cache has room for") {
  Numbers reader(std::vector<int64_t>(100, 10));
  const auto reads = reader.reads;
  Ordered dataset(reader, SequentialSampler(0), SequentialSampler(0), ChunkDatasetOptions(2, 5, 30));
  CHECK_THROWS_AS(dataset.get_batch(), ValueError);
  dataset.reset();
  for (int taken = 1; taken <= 100; ++taken) {
    CHECK(dataset.get_batch()->size() == 5);
    CHECK(*reads <= taken / 2 + 5);  // 30 examples, and two chunks being read
  }
  CHECK_THROWS_AS(dataset.get_batch(4), ValueError);
  CHECK_THROWS_AS(ChunkDatasetOptions(0, 1), ValueError);
  CHECK_THROWS_AS(ChunkDatasetOptions(1, 10, 9), ValueError);
}

TEST_CASE("a chunk that cannot be read is told, and the next ones follow") {
  Numbers reader({2, 2, 2});
  reader.bad = 1;
  Ordered dataset(reader, SequentialSampler(0), SequentialSampler(0), ChunkDatasetOptions(1, 2));
  dataset.reset();
  CHECK(*dataset.get_batch() == std::vector<int64_t>{0, 1});
  try {
    dataset.get_batch();
    FAIL("no exception");
  } catch (const WorkerException& e) {
    CHECK(e.chunk == 1);
    CHECK(e.sample == -1);
    CHECK_THAT(e.what(), ContainsSubstring(", chunk 1)") && ContainsSubstring("bad chunk"));
  }
  CHECK(*dataset.get_batch() == std::vector<int64_t>{4, 5});
  CHECK_FALSE(dataset.get_batch());
}

TEST_CASE("a loader of chunks goes on where it was left") {
  for (size_t workers : {0, 2}) {
    manual_seed(11);
    auto loader = make_data_loader(shuffled(2, 4), DataLoaderOptions(4).workers(workers));
    read_all(*loader);
    Batches rest;
    State state;
    std::vector<uint8_t> generator;
    int n = 0;
    for (auto& batch : *loader) {
      if (++n == 3) {
        state = loader->state_dict();
        generator = default_generator().get_state();
      } else if (n > 3) {
        rest.push_back(batch);
      }
    }
    const Batches after = read_all(*loader);

    manual_seed(1234);
    auto other = make_data_loader(shuffled(1, 4), DataLoaderOptions(4).workers(1));
    other->load_state_dict(state);
    default_generator().set_state(generator);
    CHECK(read_all(*other) == rest);
    CHECK(read_all(*other) == after);
  }
}

namespace {

// Begins at another example each time, whatever the generators.
class Rotated : public samplers::Sampler<> {
 public:
  void reset(std::optional<size_t> new_size) override {
    size_ = new_size.value_or(size_);
    ++resets_;
    given_ = 0;
  }
  std::optional<std::vector<size_t>> next(size_t batch_size) override {
    std::vector<size_t> batch;
    for (; batch.size() < batch_size && given_ < size_; ++given_) batch.push_back((given_ + resets_) % size_);
    return batch;
  }
  State state_dict() const override {
    State state;
    state.set("resets", resets_);
    return state;
  }
  void load_state_dict(const State& state) override { resets_ = state.number("resets"); }

 private:
  size_t size_ = 0, resets_ = 0, given_ = 0;
};

Generator seeded(uint64_t seed) {
  Generator generator;
  generator.manual_seed(seed);
  return generator;
}

template <class Chunks, class Examples>
auto loader_of(size_t workers, Chunks chunks, Examples examples) {
  return make_data_loader(
      datasets::make_shared_dataset<datasets::ChunkDataset<Numbers, Chunks, Examples>>(
          Numbers({5, 0, 7, 4, 9, 1}), std::move(chunks), std::move(examples), ChunkDatasetOptions(2, 4, 12)),
      DataLoaderOptions(4).workers(workers));
}

// Saves in the middle of an epoch, and checks that a new loader gives the rest of it and two more epochs as
// this one does, which is also taken back to there. The training draws from the default generator and from
// `own`, which the samplers may draw from too.
template <class Make>
void check_chunks_resume(Make make) {
  for (const size_t workers : {0, 2})
    for (const int epochs_before : {0, 1})
      for (const int batches : {1, 4}) {
        Generator own = seeded(3);
        const auto train = [](const Generator& from) {
          raw::randn({3}, kFloat32);
          raw::randint(0, 9, {3}, kInt64, kCPU, from);
        };
        const auto epoch_of = [&](auto& loader, const Generator& from) {
          Batches all;
          for (auto& batch : loader) {
            all.push_back(batch);
            train(from);
          }
          return all;
        };
        manual_seed(11);
        auto loader = make(workers, own);
        for (int i = 0; i < epochs_before; ++i) epoch_of(*loader, own);
        State state;
        std::vector<uint8_t> generator;
        std::vector<Batches> expected(1);
        int n = 0;
        for (auto& batch : *loader) {
          if (n >= batches) expected[0].push_back(batch);
          train(own);
          if (++n == batches) {
            state = loader->state_dict();
            generator = default_generator().get_state();
          }
        }
        for (int i = 0; i < 2; ++i) expected.push_back(epoch_of(*loader, own));

        const auto check = [&](auto& resumed, const Generator& from) {
          resumed.load_state_dict(state);
          default_generator().set_state(generator);
          for (const Batches& e : expected) CHECK(epoch_of(resumed, from) == e);
        };
        for (const size_t other_workers : {0, 1}) {
          manual_seed(1234);
          const Generator other_own = seeded(77);
          auto other = make(other_workers, other_own);
          check(*other, other_own);
        }
        check(*loader, own);
      }
}

// What a state holds, for comparing.
std::vector<std::pair<std::string, std::vector<uint64_t>>> content(const State& state) {
  std::vector<std::pair<std::string, std::vector<uint64_t>>> all;
  for (const auto& [name, t] : state.entries()) {
    if (t.dtype() == kInt64) {
      all.emplace_back(name, state.numbers(name));
    } else {
      const auto bytes = state.bytes(name);
      all.emplace_back(name, std::vector<uint64_t>(bytes.begin(), bytes.end()));
    }
  }
  return all;
}
State without(const State& state, const std::string& name) {
  State::Entries entries;
  for (const auto& entry : state.entries())
    if (entry.first != name) entries.push_back(entry);
  return State(entries);
}

}  // namespace

TEST_CASE("a loader of chunks goes on in the middle of an epoch, its samplers' own generators too") {
  using Ints = std::vector<size_t>;
  const auto drawn = [](const Generator& g) { return RandomSampler(0, kInt64, g); };
  SECTION("the default generator")
  check_chunks_resume([](size_t workers, const Generator&) {
    return loader_of(workers, RandomSampler(0), RandomSampler(0));
  });
  SECTION("one of the chunk sampler's")
  check_chunks_resume([&](size_t workers, const Generator&) {
    return loader_of(workers, drawn(seeded(1)), RandomSampler(0));
  });
  SECTION("one of the example sampler's")
  check_chunks_resume([&](size_t workers, const Generator&) {
    return loader_of(workers, RandomSampler(0), drawn(seeded(2)));
  });
  SECTION("two of them")
  check_chunks_resume([&](size_t workers, const Generator&) {
    return loader_of(workers, drawn(seeded(1)), drawn(seeded(2)));
  });
  SECTION("one for both, and for the training")
  check_chunks_resume(
      [&](size_t workers, const Generator& own) { return loader_of(workers, drawn(own), drawn(own)); });
  SECTION("a chunk sampler that draws when it is asked")
  check_chunks_resume([&](size_t workers, const Generator& own) {
    return loader_of(workers, samplers::SubsetRandomSampler(Ints{0, 1, 2, 3, 4, 5}, own), drawn(own));
  });
  SECTION("a sampler with a state of its own")
  check_chunks_resume(
      [&](size_t workers, const Generator& own) { return loader_of(workers, drawn(own), Rotated()); });
}

TEST_CASE("an epoch of chunks that was left says nothing about the next one") {
  std::vector<Batches> next;
  for (const size_t workers : {0, 3})
    for (const int taken : {1, 4}) {
      auto loader =
          loader_of(workers, RandomSampler(0, kInt64, seeded(1)), RandomSampler(0, kInt64, seeded(2)));
      int n = 0;
      for (auto& batch : *loader)
        if (!batch.empty() && ++n == taken) break;
      next.push_back(read_all(*loader));
    }
  for (const Batches& e : next) CHECK(e == next[0]);
}

TEST_CASE("a state that does not fit a chunk dataset changes nothing") {
  const auto check = [](auto examples) {
    const Generator chunks = seeded(1);
    datasets::ChunkDataset<Numbers, RandomSampler, decltype(examples)> dataset(
        Numbers({5, 0, 7, 4, 9, 1}), RandomSampler(0, kInt64, chunks), examples,
        ChunkDatasetOptions(2, 4, 12));
    dataset.reset();
    const State state = dataset.state_dict();
    dataset.reset();
    Batches batches{*dataset.get_batch()};
    const auto before = content(dataset.state_dict());
    for (const auto& [name, t] : state.entries()) {
      if (name == "loaded") continue;  // states of before it was kept
      INFO(name);
      CHECK_THROWS_AS(dataset.load_state_dict(without(state, name)), ValueError);
      CHECK(content(dataset.state_dict()) == before);
    }
    while (auto batch = dataset.get_batch()) batches.push_back(*batch);
    CHECK(sorted(batches) == range(26));
    dataset.load_state_dict(state);
    CHECK(content(dataset.state_dict()) == content(state));
  };
  check(RandomSampler(0, kInt64, seeded(2)));
  check(Rotated());

  const auto make = [] {
    return loader_of(0, RandomSampler(0, kInt64, seeded(1)), RandomSampler(0, kInt64, seeded(2)));
  };
  auto loader = make(), other = make();
  auto it = loader->begin();
  CHECK(it->size() == 4);
  for (const std::string name : {"own_chunks.generator", "own_examples.generator"})
    CHECK_THROWS_WITH(other->load_state_dict(without(loader->state_dict(), name)), ContainsSubstring(name));
  auto fresh = make();
  CHECK(read_all(*other) == read_all(*fresh));
}

TEST_CASE("as in libtorch, a chunk dataset's sampler is saved to an archive") {
  Ordered dataset(Numbers({4, 4, 4}), SequentialSampler(0), SequentialSampler(0),
                  ChunkDatasetOptions(1, 4, 4));
  dataset.reset();
  dataset.chunk_sampler().next(1);
  std::stringstream stream;
  save(dataset.chunk_sampler(), stream);
  SequentialSampler sampler(3);
  load(sampler, stream);
  CHECK(sampler.index() == dataset.chunk_sampler().index());

  std::stringstream all;
  save(dataset, all);
  Ordered other(Numbers({4, 4, 4}), SequentialSampler(0), SequentialSampler(0), ChunkDatasetOptions(1, 4, 4));
  load(other, all);
  other.reset();
  CHECK(*other.get_batch() == std::vector<int64_t>{8, 9, 10, 11});

  // The epoch that goes on so can be resumed too.
  const auto make = [] {
    return datasets::make_shared_dataset<Ordered>(Numbers({4, 4, 4}), SequentialSampler(0),
                                                  SequentialSampler(0), ChunkDatasetOptions(1, 2, 4));
  };
  auto rest = make();
  std::stringstream again;
  save(dataset, again);
  load(*rest, again);
  auto loader = make_data_loader(rest, DataLoaderOptions(2)),
       resumed = make_data_loader(make(), DataLoaderOptions(2));
  auto it = loader->begin();
  CHECK(*it == std::vector<int64_t>{8, 9});
  resumed->load_state_dict(loader->state_dict());
  CHECK(read_all(*resumed) == Batches{{10, 11}});
}

namespace {

// n, n - 1, ... 1, each with a random bit.
class Countdown : public datasets::IterableDataset<Countdown, std::pair<int64_t, int64_t>> {
 public:
  explicit Countdown(int64_t n) : n_(n) {}
  std::optional<std::pair<int64_t, int64_t>> next() override {
    if (left_ == 0) return std::nullopt;
    if (left_ == bad) throw std::runtime_error("no such number" + std::to_string(left_--));
    return std::pair(left_--, raw::randint(0, 1000, {}).data_ptr<int64_t>()[0]);
  }
  void rewind() override { left_ = n_; }
  int64_t bad = -1;

 private:
  int64_t n_, left_ = 0;
};

template <class Loader>
auto pairs_of(Loader& loader) {
  std::vector<std::vector<std::pair<int64_t, int64_t>>> all;
  for (auto& batch : loader) all.push_back(batch);
  return all;
}

}  // namespace

TEST_CASE("an iterable dataset gives the same batches and random numbers for any number of workers") {
  std::vector<std::vector<std::vector<std::pair<int64_t, int64_t>>>> epochs;
  for (size_t workers : {0, 1, 4}) {
    manual_seed(1);
    auto loader = make_data_loader(Countdown(50), DataLoaderOptions(3).workers(workers));
    for (int epoch = 0; epoch < 2; ++epoch) epochs.push_back(pairs_of(*loader));
  }
  for (size_t i = 2; i < epochs.size(); ++i) CHECK(epochs[i] == epochs[i % 2]);
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[0].size() == 17);
  CHECK(epochs[0][0][2].first == 48);

  Countdown bad(5);
  bad.bad = 4;
  auto loader = make_data_loader(std::move(bad), DataLoaderOptions(1).workers(2));
  auto it = loader->begin();
  CHECK(it->front().first == 5);
  try {
    ++it;
    FAIL("no exception");
  } catch (const WorkerException& e) {
    CHECK(e.sample == 1);
    CHECK(e.chunk == -1);
    CHECK_THAT(e.what(), ContainsSubstring(", sample 1)"));
  }
  ++it;
  CHECK(it->front().first == 3);
}
