// The optimizers whose update is a formula of the elements: PyTorch's trajectories with several options each,
// in float64 and float32, contiguous and not; resuming; refusals.
#include <sstream>

#include "support/optim_oracle.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::optim;
using optim_oracle::Params;

namespace {

// The kernels use fused multiply-add; the float32 trajectories are of 10 steps.
double tolerance(DType dtype) { return dtype == kFloat64 ? 2e-13 : 2e-6; }

// A way to make one optimizer over given parameters.
struct Case {
  std::string name;
  std::function<std::unique_ptr<Optimizer>(const std::vector<Tensor>&)> make;
};

template <class O, class Options>
Case a_case(std::string name, Options options) {
  return {std::move(name),
          [options](const std::vector<Tensor>& p) { return std::make_unique<O>(p, options); }};
}

const std::vector<Case>& cases() {
  using Betas = std::tuple<double, double>;
  const Betas betas(0.8, 0.95);
  static const std::vector<Case> all = {
      a_case<Adamax>("adamax", AdamaxOptions()),
      a_case<Adamax>("adamax_options", AdamaxOptions(0.01).betas(betas).eps(1e-4).weight_decay(0.1)),
      a_case<Adamax>("adamax_maximize", AdamaxOptions(0.01).maximize(true)),
      a_case<NAdam>("nadam", NAdamOptions()),
      a_case<NAdam>("nadam_options",
                    NAdamOptions(0.01).betas(betas).eps(1e-4).weight_decay(0.1).momentum_decay(0.02)),
      a_case<RAdam>("radam", RAdamOptions()),
      a_case<RAdam>("radam_options", RAdamOptions(0.01).betas(betas).eps(1e-4).weight_decay(0.1)),
      a_case<Adagrad>("adagrad", AdagradOptions()),
      a_case<Adagrad>(
          "adagrad_options",
          AdagradOptions(0.1).lr_decay(0.05).weight_decay(0.1).initial_accumulator_value(0.2).eps(1e-4)),
      a_case<Adagrad>("adagrad_maximize", AdagradOptions(0.1).maximize(true)),
      a_case<Adadelta>("adadelta", AdadeltaOptions()),
      a_case<Adadelta>("adadelta_options", AdadeltaOptions(0.5).rho(0.8).eps(1e-4).weight_decay(0.1)),
      a_case<Adadelta>("adadelta_maximize", AdadeltaOptions().maximize(true)),
      a_case<RMSprop>("rmsprop", RMSpropOptions()),
      a_case<RMSprop>("rmsprop_momentum",
                      RMSpropOptions(0.005).alpha(0.9).eps(1e-4).weight_decay(0.1).momentum(0.8)),
      a_case<RMSprop>("rmsprop_centered", RMSpropOptions(0.005).alpha(0.9).eps(1e-4).centered(true)),
      a_case<RMSprop>(
          "rmsprop_all",
          RMSpropOptions(0.005).alpha(0.95).eps(1e-4).centered(true).momentum(0.5).maximize(true)),
      a_case<ASGD>("asgd", ASGDOptions()),
      a_case<ASGD>("asgd_options", ASGDOptions(0.1).lambd(0.05).alpha(0.6).t0(4).weight_decay(0.1)),
      a_case<ASGD>("asgd_maximize", ASGDOptions(0.01).maximize(true)),
      a_case<Rprop>("rprop", RpropOptions()),
      a_case<Rprop>("rprop_options", RpropOptions(0.02).etas(Betas(0.4, 1.5)).step_sizes(Betas(1e-3, 0.05))),
      a_case<Rprop>("rprop_maximize", RpropOptions(0.01).maximize(true)),
  };
  return all;
}

void train(Optimizer& optimizer, const Params& params, int from, int to) {
  for (int t = from; t <= to; ++t) {
    params.set_grads(t);
    optimizer.step();
  }
}

bool equal(const OptimizerStateDict& a, const OptimizerStateDict& b) {
  if (a.tensors.size() != b.tensors.size() || a.numbers.size() != b.numbers.size()) return false;
  for (const auto& item : a.tensors)
    if (values::of(item.value()) != values::of(b.tensors[item.key()])) return false;
  for (const auto& item : a.numbers)
    if (item.value() != b.numbers[item.key()]) return false;
  return true;
}

// The parameters after `steps` steps.
template <class O, class Options>
std::vector<double> result_of(const Options& options, int steps, bool negate = false) {
  Params params;
  O optimizer(params.list(), options);
  for (int t = 1; t <= steps; ++t) {
    params.set_grads(t);
    if (negate)
      for (const Tensor& p : params.list()) p.mutable_grad() = p.grad().neg();
    optimizer.step();
  }
  return params.values();
}

}  // namespace

TEST_CASE("Each optimizer follows PyTorch, whatever its options, the dtype and the parameters' strides") {
  for (const Case& c : cases())
    for (const DType dtype : {kFloat64, kFloat32})
      for (const bool strided : {false, true}) {
        const Params params(dtype, strided);
        CHECK(params.a.is_contiguous() == !strided);
        CHECK(params.b.is_contiguous() == !strided);
        const auto optimizer = c.make(params.list());
        const std::string name = c.name + (dtype == kFloat32 ? ".float" : "");
        int t = 0;
        for (const int report : {1, 2, 10, 100}) {
          if (report == 100 && dtype == kFloat32) break;
          train(*optimizer, params, t + 1, report);
          t = report;
          optim_oracle::check(name + "." + std::to_string(t), params.values(), tolerance(dtype));
        }
        if (c.name.starts_with("asgd")) {
          std::vector<double> average;
          for (const auto& [param, state] : optimizer->state())
            for (const double v : values::of(static_cast<ASGDParamState&>(*state).ax())) average.push_back(v);
          optim_oracle::check(name + ".ax", average, tolerance(dtype));
        }
      }
}

TEST_CASE("maximize goes the way of the negated gradient, also where PyTorch 1.13 lacks it") {
  CHECK(result_of<NAdam>(NAdamOptions(0.01).maximize(true), 9) ==
        result_of<NAdam>(NAdamOptions(0.01), 9, true));
  CHECK(result_of<RAdam>(RAdamOptions(0.01).maximize(true), 9) ==
        result_of<RAdam>(RAdamOptions(0.01), 9, true));
}

TEST_CASE("Decoupled weight decay shrinks the parameters before the step") {
  const auto check = [](auto decayed, auto plain) {
    Params a, b;
    auto first = decayed(a.list()), second = plain(b.list());
    for (int t = 1; t <= 9; ++t) {
      a.set_grads(t);
      b.set_grads(t);
      first->step();
      {
        NoGradGuard no_grad;
        for (const Tensor& p : b.list()) raw::copy_into(p, p * (1 - 0.01 * 0.3));
      }
      second->step();
      CHECK(values::close(a.values(), b.values(), 1e-13, 1));
    }
  };
  check(a_case<NAdam>("", NAdamOptions(0.01).weight_decay(0.3).decoupled_weight_decay(true)).make,
        a_case<NAdam>("", NAdamOptions(0.01)).make);
  check(a_case<RAdam>("", RAdamOptions(0.01).weight_decay(0.3).decoupled_weight_decay(true)).make,
        a_case<RAdam>("", RAdamOptions(0.01)).make);
}

TEST_CASE("An optimizer that is saved to a file and loaded goes on bitwise") {
  for (const Case& c : cases())
    for (const DType dtype : {kFloat64, kFloat32, kBFloat16}) {
      INFO(c.name);
      const Params whole(dtype), first(dtype);
      const auto straight = c.make(whole.list()), before = c.make(first.list());
      train(*straight, whole, 1, 12);
      train(*before, first, 1, 7);
      std::stringstream file;
      save(*before, file);
      const auto after = c.make(first.list());
      load(*after, file);
      CHECK(equal(after->state_dict(), before->state_dict()));
      train(*after, first, 8, 12);
      CHECK(first.values() == whole.values());
      CHECK(equal(after->state_dict(), straight->state_dict()));
    }
}

TEST_CASE("The state of another optimizer is refused whole") {
  const Params params;
  Adadelta from(params.list());
  train(from, params, 1, 2);
  RMSprop to(params.list());
  train(to, params, 3, 4);
  const OptimizerStateDict before = to.state_dict();
  CHECK_THROWS_AS(to.load_state_dict(from.state_dict()), ValueError);
  CHECK(equal(to.state_dict(), before));
}

TEST_CASE("Parameters without a gradient are left out and get no state") {
  for (const Case& c : cases()) {
    const Params params;
    const auto optimizer = c.make(params.list());
    const auto before = values::of(params.a);
    params.set_grads(1);
    params.a.mutable_grad().reset();
    optimizer->step();
    CHECK(values::of(params.a) == before);
    CHECK(optimizer->state().size() == 1);
    CHECK(optimizer->state().contains(params.b.unsafeGetTensorImpl()));
    CHECK_THROWS_AS(optimizer->state().at(params.a.unsafeGetTensorImpl()), IndexError);
  }
}

TEST_CASE("A gradient that does not fit is refused before anything is changed") {
  const Params params;
  Adagrad adagrad(params.list());
  train(adagrad, params, 1, 1);
  const auto before = params.values();
  const OptimizerStateDict state = adagrad.state_dict();
  const double sum = values::of(state.tensors["state.0.sum"])[0];
  params.b.mutable_grad() = zeros({3}, kFloat64);
  CHECK_THROWS_AS(adagrad.step(), ShapeError);
  CHECK(params.values() == before);
  CHECK(adagrad.state_dict().numbers["state.0.step"] == 1);
  CHECK(values::of(adagrad.state_dict().tensors["state.0.sum"])[0] == sum);
}

TEST_CASE("A gradient of another dtype or layout is taken") {
  const Params a, b;
  Adamax first(a.list()), second(b.list());
  a.set_grads(1);
  b.set_grads(1);
  a.a.mutable_grad() = a.a.grad().to(kFloat32);
  b.a.mutable_grad() = raw::clone_contiguous(a.a.grad().to(kFloat64).t()).t();
  first.step();
  second.step();
  CHECK(a.values() == b.values());
}

TEST_CASE("Options outside their domains are refused") {
  const std::vector<Tensor> p = {zeros({2}).requires_grad_()};
  using Pair = std::tuple<double, double>;
  CHECK_THROWS_AS(Adamax(p, AdamaxOptions(-1)), ValueError);
  CHECK_THROWS_AS(Adamax(p, AdamaxOptions().betas(Pair(0.9, 1.0))), ValueError);
  CHECK_THROWS_AS(Adamax(p, AdamaxOptions().eps(-1e-8)), ValueError);
  CHECK_THROWS_AS(NAdam(p, NAdamOptions().momentum_decay(-1)), ValueError);
  CHECK_THROWS_AS(NAdam(p, NAdamOptions().betas(Pair(-0.1, 0.9))), ValueError);
  CHECK_THROWS_AS(RAdam(p, RAdamOptions().weight_decay(-1)), ValueError);
  CHECK_THROWS_AS(Adagrad(p, AdagradOptions().lr_decay(-1)), ValueError);
  CHECK_THROWS_AS(Adagrad(p, AdagradOptions().initial_accumulator_value(-1)), ValueError);
  CHECK_THROWS_AS(Adadelta(p, AdadeltaOptions().rho(1.1)), ValueError);
  CHECK_THROWS_AS(Adadelta(p, AdadeltaOptions(std::nan(""))), ValueError);
  CHECK_THROWS_AS(RMSprop(p, RMSpropOptions().momentum(-0.1)), ValueError);
  CHECK_THROWS_AS(RMSprop(p, RMSpropOptions().alpha(-0.1)), ValueError);
  CHECK_THROWS_AS(ASGD(p, ASGDOptions(-1)), ValueError);
  CHECK_THROWS_AS(ASGD(p, ASGDOptions().weight_decay(-1)), ValueError);
  CHECK_THROWS_AS(Rprop(p, RpropOptions().etas(Pair(1.0, 1.2))), ValueError);
  CHECK_THROWS_AS(Rprop(p, RpropOptions().etas(Pair(0.5, 1.0))), ValueError);
  try {
    RMSprop(p, RMSpropOptions().eps(-2));
    FAIL("it was taken");
  } catch (const ValueError& e) {
    CHECK(std::string(e.what()).find("RMSprop: eps is -2, expected at least 0") != std::string::npos);
  }
}

TEST_CASE("Groups keep options of their own for every optimizer") {
  const Params params;
  std::vector<OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<Tensor>{params.a}, std::make_unique<AdadeltaOptions>(0.0));
  groups.emplace_back(std::vector<Tensor>{params.b});
  Adadelta adadelta(groups, AdadeltaOptions(0.5));
  const auto before = values::of(params.a), other = values::of(params.b);
  train(adadelta, params, 1, 3);
  CHECK(values::of(params.a) == before);
  CHECK(values::of(params.b) != other);
  CHECK_THROWS_AS(
      adadelta.add_param_group(OptimizerParamGroup({zeros({1})}, std::make_unique<AdagradOptions>(0.1))),
      ValueError);
  CHECK(adadelta.param_groups().size() == 2);
}

namespace {

// As programs for libtorch write an optimizer of their own: options, and step() itself.
struct SignOptions : OptimizerCloneableOptions<SignOptions> {
  SignOptions(double lr) : lr_(lr) {}  // NOLINT
  TAPIR_ARG(double, lr);
};
struct SignDescent : Optimizer {
  SignDescent(std::vector<Tensor> params, SignOptions defaults)
      : Optimizer({OptimizerParamGroup(std::move(params))}, std::make_unique<SignOptions>(defaults)) {}
  Tensor step(LossClosure closure = nullptr) override {
    Tensor loss;
    if (closure) loss = closure();
    NoGradGuard no_grad;
    for (OptimizerParamGroup& group : param_groups())
      for (Tensor& p : group.params())
        if (p.grad().defined()) p.sub_(p.grad().sign() * group.options().get_lr());
    return loss;
  }
};

}  // namespace

TEST_CASE("An optimizer of one's own overrides step()") {
  const Tensor p = values::make({1, -2, 3}).requires_grad_();
  SignDescent sign({p}, 0.5);
  const Tensor loss = sign.step([&] {
    Tensor l = p.square().sum();
    l.backward();
    return l;
  });
  CHECK(loss.item<float>() == 14);
  CHECK(values::of(p) == std::vector<double>{0.5, -1.5, 2.5});
  sign.param_groups()[0].options().set_lr(1);
  sign.step();
  CHECK(values::of(p) == std::vector<double>{-0.5, -0.5, 1.5});
  CHECK_THROWS_AS(sign.state_dict(), ValueError);  // the options do not say what is in them
}

TEST_CASE("Options and states are equal where they show the same values") {
  CHECK(RMSpropOptions(0.1).centered(true) == RMSpropOptions(0.1).centered(true));
  CHECK(!(RMSpropOptions(0.1).centered(true) == RMSpropOptions(0.1)));
  const AdamOptions adam = AdamOptions(0.1).weight_decay(0.5);
  CHECK(adam == AdamOptions(0.1).weight_decay(0.5));
  CHECK(!(adam == AdamWOptions(0.1).weight_decay(0.5)));
  AdagradParamState a, b;
  CHECK(a == b);
  a.sum(values::make({1, 2}));
  CHECK(!(a == b));
  b.sum(values::make({1, 2}));
  CHECK(a == b);
  b.sum(values::make({1, 3}));
  CHECK(!(a == b));
}

TEST_CASE("Parameters can be added to the first group") {
  const Params params;
  Rprop rprop(std::vector<Tensor>{});
  rprop.add_parameters({params.a});
  CHECK_THROWS_AS(rprop.add_parameters({params.b, params.a}), ValueError);
  CHECK(rprop.size() == 1);
  rprop.add_parameters({params.b});
  CHECK(rprop.size() == 2);
  CHECK(rprop.param_groups().size() == 1);
}
