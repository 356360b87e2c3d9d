// Samplers by weight, by rank and of a part; the state of each.
#include <algorithm>
#include <sstream>

#include "support/catch.h"
#include "tapir/data/distributed_sampler.h"
#include "tapir/data/weighted_sampler.h"
#include "tapir/io/archive.h"

using namespace tapir;
using namespace tapir::data::samplers;

namespace {

using Indices = std::vector<size_t>;
template <class S>
std::vector<Indices> rest(S& sampler, size_t batch_size) {
  std::vector<Indices> batches;
  while (auto batch = sampler.next(batch_size)) batches.push_back(Indices(*batch));
  return batches;
}
template <class S>
Indices flat(S& sampler) {
  return sampler.next(1000).value_or(Indices());
}

}  // namespace

TEST_CASE("a weighted sampler draws what PyTorch's draws") {
  // torch.manual_seed(3); list(WeightedRandomSampler(weights, n, replacement))
  const std::vector<double> weights{0.1, 0.0, 3.0, 0.5, 1.0, 0.0, 0.4};
  manual_seed(3);
  WeightedRandomSampler with(weights, 12);
  CHECK(flat(with) == Indices{2, 2, 4, 2, 4, 2, 2, 2, 2, 4, 2, 2});
  manual_seed(3);
  WeightedRandomSampler without(weights, 5, false);
  CHECK(flat(without) == Indices{0, 3, 2, 6, 4});
  CHECK_FALSE(without.next(1));

  const Generator own;
  WeightedRandomSampler many(weights, 40000, true, own);
  std::vector<double> counts(weights.size());
  const auto before = default_generator().get_state();
  for (int epoch = 0; epoch < 2; ++epoch, many.reset())
    for (const Indices& batch : rest(many, 100))
      for (const size_t i : batch) counts[i] += 1 / 80000.0;
  CHECK(default_generator().get_state() == before);
  for (size_t i = 0; i < weights.size(); ++i)  // a standard deviation is 0.0018 at most
    CHECK(std::abs(counts[i] - weights[i] / 5) < 0.009);
}

TEST_CASE("weights that cannot be drawn from throw") {
  CHECK_THROWS_AS(WeightedRandomSampler({1, -1}, 1), ValueError);
  CHECK_THROWS_AS(WeightedRandomSampler({1, NAN}, 1), ValueError);
  CHECK_THROWS_AS(WeightedRandomSampler({0, 0}, 1), ValueError);
  CHECK_THROWS_AS(WeightedRandomSampler({}, 1), ValueError);
  CHECK_THROWS_AS(WeightedRandomSampler({1, 0, 1}, 3, false), ValueError);
  WeightedRandomSampler sampler({1, 0, 1}, 2, false);
  CHECK_THROWS_AS(sampler.reset(3), ValueError);
}

TEST_CASE("distributed samplers give each process its part, as libtorch does") {
  // libtorch 1.13: set_epoch(5), reset(), next(3)... of 10 samples on 3 replicas
  const auto random = [](size_t rank, bool duplicates) {
    DistributedRandomSampler sampler(10, 3, rank, duplicates);
    sampler.set_epoch(5);
    CHECK(sampler.epoch() == 5);
    sampler.reset();
    return flat(sampler);
  };
  const std::vector<Indices> dropped{{3, 6, 0}, {1, 2, 8}, {7, 4, 5}},
      repeated{{1, 8, 5, 2}, {0, 6, 7, 1}, {9, 0, 4, 3}};
  for (size_t rank = 0; rank < 3; ++rank) {
    CHECK(random(rank, false) == dropped[rank]);
    CHECK(random(rank, true) == repeated[rank]);
  }
  const auto sequential = [](size_t rank, bool duplicates) {
    DistributedSequentialSampler sampler(10, 3, rank, duplicates);
    return flat(sampler);
  };
  CHECK(sequential(0, true) == Indices{0, 1, 2, 3});
  CHECK(sequential(2, true) == Indices{8, 9, 0, 1});
  CHECK(sequential(2, false) == Indices{6, 7, 8});
  CHECK(DistributedSequentialSampler(10, 3, 1).index() == 4);
  CHECK_THROWS_AS(DistributedRandomSampler(10, 3, 3), ValueError);
  DistributedSequentialSampler more_ranks_than_samples(2, 5, 4);
  CHECK(flat(more_ranks_than_samples) == Indices{0});
}

TEST_CASE("subsets in order and at random") {
  SubsetSampler in_order({7, 3, 9});
  CHECK(rest(in_order, 2) == std::vector<Indices>{{7, 3}, {9}});
  in_order.reset();
  CHECK(flat(in_order) == Indices{7, 3, 9});
  Indices subset(50);
  for (size_t i = 0; i < 50; ++i) subset[i] = 3 * i;
  SubsetRandomSampler random(subset);
  Indices first = flat(random);
  CHECK(first != subset);
  random.reset();
  CHECK(first != flat(random));
  std::sort(first.begin(), first.end());
  CHECK(first == subset);
  CHECK_THROWS_AS(random.reset(3), ValueError);
}

namespace {

// A sampler that stands in the middle of an epoch goes on alike from its state, in another sampler and from
// an archive, and gives the same next epoch.
template <class Make>
void check_state(Make make, size_t batch_size) {
  auto sampler = make();
  sampler.reset(std::nullopt);
  sampler.next(batch_size);
  sampler.next(batch_size);
  const data::State state = sampler.state_dict();
  std::stringstream file;
  save(sampler, file);
  const auto now = default_generator().get_state();
  const auto expected = rest(sampler, batch_size);
  REQUIRE(expected.size() > 1);
  sampler.reset(std::nullopt);
  const auto next_epoch = rest(sampler, batch_size);

  manual_seed(77);
  auto other = make(), read = make();
  default_generator().set_state(now);
  other.load_state_dict(state);
  CHECK(rest(other, batch_size) == expected);
  other.reset(std::nullopt);
  CHECK(rest(other, batch_size) == next_epoch);
  load(read, file);
  CHECK(rest(read, batch_size) == expected);
  CHECK_THROWS_AS(read.load_state_dict(data::State()), ValueError);
}

}  // namespace

TEST_CASE("a sampler's state is kept and read back") {
  check_state([] { return SequentialSampler(20); }, 3);
  check_state([] { return RandomSampler(20); }, 3);
  check_state([] { return RandomSampler(20, kInt32, Generator()); }, 3);
  check_state([] { return SubsetSampler({5, 3, 1, 9, 2, 4, 8, 7}); }, 1);
  check_state([] { return SubsetRandomSampler({5, 3, 1, 9, 2, 4, 8, 7}); }, 1);
  check_state([] { return WeightedRandomSampler({1, 2, 3}, 30); }, 4);
  check_state([] { return DistributedSequentialSampler(20, 2, 1); }, 2);
  check_state([] { return DistributedRandomSampler(20, 2, 1); }, 2);
  check_state([] { return BucketBatchSampler({5, 3, 1, 9, 2, 4, 8, 7, 1, 1, 2}, 2); }, 2);
  StreamSampler stream(20);
  stream.next(7);
  StreamSampler other(20);
  other.load_state_dict(stream.state_dict());
  CHECK(other.next(100)->size() == 13);
}

TEST_CASE("a state that does not fit a sampler changes nothing") {
  RandomSampler sampler(5);
  data::State state = RandomSampler(3).state_dict();
  data::State bad;
  for (const auto& [name, t] : state.entries()) {
    if (name == "index")
      bad.set("index", 4);
    else
      bad = [&] {
        auto entries = bad.entries();
        entries.emplace_back(name, t);
        return data::State(entries);
      }();
  }
  CHECK_THROWS_AS(sampler.load_state_dict(bad), ValueError);
  Indices all = flat(sampler);
  std::sort(all.begin(), all.end());
  CHECK(all == Indices{0, 1, 2, 3, 4});
  SubsetRandomSampler subset({1, 2});
  CHECK_THROWS_AS(subset.load_state_dict(state), ValueError);
  CHECK(flat(subset).size() == 2);
}

TEST_CASE("a state of another number of samples is refused, except by a sampler of none") {
  const auto check = [](auto make) {
    auto sampler = make(12);
    sampler.next(2);
    const data::State state = sampler.state_dict();
    for (const size_t size : {6, 20}) {
      auto other = make(size);
      CHECK_THROWS_WITH(other.load_state_dict(state),
                        ContainsSubstring("of 12 samples, this one has " + std::to_string(size)));
      CHECK(other.next(100).has_value());
      CHECK((other.state_dict().number("size") == size));
    }
    auto later = make(0);
    later.load_state_dict(state);
    CHECK(later.state_dict().number("size") == 12);
  };
  check([](size_t n) { return SequentialSampler(n); });
  check([](size_t n) { return RandomSampler(static_cast<int64_t>(n)); });
  check([](size_t n) { return StreamSampler(n); });
  check([](size_t n) { return DistributedSequentialSampler(n, 2, 0); });
}
