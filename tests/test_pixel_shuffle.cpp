// Pixel and channel shuffling: values and derivatives are PyTorch's, for any dtype; other sizes get their
// error.
#include <sstream>

#include "support/pool_oracle.h"

using namespace tapir;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;
using pool_oracle::check_derivatives;

namespace {
const bool loaded = nn_oracle::load("vision.txt");
}  // namespace

TEST_CASE("pixel shuffling is PyTorch's") {
  REQUIRE(loaded);
  const Tensor x = wave({2, 8, 2, 3}, 1), u = wave({2, 2, 6, 3}, 1);
  check_case("pixel_shuffle", {x}, [](Inputs& in) { return nn::PixelShuffle(2)(in[0]); });
  check_case("pixel_unshuffle", {u}, [](Inputs& in) { return nn::PixelUnshuffle(3)(in[0]); });
  check("channel_shuffle", channel_shuffle(wave({2, 6, 3}, 1), 3), 1e-14);
  check_derivatives(x, [](const Tensor& t) { return nn::functional::pixel_shuffle(t, 2); });
  check_derivatives(u, [](const Tensor& t) { return nn::functional::pixel_unshuffle(t, 3); });
  check_derivatives(x, [](const Tensor& t) { return channel_shuffle(t, 4); });
}

TEST_CASE("each pixel shuffling undoes the other, for any dtype, layout and number of batch dimensions") {
  for (const DType d : {kFloat32, kBFloat16, kInt64, kBool, kUInt8}) {
    const Tensor x = arange(2 * 3 * 8 * 2 * 3).remainder(5).view({2, 3, 8, 2, 3}).to(d),
                 y = pixel_shuffle(x, 2);
    CHECK(y.sizes() == IntArrayRef({2, 3, 2, 4, 6}));
    CHECK(y.dtype() == d);
    CHECK(pixel_unshuffle(y, 2).equal(x));
    CHECK(pixel_shuffle(x[1], 2).equal(y[1]));
    CHECK(pixel_shuffle(x[1][2], 2).equal(y[1][2]));
    CHECK(pixel_shuffle(x.transpose(-1, -2).contiguous().transpose(-1, -2), 2).equal(y));
  }
  CHECK(pixel_shuffle(zeros({0, 8, 2, 3}), 2).sizes() == IntArrayRef({0, 2, 4, 6}));
  CHECK(pixel_unshuffle(zeros({0, 2, 4, 6}), 2).sizes() == IntArrayRef({0, 8, 2, 3}));
}

TEST_CASE("shuffling gives a copy where nothing moves") {
  const Tensor x = zeros({1, 2, 3, 4});
  pixel_shuffle(x, 1).fill_(1);
  pixel_unshuffle(x, 1).fill_(1);
  channel_shuffle(x, 1).fill_(1);
  CHECK(x.equal(zeros({1, 2, 3, 4})));
}

TEST_CASE("shuffling layers show their factor") {
  std::ostringstream s;
  s << nn::PixelShuffle(3) << nn::PixelUnshuffle(nn::PixelUnshuffleOptions(2));
  CHECK(s.str() == "tapir::nn::PixelShuffle(upscale_factor=3)tapir::nn::PixelUnshuffle(downscale_factor=2)");
}

TEST_CASE("bad shufflings say what does not fit") {
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([] {
                   pixel_shuffle(zeros({1, 6, 2, 2}), 2);
                 }),
                 "has 6 channels, expected a multiple of 4"));
  CHECK(contains(message([] { pixel_shuffle(zeros({2, 2}), 2); }), "expected (..., C, H, W)"));
  CHECK(contains(message([] { pixel_shuffle(zeros({1, 4, 2, 2}), 0); }), "upscale_factor is 0"));
  CHECK(contains(message([] {
                   pixel_unshuffle(zeros({1, 4, 3, 2}), 2);
                 }),
                 "multiples of downscale_factor 2"));
  CHECK(contains(message([] { pixel_unshuffle(zeros({1, 4, 2, 2}), -1); }), "downscale_factor is -1"));
  CHECK(contains(message([] { channel_shuffle(zeros({1, 4, 3}), 3); }), "a multiple of groups 3"));
  CHECK(contains(message([] { channel_shuffle(zeros({4, 3}), 2); }), "expected (N, C, ...)"));
}
