// Optimizers: PyTorch's trajectories, parameter groups, saving and loading, refusals.
#include <algorithm>

#include "support/nn_oracle.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/utils/clip_grad.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::optim;
using nn_oracle::wave;

namespace {

constexpr double kClose = 1e-13;  // float64; the kernels use fused multiply-add

struct Params {
  Tensor a = wave({3, 2}, 0.3).requires_grad_(), b = wave({4}, 1.1).requires_grad_();
  std::vector<Tensor> list() const { return {a, b}; }
  std::vector<double> values() const {
    auto all = values::of(a), more = values::of(b);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void set_grads(int t) {
    NoGradGuard no_grad;
    int k = 0;
    for (const Tensor& p : list()) p.mutable_grad() = wave(p.sizes(), 0.9 * t + k++) + p.detach() * 0.1;
  }
};

template <class Make>
void run_case(const std::string& name, Make make, Params params = {}) {
  auto optimizer = make(params.list());
  for (int t = 1; t <= 100; ++t) {
    params.set_grads(t);
    optimizer->step();
    if (t == 1 || t == 2 || t == 10 || t == 100)
      nn_oracle::check("optim." + name + "." + std::to_string(t), params.values(), kClose);
  }
}

template <class O, class Options>
auto with(Options options) {
  return [options](const std::vector<Tensor>& p) { return std::make_unique<O>(p, options); };
}

}  // namespace

TEST_CASE("SGD follows PyTorch") {
  run_case("sgd", with<SGD>(SGDOptions(0.05)));
  run_case("sgd_momentum", with<SGD>(SGDOptions(0.05).momentum(0.9).dampening(0.3).weight_decay(0.01)));
  run_case("sgd_nesterov", with<SGD>(SGDOptions(0.05).momentum(0.8).nesterov(true)));
  run_case("sgd_maximize", with<SGD>(SGDOptions(0.01).momentum(0.5).maximize(true)));
}

TEST_CASE("Adam and AdamW follow PyTorch") {
  run_case("adam", with<Adam>(AdamOptions(0.01)));
  run_case("adam_decay", with<Adam>(AdamOptions(0.01).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1)));
  run_case("adam_amsgrad", with<Adam>(AdamOptions(0.01).amsgrad(true)));
  run_case("adamw", with<AdamW>(AdamWOptions(0.01).weight_decay(0.1)));
  run_case("adamw_amsgrad", with<AdamW>(AdamWOptions(0.01).amsgrad(true)));
}

TEST_CASE("A parameter that is not contiguous follows the same path") {
  Params params;
  params.a = wave({3, 2}, 0.3).t().contiguous().t().requires_grad_();
  REQUIRE(!params.a.is_contiguous());
  run_case("adam", with<Adam>(AdamOptions(0.01)), params);
}

TEST_CASE("Groups have options of their own, or the defaults") {
  run_case("groups", [](const std::vector<Tensor>& p) {
    std::vector<OptimizerParamGroup> groups;
    groups.emplace_back(std::vector<Tensor>{p[0]}, std::make_unique<SGDOptions>(0.1));
    groups.emplace_back(std::vector<Tensor>{p[1]},
                        std::make_unique<SGDOptions>(SGDOptions(0.01).momentum(0.5)));
    return std::make_unique<SGD>(groups, SGDOptions(0.01));
  });
  Params params;
  SGD sgd({params.a}, SGDOptions(0.25));
  sgd.add_param_group(OptimizerParamGroup({params.b}));
  CHECK(sgd.param_groups()[1].options().get_lr() == 0.25);
  static_cast<SGDOptions&>(sgd.param_groups()[1].options()).lr(0.5);
  CHECK(sgd.param_groups()[0].options().get_lr() == 0.25);
  CHECK(sgd.size() == 2);
}

TEST_CASE("A parameter without a gradient stays as it is") {
  Params params;
  const auto before = values::of(params.b);
  Adam adam(params.list());
  params.set_grads(1);
  params.b.mutable_grad().reset();
  adam.step();
  CHECK(values::of(params.b) == before);
  CHECK(adam.state().size() == 1);
  adam.zero_grad();
  CHECK(!params.a.grad().defined());
  params.set_grads(1);
  adam.zero_grad(false);
  CHECK(values::of(params.a.grad()) == std::vector<double>(6, 0));
}

TEST_CASE("A closure is evaluated with gradients and its loss returned") {
  Params params;
  SGD sgd(params.list(), SGDOptions(0.1));
  NoGradGuard no_grad;
  const Tensor loss = sgd.step([&] {
    sgd.zero_grad();
    Tensor l = params.b.square().mul(tensor({1.0, 2.0, 3.0, 4.0}, kFloat64)).select(0, 1);
    l.backward();
    return l;
  });
  CHECK(loss.item<double>() > 0);
  CHECK(params.b.grad()[0].item<double>() == 0);
  CHECK(params.b.grad()[1].item<double>() != 0);
}

TEST_CASE("An optimizer goes on from a saved state as if it had never stopped") {
  Params whole, first;
  const auto options = AdamOptions(0.01).amsgrad(true);
  Adam straight(whole.list(), options), before(first.list(), options);
  for (int t = 1; t <= 5; ++t) {
    whole.set_grads(t);
    straight.step();
    first.set_grads(t);
    before.step();
  }
  OrderedDict<std::string, Tensor> names;
  names.insert("a", first.a);
  names.insert("b", first.b);
  const OptimizerStateDict state = before.state_dict(&names);
  CHECK(state.tensors.contains("state.a.exp_avg"));
  CHECK(state.tensors.contains("state.b.max_exp_avg_sq"));
  CHECK(state.numbers["state.b.step"] == 5);
  CHECK(state.numbers["param_groups.0.lr"] == 0.01);
  CHECK(state.numbers["param_groups.0.amsgrad"] == 1);

  Adam after(first.list(), AdamOptions(0.5));
  after.load_state_dict(state, &names);
  CHECK(after.param_groups()[0].options().get_lr() == 0.01);
  for (int t = 6; t <= 9; ++t) {
    whole.set_grads(t);
    straight.step();
    first.set_grads(t);
    after.step();
  }
  CHECK(whole.values() == first.values());
}

TEST_CASE("A state that does not fit is refused whole") {
  Params params;
  Adam adam(params.list());
  params.set_grads(1);
  adam.step();
  OptimizerStateDict state = adam.state_dict();
  state.tensors["state.0.exp_avg"] = zeros({2, 2});
  state.tensors.insert("state.7.exp_avg", zeros({2}));
  state.numbers.erase("param_groups.0.eps");
  Adam other(params.list(), AdamOptions(0.7));
  try {
    other.load_state_dict(state);
    FAIL("it was loaded");
  } catch (const ValueError& e) {
    const std::string message = e.what();
    CHECK(message.find("misfitting: state.0.exp_avg") != std::string::npos);
    CHECK(message.find("unexpected: state.7.exp_avg") != std::string::npos);
    CHECK(message.find("missing: param_groups.0.eps") != std::string::npos);
  }
  CHECK(other.state().size() == 0);
  CHECK(other.param_groups()[0].options().get_lr() == 0.7);
}

TEST_CASE("A state whose groups have other numbers of parameters is refused") {
  const Tensor a = ones({2}), b = ones({2}), c = ones({2});
  const auto group = [](std::vector<Tensor> params, double lr) {
    return OptimizerParamGroup(std::move(params), std::make_unique<SGDOptions>(lr));
  };
  SGD from({group({a, b}, 0.1), group({c}, 0.001)}, SGDOptions(1));
  SGD to({group({a}, 0.5), group({b, c}, 0.6)}, SGDOptions(1));
  CHECK_THROWS_WITH(to.load_state_dict(from.state_dict()),
                    ContainsSubstring("groups have 2, 1 parameters, this optimizer's 1, 2"));
  CHECK(to.param_groups()[0].options().get_lr() == 0.5);
  SGD one({a, b, c}, 0.5);
  CHECK_THROWS_AS(one.load_state_dict(from.state_dict()), ValueError);

  // A state without the numbers, as older files have, is taken.
  OptimizerStateDict state = from.state_dict();
  state.numbers.erase("param_groups.0.params");
  state.numbers.erase("param_groups.1.params");
  to.load_state_dict(state);
  CHECK(to.param_groups()[1].options().get_lr() == 0.001);
}

TEST_CASE("Bad options and parameters are refused") {
  Params params;
  CHECK_THROWS_AS(SGD(params.list(), SGDOptions(-1)), ValueError);
  CHECK_THROWS_AS(SGD(params.list(), SGDOptions(0.1).nesterov(true)), ValueError);
  CHECK_THROWS_AS(Adam(params.list(), AdamOptions(0.1).betas({1.0, 0.9})), ValueError);
  CHECK_THROWS_AS(Adam({params.a, params.a}), ValueError);
  CHECK_THROWS_AS(Adam({Tensor()}), ValueError);
  CHECK_THROWS_AS(Adam({params.a * 2}), AutogradError);
  Adam adam({params.a});
  CHECK_THROWS_AS(adam.add_param_group(OptimizerParamGroup({params.b}, std::make_unique<SGDOptions>(0.1))),
                  ValueError);
  CHECK_THROWS_AS(adam.add_param_group(OptimizerParamGroup({params.a})), ValueError);
  params.a.mutable_grad() = zeros({2, 3}, kFloat64);
  CHECK_THROWS_AS(adam.step(), ShapeError);
}

TEST_CASE("Changing a parameter by a step is seen by a graph that saved it") {
  nn::Linear fc(2, 2);
  const Tensor y = fc(ones({1, 2})).square();
  SGD sgd(fc->parameters(), SGDOptions(0.1));
  fc->weight.mutable_grad() = ones({2, 2});
  sgd.step();
  const uint32_t version = fc->weight._version();
  sgd.step();
  CHECK(fc->weight._version() == version + 1);
}

TEST_CASE("Gradients are clipped as in PyTorch") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const auto& [order, name] :
       {std::pair(2.0, "2"), std::pair(1.0, "1"), std::pair(3.0, "3"), std::pair(inf, "inf")}) {
    Params params;
    params.a.mutable_grad() = wave({3, 2}, 2);
    params.b.mutable_grad() = wave({4}, 3);
    std::vector<double> got = {nn::utils::clip_grad_norm_(params.list(), 0.4, order)};
    for (const Tensor& p : params.list())
      for (const double v : values::of(p.grad())) got.push_back(v);
    nn_oracle::check(std::string("clip.") + name, got, kClose);
  }
  Params params;
  params.a.mutable_grad() = wave({3, 2}, 2);
  const auto before = values::of(params.a.grad());
  CHECK(nn::utils::clip_grad_norm_(params.list(), 100) < 100);
  CHECK(values::of(params.a.grad()) == before);
  nn::utils::clip_grad_value_(params.list(), 0.2);
  for (size_t i = 0; i < before.size(); ++i)
    CHECK(values::of(params.a.grad())[i] == std::min(0.2, std::max(-0.2, before[i])));
  params.a.mutable_grad() = params.a.grad() * inf;
  CHECK_THROWS_AS(nn::utils::clip_grad_norm_(params.list(), 1, 2, true), ValueError);
}
