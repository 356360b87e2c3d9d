// What a program written for libtorch meets at the corners: calls that look alike, tensors without dimensions
// or elements, numbers that do not fit. The expected values are PyTorch's.
#include <sstream>

#include "support/tensors.h"

using namespace tapir;

namespace {
template <class T>
std::string streamed(const T& value) {
  std::ostringstream stream;
  stream << value;
  return stream.str();
}
}  // namespace

TEST_CASE("a number given to var and std is a dimension") {
  const Tensor x = tensor({{1.0, 5.0, 2.0}, {7.0, 3.0, 3.0}}, kFloat64);
  CHECK_CLOSE(x.var(0), tensor({18.0, 2.0, 0.5}, kFloat64), 1e-15);
  CHECK_CLOSE(x.std(1), x.std(IntArrayRef({1})), 0);
  CHECK_CLOSE(var(x, 0), x.var(0), 0);
  CHECK_CLOSE(tapir::std(x, -1), x.std(1), 0);
  CHECK_CLOSE(std::get<0>(var_mean(x, 0)), x.var(0), 0);
  CHECK_CLOSE(std::get<0>(std_mean(x, 1)), x.std(1), 0);
  CHECK_CLOSE(x.var(false), tensor(23.5 / 6, kFloat64), 1e-15);  // a bool is `unbiased`
}

TEST_CASE("a tensor without dimensions has no dimension 0") {
  const Tensor x = tensor(2.5);
  CHECK(contains(message_of<IndexError>([&] { (void)x.size(0); }), "has no dimensions"));
  CHECK_THROWS_AS(x.size(-1), IndexError);
  CHECK_THROWS_AS(x.stride(0), IndexError);
  CHECK_THROWS_AS(x.split(1), IndexError);
  CHECK_THROWS_AS(x.split(0), IndexError);
  CHECK_THROWS_AS(x.split({1}), IndexError);
  CHECK_THROWS_AS(x.chunk(1), IndexError);
  CHECK_THROWS_AS(x.chunk(2), IndexError);
  CHECK_THROWS_AS(x.unbind(), IndexError);
  CHECK(x.sum(0).item<float>() == 2.5f);  // reductions take it
}

TEST_CASE("a number that a type does not hold is refused") {
  CHECK_THROWS_AS(full({2}, 300, kInt8), ValueError);
  CHECK_THROWS_AS(full({2}, NAN, kInt64), ValueError);
  CHECK_THROWS_AS(full({2}, 1e20, kInt64), ValueError);
  CHECK_THROWS_AS(full({2}, -300, kUInt8), ValueError);
  CHECK(full({1}, -1, kUInt8).item<int>() == 255);
  CHECK(full({1}, 2.7, kInt32).item<int>() == 2);
  Tensor x = ones({2}, kInt8);
  CHECK_THROWS_AS(x.fill_(300), ValueError);
  CHECK_THROWS_AS(x.masked_fill(x > 0, 300), ValueError);
  CHECK_THROWS_AS(x.index_put_({0}, 300), ValueError);
  CHECK(equal(x, ones({2}, kInt8)));  // as it was

  CHECK_THROWS_AS(tensor(int64_t{1} << 40).item<int>(), ValueError);
  CHECK_THROWS_AS(tensor(-32768).item<uint8_t>(), ValueError);
  CHECK_THROWS_AS(tensor(-2.5).item<uint8_t>(), ValueError);
  CHECK_THROWS_AS(tensor(NAN).item<int64_t>(), ValueError);
  CHECK_THROWS_AS(tensor(1e300, kFloat64).item<float>(), ValueError);
  CHECK_THROWS_AS(Scalar(1e20).toLong(), ValueError);
  CHECK_THROWS_AS(Scalar(9223372036854775808.0).toLong(), ValueError);
  CHECK(Scalar(-9223372036854775808.0).toLong() == INT64_MIN);
  CHECK(tensor(-1).item<uint8_t>() == 255);
  CHECK(tensor(-3.9).item<int>() == -3);
  CHECK(tensor(INFINITY).item<float>() == INFINITY);
  CHECK(tensor(NAN).item<bool>());
}

TEST_CASE("a tensor without dimensions is an index") {
  const Tensor x = arange(6).view({3, 2});
  CHECK(equal(x[tensor(-1)], tensor({4, 5})));
  CHECK(equal(x[x.argmax(0)[0]], x[2]));
  CHECK_THROWS_AS(x[tensor({0, 1})], IndexError);
  CHECK_THROWS_AS(x[tensor(1.0)], IndexError);
}

TEST_CASE("masked_fill cuts the value to an integer dtype, as fill_ does") {
  const Tensor x = arange(4);
  CHECK(equal(x.masked_fill(x > 1, 1.5), tensor({0, 1, 1, 1})));
  CHECK(equal(x.masked_fill(x > 1, tensor(-1.5)), tensor({0, 1, -1, -1})));
  CHECK(equal(x.masked_fill((x > 1).to(kUInt8), 7), tensor({0, 1, 7, 7})));
}

TEST_CASE("a negative number among uint8 is a uint8") {
  const Tensor x = tensor({250, 3, 255}, kUInt8);
  CHECK(equal(x % -3, tensor({250, 3, 2}, kUInt8)));
  CHECK(equal(x.fmod(-3), tensor({250, 3, 2}, kUInt8)));
  CHECK(equal(x.floor_divide(-2), tensor({0, 0, 1}, kUInt8)));
  CHECK(equal(x > -1, tensor({true, true, true})));  // compared as it is
}

TEST_CASE("a number takes part in the promotion of bool") {
  const Tensor x = tensor({true, false});
  CHECK(equal(x.clamp(0, 2), tensor({1, 0})));
  CHECK(equal(x.clamp_min(1), tensor({1, 1})));
  CHECK(equal(x.square(), tensor({1, 0})));
  CHECK(x.clamp(false, true).dtype() == kBool);
}

TEST_CASE("a view of a leaf that is itself a view is not changed in place") {
  Tensor x = zeros({6}).view({2, 3});
  x.requires_grad_();
  Tensor v = x.view({6});
  CHECK_THROWS_AS(v.add_(1), AutogradError);
  CHECK(equal(x.detach(), zeros({2, 3})));
  CHECK(x.is_leaf());
}

TEST_CASE("a gradient with one element does for a loss with one element") {
  const Tensor x = ones({2}, requires_grad());
  x.sum().backward(full({1}, 3));
  CHECK(equal(x.grad(), full({2}, 3.0)));
  CHECK_THROWS_AS(x.sum().backward(ones({2})), ShapeError);
}

TEST_CASE("binary_cross_entropy refuses NaN as it refuses what is no probability") {
  CHECK_THROWS_AS(binary_cross_entropy(tensor({0.5, NAN}), tensor({1.0, 1.0})), ValueError);
  CHECK_THROWS_AS(binary_cross_entropy(tensor({NAN, 2.0}), tensor({1.0, 1.0})), ValueError);
}

TEST_CASE("gumbel_softmax draws PyTorch's random numbers") {
  manual_seed(41);
  const Tensor y = nn::functional::gumbel_softmax(zeros({2, 3}));
  const Tensor expected =
      tensor({{0.044013068, 0.188797817, 0.767189145}, {0.938417077, 0.042371120, 0.019211784}});
  CHECK_CLOSE(y, expected, 1e-6);
  CHECK(std::abs(rand({1}).item<float>() - 0.878248930f) < 1e-7f);  // and no more of them
}

TEST_CASE("what goes with tensors prints as libtorch prints it") {
  CHECK(streamed(ones({2, 3}).sizes()) == "[2, 3]");
  CHECK(streamed(ones({}).strides()) == "[]");
  CHECK(streamed(ArrayRef<double>({1.5, 2})) == "[1.5, 2]");
  CHECK(streamed(kFloat32) == "Float");
  CHECK(streamed(ones({1}, kBool).scalar_type()) == "Bool");
  CHECK(streamed(ones({1}).device()) == "cpu");
  CHECK(streamed(Device("cuda:1")) == "cuda:1");
  CHECK(streamed(kCUDA) == "cuda");
  CHECK(streamed(Scalar(1.5)) == "1.5");
  CHECK(streamed(tensor(7).item()) == "7");
  CHECK(streamed(Scalar(true)) == "true");
  CHECK(streamed(kStrided) == "Strided");
  CHECK(streamed(MemoryFormat::ChannelsLast) == "ChannelsLast");
  CHECK(streamed(indexing::Slice(1, 5, 2)) == "1:5:2");
  CHECK(streamed(indexing::TensorIndex(indexing::None)) == "None");
  CHECK(streamed(indexing::TensorIndex(3)) == "3");
  CHECK(streamed(TensorOptions(kInt64).requires_grad(true)) ==
        "TensorOptions(dtype=int64, device=cpu (default), requires_grad=true)");
}

TEST_CASE("moves name a device by its type; clone makes row-major what is asked for") {
  const Tensor x = arange(6).view({2, 3}).t();
  CHECK(x.to(kCPU).is_same(x));
  CHECK(!x.to(kCPU, false, true).is_same(x));
  CHECK(x.clone().stride(0) == 1);
  CHECK(x.clone(MemoryFormat::Contiguous).is_contiguous());
  CHECK(x.clone(MemoryFormat::Contiguous).equal(x));
  STATIC_REQUIRE(!std::is_convertible_v<const char*, Scalar>);
}

TEST_CASE("a dimension in braces is read while it lives") {
  const Tensor x = arange(6, kFloat64).view({2, 3});
  const std::optional<int64_t> correction = 0;
  CHECK(var(x, {1}, correction).equal(var(x, std::vector<int64_t>{1}, correction)));
  CHECK(x.std({1}, correction, true).sizes() == IntArrayRef({2, 1}));
  CHECK(std::get<1>(var_mean(x, {1}, correction)).equal(mean(x, {1})));
  CHECK(var(x, std::nullopt, correction).dim() == 0);
  nn::ConvTranspose1d up(nn::ConvTranspose1dOptions(1, 1, 3).stride(2));
  CHECK(up->forward(ones({1, 1, 4}), {10}).size(2) == 10);
}

TEST_CASE("sparse tensors are refused by name") {
  CHECK_THROWS_AS(TensorOptions(kFloat32).layout(kSparse), ValueError);
  CHECK(TensorOptions(kFloat32).layout(kStrided).layout() == kStrided);
}
