// Where a loader stands: saved in the middle of an epoch, and gone on with.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "support/catch.h"
#include "tapir/data/dataloader.h"
#include "tapir/data/transform.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;
using namespace tapir::data;

namespace {

// Sample i is i, and a random number as an augmentation would draw it.
class Augmented : public Dataset<Augmented, std::pair<size_t, int64_t>> {
 public:
  explicit Augmented(size_t n) : n_(n) {}
  std::pair<size_t, int64_t> get(size_t i) override {
    return {i, raw::randint(0, 1 << 30, {}).data_ptr<int64_t>()[0]};
  }
  std::optional<size_t> size() const override { return n_; }

 private:
  size_t n_;
};

using Batch = std::vector<std::pair<size_t, int64_t>>;
template <class Loader>
std::vector<Batch> read_all(Loader& loader) {
  std::vector<Batch> batches;
  for (auto& batch : loader) batches.push_back(batch);
  return batches;
}
DataLoaderOptions options(size_t batch_size, size_t workers) {
  return DataLoaderOptions(batch_size).workers(workers);
}

// Takes `batches`, saves, and checks that a new loader with other workers gives what this one gives from
// there on: the rest of the epoch, and the next one. `train` stands for what a training draws per batch.
template <class Make>
void check_resumes(Make make, int batches) {
  const auto train = [] { raw::randn({3}, kFloat32); };
  manual_seed(5);
  auto loader = make(2);
  for (auto& batch : *loader) {
    static_cast<void>(batch);
    train();
  }
  State state;
  std::vector<uint8_t> generator;
  std::vector<Batch> rest;
  int n = 0;
  for (auto& batch : *loader) {
    if (n >= batches) rest.push_back(batch);
    train();
    if (++n == batches) {
      state = loader->state_dict();
      generator = default_generator().get_state();
    }
  }
  REQUIRE(n >= batches);
  const auto next_epoch = read_all(*loader);
  for (const size_t workers : {0, 1, 3}) {
    manual_seed(99);
    auto other = make(workers);
    other->load_state_dict(state);
    default_generator().set_state(generator);
    std::vector<Batch> resumed;
    for (auto& batch : *other) {
      resumed.push_back(batch);
      train();
    }
    CHECK(resumed == rest);
    CHECK(read_all(*other) == next_epoch);
  }
}

}  // namespace

TEST_CASE("what is drawn while reading belongs to the batch, not to the program's stream") {
  std::vector<std::vector<Batch>> epochs;
  std::vector<uint8_t> after;
  for (size_t workers : {0, 1, 3}) {
    manual_seed(3);
    auto loader = make_data_loader(Augmented(40), options(6, workers));
    for (int i = 0; i < 2; ++i) epochs.push_back(read_all(*loader));
    const auto now = default_generator().get_state();
    CHECK((after.empty() || now == after));
    after = now;
  }
  for (size_t i = 2; i < 6; ++i) CHECK(epochs[i] == epochs[i % 2]);
  std::set<int64_t> drawn;
  for (size_t i = 0; i < 2; ++i)
    for (const Batch& batch : epochs[i])
      for (const auto& [sample, number] : batch) drawn.insert(number);
  CHECK(drawn.size() == 80);

  // Where nothing else is drawn between epochs, they differ all the same.
  auto loader = make_data_loader<samplers::SequentialSampler>(Augmented(4), options(4, 1));
  CHECK(read_all(*loader) != read_all(*loader));
}

TEST_CASE("a loader goes on in the middle of an epoch, with any number of workers") {
  for (int batches : {1, 4, 7}) {
    check_resumes([](size_t workers) { return make_data_loader(Augmented(40), options(6, workers)); },
                  batches);
    check_resumes(
        [](size_t workers) {
          return make_data_loader(Augmented(40), samplers::RandomSampler(40, kInt64, Generator()),
                                  options(6, workers));
        },
        batches);
    check_resumes(
        [](size_t workers) {
          return make_data_loader(Augmented(40), samplers::BucketBatchSampler(std::vector<int64_t>(40, 1), 2),
                                  options(6, workers));
        },
        batches);
  }
}

TEST_CASE("a state between epochs, or after a loop that was left, begins the next epoch") {
  for (const bool leave : {false, true}) {
    manual_seed(8);
    auto loader = make_data_loader(Augmented(20), options(4, 1));
    for (auto& batch : *loader)
      if (leave && !batch.empty()) break;
    const State state = loader->state_dict();
    const auto generator = default_generator().get_state();
    const auto next = read_all(*loader);
    CHECK(next.size() == 5);

    manual_seed(9);
    auto other = make_data_loader(Augmented(20), options(4, 2));
    other->load_state_dict(state);
    default_generator().set_state(generator);
    CHECK(read_all(*other) == next);
  }
}

TEST_CASE("a state that was loaded can be saved again, and twice in one epoch") {
  manual_seed(2);
  auto loader = make_data_loader(Augmented(30), options(3, 2));
  State state;
  auto it = loader->begin();
  for (int i = 0; i < 4; ++i) ++it;  // five batches are taken
  state = loader->state_dict();
  std::vector<Batch> rest;
  for (++it; it != loader->end(); ++it) rest.push_back(*it);

  auto second = make_data_loader(Augmented(30), options(3, 2));
  second->load_state_dict(state);
  auto third = make_data_loader(Augmented(30), options(3, 2));
  third->load_state_dict(second->state_dict());
  auto at = third->begin();
  CHECK(*at == rest[0]);
  ++at;
  CHECK(*at == rest[1]);
  auto fourth = make_data_loader(Augmented(30), options(3, 0));
  fourth->load_state_dict(third->state_dict());
  CHECK(read_all(*fourth) == std::vector<Batch>(rest.begin() + 2, rest.end()));
}

TEST_CASE("where the order is not kept, just the batches that were not taken come after resuming") {
  class Slow : public Dataset<Slow, size_t> {
   public:
    size_t get(size_t i) override {
      if (i % 5 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      return i;
    }
    std::optional<size_t> size() const override { return 30; }
  };
  const auto make = [] {
    return make_data_loader(Slow(), samplers::RandomSampler(30),
                            options(1, 3).max_jobs(8).enforce_ordering(false));
  };
  auto loader = make();
  std::vector<size_t> seen;
  auto it = loader->begin();
  for (int i = 0; i < 12; ++i) {
    if (i > 0) ++it;
    seen.push_back(it->front());
  }
  auto other = make();
  other->load_state_dict(loader->state_dict());
  for (auto& batch : *other) seen.push_back(batch.front());
  std::sort(seen.begin(), seen.end());
  for (size_t i = 0; i < 30; ++i) CHECK(seen.at(i) == i);
  CHECK(seen.size() == 30);
}

TEST_CASE("a state that does not fit the loader changes nothing") {
  auto loader = make_data_loader(Augmented(20), options(4, 0));
  auto it = loader->begin();
  const State state = loader->state_dict();
  auto other = make_data_loader(Augmented(20), options(5, 0));
  CHECK_THROWS_AS(other->load_state_dict(state), ValueError);
  CHECK_THROWS_AS(loader->load_state_dict(State()), ValueError);
  State cut;
  cut.set("epoch", 1);
  cut.set("within", 1);
  cut.set("batch_size", 4);
  cut.set("generator", std::vector<uint8_t>(12));
  CHECK_THROWS_AS(loader->load_state_dict(cut), ValueError);
  CHECK(it->size() == 4);  // its epoch goes on
  loader->load_state_dict(state);
  CHECK_THROWS_AS(++it, ValueError);
}

TEST_CASE("what threw before a state was taken is passed over in silence after it") {
  class Faulty : public datasets::IterableDataset<Faulty, size_t> {
   public:
    std::optional<size_t> next() override {
      if (++at_ == 3) throw std::runtime_error("bad sample");
      return at_ <= 8 ? std::optional(at_) : std::nullopt;
    }
    void rewind() override { at_ = 0; }

   private:
    size_t at_ = 0;
  };
  for (const size_t workers : {0, 1}) {
    const auto make = [&] {
      return make_data_loader(datasets::make_shared_dataset<Faulty>(), options(2, workers));
    };
    const auto loader = make();
    auto it = loader->begin();
    CHECK(*it == std::vector<size_t>{1, 2});
    CHECK_THROWS(++it);
    ++it;
    const auto resumed = make();
    resumed->load_state_dict(loader->state_dict());
    std::vector<std::vector<size_t>> rest, rest_resumed;
    for (++it; it != loader->end(); ++it) rest.push_back(*it);
    for (auto& batch : *resumed) rest_resumed.push_back(batch);
    CHECK(rest_resumed == rest);
    CHECK(rest == std::vector<std::vector<size_t>>{{6, 7}, {8}});
  }
}

TEST_CASE("packed batches hold the steps of all sequences, the longest first") {
  const auto sequence = [](int64_t first, int64_t n) {
    const Tensor t = Tensor::empty({n}, kInt64);
    for (int64_t i = 0; i < n; ++i) t.data_ptr<int64_t>()[i] = first + i;
    return t;
  };
  const auto longs = [](const Tensor& t) {
    return std::vector<int64_t>(t.data_ptr<int64_t>(), t.data_ptr<int64_t>() + t.numel());
  };
  using Longs = std::vector<int64_t>;
  std::vector<Example<>> examples{{sequence(10, 2), sequence(50, 2)},
                                  {sequence(20, 3), sequence(60, 3)},
                                  {sequence(30, 1), sequence(70, 1)},
                                  {sequence(40, 2), sequence(80, 2)}};
  const PackedExample packed = transforms::PackSequences().apply_batch(examples);
  CHECK(longs(packed.data) == Longs{20, 10, 40, 30, 21, 11, 41, 22});
  CHECK(longs(packed.target) == Longs{60, 50, 80, 70, 61, 51, 81, 62});
  CHECK(longs(packed.batch_sizes) == Longs{4, 3, 1});
  CHECK(longs(packed.sorted_indices) == Longs{1, 0, 3, 2});
  CHECK(longs(packed.unsorted_indices) == Longs{1, 0, 3, 2});
  CHECK(longs(packed.lengths) == Longs{2, 3, 1, 2});
  for (Example<>& e : examples) e.target = sequence(7, 1);
  CHECK_THROWS_WITH(pack_examples(examples),
                    ContainsSubstring("example 0 has data of length 2 and a target of length 1"));
  CHECK(longs(pack_examples(examples, false).target) == Longs{7, 7, 7, 7});
  CHECK(longs(transforms::PackSequences(false).apply_batch(examples).target) == Longs{7, 7, 7, 7});
  examples[1].data = sequence(0, 0);
  CHECK_THROWS_AS(pack_examples(examples), ShapeError);
  CHECK_THROWS_AS(pack_examples({}), ValueError);
}

TEST_CASE("an exception of a transform names the sample") {
  class Numbers : public Dataset<Numbers, size_t> {
   public:
    size_t get(size_t i) override { return 10 * i; }
    std::optional<size_t> size() const override { return 12; }
  };
  const auto loader = make_data_loader<samplers::SequentialSampler>(
      Numbers()
          .map(transforms::Lambda<size_t>([](size_t x) { return x; }))
          .map(transforms::Lambda<size_t>([](size_t x) {
            if (x == 70) throw std::runtime_error("bad sample");
            return x;
          })),
      options(4, 2));
  auto it = loader->begin();
  CHECK(it->size() == 4);
  try {
    ++it;
    FAIL("nothing was thrown");
  } catch (const WorkerException& e) {
    CHECK(e.sample == 7);
  }
}
