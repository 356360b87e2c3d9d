#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <thread>

#include "support/catch.h"
#include "tapir/data/dataloader.h"
#include "tapir/data/transform.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;
using namespace tapir::data;
using std::chrono::milliseconds;

namespace {

// What the copies of a Numbers dataset share.
struct Probe {
  std::function<void(size_t)> on_get = [](size_t) {};
  std::atomic<int> reads{0};
};

// Sample i is the number i.
class Numbers : public Dataset<Numbers, int64_t> {
 public:
  explicit Numbers(size_t n, std::shared_ptr<Probe> probe = std::make_shared<Probe>())
      : n_(n), probe_(std::move(probe)) {}
  int64_t get(size_t i) override {
    ++calls_;
    ++probe_->reads;
    probe_->on_get(i);
    return static_cast<int64_t>(i);
  }
  std::optional<size_t> size() const override { return n_; }

 private:
  size_t n_;
  std::shared_ptr<Probe> probe_;
  int calls_ = 0;  // a race where two workers used one copy
};

using Batches = std::vector<std::vector<int64_t>>;
template <class Loader>
Batches read_all(Loader& loader) {
  Batches batches;
  for (auto& batch : loader) batches.push_back(batch);
  return batches;
}

DataLoaderOptions options(size_t batch_size, size_t workers) {
  return DataLoaderOptions(batch_size).workers(workers);
}

template <class Loader>
Batches one_epoch(Loader loader) {
  return read_all(*loader);
}
Batches sequential(size_t n, DataLoaderOptions o) {
  return one_epoch(make_data_loader<samplers::SequentialSampler>(Numbers(n), o));
}

}  // namespace

TEST_CASE("batches come in the sampler's order, with any number of workers") {
  for (size_t workers : {0, 1, 2, 5}) {
    CHECK(sequential(7, options(3, workers)) == Batches{{0, 1, 2}, {3, 4, 5}, {6}});
    CHECK(sequential(7, options(3, workers).drop_last(true)) == Batches{{0, 1, 2}, {3, 4, 5}});
    CHECK(sequential(6, options(3, workers).drop_last(true)) == Batches{{0, 1, 2}, {3, 4, 5}});
    CHECK(sequential(2, options(3, workers).drop_last(true)).empty());
    CHECK(sequential(0, options(3, workers)).empty());
    CHECK(sequential(3, options(9, workers)) == Batches{{0, 1, 2}});
    CHECK(sequential(2, DataLoaderOptions().workers(workers)) == Batches{{0}, {1}});
  }
}

TEST_CASE("the same seed gives the same batches, whatever the number of workers") {
  std::vector<Batches> epochs;
  for (size_t workers : {0, 1, 3}) {
    manual_seed(4);
    auto loader = make_data_loader(Numbers(100), options(8, workers));
    for (int i = 0; i < 3; ++i) epochs.push_back(read_all(*loader));
  }
  for (size_t i = 3; i < 9; ++i) CHECK(epochs[i] == epochs[i % 3]);
  CHECK(epochs[0] != epochs[1]);
}

TEST_CASE("order is kept though later batches are ready first, or not kept if so asked") {
  const auto probe = std::make_shared<Probe>();
  std::atomic<bool> others_done{false};
  probe->on_get = [&](size_t i) {
    if (i == 0)
      while (!others_done) std::this_thread::yield();
    if (i == 3) others_done = true;
  };
  CHECK(one_epoch(make_data_loader<samplers::SequentialSampler>(
            Numbers(5, probe), options(1, 2).max_jobs(4))) == Batches{{0}, {1}, {2}, {3}, {4}});

  others_done = false;
  auto unordered = one_epoch(make_data_loader<samplers::SequentialSampler>(
      Numbers(5, probe), options(1, 2).max_jobs(4).enforce_ordering(false)));
  CHECK(unordered.front() != std::vector<int64_t>{0});
  std::sort(unordered.begin(), unordered.end());
  CHECK(unordered == Batches{{0}, {1}, {2}, {3}, {4}});
}

TEST_CASE("no more than max_jobs batches are read ahead") {
  const auto probe = std::make_shared<Probe>();
  auto loader = make_data_loader<samplers::SequentialSampler>(Numbers(100, probe), options(1, 2).max_jobs(3));
  CHECK(loader->options().max_jobs == 3);
  auto it = loader->begin();
  for (int taken = 1; taken < 20; ++taken) {
    CHECK(*it == std::vector<int64_t>{taken - 1});
    std::this_thread::sleep_for(milliseconds(2));
    CHECK(probe->reads <= taken + 3);
    ++it;
  }
  CHECK(FullDataLoaderOptions(options(1, 4)).max_jobs == 8);
}

TEST_CASE("a worker's exception reaches the caller with the sample, and the loader goes on") {
  const auto probe = std::make_shared<Probe>();
  probe->on_get = [](size_t i) {
    if (i == 4) throw std::out_of_range("bad sample");
  };
  for (size_t workers : {1, 3}) {
    auto loader = make_data_loader<samplers::SequentialSampler>(Numbers(9, probe), options(3, workers));
    auto it = loader->begin();
    CHECK(*it == std::vector<int64_t>{0, 1, 2});
    try {
      ++it;
      FAIL("no exception");
    } catch (const WorkerException& e) {
      CHECK(std::string(e.what()).find("sample 4") != std::string::npos);
      CHECK(std::string(e.what()).find("bad sample") != std::string::npos);
      CHECK(e.sample == 4);
      CHECK_THROWS_AS(std::rethrow_exception(e.original_exception), std::out_of_range);
    }
    ++it;
    CHECK(*it == std::vector<int64_t>{6, 7, 8});
    ++it;
    CHECK(it == loader->end());
  }
  auto synchronous = make_data_loader<samplers::SequentialSampler>(Numbers(9, probe), options(3, 0));
  auto it = synchronous->begin();
  CHECK(*it == std::vector<int64_t>{0, 1, 2});
  CHECK_THROWS_AS(++it, std::out_of_range);
}

TEST_CASE("a batch that takes longer than the timeout throws, and can still be had") {
  const auto probe = std::make_shared<Probe>();
  std::atomic<bool> go{false};
  probe->on_get = [&](size_t) {
    while (!go) std::this_thread::yield();
  };
  auto loader = make_data_loader<samplers::SequentialSampler>(Numbers(2, probe),
                                                              options(1, 1).timeout(milliseconds(20)));
  auto it = loader->begin();
  CHECK_THROWS_AS(*it, Error);
  go = true;
  std::this_thread::sleep_for(milliseconds(1));
  std::vector<int64_t> batch;
  for (int tries = 0; tries < 500 && batch.empty(); ++tries) {
    try {
      batch = *it;
    } catch (const Error&) {
    }
  }
  CHECK(batch == std::vector<int64_t>{0});
}

TEST_CASE("an epoch may be left in the middle") {
  for (size_t workers : {0, 1, 3}) {
    const auto probe = std::make_shared<Probe>();
    auto loader = make_data_loader<samplers::SequentialSampler>(Numbers(1000, probe), options(2, workers));
    auto old = loader->begin();
    CHECK(*old == std::vector<int64_t>{0, 1});
    int n = 0;
    for (auto& batch : *loader) {
      CHECK(batch == std::vector<int64_t>{2 * n, 2 * n + 1});
      if (++n == 5) break;
    }
    CHECK_THROWS_AS(++old, ValueError);
    CHECK(read_all(*loader).size() == 500);
    auto last = loader->begin();
    CHECK(*last == std::vector<int64_t>{0, 1});
    loader.reset();  // with batches being read
    CHECK(probe->reads < 1200);
  }
  auto loader = make_data_loader(Numbers(10), options(2, 2));
  loader->join();
  CHECK_THROWS_AS(loader->begin(), ValueError);
}

TEST_CASE("options out of range, and iterators past the end, throw") {
  CHECK_THROWS_AS(make_data_loader(Numbers(3), options(0, 0)), ValueError);
  CHECK_THROWS_AS(make_data_loader(Numbers(3), options(1, 2).max_jobs(0)), ValueError);
  auto loader = make_data_loader(Numbers(1), 4);
  auto it = loader->begin();
  CHECK(it != loader->end());
  ++it;
  CHECK(it == loader->end());
  CHECK_THROWS_AS(*it, ValueError);
  CHECK_THROWS_AS(++it, ValueError);
}

namespace {

class Unsized : public BatchDataset<Unsized, std::vector<int64_t>, size_t> {
 public:
  std::vector<int64_t> get_batch(size_t n) override { return std::vector<int64_t>(n, 7); }
  std::optional<size_t> size() const override { return std::nullopt; }
};

// A dataset that cannot be copied.
class Pinned : public Dataset<Pinned, int64_t> {
 public:
  Pinned() = default;
  Pinned(Pinned&&) = default;
  int64_t get(size_t i) override { return *data_ + static_cast<int64_t>(i); }
  std::optional<size_t> size() const override { return 4; }

 private:
  std::unique_ptr<int64_t> data_ = std::make_unique<int64_t>(10);
};

// Counts down from `n` in each epoch, from whatever thread asks.
class Countdown : public datasets::StatefulDataset<Countdown, std::vector<int64_t>> {
 public:
  explicit Countdown(int64_t n) : n_(n) {}
  Countdown(Countdown&& o) : n_(o.n_), left_(o.left_) {}
  std::optional<std::vector<int64_t>> get_batch(size_t size) override {
    const std::lock_guard lock(mutex_);
    std::vector<int64_t> batch;
    while (batch.size() < size && left_ > 0) batch.push_back(left_--);
    if (batch.empty()) return std::nullopt;
    return batch;
  }
  std::optional<size_t> size() const override { return static_cast<size_t>(n_); }
  void reset() override {
    const std::lock_guard lock(mutex_);
    left_ = n_;
  }

 private:
  int64_t n_, left_ = 0;
  std::mutex mutex_;
};

}  // namespace

TEST_CASE("streams, shared, uncopied and stateful datasets") {
  CHECK(one_epoch(make_data_loader(Unsized(), samplers::StreamSampler(5), options(2, 2))) ==
        Batches{{7, 7}, {7, 7}, {7}});

  CHECK(one_epoch(make_data_loader<samplers::SequentialSampler>(Pinned(), options(2, 1))) ==
        Batches{{10, 11}, {12, 13}});
  CHECK_THROWS_AS(make_data_loader<samplers::SequentialSampler>(Pinned(), options(2, 2)), ValueError);
  CHECK(one_epoch(make_data_loader<samplers::SequentialSampler>(
            datasets::make_shared_dataset<Pinned>(), options(2, 2))) == Batches{{10, 11}, {12, 13}});

  for (size_t workers : {0, 1, 3}) {
    auto loader = make_data_loader(Countdown(25), options(4, workers));
    for (int epoch = 0; epoch < 3; ++epoch) {
      int64_t sum = 0;
      int batches = 0;
      for (auto& batch : *loader) {
        sum += std::accumulate(batch.begin(), batch.end(), int64_t{0});
        ++batches;
        if (epoch == 1 && batches == 2) break;
      }
      if (epoch != 1) {
        CHECK(sum == 325);
        CHECK(batches == 7);
      }
    }
  }
  auto mapped = make_data_loader(Countdown(5).map(transforms::BatchLambda<std::vector<int64_t>, size_t>(
                                     [](auto batch) { return batch.size(); })),
                                 options(3, 2));
  std::vector<size_t> sizes;
  for (size_t n : *mapped) sizes.push_back(n);
  CHECK(std::accumulate(sizes.begin(), sizes.end(), size_t{0}) == 5);
}

TEST_CASE("tensors made on workers are stacked and used by the caller") {
  class Images : public Dataset<Images> {
   public:
    Example<> get(size_t i) override {
      return {raw::full({3, 40, 40}, static_cast<double>(i), kFloat32),
              raw::full({}, static_cast<int64_t>(i), kInt64)};
    }
    std::optional<size_t> size() const override { return 300; }
  };
  for (size_t workers : {1, 3}) {
    auto loader = make_data_loader(Images().map(transforms::Normalize<>(1.0, 2.0)).map(transforms::Stack<>()),
                                   options(16, workers));
    int64_t sum = 0;
    for (auto& batch : *loader) {
      CHECK(batch.data.sizes()[1] == 3);
      for (int64_t i = 0; i < batch.target.numel(); ++i) {
        const int64_t t = batch.target.data_ptr<int64_t>()[i];
        CHECK(batch.data.data_ptr<float>()[i * 4800 + 4799] == (static_cast<float>(t) - 1) / 2);
        sum += t;
      }
    }
    CHECK(sum == 299 * 300 / 2);
  }
}
