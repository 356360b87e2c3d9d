// Convolution and its transpose: values, gradients and second derivatives are PyTorch's, in every dtype,
// whatever way the kernel goes; bad sizes and options get their error.
#include "support/module_oracle.h"

using namespace tapir;
namespace F = tapir::nn::functional;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::fill;
using nn_oracle::Inputs;
using nn_oracle::wave;

namespace {

const bool loaded = nn_oracle::load("conv.txt");

struct Case {
  const char* name;
  Dims x, w;
  Dims stride{1}, padding{0}, dilation{1};
  int64_t groups = 1;
  Dims output_padding{0};

  Inputs inputs(bool transposed) const {
    return {wave(x, 1), wave(w, 2), wave({transposed ? w[1] * groups : w[0]}, 3)};
  }
  Tensor convolve(Inputs& in) const {
    if (w.size() == 3) return conv1d(in[0], in[1], in[2], stride, padding, dilation, groups);
    if (w.size() == 4) return conv2d(in[0], in[1], in[2], stride, padding, dilation, groups);
    return conv3d(in[0], in[1], in[2], stride, padding, dilation, groups);
  }
  Tensor transpose(Inputs& in) const {
    const auto &x0 = in[0], &w0 = in[1], &b = in[2];
    if (w.size() == 3) return conv_transpose1d(x0, w0, b, stride, padding, output_padding, groups, dilation);
    if (w.size() == 4) return conv_transpose2d(x0, w0, b, stride, padding, output_padding, groups, dilation);
    return conv_transpose3d(x0, w0, b, stride, padding, output_padding, groups, dilation);
  }
};

const std::vector<Case>& convolutions() {
  static const std::vector<Case> cases{
      {"conv.plain1", {2, 3, 9}, {4, 3, 3}},
      {"conv.all1", {2, 4, 11}, {6, 2, 3}, {2}, {2}, {2}, 2},
      {"conv.plain2", {2, 3, 7, 6}, {4, 3, 3, 3}},
      {"conv.pointwise2", {2, 3, 5, 4}, {4, 3, 1, 1}},
      {"conv.strided_pointwise2", {2, 3, 5, 4}, {4, 3, 1, 1}, {2}},
      {"conv.all2", {3, 4, 9, 8}, {6, 2, 3, 2}, {2, 1}, {1, 2}, {1, 2}, 2},
      {"conv.depthwise2", {2, 4, 6, 7}, {8, 1, 3, 3}, {1}, {1}, {1}, 4},
      {"conv.wide_padding2", {1, 2, 3, 3}, {2, 2, 2, 2}, {3}, {3}},
      {"conv.plain3", {2, 2, 4, 5, 4}, {3, 2, 2, 3, 2}},
      {"conv.all3", {1, 4, 5, 6, 5}, {4, 2, 2, 3, 2}, {1, 2, 1}, {1, 0, 1}, {2, 1, 1}, 2},
  };
  return cases;
}
const std::vector<Case>& transposes() {
  static const std::vector<Case> cases{
      {"transposed.plain1", {2, 3, 5}, {3, 4, 3}},
      {"transposed.all1", {2, 4, 5}, {4, 3, 3}, {3}, {1}, {2}, 2, {2}},
      {"transposed.plain2", {2, 3, 4, 3}, {3, 2, 3, 3}},
      {"transposed.all2", {2, 4, 4, 3}, {4, 3, 3, 2}, {2, 3}, {1, 0}, {1, 2}, 2, {1, 2}},
      {"transposed.dilated_more2", {1, 2, 3, 3}, {2, 2, 2, 2}, {1}, {0}, {2}, 1, {1}},
      {"transposed.plain3", {1, 2, 3, 2, 3}, {2, 2, 2, 3, 2}, {2}, {1}, {1}, 1, {1}},
  };
  return cases;
}

/// Within `tolerance` of PyTorch's numbers in float64, which are sums of numbers about 1 that may cancel.
void check_near(const std::string& name, const Tensor& got, double tolerance) {
  const std::vector<double>&want = nn_oracle::expected(name), values = values::of(got);
  INFO(name);
  REQUIRE(values.size() == want.size());
  double largest = 1, worst = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    worst = std::max(worst, std::abs(values[i] - want[i]));
  }
  CHECK(worst <= tolerance * largest);
}

template <class Run>
void check_dtype(const Case& c, DType dtype, bool transposed, Run run, double tolerance) {
  Inputs in = c.inputs(transposed);
  for (Tensor& t : in) t = t.to(dtype).set_requires_grad(true);
  const Tensor y = run(in);
  CHECK(y.dtype() == dtype);
  check_near(c.name, y, tolerance);
  const Inputs grads = autograd::grad({y}, in, {wave(y.sizes(), 9).to(dtype)});
  for (size_t i = 0; i < grads.size(); ++i)
    check_near(std::string(c.name) + ".grad" + std::to_string(i), grads[i], tolerance);
}

void compare(const Tensor& got, const Tensor& want, double tolerance) {
  REQUIRE(got.sizes() == want.sizes());
  const double largest = want.abs().max().item<double>();
  CHECK((got.to(kFloat64) - want).abs().max().item<double>() <= tolerance * largest);
}

}  // namespace

TEST_CASE("convolutions are PyTorch's") {
  REQUIRE(loaded);
  for (const Case& c : convolutions()) {
    const auto run = [&](Inputs& x) { return c.convolve(x); };
    check_case(c.name, c.inputs(false), run);
    check_dtype(c, kFloat32, false, run, 2e-6);
    check_dtype(c, kBFloat16, false, run, 3e-2);
    check_dtype(c, kFloat16, false, run, 4e-3);
  }
}

TEST_CASE("transposed convolutions are PyTorch's") {
  for (const Case& c : transposes()) {
    const auto run = [&](Inputs& x) { return c.transpose(x); };
    check_case(c.name, c.inputs(true), run);
    check_dtype(c, kFloat32, true, run, 2e-6);
    check_dtype(c, kBFloat16, true, run, 3e-2);
    check_dtype(c, kFloat16, true, run, 4e-3);
  }
}

TEST_CASE("padding by name is PyTorch's") {
  for (const char* padding : {"same", "valid"}) {
    check_case(std::string("named1.") + padding, {wave({2, 2, 7}, 1), wave({3, 2, 4}, 2)},
               [&](Inputs& x) { return conv1d(x[0], x[1], {}, 1, padding); });
    check_case(std::string("named2.") + padding, {wave({2, 2, 5, 6}, 1), wave({3, 2, 4, 3}, 2)},
               [&](Inputs& x) {
                 return conv2d(x[0], x[1], {}, 1, padding, {1, 2});
               });
  }
}

TEST_CASE("first and second derivatives of convolutions agree with finite differences") {
  for (const bool transposed : {false, true})
    for (const Case& c : transposed ? transposes() : convolutions()) {
      Inputs in = c.inputs(transposed);
      for (Tensor& t : in) t.set_requires_grad(true);
      const auto f = [&](const Inputs& x) {
        Inputs copy = x;
        return Inputs{transposed ? c.transpose(copy) : c.convolve(copy)};
      };
      INFO(c.name);
      CHECK(autograd::gradcheck(f, in));
      CHECK(autograd::gradgradcheck(f, in));
    }
}

TEST_CASE("a convolution in float32 is that in float64, however it is cut") {
  struct Sizes {
    Dims x, w;
    int64_t stride, padding, dilation, groups;
  };
  for (const Sizes& s : {Sizes{{16, 8, 12, 12}, {16, 8, 3, 3}, 1, 1, 1, 1},   // many samples
                         Sizes{{1, 64, 10, 9}, {128, 64, 3, 3}, 1, 1, 1, 1},  // channels in slices
                         Sizes{{2, 64, 9, 9}, {96, 64, 5, 3}, 2, 2, 1, 1},  // slices that are no power of two
                         Sizes{{3, 256, 4, 5}, {512, 256, 3, 3}, 1, 1, 1, 1},     // a large kernel
                         Sizes{{1, 128, 8, 8}, {128, 1, 3, 3}, 1, 1, 1, 128},     // one channel in a group
                         Sizes{{5, 64, 7, 7}, {64, 2, 3, 3}, 1, 1, 1, 32},        // two channels in a group
                         Sizes{{7, 3, 17, 13}, {10, 3, 3, 5}, 3, 4, 2, 1},        // odd sizes
                         Sizes{{4, 40, 300}, {72, 40, 5}, 2, 2, 1, 1},            // one spatial dimension
                         Sizes{{2, 16, 5, 6, 7}, {48, 16, 3, 3, 3}, 1, 1, 1, 1},  // three
                         Sizes{{33, 100, 6, 6}, {50, 100, 1, 1}, 1, 0, 1, 1}}) {  // a pointwise kernel
    CAPTURE(s.x.size(), s.groups);
    manual_seed(1);
    const auto spatial = s.w.size() - 2;
    const Dims stride = Dims::filled(spatial, s.stride), padding = Dims::filled(spatial, s.padding),
               dilation = Dims::filled(spatial, s.dilation);
    for (const bool transposed : {false, true}) {
      Dims x_sizes = s.x;
      if (transposed) x_sizes[1] = s.w[0];
      const Tensor x = randn(x_sizes, kFloat64), w = randn(s.w, kFloat64),
                   b = randn({transposed ? s.w[1] * s.groups : s.w[0]}, kFloat64);
      const auto run = [&](DType dtype) {
        Inputs in{x.to(dtype, false, true).set_requires_grad(true),
                  w.to(dtype, false, true).set_requires_grad(true),
                  b.to(dtype, false, true).set_requires_grad(true)};
        const Tensor y = convolution(in[0], in[1], in[2], stride, padding, dilation, transposed,
                                     Dims::filled(spatial, 0), s.groups);
        manual_seed(2);
        Inputs r = autograd::grad({y}, in, {randn(y.sizes(), kFloat64).to(dtype)});
        r.push_back(y);
        return r;
      };
      const Inputs want = run(kFloat64), got = run(kFloat32);
      for (size_t i = 0; i < want.size(); ++i) compare(got[i], want[i], 1e-5);
    }
  }
}

TEST_CASE("a convolution takes strided input, one sample without a batch, and an empty batch") {
  const Tensor x = wave({5, 2, 6, 3}, 1), w = wave({3, 2, 2, 2}, 2);
  const Tensor turned = x.permute({3, 1, 2, 0});  // (3, 2, 6, 5)
  CHECK(conv2d(turned, w.transpose(2, 3)).equal(conv2d(turned.contiguous(), w.transpose(2, 3).contiguous())));
  CHECK(conv2d(x[0], w).equal(conv2d(x.slice(0, 0, 1), w)[0]));
  CHECK(conv_transpose2d(x[0], w.transpose(0, 1)).dim() == 3);

  Tensor none = zeros({0, 2, 6, 3}, kFloat64), weight = w.clone(), bias = wave({3}, 3);
  for (Tensor* t : {&none, &weight, &bias}) t->set_requires_grad(true);
  const Tensor y = conv2d(none, weight, bias);
  CHECK(y.sizes() == IntArrayRef({0, 3, 5, 2}));
  y.sum().backward();
  CHECK(none.grad().sizes() == none.sizes());
  CHECK(weight.grad().equal(zeros_like(weight)));
  CHECK(bias.grad().equal(zeros_like(bias)));
}

TEST_CASE("a convolution's result does not change from run to run or with the number of threads") {
  manual_seed(3);
  const Tensor x = randn({6, 64, 14, 14}), w = randn({64, 64, 3, 3});
  const auto run = [&] {
    Tensor a = x.clone().set_requires_grad(true), b = w.clone().set_requires_grad(true);
    const Tensor y = conv2d(a, b, {}, 1, 1);
    (y * y).sum().backward();
    return Inputs{y, a.grad(), b.grad()};
  };
  const int before = get_num_threads();
  const Inputs first = run();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const Inputs again = run();
    for (size_t i = 0; i < first.size(); ++i) CHECK(again[i].equal(first[i]));
  }
  set_num_threads(before);
}

TEST_CASE("layers pad as they are told, and start and print as PyTorch's do") {
  for (const auto& [name, mode] : {std::pair{"zeros", nn::ConvPaddingMode(kZeros)},
                                   {"reflect", kReflect},
                                   {"replicate", kReplicate},
                                   {"circular", kCircular}})
    for (const bool same : {false, true}) {
      auto options = nn::Conv2dOptions(2, 3, {3, 4}).padding_mode(mode);
      if (same)
        options.padding(kSame);
      else
        options.padding({2, 1});
      nn::Conv2d layer(options);
      fill(*layer);
      check_case(
          std::string("layer.") + name + (same ? ".same" : ".numbers"), {wave({2, 2, 6, 5}, 1)},
          [&](Inputs& x) { return layer(x[0]); }, nullptr);
    }
  const auto start = [](const char* name, auto make) {
    manual_seed(7);
    auto layer = make();
    check(std::string("start.") + name, cat({layer->weight.flatten(), layer->bias}), 0);
  };
  start("Conv1d", [] { return nn::Conv1d(3, 4, 3); });
  start("Conv2d", [] { return nn::Conv2d(nn::Conv2dOptions(4, 6, {3, 2}).groups(2)); });
  start("Conv3d", [] { return nn::Conv3d(2, 3, 2); });
  start("ConvTranspose2d", [] { return nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, 3).groups(2)); });

  std::ostringstream text;
  text << nn::Conv2d(nn::Conv2dOptions(4, 6, 3).stride(2).padding(1).groups(2).bias(false)) << '\n'
       << nn::Conv1d(nn::Conv1dOptions(1, 2, 3).padding_mode(kCircular).padding(kSame)) << '\n'
       << nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 6, {3, 5}).stride({2, 1}).output_padding({1, 0}));
  CHECK(text.str() ==
        "tapir::nn::Conv2d(4, 6, kernel_size=[3, 3], stride=[2, 2], padding=[1, 1], groups=2, bias=false)\n"
        "tapir::nn::Conv1d(1, 2, kernel_size=[3], stride=[1], padding='same', padding_mode=kCircular)\n"
        "tapir::nn::ConvTranspose2d(4, 6, kernel_size=[3, 5], stride=[2, 1], output_padding=[1, 0])");
}

TEST_CASE("a transposed layer gives the size it is asked for") {
  nn::ConvTranspose2d layer(nn::ConvTranspose2dOptions(2, 3, 3).stride(2).padding(1));
  const Tensor x = rand({1, 2, 4, 5});
  CHECK(layer(x).sizes() == IntArrayRef({1, 3, 7, 9}));
  CHECK(layer->forward(x, IntArrayRef({8, 9})).sizes() == IntArrayRef({1, 3, 8, 9}));
  CHECK(layer->forward(x, IntArrayRef({1, 3, 7, 10})).sizes() == IntArrayRef({1, 3, 7, 10}));
  CHECK_THROWS_AS(layer->forward(x, IntArrayRef({9, 9})), ValueError);
  CHECK_THROWS_AS(layer->forward(x, IntArrayRef({8, 9, 9})), ValueError);
}

TEST_CASE("functions with options are the layers'") {
  const Tensor x = wave({2, 4, 6, 5}, 1), w = wave({6, 2, 3, 3}, 2), b = wave({6}, 3);
  CHECK(F::conv2d(x, w, F::Conv2dFuncOptions().bias(b).stride(2).padding({1, 0}).groups(2))
            .equal(conv2d(x, w, b, 2, {1, 0}, 1, 2)));
  CHECK(F::conv2d(x, w, F::Conv2dFuncOptions().padding(kSame).groups(2)).sizes() ==
        IntArrayRef({2, 6, 6, 5}));
  CHECK(F::conv_transpose2d(x, wave({4, 3, 3, 3}, 2),
                            F::ConvTranspose2dFuncOptions().stride(2).output_padding(1))
            .sizes() == IntArrayRef({2, 3, 14, 12}));
}

TEST_CASE("bad convolutions say what does not fit") {
  const Tensor x = zeros({2, 3, 5, 5}), w = zeros({4, 3, 3, 3});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(
      message([&] {
        conv2d(x, zeros({4, 2, 3, 3}));
      }),
      "conv2d: input of sizes [2, 3, 5, 5] has 3 channels, expected 2 for weight of sizes [4, 2, 3, 3] "
      "and groups 1"));
  CHECK(contains(message([&] {
                   conv2d(x, zeros({4, 3, 7, 3}));
                 }),
                 "conv2d: kernel size can't be greater than the padded input: 7"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 0); }), "conv2d: stride is [0], expected at least 1"));
  CHECK(contains(message([&] { conv2d(x, w, {}, {1, 2, 3}); }), "one for each of 2 spatial dimensions"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 1, -1); }), "padding is [-1], expected at least 0"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 1, 0, 0); }), "dilation is [0]"));
  CHECK(contains(message([&] { conv2d(x, w, zeros({3})); }), "bias has sizes [3], expected (4)"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 1, 0, 1, 3); }), "3 groups do not divide"));
  CHECK(contains(message([&] { conv2d(x.to(kFloat64), w); }), "float64 and float32"));
  CHECK(contains(message([&] { conv2d(x.to(kInt64), w.to(kInt64)); }), "expected a floating-point dtype"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 2, "same"); }), "padding \"same\" with stride [2]"));
  CHECK(contains(message([&] { conv2d(x, w, {}, 1, "some"); }), "padding is \"some\""));
  CHECK(contains(message([&] { conv1d(x, w); }),
                 "conv1d: weight has sizes [4, 3, 3, 3], expected 3 dimensions"));
  CHECK(contains(message([&] { conv2d(x[0][0], w); }), "expected 4 dimensions, or 3 for one sample"));
  CHECK(contains(message([&] {
                   conv_transpose2d(x, zeros({3, 4, 3, 3}), {}, 2, 0, 2);
                 }),
                 "output_padding [2, 2], expected less than stride [2, 2]"));
  CHECK(contains(message([&] { conv_transpose2d(x, zeros({3, 4, 3, 3}), {}, 1, 4); }), "give less padding"));
  CHECK(contains(message([&] { conv2d(Tensor(), w); }), "undefined"));
  CHECK(
      contains(message([&] { nn::Conv2d(nn::Conv2dOptions(3, 4, 3).groups(2)); }), "2 groups do not divide"));
  CHECK(contains(message([&] { nn::Conv2d(3, 4, 0); }), "kernel_size is [0, 0]"));
}
