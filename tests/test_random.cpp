// The CPU's random numbers are PyTorch's: oracle/random.inc holds hashes of what PyTorch draws.
#include <algorithm>
#include <numeric>
#include <thread>

#include "support/tensors.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;

namespace {

struct Row {
  std::string call;
  DType dtype;
  uint64_t seed;
  std::vector<int64_t> sizes, strides;
  double a, b;
  int calls;
  uint64_t hash;
};
const Row kRows[] = {
#include "oracle/random.inc"
};

uint64_t fnv(const uint8_t* bytes, size_t n, uint64_t hash = 0xcbf29ce484222325u) {
  for (size_t i = 0; i < n; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

// Calls f(address) for each element in row-major order.
template <class F>
void for_each_element(const Tensor& x, F f) {
  const size_t item = x.itemsize();
  std::vector<int64_t> index(static_cast<size_t>(x.dim()), 0);
  for (int64_t n = x.numel(); n > 0; --n) {
    int64_t offset = 0;
    for (size_t d = 0; d < index.size(); ++d) offset += index[d] * x.strides()[d];
    f(static_cast<uint8_t*>(x.data_ptr()) + offset * static_cast<int64_t>(item));
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < x.sizes()[d]) break;
      index[d] = 0;
    }
  }
}

uint64_t hash_of(const Tensor& x) {
  uint64_t hash = fnv(nullptr, 0);
  for_each_element(x, [&](const uint8_t* p) { hash = fnv(p, x.itemsize(), hash); });
  return hash;
}

// An uninitialised tensor with those strides, in a storage that is just large enough.
Tensor strided(const Row& row, DType dtype) {
  const Layout layout = Layout::strided(row.sizes, row.strides, 0);
  return Tensor::empty({layout.extent()}, dtype).alias(layout);
}

double number(const Tensor& x, int64_t i) {
  double v = 0;
  visit_dtype(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    v = static_cast<double>(static_cast<const T*>(x.data_ptr())[i * x.stride(0)]);
  });
  return v;
}

uint64_t run(const Row& row) {
  manual_seed(row.seed);
  if (row.call == "state") {
    if (row.a < 0) raw::randn({1}, kFloat32);
    if (row.a > 0) raw::rand({static_cast<int64_t>(row.a)}, kFloat32);
    const auto state = default_generator().get_state();
    return fnv(state.data(), state.size());
  }
  if (row.call == "randperm") return hash_of(raw::randperm(row.sizes[0], row.dtype));
  // The parameters' elements are multiples of 1/8.
  const auto steps = [&](int64_t n, double by, double from) {
    return arange(n, TensorOptions(row.dtype)) * by + from;
  };
  if (row.call == "poisson") return hash_of(poisson(steps(480, 0.125, 0)));
  if (row.call.starts_with("multinomial")) {
    Tensor weights =
        arange(1, 41, TensorOptions(row.call.ends_with("64") ? kFloat64 : kFloat32)).reshape({4, 10});
    weights[1][3] = 0;
    if (row.call.starts_with("multinomial_row")) weights = weights[2];
    return hash_of(multinomial(weights, static_cast<int64_t>(row.a), row.b != 0));
  }
  if (row.call.starts_with("normal_") && row.call != "normal_") {
    const Tensor mean = steps(40, 0.25, -3), std = steps(40, 0.125, 0);
    if (row.call == "normal_ts") return hash_of(normal(mean, row.a));
    if (row.call == "normal_st") return hash_of(normal(row.a, std));
    if (row.call == "normal_tt") return hash_of(normal(mean, std));
    return hash_of(normal(mean.slice(0, 0, 4).unsqueeze(1), std.slice(0, 0, 5)));
  }
  const Tensor x = strided(row, row.dtype);
  for (int i = 0; i < row.calls; ++i) {
    if (row.call == "uniform_") raw::uniform_(x, row.a, row.b);
    if (row.call == "normal_") raw::normal_(x, row.a, row.b);
    if (row.call == "bernoulli_") raw::bernoulli_(x, row.a);
    if (row.call == "random_") raw::random_(x);
    if (row.call == "exponential_") raw::exponential_(x, row.a);
    if (row.call == "geometric_") raw::geometric_(x, row.a);
    if (row.call == "cauchy_") raw::cauchy_(x, row.a, row.b);
    if (row.call == "log_normal_") raw::log_normal_(x, row.a, row.b);
    if (row.call == "random_ft")
      raw::random_(x, static_cast<int64_t>(row.a), std::optional<int64_t>(static_cast<int64_t>(row.b)));
    if (row.call == "dropout") raw::dropout_mask_(x, row.a);
    if (row.call == "bernoulli_p") {
      const DType types[] = {kFloat16, kBFloat16, kFloat32, kFloat64};
      const DType dtype = types[static_cast<int>(row.a) - 1];
      const Tensor p = Tensor::empty({50}, dtype);
      visit_dtype(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (int j = 0; j < 50; ++j) {
          if constexpr (std::is_same_v<T, double>)
            p.data_ptr<T>()[j] = j * 0.02;
          else
            p.data_ptr<T>()[j] = static_cast<T>(static_cast<float>(j * 0.02));
        }
      });
      raw::bernoulli_(x, p);
    }
  }
  return hash_of(x);
}

bool same(const Tensor& a, const Tensor& b) { return hash_of(a) == hash_of(b); }

}  // namespace

TEST_CASE("the same seed gives PyTorch's numbers, bit for bit") {
  for (const Row& row : kRows) {
    INFO(row.call << " " << dtype_name(row.dtype) << " " << shape_str(row.sizes) << " strides "
                  << shape_str(row.strides) << " seed " << row.seed << " a " << row.a << " b " << row.b);
    CHECK(run(row) == row.hash);
  }
}

TEST_CASE("a generator has its own stream, and copies of it share that") {
  Generator a, b;
  a.manual_seed(3);
  b.manual_seed(3);
  const Tensor x = raw::rand({100}, kFloat32, kCPU, a);
  Generator shared = a;
  const Tensor y = raw::rand({100}, kFloat32, kCPU, shared);
  CHECK_FALSE(same(x, y));
  CHECK(same(x, raw::rand({100}, kFloat32, kCPU, b)));
  CHECK(same(y, raw::rand({100}, kFloat32, kCPU, b)));
  CHECK(a.initial_seed() == 3);
  CHECK(Generator().initial_seed() == 67280421310721u);

  manual_seed(3);
  CHECK(same(x, raw::rand({100}, kFloat32)));
}

TEST_CASE("a saved state continues the stream, the kept half of a normal included") {
  Generator g;
  for (int draws : {0, 1, 7, 624, 1000}) {
    g.manual_seed(11);
    if (draws) raw::rand({draws}, kFloat32, kCPU, g);
    raw::randn({1}, kFloat32, kCPU, g);
    const auto state = g.get_state();
    const Tensor x = raw::randn({701}, kFloat64, kCPU, g), y = raw::randn({3}, kFloat64, kCPU, g);
    Generator other;
    other.set_state(state);
    CHECK(same(x, raw::randn({701}, kFloat64, kCPU, other)));
    CHECK(same(y, raw::randn({3}, kFloat64, kCPU, other)));
    CHECK(other.get_state() == g.get_state());
    CHECK(other.initial_seed() == 11);
  }
  const auto good = g.get_state();
  CHECK_THROWS_AS(g.set_state(std::vector<uint8_t>()), ValueError);
  CHECK_THROWS_AS(g.set_state(std::vector<uint8_t>(good.size(), 0xff)), ValueError);
  CHECK_THROWS_AS(g.set_state(std::vector<uint8_t>(good.size(), 0)), ValueError);
  CHECK(g.get_state() == good);
}

TEST_CASE("a state is a tensor too, and a clone goes on with the same numbers") {
  Generator g;
  g.manual_seed(5);
  rand({3}, g);
  const Tensor state = g.get_state();
  CHECK(state.dtype() == kUInt8);
  CHECK(state.numel() == 5056);
  Generator twin = g.clone(), other;
  CHECK_FALSE(twin == g);
  other.set_state(state);
  const Tensor x = randn({20}, g);
  CHECK(same(x, randn({20}, twin)));
  CHECK(same(x, randn({20}, other)));
  CHECK_THROWS_AS(other.set_state(state.to(kInt32)), DTypeError);
  const uint64_t seed = g.seed();
  CHECK(g.initial_seed() == seed);
}

TEST_CASE("draws with parameters per element have gradients of zeros, in-place draws cut the history") {
  const Tensor mean = zeros({2, 1}, requires_grad()), std = ones({3}, requires_grad());
  normal(mean, std).sum().backward();
  CHECK_SAME(mean.grad(), zeros({2, 1}));
  CHECK_SAME(std.grad(), zeros({3}));
  CHECK_SAME(autograd::grad({poisson(std)}, {std}, {ones({3})})[0], zeros({3}));
  Tensor y = std * 2;
  y.exponential_();
  CHECK_SAME(autograd::grad({y}, {std}, {ones({3})})[0], zeros({3}));
  CHECK_THROWS_AS(Tensor(std).cauchy_(), AutogradError);
}

TEST_CASE("arguments out of their domain throw before anything is drawn or written") {
  manual_seed(1);
  const auto state = default_generator().get_state();
  const Tensor x = raw::rand({20}, kFloat32), h = raw::rand({20}, kFloat16),
               i = raw::randint(0, 9, {20}, kInt8);
  default_generator().set_state(state);
  const uint64_t before = hash_of(x);
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = HUGE_VAL;
  CHECK_THROWS_AS(raw::uniform_(x, 1, 0), ValueError);
  CHECK_THROWS_AS(raw::uniform_(x, nan, 0), ValueError);
  CHECK_THROWS_AS(raw::uniform_(x, 0, inf), ValueError);
  CHECK_THROWS_AS(raw::uniform_(x, 0, 1e39), ValueError);
  CHECK_THROWS_AS(raw::uniform_(h, 0, 1e5), ValueError);
  CHECK_THROWS_AS(raw::uniform_(i), DTypeError);
  CHECK_THROWS_AS(raw::normal_(x, 0, -1), ValueError);
  CHECK_THROWS_AS(raw::normal_(x, 0, nan), ValueError);
  CHECK_THROWS_AS(raw::normal_(i), DTypeError);
  CHECK_THROWS_AS(raw::bernoulli_(x, 1.5), ValueError);
  CHECK_THROWS_AS(raw::bernoulli_(x, nan), ValueError);
  CHECK_THROWS_AS(raw::bernoulli_(x, i), DTypeError);
  CHECK_THROWS_AS(raw::bernoulli_(x, raw::rand({3}, kFloat32, kCPU, Generator())), ShapeError);
  const Tensor p = raw::rand({20}, kFloat32, kCPU, Generator());
  p.data_ptr<float>()[19] = 2;
  CHECK_THROWS_AS(raw::bernoulli_(x, p), ValueError);
  CHECK_THROWS_AS(raw::dropout_mask_(x, 1.0), ValueError);
  CHECK_THROWS_AS(raw::dropout_mask_(i, 0.5), DTypeError);
  CHECK_THROWS_AS(raw::exponential_(x, -1), ValueError);
  CHECK_THROWS_AS(raw::exponential_(i), DTypeError);
  CHECK_THROWS_AS(raw::geometric_(x, 0), ValueError);
  CHECK_THROWS_AS(raw::geometric_(x, 1), ValueError);
  CHECK_THROWS_AS(raw::geometric_(Tensor::empty({3}, kBool), 0.5), DTypeError);
  CHECK_THROWS_AS(raw::cauchy_(i), DTypeError);
  CHECK_THROWS_AS(raw::log_normal_(x, 0, 0), ValueError);
  CHECK_THROWS_AS(poisson(-x.abs() - 1), ValueError);
  CHECK_THROWS_AS(poisson(x / 0), ValueError);
  CHECK_THROWS_AS(poisson(i), DTypeError);
  CHECK_THROWS_AS(normal(x, -x.abs() - 1), ValueError);
  CHECK_THROWS_AS(normal(x, zeros({3})), ShapeError);
  for (bool again : {false, true}) {
    const auto draw = [&](const TensorValues& weights, int64_t n) {
      return multinomial(tensor(weights, kFloat32), n, again);
    };
    CHECK_THROWS_AS(draw({1.0, -1.0}, 2), ValueError);
    CHECK_THROWS_AS(draw({1.0, nan}, 2), ValueError);
    CHECK_THROWS_AS(draw({1.0, inf}, 2), ValueError);
    CHECK_THROWS_AS(draw({0.0, 0.0}, 2), ValueError);
    CHECK_THROWS_AS(draw({1.0, 1.0}, 0), ValueError);
    CHECK_THROWS_AS(multinomial(ones({2, 2, 2}), 1, again), ShapeError);
    CHECK_THROWS_AS(multinomial(ones({2, 0}), 1, again), ShapeError);
    CHECK_THROWS_AS(multinomial(ones({2}, kInt64), 1, again), DTypeError);
  }
  CHECK_THROWS_AS(multinomial(ones({2}), 3), ValueError);
  CHECK_THROWS_AS(multinomial(tensor({1.0, 0.0, 1.0}), 3), ValueError);
  CHECK_THROWS_AS(raw::random_(x, 5, 5), ValueError);
  CHECK_THROWS_AS(raw::random_(i, 0, 129), ValueError);
  CHECK_THROWS_AS(raw::random_(i, -129, 5), ValueError);
  CHECK_THROWS_AS(raw::random_(h, 0, 70000), ValueError);
  CHECK_THROWS_AS(raw::random_(Tensor::empty({3}, kBool), 0, 3), ValueError);
  CHECK_THROWS_AS(raw::uniform_(Tensor::empty({1}, kFloat32).alias(Layout::of({1}).expand({3}))), ShapeError);
  CHECK_THROWS_AS(raw::randperm(-1), ValueError);
  CHECK_THROWS_AS(raw::randperm(300, kUInt8), ValueError);
  CHECK_THROWS_AS(raw::randint(3, 3, {2}), ValueError);
  CHECK_THROWS_AS(raw::rand({2}, kInt64), DTypeError);
  CHECK(hash_of(x) == before);
  CHECK(default_generator().get_state() == state);
}

TEST_CASE("integers cover their range") {
  manual_seed(0);
  const Tensor x = raw::randint(-3, 4, {2000}, kInt16);
  std::vector<int> seen(7);
  for (int i = 0; i < 2000; ++i) ++seen.at(static_cast<size_t>(number(x, i) + 3));
  for (int count : seen) CHECK(count > 200);
  const Tensor all = Tensor::empty({1000}, kInt64);
  raw::random_(all, INT64_MIN, std::nullopt);
  int negative = 0;
  for (int i = 0; i < 1000; ++i) negative += all.data_ptr<int64_t>()[i] < 0;
  CHECK(negative > 400);
  CHECK(negative < 600);
  const Tensor order = raw::randperm(1000);
  int64_t sum = 0;
  std::vector<bool> found(1000);
  for (int i = 0; i < 1000; ++i) found[static_cast<size_t>(order.data_ptr<int64_t>()[i])] = true, sum += i;
  CHECK(std::count(found.begin(), found.end(), true) == 1000);
}

TEST_CASE("filling counts as a change of the tensor") {
  const Tensor x = Tensor::empty({4}, kFloat32);
  const uint32_t version = x._version();
  raw::uniform_(x);
  CHECK(x._version() == version + 1);
}

TEST_CASE("threads may share a generator: no draw is given twice") {
  Generator g;
  std::vector<Tensor> parts(8);
  std::vector<std::thread> threads;
  for (Tensor& part : parts)
    threads.emplace_back([&part, &g] { part = raw::rand({5000}, kFloat64, kCPU, g); });
  for (auto& t : threads) t.join();
  std::vector<double> all;
  for (const Tensor& part : parts)
    all.insert(all.end(), part.data_ptr<double>(), part.data_ptr<double>() + 5000);
  Generator serial;
  const Tensor expected = raw::rand({40000}, kFloat64, kCPU, serial);
  std::vector<double> sorted(expected.data_ptr<double>(), expected.data_ptr<double>() + 40000);
  std::sort(all.begin(), all.end());
  std::sort(sorted.begin(), sorted.end());
  CHECK(all == sorted);
}
