// What goes wrong in backward says which op, what was expected, and which line of the forward recorded it.
#include "support/tensors.h"

using namespace tapir;

namespace {
int line_of_exp = 0, line_of_sum = 0;

Tensor forward(const Tensor& x) {
  line_of_exp = __LINE__ + 1;
  Tensor y = x.exp();
  return y;
}

// Where this library was built with line tables and libbacktrace, a line is named; without, the function.
bool names_line(const std::string& message, const char* file, int line) {
  return contains(message, std::string(file) + ":" + std::to_string(line));
}
}  // namespace

TEST_CASE("a saved tensor that was changed: the message names both ops and the line") {
  const Tensor x = leaf({1, 2});
  Tensor y = forward(x);
  y.mul_(2);
  const std::string message = message_of<AutogradError>([&] { y.backward(f64({1, 1})); });
  INFO(message);
  CHECK(contains(message, "ExpBackward"));
  CHECK(contains(message, "mul_"));
  CHECK(contains(message, "version 0"));
  CHECK(contains(message, "version 1"));
  CHECK(contains(message, "[2]"));
  CHECK(contains(message, "clone()"));
  CHECK(names_line(message, "test_errors.cpp", line_of_exp));
  CHECK(contains(message, "forward"));
}

TEST_CASE("the line is the user's, whatever form of call it was") {
  const Tensor x = leaf({1, 2});
  const auto line_named = [&](const Tensor& y, int line) {
    const std::string text = describe_call_site(y.grad_fn()->call_site());
    INFO(text);
    CHECK(names_line(text, "test_errors.cpp", line));
  };
  line_named(x + x, __LINE__);
  line_named(x * 2, __LINE__);
  line_named(2 / x, __LINE__);
  line_named(-x, __LINE__);
  line_named(x.tanh(), __LINE__);
  line_named(tanh(x), __LINE__);
  line_named(x.view({2, 1}), __LINE__);
  line_named(x[0], __LINE__);
  line_named(x.slice(0, 1), __LINE__);
  line_named(x.reshape({1, 2}), __LINE__);
  line_named(x.to(kFloat32), __LINE__);
  line_named(x.clone(), __LINE__);
  line_named(pow(2.0, x), __LINE__);
  line_named(x.clamp_min(0.5), __LINE__);
  line_named(x.maximum(0.25), __LINE__);
  line_named(x.masked_fill(x > 1, 0), __LINE__);
  line_named(x.chunk(2)[1], __LINE__);
  Tensor y = x.clone();
  line_named(y.add_(x), __LINE__);
  line_named(y.mul_(x), __LINE__);
  line_named(y.sin_(), __LINE__);
  line_named(y.zero_(), __LINE__);
  line_named(y.copy_(x), __LINE__);
  line_named(y.clamp_(0, 1), __LINE__);
  line_named(y.addcmul_(x, x), __LINE__);
  y += x;
  line_named(y, __LINE__ - 1);
}

TEST_CASE("a double backward names the line of the forward") {
  const Tensor x = leaf({1, 2});
  line_of_sum = __LINE__ + 1;
  Tensor y = x.tanh();
  const Tensor g = autograd::grad({y}, {x}, {f64({1, 1})}, true, true)[0];
  CHECK(names_line(describe_call_site(g.grad_fn()->call_site()), "test_errors.cpp", line_of_sum));
}

TEST_CASE("calls that do not fit are refused with what was got and expected") {
  const Tensor a = ones({2, 3}), b = ones({4});
  const std::string shapes = message_of<ShapeError>([&] { a + b; });
  CHECK(contains(shapes, "add"));
  CHECK(contains(shapes, "[2, 3]"));
  CHECK(contains(shapes, "[4]"));
  CHECK(contains(message_of<ShapeError>([&] { a.view({4, 2}); }), "6 elements"));
  CHECK(contains(message_of<ShapeError>([&] { a.t().view({6}); }), "reshape"));
  CHECK(contains(message_of<IndexError>([&] { a[2]; }), "2"));
  CHECK(contains(message_of<IndexError>([&] { a.select(3, 0); }), "3"));
  CHECK(contains(message_of<IndexError>([&] { a.narrow(1, 2, 2); }), "narrow"));
  CHECK(contains(message_of<ShapeError>([&] { a.item(); }), "6 elements"));
  CHECK(contains(message_of<DTypeError>([&] { where(a, a, a); }), "bool"));
  CHECK(contains(message_of<DTypeError>([&] { -tensor({true}); }), "bool"));
  CHECK(contains(message_of<DTypeError>([&] { tensor({true}) - 1; }), "bool"));
  CHECK(contains(message_of<ValueError>([&] { a.clamp(nullopt); }), "clamp"));
  CHECK(contains(message_of<ValueError>([&] { tensor({2, 3}).pow(-1); }), "pow"));
  CHECK(contains(message_of<DTypeError>([&] { a.data_ptr<double>(); }), "float32"));
  CHECK_THROWS_AS(Tensor().sizes(), Error);
  CHECK_THROWS_AS(Tensor() + a, Error);
  CHECK_THROWS_AS(a + Tensor(), Error);
  CHECK_THROWS_AS(Tensor().exp(), Error);
}

TEST_CASE("an undefined tensor is refused by the name of the op that got it") {
  const Tensor undefined, x = f64({1, 2});
  CHECK(message_of<ValueError>([&] { undefined.sum(); }).starts_with("sum:"));
  CHECK(message_of<ValueError>([&] { x + undefined; }).starts_with("add:"));
  CHECK(message_of<ValueError>([&] { matmul(undefined, x); }).starts_with("matmul:"));
  CHECK(message_of<ValueError>([&] { cat({x, undefined}, 0); }).starts_with("cat:"));
  CHECK(message_of<ValueError>([&] { (void)undefined.dtype(); }).starts_with("tensor:"));
}
