// Views: what they show, whose memory it is, and their gradients.
#include <functional>

#include "support/tensors.h"

using namespace tapir;

namespace {

using View = std::function<Tensor(const Tensor&)>;

// A view shares memory, and its gradient goes to the elements that it shows: checked against an index of the
// elements.
void check_view(const char* name, const Tensor& x, const View& view, bool shares = true) {
  INFO(name);
  const Tensor places = arange(x.numel(), kFloat64).view(x.sizes());
  const Tensor shown = view(places).contiguous();  // which elements the view shows
  const Tensor leaf = x.detach().clone().set_requires_grad(true);
  const Tensor y = view(leaf);
  CHECK(y.is_view() == shares);
  if (shares) CHECK(y.storage().is_alias_of(leaf.storage()));
  const Tensor flat = leaf.detach().flatten(), g = random_f64(y.sizes());
  Tensor expected_values = zeros(y.sizes(), kFloat64), expected_grad = zeros({x.numel()}, kFloat64);
  const Tensor out = expected_values.flatten(), gf = g.flatten(), places_f = shown.flatten();
  for (int64_t i = 0; i < out.numel(); ++i) {
    const auto at = static_cast<int64_t>(places_f.data_ptr<double>()[i]);
    out.data_ptr<double>()[i] = flat.data_ptr<double>()[at];
    expected_grad.data_ptr<double>()[at] += gf.data_ptr<double>()[i];
  }
  CHECK_SAME(y.detach(), expected_values);
  y.backward(g);
  CHECK_CLOSE(leaf.grad(), expected_grad.view(x.sizes()), 1e-15);
  const auto fn = [&](const std::vector<Tensor>& v) { return view(v[0]) * view(v[0]); };
  CHECK(autograd::gradcheck(fn, {leaf}));
  CHECK(autograd::gradgradcheck(fn, {leaf}));
}

}  // namespace

TEST_CASE("each view shows the right elements, and so does its gradient") {
  const Tensor x = random_f64({2, 3, 4}), t = random_f64({4, 3, 2}).transpose(0, 2);
  const std::pair<const char*, View> views[] = {
      {"view",
       [](const Tensor& a) {
         return a.contiguous().view({6, -1});
       }},
      {"reshape",
       [](const Tensor& a) {
         return a.reshape({4, 6});
       }},
      {"flatten", [](const Tensor& a) { return a.flatten(1); }},
      {"transpose", [](const Tensor& a) { return a.transpose(0, -1); }},
      {"permute",
       [](const Tensor& a) {
         return a.permute({2, 0, 1});
       }},
      {"unsqueeze", [](const Tensor& a) { return a.unsqueeze(-1).unsqueeze(0); }},
      {"squeeze", [](const Tensor& a) { return a.narrow(1, 1, 1).squeeze(); }},
      {"squeeze one", [](const Tensor& a) { return a.narrow(1, 1, 1).squeeze(1); }},
      {"select", [](const Tensor& a) { return a.select(1, -1); }},
      {"slice", [](const Tensor& a) { return a.slice(2, 1, 4, 2); }},
      {"slice from the end", [](const Tensor& a) { return a.slice(2, -3, -1); }},
      {"empty slice", [](const Tensor& a) { return a.slice(0, 5); }},
      {"narrow", [](const Tensor& a) { return a.narrow(2, 1, 2); }},
      {"brackets", [](const Tensor& a) { return a[1][2]; }},
      {"expand",
       [](const Tensor& a) {
         return a.select(0, 1).unsqueeze(1).expand({3, 5, 4});
       }},
      {"chunk", [](const Tensor& a) { return a.chunk(3, 2)[1]; }},
      {"split", [](const Tensor& a) { return a.split(3, 2)[1]; }},
      {"unbind", [](const Tensor& a) { return a.unbind(1)[2]; }},
      {"unflatten",
       [](const Tensor& a) {
         return a.unflatten(2, {2, -1});
       }},
      {"several", [](const Tensor& a) { return a.transpose(0, 1).slice(0, 1).select(2, 3).t(); }},
  };
  for (const auto& [name, view] : views) {
    check_view(name, x, view);
    INFO("of a transposed tensor");
    CHECK(autograd::gradcheck([&v = view](const std::vector<Tensor>& in) { return v(in[0]); },
                              {t.detach().set_requires_grad(true)}));
    CHECK_SAME(view(t), view(t.contiguous()));
  }
}

TEST_CASE("parts of a tensor together give the whole gradient") {
  const Tensor x = random_f64({4, 3}, -1, 1, true), g = random_f64({4, 3});
  Tensor sum = zeros({3}, kFloat64);
  int64_t i = 0;
  for (const Tensor& row : x.unbind()) sum = sum + row * g[i++];
  sum.backward(ones({3}, kFloat64));
  CHECK_SAME(x.grad(), g);
  x.mutable_grad().reset();
  const auto parts = split(x, {1, 3});
  autograd::backward({parts[1], parts[0]}, {g.slice(0, 1), g.slice(0, 0, 1)});
  CHECK_SAME(x.grad(), g);
}

TEST_CASE("a view of a view has the first tensor as its base") {
  Tensor x = zeros({2, 3});
  const Tensor v = x.t(), w = v[1];
  CHECK(w._base().is_same(x));
  CHECK(x._version() == 0);
  Tensor(w).add_(1);
  CHECK(x._version() == 1);
  CHECK(v._version() == 1);
  CHECK_SAME(x, tensor({{0.f, 1.f, 0.f}, {0.f, 1.f, 0.f}}));
  CHECK_FALSE(x.is_view());
  CHECK_THROWS_AS(x._base(), ValueError);
  CHECK_FALSE(x.detach().is_view());
  Tensor(x.detach()).add_(1);
  CHECK(x._version() == 2);
  Tensor(x.data()).add_(1);  // outside autograd: not counted
  CHECK(x._version() == 2);
}

TEST_CASE("reshape copies only where it must") {
  const Tensor x = arange(6, kFloat32).view({2, 3});
  CHECK(x.reshape({3, 2}).storage().is_alias_of(x.storage()));
  CHECK_FALSE(x.t().reshape({6}).storage().is_alias_of(x.storage()));
  CHECK_SAME(x.t().reshape({6}), tensor({0.f, 3.f, 1.f, 4.f, 2.f, 5.f}));
  CHECK(x.contiguous().is_same(x));
  CHECK_FALSE(x.t().contiguous().is_same(x));
}

TEST_CASE("as_strided: windows, also before the start of its base") {
  const Tensor x = random_f64({10}, -1, 1, true);
  CHECK(autograd::gradcheck(
      [](const std::vector<Tensor>& v) {
        return v[0].as_strided({4, 3}, {2, 1}, 1);
      },
      {x}));
  CHECK(autograd::gradgradcheck(
      [](const std::vector<Tensor>& v) {
        return v[0].as_strided({4, 3}, {2, 1}, 1) * v[0][2];
      },
      {x}));
  CHECK_THROWS_AS(x.as_strided({4, 3}, {3, 1}, 1), ValueError);
  CHECK_THROWS_AS(x.as_strided({2}, {-1}), ValueError);
  // A part that begins before the tensor whose gradient is asked for: what lies outside gets none.
  const Tensor tail = arange(6, kFloat64).slice(0, 3).detach().set_requires_grad(true);
  const Tensor y = tail.as_strided({5}, {1}, 1);
  CHECK_SAME(y.detach(), f64({1, 2, 3, 4, 5}));
  y.backward(f64({1, 2, 3, 4, 5}));
  CHECK_SAME(tail.grad(), f64({3, 4, 5}));
}

TEST_CASE("views of tensors without elements or dimensions") {
  const Tensor e = zeros({2, 0, 3}, requires_grad());
  CHECK(e.view({0, 5}).sizes() == IntArrayRef({0, 5}));
  CHECK(e.transpose(0, 1).sizes() == IntArrayRef({0, 2, 3}));
  CHECK_THROWS_AS(e.view({-1, 0}), ShapeError);
  e.select(0, 1).backward(zeros({0, 3}));
  CHECK(e.grad().sizes() == e.sizes());
  const Tensor s = leaf(2.5);
  CHECK(s.view({1, 1}).sizes() == IntArrayRef({1, 1}));
  s.expand({2, 3}).backward(ones({2, 3}, kFloat64));
  CHECK_SAME(s.grad(), tensor(6.0, kFloat64));
  CHECK_THROWS_AS(s[0], Error);
}
