// In-place changes, of tensors and of views of them: values and gradients are PyTorch's. The programs stand
// in tests/oracle/make_oracle.py under the same names.
#include "support/oracle.h"
#include "support/tensors.h"
#include "support/values.h"

using namespace tapir;

namespace {

const OracleTable& table() {
  static const OracleTable t = read_oracle("graph");
  return t;
}

template <class F>
void compare(const std::string& name, F program) {
  const Tensor a = table()["a"].clone().set_requires_grad(true),
               w = table()["w"].clone().set_requires_grad(true);
  const Tensor out = program(a, w);
  INFO(name);
  CHECK_CLOSE(out.detach(), table()[name + ".out"], 1e-14);
  out.backward(table()["g"].flatten().narrow(0, 0, out.numel()).view(out.sizes()));
  // Rounding of sums in another order.
  const auto grad = [](const Tensor& x) { return x.grad().defined() ? x.grad() : zeros_like(x); };
  CHECK_CLOSE(grad(a), table()[name + ".grad_a"], 1e-13);
  CHECK_CLOSE(grad(w), table()[name + ".grad_w"], 1e-13);
}

}  // namespace

TEST_CASE("a change of a view reaches its base, and the gradient follows") {
  compare("rows_and_columns", [](Tensor a, Tensor w) {
    Tensor b = a.clone();
    b[1].mul_(w);
    b.t()[0].add_(w[0]);
    return b * b;
  });
  compare("view_of_view", [](Tensor a, Tensor w) {
    Tensor x = a * 2;
    Tensor y = x.view({2, 6});
    Tensor z = y.slice(1, 1, 5, 2);
    z.sin_();
    z.t().mul_(w.view({2, 2}));
    return x * y.view({3, 4});
  });
  compare("squeezed_and_permuted", [](Tensor a, Tensor w) {
    Tensor b = a.view({3, 1, 2, 2}).permute({2, 0, 3, 1}).squeeze();
    return (b * w.view({2, 1, 2})).transpose(0, 1).reshape({3, 4}).flatten();
  });
  compare("expanded", [](Tensor a, Tensor w) {
    Tensor b = w.expand({3, 4}) * a;
    Tensor c = w.view({4, 1}).expand({4, 3}).t();
    return b * c;
  });
}

TEST_CASE("a change of the base reaches its views") {
  compare("base_after_view", [](Tensor a, Tensor w) {
    Tensor b = a * w;
    Tensor v = b.view({-1}).slice(0, 2, 9);
    b.mul_(w);
    return v * v;
  });
  compare("both_in_turn", [](Tensor a, Tensor w) {
    Tensor b = a * 1;
    Tensor v = b.slice(0, 1);
    v.mul_(w);
    b.add_(w);
    Tensor u = v[0];
    u.sin_();
    b[2].copy_(u + v[0]);
    return v * b[0];
  });
}

TEST_CASE("values are written into parts of a tensor") {
  compare("filled_buffer", [](Tensor a, Tensor w) {
    Tensor buf = zeros({3, 4}, kFloat64);
    Tensor h = w * 1;
    for (int64_t t = 0; t < 3; ++t) {
      h = (h * a[t]).tanh();
      buf[t].copy_(h);
    }
    buf.mul_(a);
    return buf;
  });
  compare("zero_and_fill", [](Tensor a, Tensor w) {
    Tensor b = a * w;
    b[0].zero_();
    b.select(1, 2).fill_(4);
    b[2].slice(0, 1).copy_(w.slice(0, 0, 3));
    return b * a;
  });
  compare("compared_in_place", [](Tensor a, Tensor w) {
    Tensor b = a * w;
    b[0].gt_(w[1]);
    return b * a;
  });
}

TEST_CASE("in-place ops in a row") {
  compare("in_place_chain", [](Tensor a, Tensor w) {
    Tensor b = a.clone();
    b.add_(w, 3);
    b.sub_(a, 2);
    b.clamp_(-1.5, 1.25);
    b.div_(w.square().add_(1));
    b.cos_();
    b.pow_(3);
    b.masked_fill_(a > 1, 0.5);
    b.addcmul_(a, w, 0.5);
    return b;
  });
  compare("doubled_in_place", [](Tensor a, Tensor w) {
    Tensor b = a * w;
    b.add_(b);
    b[0].add_(b[1]);
    return b;
  });
}

TEST_CASE("strided windows over a tensor, overlapping and changed in place") {
  compare("overlapping_windows", [](Tensor a, Tensor w) {
    return (a * w).as_strided({3, 4}, {2, 1}, 1).mul(a);
  });
  compare("strided_in_place", [](Tensor a, Tensor w) {
    Tensor b = a * 1;
    Tensor v = b.as_strided({2, 2}, {4, 2}, 1);
    v.mul_(w.slice(0, 0, 2));
    return b;
  });
}

TEST_CASE("a tensor may be multiplied by itself in place") {
  const Tensor a = random_f64({3, 4}, -2, 2, true), g = random_f64({3, 4});
  Tensor b = a * 3;
  b.mul_(b);
  b.backward(g);
  CHECK_CLOSE(a.grad(), (a.detach() * g * 18), 1e-15);
}

TEST_CASE("an op whose gradient does not read a tensor does not mind its change") {
  const Tensor a = leaf({1, 2}), c = f64({3, 4}), g = f64({0.5, -2});
  Tensor x = a * 2;
  Tensor y = x * c;  // the gradient of x reads c only
  x.add_(1);
  y.backward(g);
  CHECK_SAME(a.grad(), f64({3, -16}));

  Tensor h = a * 1;
  h.add_(h * c);  // the residual form
  h.backward(g);
  CHECK_SAME(a.grad(), f64({3 + 0.5 * 4, -16 - 2 * 5}));
}

TEST_CASE("a leaf that requires a gradient is not changed in place while recording") {
  Tensor a = leaf({1, 2, 3});
  Tensor before = a.detach().clone();
  CHECK_THROWS_AS(a.add_(1), AutogradError);
  CHECK_THROWS_AS(a.mul_(a), AutogradError);
  CHECK_THROWS_AS(a.exp_(), AutogradError);
  CHECK_THROWS_AS(a.zero_(), AutogradError);
  CHECK_THROWS_AS(a.copy_(before), AutogradError);
  CHECK_THROWS_AS(a[0].add_(1), AutogradError);
  CHECK_THROWS_AS(a.slice(0, 1).mul_(2), AutogradError);
  CHECK_THROWS_AS(a.uniform_(), AutogradError);
  Tensor unrecorded;
  {
    NoGradGuard no_grad;
    unrecorded = a.view({3, 1});
  }
  CHECK_THROWS_AS(unrecorded.mul_(2), AutogradError);
  CHECK_THROWS_AS(unrecorded.mul_(a.view({3, 1})), AutogradError);
  CHECK_SAME(a.detach(), before);
  CHECK(a.is_leaf());

  NoGradGuard no_grad;
  a.mul_(2);
  a[0].add_(1);
  CHECK_SAME(a.detach(), f64({3, 4, 6}));
  CHECK(a.is_leaf());
  CHECK(a.requires_grad());
}

TEST_CASE("a tensor without gradient takes part from its first in-place op with one that has") {
  const Tensor w = leaf({2, 3});
  Tensor x = f64({5, 7});
  CHECK_FALSE(x.requires_grad());
  x.mul_(w);
  CHECK(x.requires_grad());
  CHECK_FALSE(x.is_leaf());
  x.backward(f64({1, -1}));
  CHECK_SAME(w.grad(), f64({5, -7}));
}

TEST_CASE("random numbers in place cut the history") {
  const Tensor a = leaf({1, 2});
  Tensor x = a * 3;
  x.normal_();
  (x * a).backward(f64({1, 1}));
  CHECK_SAME(a.grad(), x.detach());
}

TEST_CASE("an in-place op that cannot be done changes nothing") {
  Tensor i = tensor({1, 2, 3}), b = tensor({true, false});
  CHECK_THROWS_AS(i.mul_(1.5), DTypeError);
  CHECK_THROWS_AS(i.add_(tensor({0.5, 0.5, 0.5})), DTypeError);
  CHECK_THROWS_AS(i.add_(1, 0.5), DTypeError);
  CHECK_THROWS_AS(i.add_(tensor({1, 2})), ShapeError);
  CHECK_THROWS_AS(b.add_(1), DTypeError);
  Tensor x = f64({1, 2, 3});
  CHECK_THROWS_AS(x.mul_(ones({2, 3}, kFloat64)), ShapeError);
  CHECK_THROWS_AS(x.expand({2, 3}).add_(1), ShapeError);
  CHECK_THROWS_AS(x.expand({2, 3}).mul_(2), ShapeError);
  const Tensor w = leaf({1, 2});
  CHECK_THROWS_AS(x.mul_(w), ShapeError);
  CHECK_THROWS_AS(i.slice(0, 0, 2).mul_(w), DTypeError);
  CHECK_SAME(i, tensor({1, 2, 3}));
  CHECK_SAME(x, f64({1, 2, 3}));
  CHECK_FALSE(x.requires_grad());
  CHECK(x._version() == 0);
}

TEST_CASE(
    "a view made under NoGradGuard of a tensor with a gradient is not changed in place while recording") {
  const Tensor a = leaf({{1, 2}, {3, 4}});
  Tensor b = a * 2, v;
  {
    NoGradGuard no_grad;
    v = b[0];
    v.add_(1);
  }
  CHECK(contains(message_of<AutogradError>([&] { v.mul_(2); }), "NoGradGuard"));
  CHECK_SAME(v, f64({3, 5}));
}

TEST_CASE("detach_ cuts a result from its graph and stops a leaf; a view refuses") {
  const Tensor a = leaf({1, 2});
  Tensor y = a * 2, w = leaf({5, 5});
  Tensor loss = y * w;
  y.detach_();
  CHECK(y.is_leaf());
  CHECK_FALSE(y.requires_grad());
  loss.backward(f64({1, 1}));  // what was recorded before stays
  CHECK_SAME(a.grad(), f64({10, 10}));
  w.detach_();
  CHECK_FALSE(w.requires_grad());
  CHECK_SAME(w.grad(), f64({2, 4}));
  CHECK_THROWS_AS((a * 2)[0].detach_(), AutogradError);
  CHECK_NOTHROW((a * 2).requires_grad_());  // it does already
  CHECK_THROWS_AS((a * 2).requires_grad_(false), AutogradError);
}

TEST_CASE("data() shares values, not history; variable_data and tensor_data are the same") {
  Tensor a = leaf({1, 2});
  for (Tensor d : {a.data(), a.variable_data(), a.tensor_data()}) {
    CHECK_FALSE(d.requires_grad());
    d.mul_(2);
  }
  CHECK_SAME(a.detach(), f64({8, 16}));
  CHECK(a._version() == 0);
  a.detach().mul_(0.5);  // detach() shares the count
  CHECK(a._version() == 1);
  const Tensor leaf_of_same = autograd::make_variable(a.data(), true);
  CHECK(leaf_of_same.is_leaf());
  (leaf_of_same * 3).backward(f64({1, 1}));
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("a graph that saved an array notices that set_data put another in its place") {
  const Tensor w = leaf({1, 2});
  Tensor y = w * w;
  w.set_data(f64({5, 6}));
  CHECK(contains(message_of<AutogradError>([&] { y.backward(f64({1, 1})); }), "set_data"));
  (w * w).backward(f64({1, 1}));
  CHECK_SAME(w.grad(), f64({10, 12}));
  CHECK_THROWS_AS(w[0].set_data(f64({1})), AutogradError);
  CHECK_THROWS_AS(w.set_data(tensor({1, 2})), DTypeError);
}

TEST_CASE("second derivatives through in-place changes of views of views") {
  const Tensor a = random_f64({3, 4}, 0.5, 1.5, true), w = random_f64({2}, 0.5, 1.5, true);
  const auto programs = {
      +[](const std::vector<Tensor>& in) {
        Tensor b = in[0] * 1;
        Tensor v = b.view({2, 6}).slice(1, 1, 5, 2);  // (2, 2)
        v.mul_(in[1]);
        v.t()[0].exp_();
        return b * b;
      },
      +[](const std::vector<Tensor>& in) {
        Tensor b = in[0].sin();
        Tensor v = b.t(), u = v[1];
        b.mul_(in[0]);
        u.pow_(2);
        b.narrow(0, 0, 2).select(1, 3).mul_(in[1]);
        return v * u.sum();
      },
      +[](const std::vector<Tensor>& in) {
        Tensor b = zeros({3, 2}, kFloat64);
        for (int64_t t = 0; t < 3; ++t) {
          b[t].copy_(in[1] * in[0][t].slice(0, 0, 2));
          if (t) b[t].add_(b[t - 1].tanh());
        }
        return b;
      },
  };
  for (const auto& program : programs) {
    CHECK(autograd::gradcheck(program, {a, w}));
    CHECK(autograd::gradgradcheck(program, {a, w}));
  }
}

TEST_CASE("in-place methods change what a const handle refers to, as in libtorch") {
  const Tensor w = values::make({1, 2}, {2}, kFloat32).requires_grad_();
  (w * 3).sum().backward();
  w.grad().mul_(2).add_(1);
  CHECK(values::of(w.grad()) == std::vector<double>{7, 7});
  w.grad().zero_();
  CHECK(values::of(w.grad()) == std::vector<double>{0, 0});
  const auto step = [](const Tensor& p) {
    const NoGradGuard guard;
    p.sub_(values::make({1, 1}, {2}, kFloat32), 0.5);
    p.clamp_(0, 1).exp_();
    p.index_put_({0}, 5);
  };
  step(w);
  CHECK(values::of(w.detach())[0] == 5);
}

TEST_CASE("an in-place op on no tensor throws and says which") {
  const Tensor none, one = values::make({1}, {1}, kFloat32);
  const auto refused = [&](const char* op, auto&& f) {
    CHECK(contains(message_of<ValueError>([&] { f(none); }), std::string(op) + ": the tensor is undefined"));
  };
  refused("add_", [&](const Tensor& t) { t.add_(1); });
  refused("add_", [&](const Tensor& t) { t.add_(one, 2); });
  refused("mul_", [&](const Tensor& t) { t.mul_(one); });
  refused("exp_", [](const Tensor& t) { t.exp_(); });
  refused("fill_", [](const Tensor& t) { t.zero_(); });
  refused("copy_", [&](const Tensor& t) { t.copy_(one); });
  refused("clamp_", [](const Tensor& t) { t.clamp_(0, 1); });
  refused("uniform_", [](const Tensor& t) { t.uniform_(); });
  const Tensor at = values::make({0}, {1}, kInt64), mask = values::make({1}, {1}, kBool);
  refused("masked_fill_", [&](const Tensor& t) { t.masked_fill_(mask, 1); });
  refused("masked_fill_", [&](const Tensor& t) { t.masked_fill_(mask, values::make({1}, {}, kFloat32)); });
  refused("index_put_", [&](const Tensor& t) { t.index_put_({at}, one); });
  refused("index_put_", [&](const Tensor& t) { t.index_put_({0}, 1); });
  refused("index_add_", [&](const Tensor& t) { t.index_add_(0, at, one); });
  refused("index_copy_", [&](const Tensor& t) { t.index_copy_(0, at, one); });
  refused("index_fill_", [&](const Tensor& t) { t.index_fill_(0, at, 1); });
  refused("fill_diagonal_", [](const Tensor& t) { t.fill_diagonal_(1); });
  refused("squeeze_", [](const Tensor& t) { t.squeeze_(); });
  refused("squeeze_", [](const Tensor& t) { t.squeeze_(0); });
  refused("unsqueeze_", [](const Tensor& t) { t.unsqueeze_(0); });
  refused("t_", [](const Tensor& t) { t.t_(); });
  refused("resize_", [](const Tensor& t) { t.resize_({2}); });
  refused("detach_", [](const Tensor& t) { t.detach_(); });

  const auto refused_with = [&](const char* op, auto&& f) {
    const std::string message = message_of<ValueError>([&] { f(none); });
    INFO(message);
    CHECK(message.starts_with(std::string(op) + ": a tensor is undefined"));
  };
  const Tensor square = values::make({1}, {1, 1}, kFloat32);
  refused_with("add_", [&](const Tensor& t) { one.add_(t); });
  refused_with("mul_", [&](const Tensor& t) { one.mul_(t); });
  refused_with("div_", [&](const Tensor& t) { one.div_(t); });
  refused_with("eq_", [&](const Tensor& t) { one.eq_(t); });
  refused_with("addcmul_", [&](const Tensor& t) { one.addcmul_(t, one); });
  refused_with("addmm_", [&](const Tensor& t) { square.addmm_(square, t); });
  refused_with("addmv_", [&](const Tensor& t) { one.addmv_(t, one); });
  // Refused by a part of the function that the compiler has moved out of it.
  refused_with("copy_", [&](const Tensor& t) { one.copy_(t); });
  refused_with("masked_fill_", [&](const Tensor& t) { one.masked_fill_(t, 1); });
  refused_with("index_put_", [&](const Tensor& t) { one.index_put_({at}, t); });
  CHECK(values::of(one) == std::vector<double>{1});
  CHECK_THROWS_AS(one.copy_(none), ValueError);
  CHECK_THROWS_AS(Tensor() += one, ValueError);
  CHECK(values::of(one) == std::vector<double>{1});
}

TEST_CASE("a copy over recorded values gives them a gradient of zeros") {
  for (const bool recorded : {false, true}) {
    const Tensor a = leaf({1, 1}), source = f64({3, 4}).set_requires_grad(recorded);
    Tensor y = a * 1;
    y.copy_(source);
    y.sum().backward();
    CHECK_SAME(a.grad(), f64({0, 0}));
    if (recorded) CHECK_SAME(source.grad(), f64({1, 1}));
  }
  const Tensor a = leaf({1, 1}), value = tensor(5.0, kFloat64).set_requires_grad(true);
  Tensor y = a * 1;
  y.fill_(value);
  y.sum().backward();
  CHECK_SAME(a.grad(), f64({0, 0}));
  CHECK_SAME(value.grad(), tensor(2.0, kFloat64));
  const Tensor b = leaf({1, 1});
  Tensor whole = b * 2;
  whole[0].copy_(value.detach());
  whole.sum().backward();
  CHECK_SAME(b.grad(), f64({0, 2}));
}
