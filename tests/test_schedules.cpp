// Every schedule of the learning rate: PyTorch's rates and momenta for 45 steps over two groups, saving and
// loading in the middle, lifetimes, refusals.
#include "support/optim_oracle.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::optim;

namespace {

constexpr double kClose = 1e-12;  // double arithmetic in the same order

// Two groups, as in make_optim.py.
template <class O, class Options>
std::unique_ptr<O> two_groups(const Options& defaults) {
  Options second = defaults;
  second.lr(0.2);
  std::vector<OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<Tensor>{zeros({2}).requires_grad_()});
  groups.emplace_back(std::vector<Tensor>{zeros({3}).requires_grad_()}, std::make_unique<Options>(second));
  return std::make_unique<O>(groups, defaults);
}
std::unique_ptr<Optimizer> sgd() { return two_groups<SGD>(SGDOptions(0.5).momentum(0.9)); }
std::unique_ptr<Optimizer> adam() { return two_groups<Adam>(AdamOptions(1e-3)); }

struct Case {
  std::string name;
  std::function<std::shared_ptr<LRScheduler>(Optimizer&)> make;
  bool momentum = false;
  std::unique_ptr<Optimizer> (*optimizer)() = sgd;
};

template <class S, class... Args>
auto scheduler(Args... args) {
  return [=](Optimizer& o) -> std::shared_ptr<LRScheduler> { return std::make_shared<S>(o, args...); };
}

using Many = std::vector<std::shared_ptr<LRScheduler>>;

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"step", scheduler<StepLR>(7, 0.5)},
      {"multi_step", scheduler<MultiStepLR>(std::vector<int64_t>{5, 12, 12, 30}, 0.3)},
      {"multi_step_zero", scheduler<MultiStepLR>(std::vector<int64_t>{0, 9})},
      {"exponential", scheduler<ExponentialLR>(0.93)},
      {"constant", scheduler<ConstantLR>(0.25, 9)},
      {"constant_default", scheduler<ConstantLR>()},
      {"linear", scheduler<LinearLR>(0.2, 0.7, 13)},
      {"linear_default", scheduler<LinearLR>()},
      {"polynomial", scheduler<PolynomialLR>(20, 1.7)},
      {"polynomial_default", scheduler<PolynomialLR>()},
      {"lambda", scheduler<LambdaLR>([](int64_t t) { return 1 / (1 + 0.1 * static_cast<double>(t)); })},
      {"lambda_groups",
       scheduler<LambdaLR>(std::vector<LRLambda>{[](int64_t t) { return std::pow(0.9, t); },
                                                 [](int64_t t) { return 1 + 0.1 * static_cast<double>(t); }})},
      {"multiplicative",
       scheduler<MultiplicativeLR>([](int64_t t) { return 1 - 0.5 / static_cast<double>(t + 1); })},
      {"cosine", scheduler<CosineAnnealingLR>(10, 0.01)},
      {"warm_restarts", scheduler<CosineAnnealingWarmRestarts>(7, 1, 0.02)},
      {"warm_restarts_longer", scheduler<CosineAnnealingWarmRestarts>(4, 2)},
      {"cyclic", scheduler<CyclicLR>(CyclicLROptions(0.01, 0.1).step_size_up(6)), true},
      {"cyclic2",
       scheduler<CyclicLR>(CyclicLROptions({0.01, 0.02}, {0.1, 0.3})
                               .step_size_up(4)
                               .step_size_down(9)
                               .mode(CyclicMode::kTriangular2)
                               .base_momentum(0.7)
                               .max_momentum(0.95)),
       true},
      {"cyclic_range",
       scheduler<CyclicLR>(CyclicLROptions(0.01, 0.1)
                               .step_size_up(5)
                               .mode(CyclicMode::kExpRange)
                               .gamma(0.95)
                               .cycle_momentum(false)),
       true},
      {"cyclic_scale",
       scheduler<CyclicLR>(CyclicLROptions(0.01, 0.1)
                               .step_size_up(5)
                               .scale_fn([](double x) { return 1 / (1 + x); })
                               .scale_mode(CyclicScaleMode::kIterations)),
       true},
      {"one_cycle", scheduler<OneCycleLR>(OneCycleLROptions({0.1, 0.3}, 46)), true},
      {"one_cycle_adam", scheduler<OneCycleLR>(OneCycleLROptions(0.1, 60).three_phase(true)), true, adam},
      {"chained",
       [](Optimizer& o) {
         return std::make_shared<ChainedScheduler>(
             Many{std::make_shared<ConstantLR>(o, 0.1, 4), std::make_shared<ExponentialLR>(o, 0.9)});
       }},
      {"chained_three",
       [](Optimizer& o) {
         return std::make_shared<ChainedScheduler>(
             Many{std::make_shared<LinearLR>(o, 0.5, 1.0, 6),
                  std::make_shared<MultiStepLR>(o, std::vector<int64_t>{10, 20}, 0.2),
                  std::make_shared<MultiplicativeLR>(o, [](int64_t) { return 0.98; })});
       }},
      {"chained_cosine",
       [](Optimizer& o) {
         return std::make_shared<ChainedScheduler>(
             Many{std::make_shared<LinearLR>(o, 0.3, 1.0, 5), std::make_shared<CosineAnnealingLR>(o, 15, 0.01)});
       }},
      {"sequential",
       [](Optimizer& o) {
         return std::make_shared<SequentialLR>(
             o, Many{std::make_shared<ConstantLR>(o, 0.1, 2), std::make_shared<ExponentialLR>(o, 0.9)},
             std::vector<int64_t>{5});
       }},
      {"sequential_warm",
       [](Optimizer& o) {
         return std::make_shared<SequentialLR>(
             o,
             Many{std::make_shared<LinearLR>(o, 0.1, 1.0, 8), std::make_shared<CosineAnnealingLR>(o, 12, 0.02),
                  std::make_shared<StepLR>(o, 4, 0.5)},
             std::vector<int64_t>{8, 22});
       }},
      {"sequential_restarts",
       [](Optimizer& o) {
         return std::make_shared<SequentialLR>(
             o,
             Many{std::make_shared<LambdaLR>(o, [](int64_t t) { return 0.5 + 0.05 * static_cast<double>(t); }),
                  std::make_shared<CosineAnnealingWarmRestarts>(o, 5, 2),
                  std::make_shared<MultiplicativeLR>(o, [](int64_t) { return 0.9; }),
                  std::make_shared<PolynomialLR>(o, 10, 2.0)},
             std::vector<int64_t>{6, 20, 30});
       }},
      {"sequential_cyclic",
       [](Optimizer& o) {
         return std::make_shared<SequentialLR>(
             o,
             Many{std::make_shared<MultiStepLR>(o, std::vector<int64_t>{3}, 0.5),
                  std::make_shared<CyclicLR>(o, CyclicLROptions(0.01, 0.1).step_size_up(4))},
             std::vector<int64_t>{11});
       },
       true},
  };
  return all;
}

// The groups' rates and momenta, step by step.
struct Log {
  void add(Optimizer& optimizer) {
    for (OptimizerParamGroup& g : optimizer.param_groups()) {
      rates.push_back(g.options().get_lr());
      momenta.push_back(g.options().get_momentum());
    }
  }
  std::vector<double> rates, momenta;
};

}  // namespace

TEST_CASE("Each schedule gives PyTorch's rates and momenta") {
  for (const Case& c : cases()) {
    const auto optimizer = c.optimizer();
    const auto s = c.make(*optimizer);
    Log log;
    for (int t = 0; t < 46; ++t) {
      log.add(*optimizer);
      CHECK(s->last_epoch() == t);
      CHECK(s->get_last_lr()[1] == optimizer->param_groups()[1].options().get_lr());
      s->step();
    }
    optim_oracle::check("schedule." + c.name + ".lr", log.rates, kClose);
    if (c.momentum) optim_oracle::check("schedule." + c.name + ".momentum", log.momenta, kClose);
  }
}

TEST_CASE(
    "A schedule that is loaded in the middle goes on bitwise, whether the optimizer is loaded before or "
    "after") {
  for (const Case& c : cases())
    for (const int middle : {1, 7, 23})
      for (const bool optimizer_first : {true, false}) {
        INFO(c.name << " from step " << middle);
        const auto a = c.optimizer(), b = c.optimizer();
        const auto first = c.make(*a);
        for (int t = 0; t < middle; ++t) first->step();
        std::shared_ptr<LRScheduler> second;
        if (optimizer_first) {
          b->load_state_dict(a->state_dict());
          second = c.make(*b);
          second->load_state_dict(first->state_dict());
        } else {
          second = c.make(*b);
          second->load_state_dict(first->state_dict());
          b->load_state_dict(a->state_dict());
        }
        CHECK(second->last_epoch() == middle);
        CHECK(second->get_last_lr() == first->get_last_lr());
        Log straight, resumed;
        for (int t = middle; t < 45; ++t) {
          straight.add(*a);
          resumed.add(*b);
          first->step();
          second->step();
        }
        CHECK(straight.rates == resumed.rates);
        CHECK(straight.momenta == resumed.momenta);
      }
}

TEST_CASE("ReduceLROnPlateau lowers the rate as PyTorch does, and resumes") {
  using Plateau = ReduceLROnPlateauScheduler;
  const auto run = [](const std::string& name, auto make) {
    const auto optimizer = sgd();
    auto s = make(*optimizer);
    Log log;
    for (int i = 0; i < 46; ++i) {
      log.add(*optimizer);
      if (i % 10 == 9) {  // goes on in another object
        const auto state = s->state_dict();
        s = make(*optimizer);
        s->load_state_dict(state);
      }
      const double falls = std::cos(0.4 * i) / (1 + 0.2 * i), rises = std::sin(0.3 * i) + 0.01 * i;
      s->step(name == "plateau_max" ? rises : falls);
      CHECK(s->last_epoch() == i + 1);
    }
    optim_oracle::check("schedule." + name + ".lr", log.rates, kClose);
  };
  run("plateau", [](Optimizer& o) { return std::make_unique<Plateau>(o, Plateau::min, 0.5, 2); });
  run("plateau_abs", [](Optimizer& o) {
    return std::make_unique<ReduceLROnPlateau>(o, Plateau::min, 0.3, 1, 0.05, Plateau::abs, 3,
                                               PerGroup{0.01, 0.05});
  });
  run("plateau_max", [](Optimizer& o) {
    return std::make_unique<Plateau>(o, Plateau::max, 0.6, 3, 0.1, Plateau::rel, 0, PerGroup(), 0.02);
  });
  const auto optimizer = sgd();
  Plateau s(*optimizer, Plateau::min, 0.5, 0);
  s.step(values::make({2}));
  s.step(std::nan(""));
  CHECK(s.get_last_lr() == std::vector<double>{0.25, 0.1});
  // libtorch's list is one of float.
  Plateau floats(*optimizer, Plateau::min, 0.5F, 0, 1e-4, Plateau::rel, 0, std::vector<float>{0.1875F, 0.0F});
  floats.step(1);
  floats.step(1);
  CHECK(floats.get_last_lr() == std::vector<double>{0.1875, 0.05});
}

TEST_CASE("A state that does not fit a schedule is refused whole") {
  const auto optimizer = sgd();
  CosineAnnealingWarmRestarts restarts(*optimizer, 5);
  StepLR step(*optimizer, 3);
  restarts.step();
  auto state = restarts.state_dict();
  CHECK_THROWS_AS(step.load_state_dict(state), ValueError);
  CHECK(step.last_epoch() == 0);
  state.erase("T_cur");
  const double lr = optimizer->param_groups()[0].options().get_lr();
  CHECK_THROWS_AS(restarts.load_state_dict(state), ValueError);
  CHECK(restarts.last_epoch() == 1);
  CHECK(optimizer->param_groups()[0].options().get_lr() == lr);
}

TEST_CASE("A scheduler follows an optimizer that is moved, and says when it is gone") {
  std::unique_ptr<LRScheduler> s;
  {
    SGD first({zeros({2}).requires_grad_()}, SGDOptions(0.5));
    s = std::make_unique<ExponentialLR>(first, 0.5);
    SGD second(std::move(first));
    s->step();
    CHECK(second.param_groups()[0].options().get_lr() == 0.25);
    CHECK(&s->optimizer() == &second);
  }
  CHECK(s->get_last_lr() == std::vector<double>{0.25});
  CHECK_THROWS_AS(s->step(), ValueError);
  CHECK_THROWS_AS(s->load_state_dict(s->state_dict()), ValueError);
  CHECK(s->last_epoch() == 1);
}

namespace {

// As programs for libtorch write a schedule of their own.
class Halving : public LRScheduler {
 public:
  explicit Halving(Optimizer& optimizer) : LRScheduler(optimizer) {}

 private:
  std::vector<double> get_lrs() override {
    auto lrs = get_current_lrs();
    if (step_count_ % 2 == 1)
      for (double& lr : lrs) lr /= 2;
    return lrs;
  }
};

}  // namespace

TEST_CASE("A schedule of one's own counts the steps completed") {
  const auto optimizer = sgd();
  Halving halving(*optimizer);
  std::vector<double> rates;
  for (int i = 0; i < 4; ++i) {
    halving.step();
    rates.push_back(halving.get_last_lr()[0]);
  }
  CHECK(rates == std::vector<double>{0.5, 0.25, 0.25, 0.125});
}

TEST_CASE("Impossible schedules are refused") {
  const auto optimizer = sgd(), other = sgd();
  Optimizer& o = *optimizer;
  CHECK_THROWS_AS(ConstantLR(o, 1.5), ValueError);
  CHECK_THROWS_AS(LinearLR(o, 0.0), ValueError);
  CHECK_THROWS_AS(LinearLR(o, 0.5, 1.1), ValueError);
  CHECK_THROWS_AS(LinearLR(o, 0.5, 1.0, 0), ValueError);
  CHECK_THROWS_AS(PolynomialLR(o, 0), ValueError);
  CHECK_THROWS_AS(LambdaLR(o, std::vector<LRLambda>{[](int64_t) { return 1.0; }}), ValueError);
  CHECK_THROWS_AS(LambdaLR(o, LRLambda()), ValueError);
  CHECK_THROWS_AS(MultiplicativeLR(o, std::vector<LRLambda>{}), ValueError);
  CHECK_THROWS_AS(CosineAnnealingWarmRestarts(o, 0), ValueError);
  CHECK_THROWS_AS(CosineAnnealingWarmRestarts(o, 3, 0), ValueError);
  CHECK_THROWS_AS(CyclicLR(o, {0.1, 0.2, 0.3}, 0.5), ValueError);
  CHECK_THROWS_AS(CyclicLR(o, CyclicLROptions(0.1, 0.5).step_size_up(0)), ValueError);
  CHECK_THROWS_AS(OneCycleLR(o, OneCycleLROptions({0.1}, 10)), ValueError);
  CHECK_THROWS_AS(ReduceLROnPlateau(o, ReduceLROnPlateau::min, 1.0), ValueError);
  CHECK_THROWS_AS(
      ReduceLROnPlateau(o, ReduceLROnPlateau::min, 0.1, 10, 1e-4, ReduceLROnPlateau::rel, 0, {0.1}),
      ValueError);
  CHECK_THROWS_AS(ChainedScheduler({}), ValueError);
  CHECK_THROWS_AS(ChainedScheduler({nullptr}), ValueError);
  CHECK_THROWS_AS(ChainedScheduler({std::make_shared<StepLR>(o, 3), std::make_shared<StepLR>(*other, 3)}),
                  ValueError);
  CHECK_THROWS_AS(SequentialLR(*other, {std::make_shared<StepLR>(o, 3)}, {}), ValueError);
  CHECK_THROWS_AS(SequentialLR(o, {std::make_shared<StepLR>(o, 3)}, {4}), ValueError);
  CHECK_THROWS_AS(
      SequentialLR(
          o, {std::make_shared<StepLR>(o, 3), std::make_shared<StepLR>(o, 3), std::make_shared<StepLR>(o, 3)},
          {4, 2}),
      ValueError);
  Adagrad adagrad({zeros({2}).requires_grad_()});
  CHECK_THROWS_AS(CyclicLR(adagrad, 0.1, 0.5), ValueError);
  CHECK(CyclicLR(adagrad, CyclicLROptions(0.1, 0.5).cycle_momentum(false)).get_last_lr() ==
        std::vector<double>{0.1});

  LambdaLR made_before(o, [](int64_t) { return 2.0; });
  o.add_param_group(OptimizerParamGroup({zeros({1}).requires_grad_()}));
  CHECK_THROWS_AS(made_before.step(), ValueError);
  CHECK(made_before.last_epoch() == 0);
}
