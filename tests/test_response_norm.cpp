// Local response normalisation: values and derivatives are PyTorch's.
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

using Options = nn::LocalResponseNormOptions;

}  // namespace

TEST_CASE("local response normalisation is PyTorch's") {
  REQUIRE(loaded);
  for (const int64_t size : {1, 2, 3, 5, 9}) {
    const Tensor x = wave({2, 6, 4}, 1);
    const auto f = [&](const Tensor& t) {
      return nn::functional::local_response_norm(t, Options(size).alpha(0.3).beta(0.6).k(0.8));
    };
    check_case("lrn." + std::to_string(size), {x}, [&](Inputs& in) { return f(in[0]); });
    check_derivatives(x, f);
  }
  check_case("lrn.plane", {wave({2, 4, 2, 3}, 1)},
             [](Inputs& in) { return nn::LocalResponseNorm(3)(in[0]); });
  check_case("lrn.volume", {wave({1, 4, 2, 2, 2}, 1)},
             [](Inputs& in) { return nn::LocalResponseNorm(Options(2).alpha(0.4).beta(0.7).k(2))(in[0]); });
  nn::CrossMapLRN2d cross(nn::CrossMapLRN2dOptions(3).alpha(0.3).beta(0.6).k(2));
  const Tensor x = wave({2, 6, 2, 3}, 1);
  check_case("cross_map", {x}, [&](Inputs& in) { return cross(in[0]); });
  check_derivatives(x, [&](const Tensor& t) { return cross(t); });
  cross->options.size(4);
  check("cross_map.even", cross(x), 1e-12);
}

TEST_CASE("local response normalisation takes half types, other layouts and an empty batch") {
  nn::LocalResponseNorm norm(3);
  const Tensor x = wave({2, 4, 2, 3}, 1);
  CHECK(norm(x.to(kFloat16)).dtype() == kFloat16);
  CHECK(norm(x.transpose(1, 3).contiguous().transpose(1, 3)).equal(norm(x)));
  CHECK(norm(x.narrow(0, 0, 0)).sizes() == IntArrayRef({0, 4, 2, 3}));
}

TEST_CASE("response norms show their options and refuse other sizes") {
  std::ostringstream s;
  s << nn::LocalResponseNorm(Options(2).alpha(0.5)) << nn::CrossMapLRN2d(3);
  CHECK(s.str() ==
        "tapir::nn::LocalResponseNorm(2, alpha=0.5, beta=0.75, k=1)"
        "tapir::nn::CrossMapLRN2d(3, alpha=0.0001, beta=0.75, k=1)");
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([] { nn::LocalResponseNorm(2)(zeros({2, 3})); }), "expected (N, C, L...)"));
  CHECK(contains(message([] {
                   nn::LocalResponseNorm(0)(zeros({2, 3, 4}));
                 }),
                 "size is 0, expected at least 1"));
  CHECK(contains(message([] { nn::CrossMapLRN2d(3)(zeros({2, 3, 4})); }), "expected (N, C, H, W)"));
  CHECK(contains(message([] { nn::LocalResponseNorm(2)(zeros({2, 3, 4}, kInt64)); }), "floating-point"));
}
