// Schedules of the learning rate: PyTorch's numbers for a hundred steps.
#include "support/nn_oracle.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::optim;

namespace {

constexpr double kClose = 1e-12;  // double arithmetic in the same order

Tensor parameter() { return nn_oracle::wave({2}, 1).requires_grad_(); }

template <class Make>
void run_case(const std::string& name, Optimizer& optimizer, Make make) {
  auto scheduler = make(optimizer);
  std::vector<double> rates, momenta;
  for (int i = 0; i < 100; ++i) {
    const OptimizerOptions& o = optimizer.param_groups()[0].options();
    rates.push_back(o.get_lr());
    momenta.push_back(o.get_momentum());
    CHECK(scheduler->get_last_lr()[0] == o.get_lr());
    CHECK(scheduler->last_epoch() == i);
    scheduler->step();
  }
  nn_oracle::check("schedule." + name + ".lr", rates, kClose);
  nn_oracle::check("schedule." + name + ".momentum", momenta, kClose);
}

template <class Make>
void run_case(const std::string& name, Make make) {
  SGD sgd({parameter()}, SGDOptions(0.5).momentum(0.9));
  run_case(name, sgd, make);
}

}  // namespace

TEST_CASE("StepLR and CosineAnnealingLR give PyTorch's rates") {
  run_case("step", [](Optimizer& o) { return std::make_unique<StepLR>(o, 7, 0.5); });
  run_case("cosine", [](Optimizer& o) { return std::make_unique<CosineAnnealingLR>(o, 30, 0.01); });
}

TEST_CASE("OneCycleLR gives PyTorch's rates and momenta") {
  run_case("one_cycle", [](Optimizer& o) { return std::make_unique<OneCycleLR>(o, 0.1, 100); });
  Adam adam({parameter()}, AdamOptions(0.5));
  run_case("one_cycle_adam", adam, [](Optimizer& o) { return std::make_unique<OneCycleLR>(o, 0.1, 100); });
  run_case("one_cycle_linear", [](Optimizer& o) {
    return std::make_unique<OneCycleLR>(o, OneCycleLROptions(0.1)
                                               .epochs(10)
                                               .steps_per_epoch(10)
                                               .pct_start(0.2)
                                               .anneal_strategy(Annealing::kLinear)
                                               .base_momentum(0.8)
                                               .max_momentum(0.9)
                                               .div_factor(10)
                                               .final_div_factor(100));
  });
  run_case("one_cycle_three", [](Optimizer& o) {
    return std::make_unique<OneCycleLR>(o,
                                        OneCycleLROptions(0.1, 100).three_phase(true).cycle_momentum(false));
  });
}

TEST_CASE("A schedule ends with its last step") {
  SGD sgd({parameter()}, SGDOptions(0.5).momentum(0.9));
  OneCycleLR schedule(sgd, 0.1, 5);
  for (int i = 0; i < 5; ++i) schedule.step();
  const double lr = sgd.param_groups()[0].options().get_lr();
  CHECK_THROWS_AS(schedule.step(), ValueError);
  CHECK(schedule.last_epoch() == 5);
  CHECK(sgd.param_groups()[0].options().get_lr() == lr);
}

TEST_CASE("A schedule goes on from its saved state") {
  SGD a({parameter()}, SGDOptions(0.5)), b({parameter()}, SGDOptions(0.3));
  CosineAnnealingLR first(a, 20, 0.1), second(b, 20, 0.1);
  for (int i = 0; i < 7; ++i) first.step();
  second.load_state_dict(first.state_dict());
  b.load_state_dict(a.state_dict());
  for (int i = 0; i < 20; ++i) {
    first.step();
    second.step();
    CHECK(first.get_last_lr() == second.get_last_lr());
  }
}

TEST_CASE("Impossible schedules are refused") {
  SGD sgd({parameter()}, SGDOptions(0.5));
  CHECK_THROWS_AS(StepLR(sgd, 0), ValueError);
  CHECK_THROWS_AS(CosineAnnealingLR(sgd, 0), ValueError);
  CHECK_THROWS_AS(OneCycleLR(sgd, OneCycleLROptions(0.1)), ValueError);
}
