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
  line_named(y.index_fill_(0, tensor({1}), 0), __LINE__);
  line_named(y.put_(tensor({1}), x[0]), __LINE__);
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

TEST_CASE("an error names the call that the user made, not one that it is made of") {
  namespace F = nn::functional;
  const Tensor x = ones({2}), y = ones({3}), undefined, labels = tensor({0, 1, 2});
  const Tensor bad_mask = tensor({true, false, true}), one = tensor({1}), far = tensor({4});
  Tensor z = ones({2}), inferred;
  {
    InferenceMode guard;
    inferred = ones({2});
  }
  const struct {
    const char* begin;
    std::function<void()> call;
  } rows[] = {
      {"mse_loss: sizes [2] and [3]", [&] { F::mse_loss(x, y); }},
      {"l1_loss: sizes [2] and [3]", [&] { F::l1_loss(x, y, F::L1LossFuncOptions(kNone)); }},
      {"smooth_l1_loss: sizes [2] and [3]", [&] { F::smooth_l1_loss(x, y); }},
      {"huber_loss: sizes [2] and [3]", [&] { F::huber_loss(x, y); }},
      {"kl_div: sizes [2] and [3]", [&] { F::kl_div(x, y); }},
      {"kl_div: sizes [2] and [3]", [&] { F::kl_div(x, y, F::KLDivFuncOptions().log_target(true)); }},
      {"binary_cross_entropy: sizes [2] and [3]", [&] { binary_cross_entropy(x, x, y); }},
      {"binary_cross_entropy_with_logits: sizes", [&] { binary_cross_entropy_with_logits(x, x, {}, y); }},
      {"poisson_nll_loss: sizes [2] and [3]", [&] { F::poisson_nll_loss(x, y); }},
      {"gaussian_nll_loss: sizes [2] and [3]", [&] { F::gaussian_nll_loss(x, y, x); }},
      {"soft_margin_loss: sizes [2] and [3]", [&] { F::soft_margin_loss(x, y); }},
      {"hinge_embedding_loss: sizes [2] and [3]", [&] { F::hinge_embedding_loss(x, y); }},
      {"margin_ranking_loss: sizes [2] and [3]", [&] { F::margin_ranking_loss(x, y, x); }},
      {"margin_ranking_loss: sizes [2] and [3]", [&] { F::margin_ranking_loss(x, x, y); }},
      {"cosine_embedding_loss: sizes [2] and [3]", [&] { F::cosine_embedding_loss(x, y, x[0]); }},
      {"triplet_margin_loss: sizes [2] and [3]", [&] { F::triplet_margin_loss(x, y, x); }},
      {"triplet_margin_loss: sizes [2] and [3]", [&] { F::triplet_margin_loss(x, x, y); }},
      {"triplet_margin_loss: sizes [2] and [3]",
       [&] {
         F::triplet_margin_loss(ones({1, 4}), ones({2, 4}), ones({3, 4}));
       }},
      {"pairwise_distance: sizes [2] and [3]", [&] { F::pairwise_distance(x, y); }},
      {"one_hot: class 2 is out of range for 2 classes", [&] { F::one_hot(labels, 2); }},
      {"one_hot: class -2 is out of range for 1 classes", [&] { F::one_hot(-labels); }},
      {"masked_fill_: sizes [2] and [3]", [&] { z.masked_fill_(bad_mask, 1); }},
      {"masked_fill_: sizes [2] and [3]", [&] { z.masked_fill_(bad_mask, ones({})); }},
      {"masked_fill: sizes [2] and [3]", [&] { masked_fill(z, bad_mask, ones({})); }},
      {"masked_scatter_: sizes [2] and [3]", [&] { z.masked_scatter_(bad_mask, y); }},
      {"gumbel_softmax: ", [&] { F::gumbel_softmax(x, F::GumbelSoftmaxFuncOptions().dim(4)); }},
      {"softmin: ", [&] { F::softmin(x, F::SoftminFuncOptions(4)); }},
      {"index_fill_: index 4 is out of range", [&] { z.index_fill_(0, far, 1); }},
      {"index_fill_: index -4 is out of range", [&] { z.index_fill_(0, -far, ones({})); }},
      {"index_fill: an index of float32", [&] { z.index_fill(0, x, 1); }},
      {"index_add_: index 4 is out of range", [&] { z.index_add_(0, far, ones({1})); }},
      {"take: index 4 is out of range", [&] { z.take(far); }},
      {"put: index 4 is out of range", [&] { z.put(far, ones({1})); }},
      {"put_: index 4 is out of range", [&] { z.put_(far, ones({1})); }},
      {"randint: got from 5 and to 5", [&] { randint(5, 5, {2}); }},
      {"randint_like: got from 5 and to 5", [&] { randint_like(x, 5, 5); }},
      {"random_: got from 5 and to 5", [&] { z.random_(5, 5); }},
      {"RandomSampler: reset() got size -1", [] { data::samplers::RandomSampler(3).reset(-1); }},
      {"add_: an inference tensor", [&] { inferred.add_(1); }},
      {"mul_: an inference tensor", [&] { inferred.mul_(x); }},
      {"add_: sizes [2] and [3]", [&] { z.add_(y); }},
      {"argmax: a tensor of sizes [0] has no element", [] { zeros({0}).argmax(); }},
      {"argmax: sizes [2, 0] have no element to choose from along dimension 1",
       [] {
         zeros({2, 0}).argmax(1);
       }},
      {"kron: a tensor is undefined", [&] { kron(x, undefined); }},
      {"kron: a tensor is undefined", [&] { kron(undefined, x); }},
      {"inner: a tensor is undefined", [&] { inner(x, undefined); }},
      {"cdist: a tensor is undefined", [&] { cdist(x, undefined); }},
      {"InputArchive: there is no \"q\"; it is empty", [&] { serialize::InputArchive().read("q", z); }},
  };
  for (const auto& row : rows) {
    const std::string message = message_of<Error>(row.call);
    INFO(row.begin << " / " << message);
    CHECK(message.starts_with(row.begin));
  }
}
