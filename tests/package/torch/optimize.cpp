// Every optimizer of libtorch, and ways to use them that its programs have: groups, states, a schedule and an
// optimizer of one's own, saving. Prints what optimize.txt holds, which is what this program prints when it
// is built with libtorch.
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <sstream>

namespace optim = torch::optim;

torch::Tensor wave(std::vector<int64_t> sizes, double phase) {
  auto t = torch::empty(sizes, torch::kFloat64);
  auto* p = t.data_ptr<double>();
  for (int64_t i = 0; i < t.numel(); ++i) p[i] = 0.5 * std::sin(phase + 0.37 * i);
  return t;
}

template <class O, class Options>
void run(const char* name, Options options) {
  auto a = wave({3, 2}, 0.3).requires_grad_(), b = wave({4}, 1.1).requires_grad_();
  O optimizer({a, b}, options);
  for (int i = 0; i < 7; ++i) {
    auto loss = optimizer.step([&] {
      optimizer.zero_grad();
      auto l = (a * a * a).sum() + (b * b).sum() * 2;
      l.backward();
      return l;
    });
    if (i == 6 && loss.defined()) std::printf("%.9f ", loss.template item<double>());
  }
  std::printf("%s %.9f %.9f\n", name, a.sum().template item<double>(), b.sum().template item<double>());
}

class Drop : public optim::LRScheduler {
 public:
  explicit Drop(optim::Optimizer& optimizer) : LRScheduler(optimizer) {}

 private:
  std::vector<double> get_lrs() override {
    auto lrs = get_current_lrs();
    for (auto& lr : lrs) lr *= step_count_ == 2 ? 0.1 : 1.0;
    return lrs;
  }
};

struct DescentOptions : optim::OptimizerCloneableOptions<DescentOptions> {
  DescentOptions(double lr = 0.1) : lr_(lr) {}
  TORCH_ARG(double, lr) = 0.1;
};

struct Descent : optim::Optimizer {
  Descent(std::vector<optim::OptimizerParamGroup> groups, DescentOptions defaults)
      : Optimizer(std::move(groups), std::make_unique<DescentOptions>(defaults)) {}
  Descent(std::vector<torch::Tensor> params, DescentOptions defaults)
      : Descent({optim::OptimizerParamGroup(params)}, defaults) {}
  torch::Tensor step(LossClosure closure = nullptr) override {
    torch::Tensor loss;
    if (closure) loss = closure();
    torch::NoGradGuard no_grad;
    for (auto& group : param_groups())
      for (auto& p : group.params())
        if (p.grad().defined()) p.sub_(p.grad() * static_cast<DescentOptions&>(group.options()).lr());
    return loss;
  }
};

int main() {
  run<optim::SGD>("SGD", optim::SGDOptions(0.1).momentum(0.9).nesterov(true).weight_decay(1e-2));
  run<optim::Adam>("Adam", optim::AdamOptions(0.1).amsgrad(true).weight_decay(1e-2));
  run<optim::AdamW>("AdamW", optim::AdamWOptions(0.1).betas(std::make_tuple(0.8, 0.99)));
  run<optim::Adagrad>("Adagrad", optim::AdagradOptions(0.1).lr_decay(0.1).weight_decay(1e-2));
  run<optim::RMSprop>("RMSprop", optim::RMSpropOptions(0.01).centered(true).momentum(0.5).weight_decay(1e-2));
  run<optim::LBFGS>("LBFGS", optim::LBFGSOptions(0.1).line_search_fn("strong_wolfe").max_iter(2));
  run<Descent>("Descent", DescentOptions(0.1));

  auto a = wave({3, 2}, 0.3).requires_grad_();
  optim::Adam adam({a}, optim::AdamOptions(1e-2));
  adam.add_param_group(optim::OptimizerParamGroup(
      {wave({2}, 2).requires_grad_()}, std::make_unique<optim::AdamOptions>(optim::AdamOptions(0.5))));
  a.mutable_grad() = torch::ones_like(a);
  adam.step();
  for (auto& entry : adam.state()) {
    auto& state = static_cast<optim::AdamParamState&>(*entry.second);
    std::printf("state %d %.9f %d\n", static_cast<int>(state.step()), state.exp_avg().sum().item<double>(),
                static_cast<int>(state.max_exp_avg_sq().defined()));
  }
  Drop drop(adam);
  for (int i = 0; i < 4; ++i) {
    drop.step();
    std::printf("%g ", adam.param_groups()[1].options().get_lr());
  }
  for (auto& group : adam.param_groups()) {
    auto& options = static_cast<optim::AdamOptions&>(group.options());
    options.lr(options.lr() * 2);
    std::printf("%g ", options.lr());
  }
  std::printf("%g\n", static_cast<optim::AdamOptions&>(adam.defaults()).eps());
  std::printf("%d %d\n", static_cast<int>(optim::AdamOptions(0.1) == optim::AdamOptions(0.1)),
              static_cast<int>(optim::AdamOptions(0.1) == optim::AdamOptions(0.2)));

  std::stringstream file;
  torch::save(adam, file);
  optim::Adam loaded(adam.param_groups(), optim::AdamOptions(1.0));
  torch::load(loaded, file);
  std::printf("%zu %zu %g\n", loaded.param_groups().size(), loaded.state().size(),
              loaded.param_groups()[1].options().get_lr());
}
