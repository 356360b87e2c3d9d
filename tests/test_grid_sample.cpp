// Sampling by a grid: values and gradients are PyTorch's for every mode; bad options get their error.
#include <limits>

#include "support/pool_oracle.h"

using namespace tapir;
namespace F = nn::functional;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;
using pool_oracle::check_derivatives;

namespace {

const bool loaded = nn_oracle::load("vision.txt");

const char* const kModes[] = {"bilinear", "nearest", "bicubic"};
const char* const kPaddings[] = {"zeros", "border", "reflection"};

template <class Call>
void for_each_mode(Call call) {
  for (int64_t mode = 0; mode < 3; ++mode)
    for (int64_t padding = 0; padding < 3; ++padding)
      for (const bool align : {false, true})
        call(mode, padding, align,
             std::string(kModes[mode]) + "." + kPaddings[padding] + "." + std::to_string(align));
}

}  // namespace

TEST_CASE("affine grids are PyTorch's") {
  REQUIRE(loaded);
  for (const bool align : {false, true}) {
    const std::string s = std::to_string(align);
    const auto plane = [&](const Tensor& t) { return F::affine_grid(t, {2, 3, 4, 3}, align); };
    const auto volume = [&](const Tensor& t) { return F::affine_grid(t, {2, 1, 1, 3, 2}, align); };
    check_case("affine2." + s, {wave({2, 2, 3}, 1)}, [&](Inputs& in) { return plane(in[0]); });
    check_case("affine3." + s, {wave({2, 3, 4}, 1)}, [&](Inputs& in) { return volume(in[0]); });
    check_derivatives(wave({2, 2, 3}, 1), plane);
    check_derivatives(wave({2, 3, 4}, 1), volume);
  }
}

TEST_CASE("sampling by a grid is PyTorch's, with its gradients") {
  REQUIRE(loaded);
  const Tensor plane = wave({2, 3, 4, 5}, 1), volume = wave({2, 2, 3, 4, 3}, 1),
               grid2 = wave({2, 3, 4, 2}, 3) * 4.3, grid3 = wave({2, 2, 3, 2, 3}, 3) * 4.3;
  for_each_mode([&](int64_t mode, int64_t padding, bool align, const std::string& name) {
    const auto f = [&](const Inputs& in) { return grid_sampler(in[0], in[1], mode, padding, align); };
    check_case("grid2." + name, {plane, grid2}, f);
    if (mode != 2) check_case("grid3." + name, {volume, grid3}, f);
    const auto gradients_hold = [&](const Tensor& x, const Tensor& grid) {
      return autograd::gradcheck([&](const Inputs& in) { return Inputs{f(in)}; },
                                 {x.clone().set_requires_grad(true), grid.clone().set_requires_grad(true)});
    };
    INFO(name);
    CHECK(gradients_hold(plane, grid2));
    if (mode != 2) CHECK(gradients_hold(volume, grid3));
  });
}

TEST_CASE("the identity grid shows the image itself, in every floating dtype") {
  const Tensor x = wave({2, 3, 9, 30}, 1);
  for (const DType d : {kFloat64, kFloat32}) {
    const Tensor grid = F::affine_grid(eye(2, 3, d).expand({2, 2, 3}), {2, 3, 9, 30}, true);
    const auto options = F::GridSampleFuncOptions().align_corners(true);
    CHECK(F::grid_sample(x.to(d), grid, options).allclose(x.to(d), 1e-4, 1e-5));
    CHECK(F::grid_sample(x.to(d), grid, F::GridSampleFuncOptions(options).mode(kNearest)).equal(x.to(d)));
    CHECK(
        F::grid_sample(x.to(d), grid, F::GridSampleFuncOptions(options).mode(kBicubic).padding_mode(kBorder))
            .allclose(x.to(d), 1e-4, 1e-5));
  }
}

TEST_CASE("half types are sampled in float; layouts and empty batches make no difference") {
  const Tensor x = wave({2, 3, 4, 5}, 1), grid = wave({2, 3, 4, 2}, 3) * 4.3;
  for (const DType d : {kFloat16, kBFloat16}) {
    Tensor xh = x.to(d).set_requires_grad(true), gh = grid.to(d).set_requires_grad(true);
    Tensor xf = xh.detach().to(kFloat32).set_requires_grad(true),
           gf = gh.detach().to(kFloat32).set_requires_grad(true);
    const Tensor y = grid_sampler(xh, gh, 0, 2, false), yf = grid_sampler(xf, gf, 0, 2, false);
    CHECK(y.equal(yf.to(d)));
    y.sum().backward();
    yf.sum().backward();
    CHECK(xh.grad().equal(xf.grad().to(d)));
    CHECK(gh.grad().equal(gf.grad().to(d)));
  }
  const Tensor y = grid_sampler(x, grid, 2, 1, true);
  CHECK(grid_sampler(x.transpose(1, 3).contiguous().transpose(1, 3),
                     grid.transpose(1, 3).contiguous().transpose(1, 3), 2, 1, true)
            .equal(y));
  CHECK(grid_sampler(x.narrow(0, 0, 0), grid.narrow(0, 0, 0), 0, 0, false).sizes() ==
        IntArrayRef({0, 3, 3, 4}));
  Tensor none = zeros({2, 3, 4, 5}).set_requires_grad(true);
  grid_sampler(none, zeros({2, 0, 4, 2}), 0, 0, false).sum().backward();
  CHECK(none.grad().equal(zeros({2, 3, 4, 5})));
}

TEST_CASE("many places and channels give the same as few") {
  const Tensor x = wave({1, 37, 6, 7}, 1), grid = wave({1, 20, 31, 2}, 3) * 2.2;
  const auto run = [&](const Tensor& xs, const Tensor& gs) {
    Tensor a = xs.clone().set_requires_grad(true), b = gs.clone().set_requires_grad(true);
    const Tensor y = grid_sampler(a, b, 0, 0, false);
    y.sum().backward();
    return Inputs{y.detach(), a.grad(), b.grad()};
  };
  const Inputs all = run(x, grid);
  Tensor grid_grad = zeros(grid.sizes(), kFloat64), x_grad = zeros(x.sizes(), kFloat64);
  for (int64_t c = 0; c < 37; c += 9) {
    const int64_t n = std::min<int64_t>(9, 37 - c);
    const Inputs part = run(x.narrow(1, c, n), grid);
    CHECK(part[0].equal(all[0].narrow(1, c, n)));
    CHECK(part[1].equal(all[1].narrow(1, c, n)));
    grid_grad += part[2];
  }
  CHECK(grid_grad.allclose(all[2], 1e-12, 1e-12));
  for (int64_t row = 0; row < 20; ++row) {
    const Inputs part = run(x, grid.narrow(1, row, 1));
    CHECK(part[0].equal(all[0].narrow(2, row, 1)));
    CHECK(part[2].equal(all[2].narrow(1, row, 1)));
    x_grad += part[1];
  }
  CHECK(x_grad.allclose(all[1], 1e-12, 1e-12));
}

TEST_CASE("places that are far away or no numbers stay within the image") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const Tensor x = arange(12).to(kFloat64).view({1, 1, 3, 4});
  const auto at = [&](double u, double v, int64_t mode, int64_t padding) {
    Tensor xs = x.clone().set_requires_grad(true);
    Tensor grid = tensor({u, v}, kFloat64).view({1, 1, 1, 2}).set_requires_grad(true);
    const Tensor y = grid_sampler(xs, grid, mode, padding, true);
    y.sum().backward();
    if (mode != 2) CHECK(grid.grad().isfinite().all().item<bool>());
    return y.item<double>();
  };
  for (const int64_t mode : {0, 1}) {
    for (const double far : {1e30, inf}) {
      CHECK(at(far, 0, mode, 0) == 0);
      CHECK(at(0, -far, mode, 0) == 0);
      CHECK(at(far, far, mode, 1) == 11);
      CHECK(at(-far, -1, mode, 1) == 0);
      CHECK(std::isfinite(at(far, -far, mode, 2)));
    }
    CHECK(at(NAN, NAN, mode, 0) == 0);
    CHECK(at(NAN, 1, mode, 1) == 8);
  }
  CHECK(at(1e30, 0, 2, 0) == 0);
  CHECK(at(1e30, 1, 2, 1) == 11);
  // What lies outside is not read: an infinite neighbour does not matter.
  Tensor wild = x.clone();
  wild[0][0][0][0] = inf;
  CHECK(grid_sampler(wild, tensor({1.0, 1.0}, kFloat64).view({1, 1, 1, 2}), 0, 0, true).item<double>() == 11);
}

TEST_CASE("bad grids say what does not fit") {
  const Tensor x = zeros({1, 2, 4, 4}), grid = zeros({1, 3, 3, 2});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([&] { grid_sampler(x, grid, 3, 0, false); }), "interpolation mode 3"));
  CHECK(contains(message([&] { grid_sampler(x, grid, 0, -1, false); }), "padding mode -1"));
  CHECK(contains(message([&] {
                   grid_sampler(x, zeros({1, 3, 3, 3}), 0, 0, false);
                 }),
                 "expected (1, ..., 2)"));
  CHECK(contains(message([&] {
                   grid_sampler(x, zeros({2, 3, 3, 2}), 0, 0, false);
                 }),
                 "expected (1, ..., 2)"));
  CHECK(contains(message([&] { grid_sampler(x[0], grid, 0, 0, false); }), "input has sizes [2, 4, 4]"));
  CHECK(contains(message([&] { grid_sampler(zeros({1, 2, 0, 4}), grid, 0, 0, false); }), "no empty spatial"));
  CHECK(contains(message([&] { grid_sampler(x, grid.to(kFloat64), 0, 0, false); }),
                 "one floating-point dtype"));
  CHECK(contains(message([&] { grid_sampler(x.to(kInt64), grid.to(kInt64), 0, 0, false); }), "int64"));
  CHECK(contains(message([&] {
                   grid_sampler(zeros({1, 1, 2, 2, 2}), zeros({1, 1, 1, 1, 3}), 2, 0, false);
                 }),
                 "bicubic"));
  CHECK(contains(message([&] { grid_sampler_3d(x, grid, 0, 0, false); }), "expected 5 dimensions"));
  CHECK(contains(message([&] { F::grid_sample(x, grid, F::GridSampleFuncOptions().mode(kArea)); }),
                 "mode is \"area\", expected kBilinear, kNearest or kBicubic"));
  CHECK(contains(message([&] { F::affine_grid(zeros({1, 2, 3}), {1, 2, 3}); }), "size is [1, 2, 3]"));
  CHECK(contains(message([&] { F::affine_grid(zeros({1, 2, 3}), {1, 2, 3, 0}); }), "expected positive"));
  CHECK(contains(message([&] { F::affine_grid(zeros({1, 3, 4}), {1, 2, 3, 3}); }), "expected [1, 2, 3]"));
  CHECK(contains(message([&] { F::affine_grid(zeros({1, 2, 3}, kInt64), {1, 2, 3, 3}); }), "floating-point"));
  Tensor wants = x.clone().set_requires_grad(true);
  CHECK(contains(message([&] {
                   autograd::grad({grid_sampler(wants, grid, 0, 0, false).sum()}, {wants}, {}, true, true);
                 }),
                 "no second derivative"));
}
