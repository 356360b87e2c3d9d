// Pooling: values, indices and derivatives are PyTorch's, in every dtype; bad sizes get their error.
#include <sstream>

#include "support/pool_oracle.h"

using namespace tapir;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;
using pool_oracle::check_derivatives;
using pool_oracle::input;

namespace {

const bool loaded = nn_oracle::load("pool.txt");

/// The ops of n spatial dimensions, by one name.
struct Pools {
  int n;
#define POOL(name, ...)                     \
  if (n == 1) return name##1d(__VA_ARGS__); \
  if (n == 2) return name##2d(__VA_ARGS__); \
  return name##3d(__VA_ARGS__)
#define POOL_INDICES(name, ...)                          \
  if (n == 1) return name##1d_with_indices(__VA_ARGS__); \
  if (n == 2) return name##2d_with_indices(__VA_ARGS__); \
  return name##3d_with_indices(__VA_ARGS__)
  Tensor max(const Tensor& x, int64_t k) const { POOL(max_pool, x, k); }
  std::tuple<Tensor, Tensor> max_all(const Tensor& x) const {
    POOL_INDICES(max_pool, x, 3, 2, 1, n < 3 ? 2 : 1, true);
  }
  Tensor avg(const Tensor& x, int64_t k) const { POOL(avg_pool, x, k); }
  Tensor avg_all(const Tensor& x, bool padding) const { POOL(avg_pool, x, 3, 2, 1, true, padding); }
  Tensor adaptive_avg(const Tensor& x, int64_t size) const { POOL(adaptive_avg_pool, x, size); }
  std::tuple<Tensor, Tensor> adaptive_max(const Tensor& x, int64_t size) const {
    POOL(adaptive_max_pool, x, size);
  }
};

}  // namespace

TEST_CASE("pooling is PyTorch's in one, two and three dimensions") {
  REQUIRE(loaded);
  for (const int n : {1, 2, 3}) {
    const Pools p{n};
    const Tensor x = input(n);
    const std::string s = std::to_string(n);
    const std::pair<const char*, std::function<Tensor(const Tensor&)>> cases[] = {
        {"max.plain", [&](const Tensor& t) { return p.max(t, 2); }},
        {"max.all", [&](const Tensor& t) { return std::get<0>(p.max_all(t)); }},
        {"avg.plain", [&](const Tensor& t) { return p.avg(t, 2); }},
        {"avg.all", [&](const Tensor& t) { return p.avg_all(t, true); }},
        {"avg.inside", [&](const Tensor& t) { return p.avg_all(t, false); }},
        {"adaptive_avg", [&](const Tensor& t) { return p.adaptive_avg(t, 3); }},
        {"adaptive_avg_more", [&](const Tensor& t) { return p.adaptive_avg(t, 7); }},
        {"adaptive_max", [&](const Tensor& t) { return std::get<0>(p.adaptive_max(t, 3)); }}};
    for (const auto& [name, f] : cases) {
      check_case(name + s, {x}, [&](Inputs& in) { return f(in[0]); });
      check_derivatives(x, f);
      for (const auto& [dtype, tolerance] : {std::pair{kFloat32, 1e-6}, {kFloat16, 2e-3}, {kBFloat16, 2e-2}})
        check(name + s, f(x.to(dtype)).to(kFloat64), tolerance);
      // One sample without a batch, and strides.
      CHECK(f(x[0]).equal(f(x.slice(0, 0, 1))[0]));
      CHECK(f(x.transpose(-1, 1).contiguous().transpose(-1, 1)).equal(f(x)));
      CHECK(f(x.slice(0, 0, 0)).size(0) == 0);
    }
    check("max.all" + s + ".indices", std::get<1>(p.max_all(x)).to(kFloat64), 0);
    check("adaptive_max" + s + ".indices", std::get<1>(p.adaptive_max(x, 3)).to(kFloat64), 0);
  }
  const Tensor x = input(2);
  check_case("max.uneven2", {x}, [](Inputs& t) { return max_pool2d(t[0], {2, 3}, {1, 2}, {1, 0}); });
  check_case("avg.divided2", {x}, [](Inputs& t) { return avg_pool2d(t[0], 3, 2, 1, false, true, 5); });
  check_case("avg.divided3", {input(3)}, [](Inputs& t) { return avg_pool3d(t[0], 2, 1, 0, false, true, 3); });
}

TEST_CASE("max unpooling puts the values back; fractional pooling's windows are PyTorch's") {
  const auto [values, indices] = max_pool2d_with_indices(input(2), 2);
  check_case("unpool2", {values}, [&, i = indices](Inputs& t) { return max_unpool2d(t[0], i, {7, 6}); });
  const Tensor u2 = wave({1, 2, 2}, 4) + 0.5, u3 = wave({1, 1, 3}, 4) + 0.5;
  check_case("fractional2", {input(2)}, [&](Inputs& t) {
    return std::get<0>(fractional_max_pool2d(t[0], {2, 3}, {4, 3}, u2));
  });
  check_case("fractional3", {input(3)}, [&](Inputs& t) {
    return std::get<0>(fractional_max_pool3d(t[0], 2, {3, 4, 2}, u3));
  });
  CHECK_THROWS_AS(max_unpool2d(values, indices + 100, {7, 6}), IndexError);
}

TEST_CASE("max pooling lets NaN win, takes the first of equal elements, and pools integers") {
  const double nan = std::nan("");
  const auto [y, i] = max_pool2d_with_indices(f64({{{1, nan, 3}, {4, 5, 6}}}), {2, 2}, 1);
  CHECK(y.isnan().all().item<bool>() == true);
  CHECK(i.equal(tensor({{{1, 1}}}, kInt64)));
  CHECK(
      std::get<1>(max_pool2d_with_indices(ones({1, 3, 3}), 2, 1)).equal(tensor({{{0, 1}, {3, 4}}}, kInt64)));
  CHECK(max_pool1d(tensor({{3, -1, 7, 2}}, kInt32), 2).equal(tensor({{3, 7}}, kInt32)));
  CHECK(max_pool1d(full({1, 4}, -INFINITY), 3, 2, 1).equal(full({1, 2}, -INFINITY)));
}

TEST_CASE("bad poolings say what does not fit") {
  const Tensor x = zeros({2, 3, 5, 5});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([&] { max_pool2d(x, 7); }), "max_pool2d: no window of kernel_size [7]"));
  CHECK(contains(message([&] { max_pool2d(x, 2, 0); }), "stride is [0], expected at least 1"));
  CHECK(contains(message([&] { max_pool2d(x, 2, 2, 2); }), "padding [2], expected at most half"));
  CHECK(contains(message([&] { avg_pool2d(x, {2, 2, 2}); }), "one for each of 2 spatial dimensions"));
  CHECK(contains(message([&] { avg_pool2d(x, 2, 2, 0, false, true, 0); }), "divisor_override is 0"));
  CHECK(contains(message([&] { avg_pool2d(x.to(kInt64), 2); }), "expected a floating-point dtype"));
  CHECK(contains(message([&] { max_pool1d(x, 2); }),
                 "max_pool1d: input has sizes [2, 3, 5, 5], expected 3 dimensions"));
  CHECK(contains(message([&] { max_pool2d(zeros({2, 3, 0, 5}), 2); }), "expected an empty batch at most"));
  CHECK(contains(message([&] { max_unpool2d(x, x, {9, 9}); }), "indices are float32, expected int64"));
  CHECK(contains(message([&] {
                   max_pool1d(zeros({1, 1, 1}), 3, 3, 1, 2, true);
                 }),
                 "dilation [2] with padding [1] meets nothing of input of sizes [1, 1, 1]"));
  CHECK(contains(message([&] {
                   fractional_max_pool2d(x, 2, 5, rand({2, 3, 2}));
                 }),
                 "does not fit into input"));
}

TEST_CASE("rows longer than a vector are pooled in float32 as in float64") {
  manual_seed(2);
  Tensor x = rand({2, 3, 9, 37});
  x.index_put_({0, 1, 4, 20}, NAN);
  x.index_put_({1, 2, 8, 36}, INFINITY);
  x.index_put_({1, 0, 0, 0}, -INFINITY);
  const Tensor wide = x.to(kFloat64);
  const Tensor samples = rand({2, 3, 2});
  const auto pooled = [&](const Tensor& t) {
    return std::vector{max_pool2d_with_indices(t, 2),
                       max_pool2d_with_indices(t, {3, 5}, {2, 3}, {1, 2}, {2, 1}, true),
                       max_pool2d_with_indices(t, 3, 1, 1, 2), adaptive_max_pool2d(t, {4, 23}),
                       fractional_max_pool2d(t, 2, {5, 29}, samples)};
  };
  const auto narrow = pooled(x), exact = pooled(wide);
  for (size_t i = 0; i < exact.size(); ++i) {
    INFO("case " << i);
    CHECK(std::get<1>(narrow[i]).equal(std::get<1>(exact[i])));
    CHECK(allclose(std::get<0>(narrow[i]).to(kFloat64), std::get<0>(exact[i]), 0, 0, true));
  }
  const auto means = [](const Tensor& t) {
    return std::vector{avg_pool2d(t, 2),
                       avg_pool2d(t, {3, 5}, {2, 3}, {1, 2}, true, false),
                       adaptive_avg_pool2d(t, {4, 23}),
                       adaptive_avg_pool2d(t, 1),
                       interpolate(t, std::vector<int64_t>{5, 71}),
                       interpolate(t, std::vector<int64_t>{20, 19}, std::nullopt, "bilinear", false),
                       interpolate(t, std::vector<int64_t>{20, 50}, std::nullopt, "bicubic", true)};
  };
  const auto close = means(x), precise = means(wide);
  for (size_t i = 0; i < precise.size(); ++i) {
    INFO("case " << i);
    CHECK(allclose(close[i].to(kFloat64), precise[i], 1e-4, 1e-5, true));
  }
}

TEST_CASE("layers and functions with options pool as the ops do, and print as libtorch's") {
  namespace F = tapir::nn::functional;
  const Tensor x = input(2), line = input(1);
  check_case("lp1", {line + 1},
             [](Inputs& t) { return F::lp_pool1d(t[0], F::LPPool1dFuncOptions(3, 3).stride(2)); });
  check_case("lp2", {x + 1}, [](Inputs& t) {
    return nn::LPPool2d(nn::LPPool2dOptions(2, {2, 3}).ceil_mode(true))(t[0]);
  });
  CHECK(nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1))(x).equal(max_pool2d(x, 3, 2, 1)));
  CHECK(F::avg_pool2d(x, F::AvgPool2dFuncOptions(2).count_include_pad(false)).equal(avg_pool2d(x, 2)));
  CHECK(nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({3, std::nullopt}))(x).sizes() ==
        IntArrayRef({1, 2, 3, 6}));
  CHECK(nn::AdaptiveAvgPool2d(1)(x).allclose(x.mean({2, 3}, true)));
  nn::MaxPool2d pool(2);
  const auto [values, indices] = pool->forward_with_indices(x);
  nn::MaxUnpool2d unpool(2);
  CHECK(unpool->forward(values, indices, std::vector<int64_t>{7, 6})
            .equal(max_unpool2d(values, indices, {7, 6})));
  CHECK(unpool(values, indices).sizes() == IntArrayRef({1, 2, 6, 6}));
  CHECK_THROWS_AS(unpool->forward(values, indices, std::vector<int64_t>{9, 6}), ValueError);
  manual_seed(1);
  nn::FractionalMaxPool2d fractional(
      nn::FractionalMaxPool2dOptions(2).output_ratio(nn::FractionalMaxPool2dOptions::Ratio(0.5)));
  CHECK(fractional(x).sizes() == IntArrayRef({1, 2, 3, 3}));
  CHECK_THROWS_AS(nn::FractionalMaxPool2d(2)(x), ValueError);

  nn::Sequential net(nn::MaxPool2d(2), nn::AdaptiveAvgPool2d(1),
                     nn::Upsample(nn::UpsampleOptions().size(std::vector<int64_t>{4})));
  CHECK(net->forward(x).sizes() == IntArrayRef({1, 2, 4, 4}));
  std::ostringstream text;
  text << nn::MaxPool2d(3) << ' ' << nn::AvgPool1d(nn::AvgPool1dOptions(3).stride(2)) << ' '
       << nn::AdaptiveMaxPool2d(nn::AdaptiveMaxPool2dOptions({3, std::nullopt}));
  CHECK(text.str() ==
        "tapir::nn::MaxPool2d(kernel_size=[3, 3], stride=[3, 3], padding=[0, 0], dilation=[1, 1], "
        "ceil_mode=false) "
        "tapir::nn::AvgPool1d(kernel_size=[3], stride=[2], padding=[0]) "
        "tapir::nn::AdaptiveMaxPool2d(output_size=[3, None])");
}
