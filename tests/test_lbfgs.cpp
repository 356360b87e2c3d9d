// LBFGS on Rosenbrock's function: PyTorch's points, losses and numbers of evaluations; resuming; refusals.
#include <sstream>

#include "support/optim_oracle.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::optim;

namespace {

// Relative: what rounding in another order grows to over some 30 evaluations of a curved valley.
constexpr double kClose = 1e-8;

// sum of 100 (z_{i+1} - z_i^2)^2 + (1 - z_i)^2 over z = (x, y)
struct Rosenbrock {
  Rosenbrock(const std::vector<double>& a, const std::vector<double>& b, DType dtype = kFloat64,
             bool strided = false)
      : x(values::make(a, dtype)), y(values::make(b, dtype)) {
    if (strided)
      for (Tensor* t : {&x, &y})
        *t = raw::clone_contiguous(t->unsqueeze(1).expand({t->size(0), 2})).select(1, 1);
    x.requires_grad_();
    y.requires_grad_();
  }
  std::vector<Tensor> params() const { return {x, y}; }
  std::vector<double> values() const {
    auto all = values::of(x), more = values::of(y);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Tensor loss() const {
    const Tensor z = cat({x, y});
    const Tensor a = z.narrow(0, 0, z.size(0) - 1), b = z.narrow(0, 1, z.size(0) - 1);
    return ((b - a * a).square() * 100 + (1 - a).square()).sum();
  }
  auto closure(Optimizer& optimizer) const {
    return [this, &optimizer] {
      optimizer.zero_grad();
      const Tensor l = loss();
      l.backward();
      return l;
    };
  }
  Tensor x, y;
};

LBFGSOptions wolfe() { return LBFGSOptions().line_search_fn("strong_wolfe"); }

}  // namespace

TEST_CASE("LBFGS goes where PyTorch's goes, with as many evaluations") {
  const auto run = [](const std::string& name, const Rosenbrock& f, int steps, const LBFGSOptions& options) {
    LBFGS lbfgs(f.params(), options);
    for (int i = 1; i <= steps; ++i) {
      std::vector<double> got = {lbfgs.step(f.closure(lbfgs)).item<double>()};
      for (const double v : f.values()) got.push_back(v);
      const auto& state = static_cast<LBFGSParamState&>(*lbfgs.state().at(f.x.unsafeGetTensorImpl()));
      const std::vector<double> counts = {static_cast<double>(state.func_evals()),
                                          static_cast<double>(state.n_iter())};
      const std::string key = "lbfgs." + name + "." + std::to_string(i);
      INFO("case " << key);
      std::vector<double> want = optim_oracle::expected(key);
      CHECK(counts == std::vector<double>(want.end() - 2, want.end()));
      want.resize(want.size() - 2);
      CHECK(values::close(got, want, kClose, 0.01));
    }
  };
  for (const bool strided : {false, true}) {
    const auto f = [&](const std::vector<double>& a, const std::vector<double>& b) {
      return Rosenbrock(a, b, kFloat64, strided);
    };
    run("wolfe", f({-1.5}, {2.0}), 3, wolfe().max_iter(8));
    run("fixed", f({-0.5}, {0.5}), 5, LBFGSOptions(0.05).max_iter(10));
    run("short_history", f({-1.2, 1.0, 0.4}, {0.7, -0.3}), 5, wolfe().history_size(3).max_iter(6));
    run("evaluations", f({-1.2, 1.0}, {0.7, -0.3}), 4, wolfe().lr(0.8).max_eval(7));
    run("tolerance", f({0.9}, {0.8}), 3, wolfe().tolerance_grad(1e-3).tolerance_change(1e-5));
  }
}

TEST_CASE("LBFGS finds the minimum, in float32 too") {
  for (const DType dtype : {kFloat64, kFloat32}) {
    const Rosenbrock f({-1.5, 0.3}, {2.0}, dtype);
    LBFGS lbfgs(f.params(), wolfe().max_iter(100).tolerance_change(1e-14));
    lbfgs.step(f.closure(lbfgs));
    for (const double v : f.values()) CHECK(std::abs(v - 1) < (dtype == kFloat64 ? 1e-6 : 1e-3));
  }
}

TEST_CASE("LBFGS goes on bitwise from a saved state") {
  for (const LBFGSOptions& options : {wolfe().max_iter(3).history_size(4), LBFGSOptions(0.002).max_iter(2)}) {
    const Rosenbrock whole({-1.2, 1.0}, {0.7, -0.3}), first = Rosenbrock({-1.2, 1.0}, {0.7, -0.3});
    LBFGS straight(whole.params(), options), before(first.params(), options);
    for (int i = 0; i < 6; ++i) straight.step(whole.closure(straight));
    for (int i = 0; i < 3; ++i) before.step(first.closure(before));
    std::stringstream file;
    save(before, file);
    LBFGS after(first.params());
    load(after, file);
    const auto& loaded = static_cast<const LBFGSOptions&>(after.param_groups()[0].options());
    CHECK(loaded.max_eval() == options.max_iter() * 5 / 4);
    CHECK(loaded.line_search_fn() == options.line_search_fn());
    for (int i = 3; i < 6; ++i) after.step(first.closure(after));
    CHECK(first.values() == whole.values());
    CHECK(after.state_dict().numbers["state.0.func_evals"] ==
          straight.state_dict().numbers["state.0.func_evals"]);
  }
}

TEST_CASE("Where the closure throws, parameters and state stay as they were") {
  for (const int throws_at : {1, 2, 5}) {
    const Rosenbrock f({-1.2}, {0.7});
    LBFGS lbfgs(f.params(), wolfe());
    lbfgs.param_groups()[0].options().set_lr(0.5);
    const auto before = f.values();
    int calls = 0;
    const auto compute = f.closure(lbfgs);
    CHECK_THROWS_AS(lbfgs.step([&] {
      if (++calls == throws_at) throw std::runtime_error("no loss");
      return compute();
    }),
                    std::runtime_error);
    CHECK(f.values() == before);
    lbfgs.step(compute);
    const Rosenbrock g({-1.2}, {0.7});
    LBFGS fresh(g.params(), wolfe().lr(0.5));
    fresh.step(g.closure(fresh));
    CHECK(f.values() == g.values());
  }
}

TEST_CASE("Parameters without a gradient are not moved by LBFGS") {
  const Rosenbrock f({-1.2}, {0.7});
  const Tensor other = values::make({3, 4}, kFloat64).requires_grad_();
  LBFGS lbfgs({other, f.x, f.y}, wolfe().max_iter(60));
  lbfgs.step(f.closure(lbfgs));
  CHECK(values::of(other) == std::vector<double>{3, 4});
  CHECK(std::abs(f.values()[0] - 1) < 1e-3);
}

TEST_CASE("What LBFGS cannot do is refused") {
  const Rosenbrock f({-1.2}, {0.7});
  CHECK_THROWS_AS(LBFGS(f.params(), LBFGSOptions().line_search_fn("backtracking")), ValueError);
  CHECK_THROWS_AS(LBFGS(f.params(), LBFGSOptions().history_size(0)), ValueError);
  CHECK_THROWS_AS(LBFGS(f.params(), LBFGSOptions(-1)), ValueError);
  CHECK_THROWS_AS(
      LBFGS(std::vector<OptimizerParamGroup>{OptimizerParamGroup({f.x}), OptimizerParamGroup({f.y})}),
      ValueError);
  LBFGS lbfgs(f.params());
  CHECK_THROWS_AS(lbfgs.step(nullptr), ValueError);
  CHECK_THROWS_AS(lbfgs.add_param_group(OptimizerParamGroup({zeros({1})})), ValueError);
  LBFGS mixed({f.x, zeros({1}).requires_grad_()});
  CHECK_THROWS_AS(mixed.step(f.closure(mixed)), DTypeError);

  lbfgs.step(f.closure(lbfgs));
  const Rosenbrock larger({-1.2, 1.0}, {0.7});
  LBFGS other(larger.params());
  CHECK_THROWS_AS(other.load_state_dict(lbfgs.state_dict()), ValueError);
  CHECK(other.state().size() == 0);
}
