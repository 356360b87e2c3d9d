// Interpolation: values and derivatives are PyTorch's for every mode; bad options get their error.
#include "support/pool_oracle.h"

using namespace tapir;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using pool_oracle::check_derivatives;
using pool_oracle::input;

namespace {

const bool loaded = nn_oracle::load("pool.txt");

using Sizes = std::vector<int64_t>;
using Factors = std::vector<double>;

}  // namespace

TEST_CASE("interpolation is PyTorch's") {
  REQUIRE(loaded);
  for (const auto& [mode, n] : {std::pair{"linear", 1}, {"bilinear", 2}, {"bicubic", 2}, {"trilinear", 3}}) {
    const Tensor x = input(n);
    const std::string name = std::string("interpolate.") + mode;
    for (const bool align : {false, true})
      for (const int64_t size : {3, 9})
        check_case(
            name + "." + std::to_string(align) + "." + std::to_string(size), {x},
            [&, m = mode](Inputs& t) { return interpolate(t[0], Sizes{size}, std::nullopt, m, align); });
    const auto factor = [m = mode](const Tensor& t) {
      return interpolate(t, std::nullopt, Factors{1.7}, m, false);
    };
    check_case(name + ".factor", {x}, [&](Inputs& t) { return factor(t[0]); });
    check_derivatives(x, factor);
    check_case(name + ".recomputed", {x}, [&, m = mode](Inputs& t) {
      return interpolate(t[0], std::nullopt, Factors{1.7}, m, false, true);
    });
  }
  for (const char* mode : {"nearest", "nearest-exact", "area"})
    for (const int n : {1, 2, 3}) {
      const std::string name = std::string("interpolate.") + mode, s = std::to_string(n);
      check_case(name + ".smaller" + s, {input(n)},
                 [&](Inputs& t) { return interpolate(t[0], Sizes{3}, std::nullopt, mode); });
      const auto factor = [&](const Tensor& t) { return interpolate(t, std::nullopt, Factors{1.6}, mode); };
      check_case(name + ".factor" + s, {input(n)}, [&](Inputs& t) { return factor(t[0]); });
      check_derivatives(input(n), factor);
    }
}

TEST_CASE("interpolation keeps what has its size, takes half types, and integers where it only picks") {
  const Tensor x = input(2);
  CHECK(interpolate(x, Sizes{7, 6}, std::nullopt, "bilinear", true).equal(x));
  CHECK(interpolate(x.to(kFloat16), Sizes{3}, std::nullopt, "bilinear", false).dtype() == kFloat16);
  CHECK(interpolate(arange(4).view({1, 1, 4}), Sizes{8}).equal(tensor({{{0, 0, 1, 1, 2, 2, 3, 3}}}, kInt64)));
}

TEST_CASE("bad interpolations say what does not fit") {
  const Tensor x = zeros({1, 2, 4, 4});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([&] { interpolate(x, std::nullopt); }),
                 "expected either size or scale_factor, got neither"));
  CHECK(contains(message([&] { interpolate(x, Sizes{2}, Factors{2}); }), "got both"));
  CHECK(contains(message([&] { interpolate(x, Sizes{2, 2, 2}); }), "sizes for 2 spatial dimensions"));
  CHECK(contains(message([&] { interpolate(x, Sizes{0}); }), "output size 0"));
  CHECK(contains(message([&] { interpolate(x, Sizes{2}, std::nullopt, "cubic"); }),
                 "mode \"cubic\", expected"));
  CHECK(contains(message([&] { interpolate(x, Sizes{2}, std::nullopt, "linear"); }),
                 "for 1 spatial dimensions"));
  CHECK(contains(message([&] { interpolate(x, Sizes{2}, std::nullopt, "nearest", true); }), "no meaning"));
  CHECK(contains(message([&] { interpolate(zeros({2, 3}), Sizes{2}); }), "expected (N, C, ...)"));
}
