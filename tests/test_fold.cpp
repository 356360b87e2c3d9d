// Unfold and fold: values and derivatives are PyTorch's, in every floating dtype; bad options get their
// error.
#include <sstream>

#include "support/pool_oracle.h"

using namespace tapir;
namespace F = nn::functional;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;
using pool_oracle::check_derivatives;

namespace {

const bool loaded = nn_oracle::load("vision.txt");

struct Case {
  const char* name;
  nn::UnfoldOptions options;
  nn::FoldOptions back() const {
    return nn::FoldOptions({5, 6}, options.kernel_size())
        .dilation(options.dilation())
        .padding(options.padding())
        .stride(options.stride());
  }
};
std::vector<Case> cases() {
  return {{"plain", {2}},
          {"all", nn::UnfoldOptions({2, 3}).dilation({2, 1}).padding({1, 2}).stride({1, 2})},
          {"stride", nn::UnfoldOptions(2).padding(1).stride(2)},
          {"wide", nn::UnfoldOptions(3).padding(3)}};
}

}  // namespace

TEST_CASE("unfold and fold are PyTorch's, and each is the other's derivative") {
  REQUIRE(loaded);
  const Tensor x = wave({2, 3, 5, 6}, 1);
  for (const Case& c : cases()) {
    const std::string name = c.name;
    nn::Unfold unfold(c.options);
    nn::Fold fold(c.back());
    const Tensor columns = wave(unfold(x).sizes(), 2);
    check_case("unfold." + name, {x}, [&](Inputs& in) { return unfold(in[0]); });
    check_case("fold." + name, {columns}, [&](Inputs& in) { return fold(in[0]); });
    check_derivatives(x, [&](const Tensor& t) { return F::unfold(t, c.options).pow(2); });
    check_derivatives(columns, [&](const Tensor& t) { return F::fold(t, c.back()).pow(2); });
    // One sample, another layout, an empty batch.
    CHECK(unfold(x[1]).equal(unfold(x)[1]));
    CHECK(fold(columns[1]).equal(fold(columns)[1]));
    CHECK(unfold(x.transpose(1, 3).contiguous().transpose(1, 3)).equal(unfold(x)));
    CHECK(fold(columns.transpose(1, 2).contiguous().transpose(1, 2)).equal(fold(columns)));
    CHECK(unfold(x.narrow(0, 0, 0)).sizes().slice(1) == columns.sizes().slice(1));
    CHECK(fold(columns.narrow(0, 0, 0)).sizes() == IntArrayRef({0, 3, 5, 6}));
    for (const DType d : {kFloat32, kFloat16, kBFloat16}) {
      CHECK(unfold(x.to(d)).equal(unfold(x).to(d)));
      const Tensor small = columns.to(d), sum = fold(small);
      CHECK(sum.dtype() == d);
      if (d != kFloat32) CHECK(sum.equal(fold(small.to(kFloat32)).to(d)));
    }
  }
}

TEST_CASE("a convolution is a product with the unfolded image") {
  const Tensor x = wave({2, 3, 9, 40}, 1).to(kFloat32), w = wave({4, 3, 3, 3}, 2).to(kFloat32);
  const Tensor y = w.view({4, -1}).matmul(im2col(x, 3, 1, 1, 1)).view({2, 4, 9, 40});
  CHECK(y.allclose(conv2d(x, w, {}, 1, 1), 1e-5, 1e-6));
}

TEST_CASE("unfold and fold show their options") {
  std::ostringstream s;
  s << nn::Unfold(nn::UnfoldOptions({2, 3}).padding(1)) << nn::Fold(nn::FoldOptions(4, 2).stride({2, 1}));
  CHECK(s.str() ==
        "tapir::nn::Unfold(kernel_size=[2, 3], dilation=[1, 1], padding=[1, 1], stride=[1, 1])"
        "tapir::nn::Fold(output_size=[4, 4], kernel_size=[2, 2], dilation=[1, 1], padding=[0, 0], "
        "stride=[2, 1])");
}

TEST_CASE("bad windows say what does not fit") {
  const Tensor x = zeros({1, 2, 4, 4}), c = zeros({1, 8, 9});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([&] { im2col(x, 0, 1, 0, 1); }), "im2col: kernel_size is"));
  CHECK(contains(message([&] { im2col(x, 2, 0, 0, 1); }), "dilation is"));
  CHECK(contains(message([&] { im2col(x, 2, 1, -1, 1); }), "padding is"));
  CHECK(contains(message([&] { im2col(x, 2, 1, 0, 0); }), "stride is"));
  CHECK(contains(message([&] { im2col(x, 2, INT64_MAX / 2, 0, 1); }), "less than 2^31"));
  CHECK(contains(message([&] { im2col(x, {1, 2, 3}, 1, 0, 1); }), "one for each of 2"));
  CHECK(contains(message([&] { im2col(x, 5, 1, 0, 1); }), "no window of kernel_size [5, 5]"));
  CHECK(contains(message([&] { im2col(zeros({4, 4}), 2, 1, 0, 1); }), "expected (N, C, H, W)"));
  CHECK(contains(message([&] { im2col(zeros({1, 2, 0, 4}), 2, 1, 1, 1); }), "an empty batch at most"));
  CHECK(contains(message([&] { im2col(zeros({1, 2, 4, 4}, kInt64), 2, 1, 0, 1); }), "int64"));
  CHECK(contains(message([&] { col2im(c, 4, 3, 1, 0, 1); }), "8 rows, expected a multiple of the 9"));
  CHECK(contains(message([&] { col2im(c, 5, 2, 1, 0, 1); }), "9 columns, expected 16, for 4 times 4"));
  CHECK(contains(message([&] { col2im(c, 1, 2, 1, 0, 1); }), "no window"));
  CHECK(contains(message([&] { col2im(zeros({8}), 4, 2, 1, 0, 1); }), "expected (N, C K, L)"));
}
