#include "tapir/optim/lbfgs.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/grad_mode.h"
#include "tapir/optim/update.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/function_ref.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::optim {

void LBFGSOptions::visit(FieldVisitor& visitor) {
  int64_t evaluations = max_eval_.value_or(max_iter_ * 5 / 4);
  bool strong_wolfe = line_search_fn_.has_value();
  visitor.field("lr", lr_);
  visitor.field("max_iter", max_iter_);
  visitor.field("max_eval", evaluations);
  visitor.field("tolerance_grad", tolerance_grad_);
  visitor.field("tolerance_change", tolerance_change_);
  visitor.field("history_size", history_size_);
  visitor.field("strong_wolfe", strong_wolfe);
  max_eval_ = evaluations;
  line_search_fn_ = strong_wolfe ? std::optional<std::string>("strong_wolfe") : std::nullopt;
}

void LBFGSOptions::check() const {
  detail::check_not_negative(
      "LBFGS", {{"lr", lr_}, {"tolerance_grad", tolerance_grad_}, {"tolerance_change", tolerance_change_}});
  for (const auto& [name, value] : {std::pair("max_iter", max_iter_),
                                    {"max_eval", max_eval_.value_or(1)},
                                    {"history_size", history_size_}})
    detail::check_option("LBFGS", name, static_cast<double>(value), value >= 1, "at least 1");
  TAPIR_CHECK_AS(ValueError, !line_search_fn_ || *line_search_fn_ == "strong_wolfe",
                 "LBFGS: line_search_fn is \"{}\", expected \"strong_wolfe\" or none", *line_search_fn_);
}

void LBFGSParamState::visit(FieldVisitor& visitor) {
  visitor.field("func_evals", func_evals_);
  visitor.field("n_iter", n_iter_);
  visitor.field("t", t_);
  visitor.field("prev_loss", prev_loss_);
  visitor.field("d", d_, {numel_});
  visitor.field("H_diag", H_diag_, {});
  visitor.field("prev_flat_grad", prev_flat_grad_, {numel_});
  visitor.field("old_dirs", old_dirs_, {numel_});
  visitor.field("old_stps", old_stps_, {numel_});
  visitor.field("ro", ro_, {});
}

LBFGS::LBFGS(std::vector<Tensor> params, LBFGSOptions defaults)
    : Optimizer(std::move(params), std::make_unique<LBFGSOptions>(std::move(defaults))) {
  set_max_eval();
}
LBFGS::LBFGS(const std::vector<OptimizerParamGroup>& groups, LBFGSOptions defaults)
    : Optimizer(groups, std::make_unique<LBFGSOptions>(std::move(defaults))) {
  TAPIR_CHECK_AS(ValueError, groups.size() == 1, "LBFGS: got {} parameter groups, expected one",
                 groups.size());
  set_max_eval();
}

void LBFGS::set_max_eval() {
  for (OptimizerOptions* o : {&defaults(), &param_groups()[0].options()}) {
    auto* options = dynamic_cast<LBFGSOptions*>(o);
    if (options && !options->max_eval()) options->max_eval(options->max_iter() * 5 / 4);
  }
}

void LBFGS::add_param_group(const OptimizerParamGroup&) {
  throw_error<ValueError>(
      "LBFGS: add_param_group: it takes one parameter group only; add_parameters adds to that");
}

std::unique_ptr<OptimizerParamState> LBFGS::make_state() const {
  return std::make_unique<LBFGSParamState>(numel());
}
bool LBFGS::takes(const OptimizerOptions& options) const {
  return dynamic_cast<const LBFGSOptions*>(&options) != nullptr;
}

int64_t LBFGS::numel() const {
  int64_t n = 0;
  for (const Tensor& p : param_groups()[0].params()) n += p.numel();
  return n;
}

namespace {

double value(const Tensor& t) { return t.item<double>(); }
double inner(const Tensor& a, const Tensor& b) { return value(tapir::dot(a, b)); }
double largest(const Tensor& t) { return value(max(abs(t))); }

// The parameters as one vector.
class Flat {
 public:
  Flat(const std::vector<Tensor>& params, int64_t numel) : params_(params), numel_(numel) {}

  Tensor grad() const {
    const Tensor flat = raw::zeros({numel_}, params_[0].dtype(), params_[0].device());
    each(flat, [](const Tensor& p, const Tensor& part) {
      if (p.grad().defined()) raw::copy_into(part, p.grad());
    });
    return flat;
  }
  Tensor values() const {
    const Tensor flat = raw::zeros({numel_}, params_[0].dtype(), params_[0].device());
    each(flat, [](const Tensor& p, const Tensor& part) { raw::copy_into(part, p); });
    return flat;
  }
  void set(const Tensor& flat) const {
    each(flat, [](const Tensor& p, const Tensor& part) { raw::copy_into(p, part, "step"); });
  }
  // p += length * direction
  void move(const Tensor& direction, double length) const {
    each(direction, [&](const Tensor& p, const Tensor& part) { Tensor(p.detach()).add_(part, length); });
  }

 private:
  // f(parameter, its part of `flat` in its sizes)
  void each(const Tensor& flat, FunctionRef<void(const Tensor&, const Tensor&)> f) const {
    int64_t start = 0;
    for (const Tensor& p : params_) {
      f(p, flat.narrow(0, start, p.numel()).view(p.sizes()));
      start += p.numel();
    }
  }
  const std::vector<Tensor>& params_;
  int64_t numel_;
};

// A place on the line x + t d: the loss, its gradient, and its derivative along d.
struct Point {
  double t, f;
  Tensor g;
  double slope;
};

// The least point in [low, high] of the cubic through both; the middle where there is none.
double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const Point &left = a.t <= b.t ? a : b, &right = a.t <= b.t ? b : a;
  const double d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t);
  const double square = d1 * d1 - a.slope * b.slope;
  const double d2 = std::sqrt(square);
  const double at =
      right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return std::isfinite(at) ? std::min(std::max(at, low), high) : (low + high) / 2;
}
double cubic_minimum(const Point& a, const Point& b) {
  return cubic_minimum(a, b, std::min(a.t, b.t), std::max(a.t, b.t));
}

// A point that fulfils the strong Wolfe conditions, or the best found in 25 evaluations; `evaluate` gives the
// point at a t. d_norm: the largest element of the direction.
Point strong_wolfe(const Point& start, double t, double d_norm, double tolerance_change,
                   FunctionRef<Point(double)> evaluate) {
  constexpr double kArmijo = 1e-4, kCurvature = 0.9;
  constexpr int kMaxIterations = 25;
  const auto too_high = [&](const Point& p) { return p.f > start.f + kArmijo * p.t * start.slope; };
  const auto flat_enough = [&](const Point& p) { return std::abs(p.slope) <= -kCurvature * start.slope; };

  // Go on until an interval holds a suitable point.
  Point last = start, now = evaluate(t);
  int iteration = 0;
  std::array<Point, 2> ends;
  for (;; ++iteration) {
    if (iteration == kMaxIterations) {
      ends = {start, now};
      break;
    }
    if (too_high(now) || (iteration > 1 && now.f >= last.f)) {
      ends = {last, now};
      break;
    }
    if (flat_enough(now)) return now;
    if (now.slope >= 0) {
      ends = {last, now};
      break;
    }
    const double next = cubic_minimum(last, now, now.t + 0.01 * (now.t - last.t), now.t * 10);
    last = now;
    now = evaluate(next);
  }

  // Narrow it. ends[low] has the lower loss.
  size_t low = ends[0].f <= ends[1].f ? 0 : 1;
  bool slow = false;
  for (; iteration < kMaxIterations; ++iteration) {
    const double left = std::min(ends[0].t, ends[1].t), right = std::max(ends[0].t, ends[1].t);
    if ((right - left) * d_norm < tolerance_change) break;
    t = cubic_minimum(ends[0], ends[1]);
    // Twice in succession close to an end, or at it: a tenth of the interval inwards.
    const double margin = 0.1 * (right - left);
    if (std::min(right - t, t - left) < margin) {
      if (slow || t >= right || t <= left) {
        t = right - t < t - left ? right - margin : left + margin;
        slow = false;
      } else {
        slow = true;
      }
    } else {
      slow = false;
    }
    now = evaluate(t);
    Point &lower = ends[low], &higher = ends[1 - low];
    if (too_high(now) || now.f >= lower.f) {
      higher = now;
      low = ends[0].f <= ends[1].f ? 0 : 1;
      continue;
    }
    const bool done = flat_enough(now);
    if (!done && now.slope * (higher.t - lower.t) >= 0) higher = lower;
    lower = now;
    if (done) break;
  }
  return ends[low];
}

// The direction -H g, with the inverse Hessian H that the history estimates.
Tensor direction(LBFGSParamState& s, const Tensor& g) {
  const auto& y = s.old_dirs();
  const auto& steps = s.old_stps();
  std::vector<double> al(y.size());
  Tensor q = g.neg();
  for (size_t i = y.size(); i-- > 0;) {
    al[i] = inner(steps[i], q) * value(s.ro()[i]);
    q.add_(y[i], -al[i]);
  }
  q.mul_(value(s.H_diag()));
  for (size_t i = 0; i < y.size(); ++i) q.add_(steps[i], al[i] - inner(y[i], q) * value(s.ro()[i]));
  s.al().emplace();
  for (const double a : al) s.al()->push_back(raw::full({}, a, g.dtype()));
  return q;
}

// Takes the last step into the history.
void remember(LBFGSParamState& s, const Tensor& g, int64_t history_size) {
  const Tensor y = g.sub(s.prev_flat_grad()), step = s.d().mul(s.t());
  const double ys = inner(y, step);
  if (!(ys > 1e-10)) return;
  while (static_cast<int64_t>(s.old_dirs().size()) >= history_size) {
    for (auto* list : {&s.old_dirs(), &s.old_stps(), &s.ro()}) list->erase(list->begin());
  }
  s.old_dirs().push_back(y);
  s.old_stps().push_back(step);
  s.ro().push_back(raw::full({}, 1 / ys, g.dtype()));
  s.H_diag(raw::full({}, ys / inner(y, y), g.dtype()));
}

}  // namespace

Tensor LBFGS::step(LossClosure closure) {
  TAPIR_CHECK_AS(ValueError, closure != nullptr,
                 "LBFGS: step: it needs a closure that computes the loss and its gradients");
  TAPIR_CHECK_AS(ValueError, takes(param_groups()[0].options()),
                 "LBFGS: the group's options are those of another "
                 "optimizer");
  const auto& o = static_cast<const LBFGSOptions&>(param_groups()[0].options());
  const std::vector<Tensor>& params = param_groups()[0].params();
  TAPIR_CHECK_AS(ValueError, numel() > 0, "LBFGS: step: it has no parameters");
  for (const Tensor& p : params) {
    TAPIR_CHECK_AS(DTypeError, p.dtype() == params[0].dtype(),
                   "LBFGS: parameters have dtypes {} and {}, expected one", params[0].dtype(), p.dtype());
    TAPIR_CHECK_AS(DeviceError, p.device() == params[0].device(),
                   "LBFGS: parameters are on {} and {}, expected one device", params[0].device(), p.device());
  }

  NoGradGuard no_grad;
  const Flat flat(params, numel());
  const Tensor before = flat.values();
  OptimizerParamState* kept = state().find(params[0]);
  if (!kept) kept = &state().set(params[0], make_state());
  LBFGSParamState s = static_cast<LBFGSParamState&>(*kept);  // becomes the state at the end
  int64_t evaluations = 0;
  const auto compute = [&] {
    AutoGradMode on(true);
    ++evaluations;
    ++s.func_evals();
    return closure();
  };

  Tensor first_loss;
  try {
    first_loss = compute();
    double loss = value(first_loss);
    Tensor g = flat.grad();
    bool optimal = largest(g) <= o.tolerance_grad();
    for (int64_t i = 1; !optimal; ++i) {
      if (++s.n_iter() == 1) {
        s.d(g.neg());
        s.H_diag(raw::full({}, 1, g.dtype()));
      } else {
        remember(s, g, o.history_size());
        s.d(direction(s, g));
      }
      s.prev_flat_grad(g);
      s.prev_loss(loss);
      s.t(s.n_iter() == 1 ? std::min(1.0, 1 / value(sum(abs(g)))) * o.lr() : o.lr());
      const double slope = inner(g, s.d());
      if (slope > -o.tolerance_change()) break;

      if (o.line_search_fn()) {
        const Tensor x = flat.values();
        const Point found =
            strong_wolfe({0, loss, g, slope}, s.t(), largest(s.d()), o.tolerance_change(), [&](double t) {
              flat.move(s.d(), t);
              const double f = value(compute());
              const Tensor grad = flat.grad();
              flat.set(x);
              return Point{t, f, grad, inner(grad, s.d())};
            });
        loss = found.f;
        g = found.g;
        s.t(found.t);
        flat.move(s.d(), s.t());
        optimal = largest(g) <= o.tolerance_grad();
      } else {
        flat.move(s.d(), s.t());
        if (i < o.max_iter()) {  // the last is left to the next step(), whose loss may be another
          loss = value(compute());
          g = flat.grad();
          optimal = largest(g) <= o.tolerance_grad();
        }
      }
      if (i >= o.max_iter() || evaluations >= o.max_eval().value_or(o.max_iter() * 5 / 4)) break;
      if (largest(s.d()) * std::abs(s.t()) <= o.tolerance_change()) break;
      if (std::abs(loss - s.prev_loss()) < o.tolerance_change()) break;
    }
  } catch (...) {
    flat.set(before);
    throw;
  }
  static_cast<LBFGSParamState&>(*kept) = std::move(s);
  return first_loss;
}

}  // namespace tapir::optim
