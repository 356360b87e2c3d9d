// Sequential, AnyModule and AnyValue.
#include <sstream>

#include "support/nn_oracle.h"
#include "tapir/tapir.h"

using namespace tapir;
using Names = std::vector<std::string>;

namespace {

struct SplitImpl : nn::Module {
  std::tuple<Tensor, int> forward(const Tensor& x) { return {x + 1, 3}; }
};
TAPIR_MODULE(Split);
struct JoinImpl : nn::Cloneable<JoinImpl> {
  void reset() override {}
  Tensor forward(std::tuple<Tensor, int> parts) { return std::get<0>(parts) * std::get<1>(parts); }
};
TAPIR_MODULE(Join);
struct ScaleImpl : nn::Module {
  Tensor forward(const Tensor& x, double factor, const Tensor& shift) {
    return shift.defined() ? x * factor + shift : x * factor;
  }
  TAPIR_FORWARD_HAS_DEFAULT_ARGS({1, nn::AnyValue(2.0)}, {2, nn::AnyValue(Tensor())});
};
TAPIR_MODULE(Scale);

}  // namespace

TEST_CASE("A chain calls its modules in order") {
  nn::Sequential net(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 2));
  const Tensor x = randn({5, 3});
  const Tensor y = net->forward(x);
  const Tensor by_hand = net->at<nn::Linear>(2).forward(net->at<nn::LinearImpl>(0).forward(x).tanh());
  CHECK(values::of(y) == values::of(by_hand));
  CHECK(net->size() == 3);
  CHECK(net->named_parameters().keys() == Names{"0.weight", "0.bias", "2.weight", "2.bias"});
  y.backward(randn({5, 2}));
  for (const Tensor& p : net->parameters()) CHECK(p.grad().defined());
}

TEST_CASE("Modules come as holders, pointers, values, and by name") {
  nn::Sequential net;
  net->push_back(nn::Identity());
  net->push_back(std::make_shared<nn::TanhImpl>());
  net->push_back(nn::SigmoidImpl());
  net->push_back("last", nn::ReLU());
  net->push_back(nn::AnyModule(nn::Identity()));
  CHECK(net->named_children().keys() == Names{"0", "1", "2", "last", "4"});
  const Tensor x = randn({3});
  CHECK(values::of(net->forward(x)) == values::of(x.tanh().sigmoid().relu()));
  nn::Sequential named({{"fc", nn::Linear(2, 3)}, {"act", nn::Tanh()}});
  CHECK(named->named_parameters().keys() == Names{"fc.weight", "fc.bias"});
  nn::Sequential more;
  more->extend(*named);
  more->extend(*net);
  CHECK(more->size() == 7);
  CHECK(more->ptr(0) == named->ptr(0));
}

TEST_CASE("What passes between modules may be of any type") {
  nn::Sequential net{Split(), Join()};
  const Tensor x = tensor({1.0, 2.0});
  CHECK(values::of(net->forward(x)) == std::vector<double>{6, 9});
  nn::Sequential open{Split()};
  CHECK(std::get<1>(open->forward<std::tuple<Tensor, int>>(x)) == 3);
  nn::Sequential wrong{Join(), Split()};
  CHECK_THROWS_AS(wrong->forward(x), ValueError);
  CHECK_THROWS_AS(nn::Sequential()->forward(x), ValueError);
  CHECK_THROWS_AS(net->at<nn::Linear>(0), ValueError);
  CHECK_THROWS_AS(net->ptr(2), IndexError);
}

TEST_CASE("Arguments left out take the defaults that the module names") {
  nn::AnyModule scale{Scale()};
  const Tensor x = tensor({1.0, 2.0});
  CHECK(values::of(scale.forward(x)) == std::vector<double>{2, 4});
  CHECK(values::of(scale.forward(x, 3.0)) == std::vector<double>{3, 6});
  CHECK(values::of(scale.forward(x, 3.0, x)) == std::vector<double>{4, 8});
  CHECK_THROWS_AS(scale.forward(x, 3), ValueError);  // an int is no double
  CHECK_THROWS_AS(scale.forward(x, 3.0, x, x), ValueError);
  nn::Sequential net{Scale(), Scale()};
  CHECK(values::of(net->forward(x)) == std::vector<double>{4, 8});
}

TEST_CASE("A module of unknown type is got back as what it is") {
  nn::Linear fc(2, 3);
  nn::AnyModule any(fc), empty;
  CHECK(any.ptr() == fc.ptr());
  CHECK(any.get<nn::Linear>()->weight.is_same(fc->weight));
  CHECK(any.ptr<nn::LinearImpl>() == fc.ptr());
  CHECK_THROWS_AS(any.get<nn::Tanh>(), ValueError);
  CHECK(empty.is_empty());
  CHECK_THROWS_AS(empty.forward(ones({2})), ValueError);
  nn::AnyValue value(5);
  CHECK(value.get<int>() == 5);
  CHECK(value.try_get<double>() == nullptr);
  CHECK_THROWS_AS(value.get<Tensor>(), ValueError);
}

TEST_CASE("A clone of a chain shares nothing") {
  nn::Sequential net({{"fc", nn::Linear(2, 3)}, {"act", nn::Tanh()}});
  net->eval();
  const auto copy = std::dynamic_pointer_cast<nn::SequentialImpl>(net->clone());
  REQUIRE(copy);
  CHECK(copy->named_parameters().keys() == net->named_parameters().keys());
  CHECK(!copy->is_training());
  const Tensor x = randn({4, 2});
  CHECK(values::of(copy->forward(x)) == values::of(net->forward(x)));
  NoGradGuard no_grad;
  copy->parameters()[0].zero_();
  CHECK(values::of(copy->forward(x)) != values::of(net->forward(x)));

  // Inside another module, the handle of the copy is the copied chain.
  struct OuterImpl : nn::Cloneable<OuterImpl> {
    OuterImpl() { reset(); }
    void reset() override { inner = register_module("inner", nn::Sequential(nn::Linear(2, 2), nn::Tanh())); }
    nn::Sequential inner{nullptr};
  };
  OuterImpl outer;
  outer.inner->push_back(nn::Linear(2, 5));
  const auto twin = std::dynamic_pointer_cast<OuterImpl>(outer.clone());
  CHECK(values::of(twin->inner->forward(x)) == values::of(outer.inner->forward(x)));
  CHECK(twin->inner->forward(x).sizes() == IntArrayRef({4, 5}));
  CHECK(twin->named_children()["inner"] == twin->inner.ptr());
}

TEST_CASE("a Sequential within a Sequential is one of its layers") {
  nn::Sequential inner(nn::Linear(3, 4), nn::ReLU()), outer;
  outer->push_back(inner);
  outer->push_back(nn::Linear(4, 2));
  CHECK(outer->named_parameters().contains("0.0.weight"));
  const Tensor x = randn({5, 3});
  CHECK(equal(outer->forward(x), outer[1]->as<nn::Linear>()->forward(inner->forward(x))));
}
