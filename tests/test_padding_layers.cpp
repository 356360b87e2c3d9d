// Padding layers: values and derivatives are PyTorch's; other sizes get their error.
#include <sstream>

#include "support/pool_oracle.h"

using namespace tapir;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;
using pool_oracle::check_derivatives;

namespace {

const bool loaded = nn_oracle::load("vision.txt");

template <class Layer>
void check_layer(const std::string& name, const Tensor& x, Layer layer) {
  check_case(name, {x}, [&](Inputs& in) { return layer(in[0]); });
  check_derivatives(x, [&](const Tensor& t) { return layer(t); });
  // One sample, a layout of another order, an empty batch, a half type, and a copy of the layer.
  const Tensor y = layer(x);
  CHECK(layer(x[0]).equal(y[0]));
  CHECK(layer(x.transpose(0, -1).contiguous().transpose(0, -1)).equal(y));
  const Tensor none = layer(x.narrow(0, 0, 0));
  CHECK(none.size(0) == 0);
  CHECK(none.sizes().slice(1) == y.sizes().slice(1));
  CHECK(layer(x.to(kFloat16)).equal(y.to(kFloat16)));
  CHECK(std::dynamic_pointer_cast<typename Layer::Impl>(layer->clone())->forward(x).equal(y));
}

std::string printed(const nn::Module& m) {
  std::ostringstream s;
  s << m;
  return s.str();
}

}  // namespace

TEST_CASE("padding layers are PyTorch's") {
  REQUIRE(loaded);
  const Tensor x1 = wave({2, 2, 5}, 1), x2 = wave({1, 2, 4, 3}, 1), x3 = wave({1, 1, 3, 4, 3}, 1);
  check_layer("ReflectionPad.1", x1, nn::ReflectionPad1d(nn::ReflectionPad1dOptions({1, 2})));
  check_layer("ReflectionPad.2", x2, nn::ReflectionPad2d(nn::ReflectionPad2dOptions({1, 2, 2, 0})));
  check_layer("ReflectionPad.3", x3, nn::ReflectionPad3d(nn::ReflectionPad3dOptions({1, 2, 2, 0, 1, 1})));
  check_layer("ReflectionPad.one1", x1, nn::ReflectionPad1d(1));
  check_layer("ReflectionPad.one2", x2, nn::ReflectionPad2d(1));
  check_layer("ReflectionPad.one3", x3, nn::ReflectionPad3d(1));
  check_layer("ReplicationPad.1", x1, nn::ReplicationPad1d(nn::ReplicationPad1dOptions({1, 2})));
  check_layer("ReplicationPad.2", x2, nn::ReplicationPad2d(nn::ReplicationPad2dOptions({1, 2, 2, 0})));
  check_layer("ReplicationPad.3", x3, nn::ReplicationPad3d(nn::ReplicationPad3dOptions({1, 2, 2, 0, 1, 1})));
  check_layer("ReplicationPad.one1", x1, nn::ReplicationPad1d(1));
  check_layer("ReplicationPad.one2", x2, nn::ReplicationPad2d(1));
  check_layer("ReplicationPad.one3", x3, nn::ReplicationPad3d(1));
  check_layer("ReplicationPad.cut", x2, nn::ReplicationPad2d(nn::ReplicationPad2dOptions({-1, 2, 1, -2})));
  check_layer("ConstantPad.1", x1, nn::ConstantPad1d(nn::ConstantPad1dOptions({1, 2}, 1.5)));
  check_layer("ConstantPad.2", x2, nn::ConstantPad2d(nn::ConstantPad2dOptions({1, 2, 2, 0}, 1.5)));
  check_layer("ConstantPad.3", x3, nn::ConstantPad3d(nn::ConstantPad3dOptions({1, 2, 2, 0, 1, 1}, 1.5)));
  check_layer("ZeroPad", x2, nn::ZeroPad2d(nn::ZeroPad2dOptions({1, -1, 0, 2})));
}

TEST_CASE("padding layers are the functions of their names, for integers too") {
  const Tensor x = arange(3).view({1, 3});
  CHECK(reflection_pad1d(x, {2, 1}).equal(tensor({{2, 1, 0, 1, 2, 1}}, kInt64)));
  CHECK(replication_pad1d(x, 1).equal(tensor({{0, 0, 1, 2, 2}}, kInt64)));
  CHECK(nn::ConstantPad1d(1, 7)(x).equal(tensor({{7, 0, 1, 2, 7}}, kInt64)));
}

TEST_CASE("padding layers show their padding") {
  CHECK(printed(*nn::ReflectionPad2d(nn::ReflectionPad2dOptions({1, 2, 3, 0}))) ==
        "tapir::nn::ReflectionPad2d(padding=[1, 2, 3, 0])");
  CHECK(printed(*nn::ReplicationPad1d(2)) == "tapir::nn::ReplicationPad1d(padding=[2, 2])");
  CHECK(printed(*nn::ZeroPad2d(1)) == "tapir::nn::ZeroPad2d(padding=[1, 1, 1, 1])");
  CHECK(printed(*nn::ConstantPad1d(2, 3.5)) == "tapir::nn::ConstantPad1d(padding=[2, 2], value=3.5)");
}

TEST_CASE("a bad padding says what does not fit") {
  const Tensor x = zeros({1, 2, 4, 4});
  const auto message = [](auto f) { return message_of<Error>(f); };
  CHECK(contains(message([&] { nn::ReflectionPad1d(1)(x); }),
                 "reflection_pad1d: input has sizes [1, 2, 4, 4], expected 3 dimensions, or 2"));
  CHECK(contains(message([&] { replication_pad2d(x, {1, 2}); }), "two for each of 2 dimensions"));
  CHECK(contains(message([&] { nn::ReflectionPad2d(4)(x); }), "4 and 4 in mode \"reflect\""));
  CHECK(contains(message([&] { nn::ReplicationPad2d(-3)(x); }), "cut off more"));
  CHECK(contains(message([&] { nn::ZeroPad2d(-3)(x); }), "cut off more"));
  CHECK(contains(message([&] { nn::ReplicationPad2d(1)(zeros({1, 2, 0, 4})); }), "mode \"replicate\""));
}
