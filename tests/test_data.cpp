// Datasets, samplers, transforms, collation.
#include <algorithm>
#include <numeric>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/data/collate.h"
#include "tapir/data/dataset.h"
#include "tapir/data/datasets/text_lines.h"
#include "tapir/data/sampler.h"
#include "tapir/data/transform.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;
using namespace tapir::data;

namespace {

Tensor longs(std::vector<int64_t> values) {
  return raw::from_values(values.data(), {int64_t(values.size())}, kInt64);
}

template <class T>
std::vector<T> values_of(const Tensor& x) {
  const Tensor c = raw::contiguous(x);
  return {c.data_ptr<T>(), c.data_ptr<T>() + c.numel()};
}

// i and its square.
class Squares : public Dataset<Squares> {
 public:
  explicit Squares(size_t n) : n_(n) {}
  Example<> get(size_t i) override {
    return {raw::full({2}, static_cast<double>(i), kFloat32),
            raw::full({}, static_cast<int64_t>(i * i), kInt64)};
  }
  std::optional<size_t> size() const override { return n_; }

 private:
  size_t n_;
};

template <class S>
std::vector<std::vector<size_t>> epoch(S& sampler, size_t batch_size) {
  std::vector<std::vector<size_t>> batches;
  while (auto batch = sampler.next(batch_size)) batches.push_back(*batch);
  return batches;
}

std::vector<size_t> flat(const std::vector<std::vector<size_t>>& batches) {
  std::vector<size_t> all;
  for (const auto& b : batches) all.insert(all.end(), b.begin(), b.end());
  return all;
}

bool each_once(std::vector<size_t> indices, size_t n) {
  std::sort(indices.begin(), indices.end());
  std::vector<size_t> expected(n);
  std::iota(expected.begin(), expected.end(), size_t{0});
  return indices == expected;
}

}  // namespace

TEST_CASE("a dataset's batch is the vector of its samples") {
  Squares squares(10);
  const size_t indices[] = {3, 0, 9};
  const auto batch = squares.get_batch(indices);
  REQUIRE(batch.size() == 3);
  CHECK(batch[2].target.item<int64_t>() == 81);
  CHECK(values_of<float>(batch[0].data) == std::vector<float>{3, 3});
}

TEST_CASE("TensorDataset gives rows that show the tensor") {
  const Tensor x = raw::arange(0, 6, 1, kFloat32);
  datasets::TensorDataset set(x.alias(Layout::of({3, 2})));
  CHECK(set.size() == 3u);
  const TensorExample row = set.get(1);
  CHECK(values_of<float>(row.data) == std::vector<float>{2, 3});
  CHECK(row.data.data_ptr<float>() == x.data_ptr<float>() + 2);
  CHECK_THROWS_AS(set.get(3), IndexError);
  CHECK_THROWS_AS(datasets::TensorDataset(raw::full({}, 1, kFloat32)), ShapeError);

  datasets::TensorDataset list(std::vector<Tensor>{longs({1, 2}), longs({3, 4})});
  CHECK(values_of<int64_t>(list.get(1).data) == std::vector<int64_t>{3, 4});
}

TEST_CASE("transforms are applied one after the other") {
  auto mapped = Squares(10)
                    .map(transforms::Lambda<Example<>>([](Example<> e) {
                      e.target = raw::binary(Pointwise::mul, e.target, Scalar(2));
                      return e;
                    }))
                    .map(transforms::TensorLambda<>(
                        [](Tensor t) { return raw::binary(Pointwise::mul, t, Scalar(10)); }))
                    .map(transforms::Stack<>());
  const size_t indices[] = {1, 4, 5};
  const Example<> batch = mapped.get_batch(indices);
  CHECK(batch.data.sizes() == IntArrayRef({3, 2}));
  CHECK(values_of<float>(batch.data) == std::vector<float>{10, 10, 40, 40, 50, 50});
  CHECK(values_of<int64_t>(batch.target) == std::vector<int64_t>{2, 32, 50});
  CHECK(mapped.size() == 10u);

  auto counted = Squares(4).map(transforms::Collate<size_t, std::vector<Example<>>>(
      [](std::vector<Example<>> batch) { return batch.size(); }));
  CHECK(counted.get_batch(indices) == 3);

  auto tensors = datasets::TensorDataset(raw::arange(0, 6, 1, kFloat32).alias(Layout::of({3, 2})))
                     .map(transforms::Stack<TensorExample>());
  const size_t two[] = {2, 0};
  CHECK(values_of<float>(tensors.get_batch(two).data) == std::vector<float>{4, 5, 0, 1});
}

TEST_CASE("Normalize subtracts the mean and divides by the deviation, by channel") {
  const Tensor x = raw::arange(0, 8, 1, kFloat32).alias(Layout::of({2, 2, 2}));
  transforms::Normalize<> one(1.0, 2.0);
  CHECK(values_of<float>(one(x)) == std::vector<float>{-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3});
  transforms::Normalize<> two({0.0, 4.0}, {1.0, 2.0});
  CHECK(values_of<float>(two(x)) == std::vector<float>{0, 1, 2, 3, 0, 0.5, 1, 1.5});
  CHECK_THROWS_AS(transforms::Normalize<>({0.0}, {0.0}), ValueError);
  CHECK_THROWS_AS(transforms::Normalize<>({}, {1.0}), ValueError);
}

TEST_CASE("stacking tensors that differ says which") {
  const Tensor a = longs({1, 2}), b = longs({1, 2, 3}), f = raw::full({2}, 1, kFloat32);
  CHECK_THROWS_AS(stack_tensors({a, b}), ShapeError);
  CHECK_THROWS_AS(stack_tensors({a, f}), DTypeError);
  CHECK_THROWS_AS(stack_tensors({a, Tensor()}), ValueError);
  CHECK_THROWS_AS(stack_tensors({}), ValueError);
  CHECK_THROWS_AS(pad_tensors({a, f}), DTypeError);
  CHECK_THROWS_AS(pad_tensors({a, raw::full({}, 1, kInt64)}), ShapeError);
}

TEST_CASE("sequences of different lengths are padded") {
  const std::vector<Tensor> s{longs({1, 2}), longs({3, 4, 5}), longs({})};
  CHECK(pad_tensors(s).sizes() == IntArrayRef({3, 3}));
  CHECK(values_of<int64_t>(pad_tensors(s)) == std::vector<int64_t>{1, 3, 0, 2, 4, 0, 0, 5, 0});
  CHECK(values_of<int64_t>(pad_tensors(s, PadOptions().batch_first(true).padding_value(-1))) ==
        std::vector<int64_t>{1, 2, -1, 3, 4, 5, -1, -1, -1});
  const Tensor features = raw::arange(0, 10, 1, kFloat32);
  const Tensor a = features.alias(Layout::of({3, 2})), b = features.alias(Layout::of({1, 2}));
  CHECK(pad_tensors({a, b}).sizes() == IntArrayRef({3, 2, 2}));
  CHECK(values_of<float>(pad_tensors({a, b})) == std::vector<float>{0, 1, 0, 1, 2, 3, 0, 0, 4, 5, 0, 0});
  CHECK_THROWS_AS(pad_tensors({a, features}), ShapeError);
}

TEST_CASE("a padded batch has data, lengths, and targets padded or stacked") {
  const std::vector<Example<>> tagged{{longs({1}), longs({7})}, {longs({2, 3}), longs({8, 9})}};
  transforms::PadSequences pad;
  PaddedExample batch = pad.apply_batch(tagged);
  CHECK(values_of<int64_t>(batch.data) == std::vector<int64_t>{1, 2, 0, 3});
  CHECK(values_of<int64_t>(batch.target) == std::vector<int64_t>{7, 8, -100, 9});
  CHECK(values_of<int64_t>(batch.lengths) == std::vector<int64_t>{1, 2});

  transforms::PadSequences sorted(PadOptions().sort(true).batch_first(true).padding_value(5));
  batch = sorted.apply_batch(tagged);
  CHECK(values_of<int64_t>(batch.data) == std::vector<int64_t>{2, 3, 1, 5});
  CHECK(values_of<int64_t>(batch.target) == std::vector<int64_t>{8, 9, 7, -100});
  CHECK(values_of<int64_t>(batch.lengths) == std::vector<int64_t>{2, 1});

  const std::vector<Example<>> classed{{longs({1}), raw::full({}, 3, kInt64)},
                                       {longs({2, 3}), raw::full({}, 4, kInt64)}};
  CHECK(values_of<int64_t>(pad.apply_batch(classed).target) == std::vector<int64_t>{3, 4});

  // Two labels per sequence, also where the sequences happen to be of length 2.
  const std::vector<Example<>> labelled{{longs({1, 2}), longs({7, 8})}, {longs({3, 4}), longs({9, 6})}};
  transforms::PadSequences stacks(PadOptions().pad_targets(false));
  CHECK(values_of<int64_t>(stacks.apply_batch(labelled).target) == std::vector<int64_t>{7, 8, 9, 6});
  CHECK(values_of<int64_t>(pad.apply_batch(labelled).target) == std::vector<int64_t>{7, 9, 8, 6});
  const std::vector<Example<>> longer{labelled[0], {longs({3, 4, 5}), longs({9, 6})}};
  CHECK(values_of<int64_t>(stacks.apply_batch(longer).target) == std::vector<int64_t>{7, 8, 9, 6});
  CHECK_THROWS_WITH(pad.apply_batch(longer),
                    ContainsSubstring("example 1 has data of length 3 and a target of "
                                      "length 2") &&
                        ContainsSubstring("pad_targets(false)"));
  const Tensor bytes = raw::full({2}, 1, kUInt8);
  CHECK_THROWS_WITH(pad.apply_batch({{bytes, bytes}}), ContainsSubstring("target_padding_value"));
}

TEST_CASE("SequentialSampler counts up") {
  samplers::SequentialSampler s(5);
  CHECK(epoch(s, 2) == std::vector<std::vector<size_t>>{{0, 1}, {2, 3}, {4}});
  CHECK_FALSE(s.next(2));
  s.reset(3);
  CHECK(flat(epoch(s, 2)) == std::vector<size_t>{0, 1, 2});
  CHECK(s.index() == 3);
}

TEST_CASE("RandomSampler gives randperm's order, a new one each epoch") {
  manual_seed(5);
  samplers::RandomSampler s(100);
  const auto first = flat(epoch(s, 7));
  CHECK(each_once(first, 100));
  s.reset();
  const auto second = flat(epoch(s, 100));
  CHECK(each_once(second, 100));
  CHECK(first != second);

  manual_seed(5);
  for (const auto& order : {first, second}) {
    const auto expected = values_of<int64_t>(raw::randperm(100));
    CHECK(std::equal(order.begin(), order.end(), expected.begin(), expected.end()));
  }
  s.reset(10);
  CHECK(each_once(flat(epoch(s, 3)), 10));
  samplers::RandomSampler empty(0);
  CHECK_FALSE(empty.next(1));
  CHECK_THROWS_AS(samplers::RandomSampler(300, kUInt8), ValueError);
}

TEST_CASE("StreamSampler asks for an epoch's number of samples") {
  samplers::StreamSampler s(5);
  CHECK(s.next(3)->size() == 3);
  CHECK(s.next(3)->size() == 2);
  CHECK_FALSE(s.next(3));
  s.reset();
  CHECK(s.next(9)->size() == 5);
}

TEST_CASE("BucketBatchSampler gives batches of like lengths in random order") {
  manual_seed(1);
  const Tensor lengths_tensor = raw::randint(1, 200, {1003});
  const auto lengths = values_of<int64_t>(lengths_tensor);
  samplers::BucketBatchSampler s(lengths, 20);
  const auto padding = [&](const std::vector<std::vector<size_t>>& batches) {
    int64_t waste = 0;
    for (const auto& b : batches) {
      int64_t longest = 0;
      for (size_t i : b) longest = std::max(longest, lengths[i]);
      for (size_t i : b) waste += longest - lengths[i];
    }
    return waste;
  };
  const auto first = epoch(s, 10);
  CHECK(each_once(flat(first), 1003));
  for (size_t i = 0; i + 1 < first.size(); ++i) CHECK(first[i].size() == 10);
  CHECK(first.back().size() == 3);
  CHECK(s.index() == 1003);
  samplers::RandomSampler random(1003);
  CHECK(padding(first) * 8 < padding(epoch(random, 10)));
  // Lengths come mixed: neighbouring batches are not neighbours in length.
  int ascending = 0;
  for (size_t i = 0; i + 1 < first.size(); ++i) ascending += lengths[first[i][0]] <= lengths[first[i + 1][0]];
  CHECK(ascending > 30);
  CHECK(ascending < 70);

  s.reset();
  CHECK(epoch(s, 10) != first);
  s.reset();
  s.next(10);
  CHECK_THROWS_AS(s.next(11), ValueError);
  CHECK_THROWS_AS(s.reset(5), ValueError);

  Generator a, b;
  samplers::BucketBatchSampler x(lengths, 20, a), y(lengths, 20, b);
  CHECK(epoch(x, 10) == epoch(y, 10));
  samplers::BucketBatchSampler small({5, 3, 4}, 100);
  CHECK(epoch(small, 8) == std::vector<std::vector<size_t>>{{1, 2, 0}});
}

TEST_CASE("lines of text become sequences of character indices") {
  datasets::TextLines lines(
      "ab\n\ncaf\xc3\xa9\r\n"
      "b");
  CHECK(lines.size() == 3u);
  const auto& v = lines.vocabulary();
  CHECK(v.size() == 7);
  CHECK(v.characters() == "abcf\xc3\xa9");
  CHECK(lines.lengths() == std::vector<int64_t>{3, 5, 2});
  const Example<> cafe = lines.get(1);
  CHECK(values_of<int64_t>(cafe.data) == std::vector<int64_t>{0, 4, 2, 5, 6});
  CHECK(values_of<int64_t>(cafe.target) == std::vector<int64_t>{4, 2, 5, 6, 0});
  CHECK(v.decode(values_of<int64_t>(cafe.target)) == "caf\xc3\xa9\n");
  CHECK(values_of<int64_t>(lines.get(2).data) == std::vector<int64_t>{0, 3});
  CHECK_THROWS_AS(lines.get(3), IndexError);
  CHECK_THROWS_AS(v.decode({7}), IndexError);

  // Another text with this vocabulary: what it does not have is unknown, and so is what is not UTF-8.
  datasets::TextLines other(
      "a\xff"
      "b\xed\xa0\x80"
      "x\xf0\x9f\x98\x80",
      v);
  CHECK(values_of<int64_t>(other.get(0).target) == std::vector<int64_t>{2, 1, 3, 1, 1, 1, 1, 1, 0});

  datasets::TextLines part = lines.subset(1, 3);
  CHECK(part.size() == 2u);
  CHECK(values_of<int64_t>(part.get(0).data) == values_of<int64_t>(cafe.data));
  CHECK(part.lengths() == std::vector<int64_t>{5, 2});
  CHECK_THROWS_AS(lines.subset(2, 4), IndexError);

  CHECK(datasets::TextLines("").size() == 0u);
  const datasets::CharVocabulary emoji("\xf0\x9f\x98\x80");
  CHECK(emoji.decode(emoji.encode("\xf0\x9f\x98\x80\n")) == "\xf0\x9f\x98\x80\n");

  const TemporaryFolder folder;
  write_file(folder / "t", "ab\nc");
  CHECK(datasets::TextLines::from_file(folder / "t").size() == 2u);
  CHECK_THROWS_AS(datasets::TextLines::from_file(folder / "missing"), IOError);
  CHECK_THROWS_AS(datasets::TextLines::from_file(folder.path()), IOError);
}
