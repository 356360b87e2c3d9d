#include "tapir/autograd/gradcheck.h"

#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

namespace tapir::autograd {

namespace {

// The values of a float64 tensor in row-major order.
std::vector<double> values(const Tensor& t) {
  const Tensor c = raw::contiguous(raw::to_device(t, kCPU));
  const double* p = c.data_ptr<double>();
  return std::vector<double>(p, p + c.numel());
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = values(a), y = values(b);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

std::string place(int64_t flat, IntArrayRef sizes) {
  std::vector<int64_t> at(sizes.size());
  for (size_t d = sizes.size(); d-- > 0;) {
    at[d] = flat % sizes[d];
    flat /= sizes[d];
  }
  return fmt::format("[{}]", fmt::join(at, ", "));
}

class Check {
 public:
  Check(const CheckedFunction& fn, const variable_list& inputs, const GradcheckOptions& options)
      : fn_(fn), inputs_(inputs), options_(options) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& x = inputs[i];
      if (!x.defined() || !x.requires_grad()) continue;
      TAPIR_CHECK_AS(DTypeError, x.dtype() == kFloat64,
                     "gradcheck: input {} is {}; finite differences need float64", i, x.dtype());
      TAPIR_CHECK_AS(
          ValueError, x.layout_of().contiguous || x.layout_of().non_overlapping(),
          "gradcheck: input {}, sizes {} with strides {}, shows some elements more than once; clone() it "
          "first",
          i, x.sizes(), x.strides());
      wrt_.push_back(i);
    }
    TAPIR_CHECK_AS(ValueError, !wrt_.empty(), "gradcheck: no input requires a gradient");
  }

  void run() {
    const variable_list outputs = evaluate();
    std::vector<size_t> differentiable;
    for (size_t j = 0; j < outputs.size(); ++j) {
      if (!outputs[j].defined() || !outputs[j].requires_grad()) continue;
      TAPIR_CHECK_AS(DTypeError, outputs[j].dtype() == kFloat64,
                     "gradcheck: output {} is {}; finite differences need float64", j, outputs[j].dtype());
      differentiable.push_back(j);
    }
    if (differentiable.empty()) {
      check_constant(outputs);
      return;
    }
    for (int round = 0; round < 2; ++round) check_direction(outputs, differentiable);
    for (size_t j : differentiable) check_jacobian(outputs, j);
    check_strided_gradients(outputs, differentiable);
    check_determinism(outputs, differentiable);
    if (options_.check_undefined_grad) check_parts(outputs, differentiable);
  }

 private:
  // A new graph over leaves (or non-leaves) of the caller's.
  variable_list evaluate() const {
    AutoGradMode on(true);
    return fn_(inputs_);
  }

  // Gradients of outputs[which] weighted by `grads`, zeros where there is none.
  variable_list gradients(const variable_list& outputs, const std::vector<size_t>& which,
                          const variable_list& grads) const {
    variable_list roots, wrt;
    for (size_t j : which) roots.push_back(outputs[j]);
    for (size_t i : wrt_) wrt.push_back(inputs_[i]);
    variable_list g = autograd::grad(roots, wrt, grads, true, false, true);
    for (size_t k = 0; k < g.size(); ++k)
      if (!g[k].defined()) g[k] = zeros_like(inputs_[wrt_[k]]);
    return g;
  }

  // (outputs at inputs + eps * d, outputs at inputs - eps * d) for a direction that `move` adds.
  template <class Move>
  std::pair<variable_list, variable_list> around(const Move& move) const {
    std::pair<variable_list, variable_list> result;
    for (variable_list* at : {&result.first, &result.second}) {
      variable_list moved = inputs_;
      for (size_t i : wrt_) {
        NoGradGuard no_grad;
        moved[i] = raw::clone(inputs_[i]);  // keeps dense strides
        if (!(moved[i].layout_of().strides == inputs_[i].layout_of().strides))
          moved[i] = with_strides_of(inputs_[i]);
      }
      move(moved, at == &result.first ? options_.eps : -options_.eps);
      for (size_t i : wrt_) moved[i].set_requires_grad(true);
      AutoGradMode on(true);
      *at = fn_(moved);
      for (Tensor& t : *at)
        if (t.defined()) t = clone(t.detach());
    }
    return result;
  }
  static Tensor with_strides_of(const Tensor& x) {
    Layout l = x.layout_of();
    l.offset = 0;
    const Tensor storage = raw::zeros({l.extent()}, x.dtype(), x.device());
    Tensor y = storage.alias(l);
    raw::copy_into(y, x);
    return y;
  }

  static Tensor random_like(const Tensor& x) {
    Tensor r = Tensor::empty(x.sizes(), kFloat64, x.device());
    raw::uniform_(r, -1, 1, generator());
    return r;
  }
  // Its own stream: a check changes nobody's random numbers.
  static Generator& generator() {
    thread_local Generator g = [] {
      Generator made(kCPU);
      made.manual_seed(20240517);
      return made;
    }();
    return g;
  }

  bool close(double analytic, double numeric) const {
    return std::abs(analytic - numeric) <= options_.atol + options_.rtol * std::abs(numeric) ||
           (std::isnan(analytic) && std::isnan(numeric));
  }

  void check_constant(const variable_list& outputs) const {
    const auto [above, below] = around([&](variable_list& x, double eps) {
      for (size_t i : wrt_) add_scaled(x[i], random_like(x[i]), eps);
    });
    for (size_t j = 0; j < outputs.size(); ++j) {
      if (!outputs[j].defined() || !is_floating_point(outputs[j].dtype())) continue;
      const auto a = values(raw::cast(above[j], kFloat64)), b = values(raw::cast(below[j], kFloat64));
      for (size_t k = 0; k < a.size(); ++k)
        TAPIR_CHECK_AS(
            AutogradError, close(0, (a[k] - b[k]) / (2 * options_.eps)),
            "gradcheck: no output requires a gradient, but output {} changes with the inputs: was the "
            "function computed under NoGradGuard, or through detach()?",
            j);
    }
  }

  static void add_scaled(const Tensor& x, const Tensor& d, double eps) {
    raw::pointwise_into(Pointwise::add, x, {x, d}, Scalar(eps));
  }

  // v^T J u, for random u over all inputs and v over all outputs.
  void check_direction(const variable_list& outputs, const std::vector<size_t>& which) const {
    variable_list u(inputs_.size()), v;
    for (size_t i : wrt_) u[i] = random_like(inputs_[i]);
    for (size_t j : which) v.push_back(random_like(outputs[j]));
    const auto [above, below] = around([&](variable_list& x, double eps) {
      for (size_t i : wrt_) add_scaled(x[i], u[i], eps);
    });
    double numeric = 0, analytic = 0, scale = 0;
    for (size_t k = 0; k < which.size(); ++k) {
      const auto a = values(above[which[k]]), b = values(below[which[k]]), w = values(v[k]);
      TAPIR_CHECK_AS(AutogradError, a.size() == w.size() && b.size() == w.size(),
                     "gradcheck: output {} changes its sizes from call to call", which[k]);
      for (size_t e = 0; e < a.size(); ++e) {
        const double term = w[e] * ((a[e] - b[e]) / (2 * options_.eps));
        numeric += term;
        scale += std::abs(term);
      }
    }
    const variable_list g = gradients(outputs, which, v);
    for (size_t k = 0; k < wrt_.size(); ++k) analytic += dot(g[k], u[wrt_[k]]);
    if (std::isnan(numeric) && std::isnan(analytic)) return;
    TAPIR_CHECK_AS(
        AutogradError, std::abs(analytic - numeric) <= options_.atol + options_.rtol * scale,
        "gradcheck: along a random direction of all inputs, the numeric derivative is {:.9g} and the "
        "analytic one {:.9g}",
        numeric, analytic);
  }

  void check_jacobian(const variable_list& outputs, size_t j) const {
    const int64_t rows = outputs[j].numel();
    for (size_t k = 0; k < wrt_.size(); ++k) {
      const size_t i = wrt_[k];
      const int64_t columns = inputs_[i].numel();
      if (rows * columns > options_.max_jacobian || rows * columns == 0) continue;
      std::vector<double> analytic, numeric(static_cast<size_t>(rows * columns));
      for (int64_t r = 0; r < rows; ++r) {
        Tensor one = raw::zeros(outputs[j].sizes(), kFloat64);
        one.data_ptr<double>()[r] = 1;
        const auto g = values(gradients(outputs, {j}, {raw::to_device(one, outputs[j].device())})[k]);
        analytic.insert(analytic.end(), g.begin(), g.end());
      }
      for (int64_t c = 0; c < columns; ++c) {
        const auto [above, below] = around([&](variable_list& x, double eps) {
          Tensor one = raw::zeros(x[i].sizes(), kFloat64);
          one.data_ptr<double>()[c] = 1;
          add_scaled(x[i], raw::to_device(one, x[i].device()), eps);
        });
        const auto a = values(above[j]), b = values(below[j]);
        for (int64_t r = 0; r < rows; ++r)
          numeric[static_cast<size_t>(r * columns + c)] =
              (a[static_cast<size_t>(r)] - b[static_cast<size_t>(r)]) / (2 * options_.eps);
      }
      report(outputs[j], j, i, analytic, numeric);
    }
  }

  void report(const Tensor& output, size_t j, size_t i, const std::vector<double>& analytic,
              const std::vector<double>& numeric) const {
    const auto columns = static_cast<size_t>(inputs_[i].numel());
    std::string wrong;
    size_t count = 0;
    for (size_t e = 0; e < analytic.size(); ++e) {
      if (close(analytic[e], numeric[e])) continue;
      if (++count > 6) continue;
      wrong +=
          fmt::format("\n  d output {}{} / d input {}{}: numeric {:.9g}, analytic {:.9g}", j,
                      place(static_cast<int64_t>(e / columns), output.sizes()), i,
                      place(static_cast<int64_t>(e % columns), inputs_[i].sizes()), numeric[e], analytic[e]);
    }
    TAPIR_CHECK_AS(
        AutogradError, count == 0,
        "gradcheck: {} of the {} derivatives of output {} (sizes {}) by input {} (sizes {}) differ by more "
        "than {:g} + {:g} * |numeric|:{}{}",
        count, analytic.size(), j, output.sizes(), i, inputs_[i].sizes(), options_.atol, options_.rtol, wrong,
        count > 6 ? "\n  ..." : "");
  }

  void expect_equal(const variable_list& a, const variable_list& b, double tolerance,
                    const char* what) const {
    for (size_t k = 0; k < a.size(); ++k) {
      const auto x = values(a[k]), y = values(b[k]);
      for (size_t e = 0; e < x.size(); ++e)
        TAPIR_CHECK_AS(AutogradError,
                       std::abs(x[e] - y[e]) <= tolerance * (1 + std::abs(x[e])) || x[e] == y[e] ||
                           (std::isnan(x[e]) && std::isnan(y[e])),
                       "gradcheck: {}: the gradient of input {} at {} is {:.17g} and {:.17g}", what, wrt_[k],
                       place(static_cast<int64_t>(e), inputs_[wrt_[k]].sizes()), x[e], y[e]);
    }
  }

  // Gradients that are transposed or expanded in memory give what contiguous ones give.
  void check_strided_gradients(const variable_list& outputs, const std::vector<size_t>& which) const {
    variable_list dense, strided, constant, expanded;
    for (size_t j : which) {
      const Tensor& y = outputs[j];
      dense.push_back(random_like(y));
      Dims padded = y.sizes();
      padded.push_back(2);
      Tensor wide = raw::zeros(padded, kFloat64, y.device());
      Layout every_other = wide.layout_of().select(y.dim(), 0);
      strided.push_back(wide.alias(every_other));
      raw::copy_into(strided.back(), dense.back());
      constant.push_back(raw::full(y.sizes(), 0.75, kFloat64, y.device()));
      expanded.push_back(expand(raw::full({}, 0.75, kFloat64, y.device()), y.sizes()));
    }
    const double rounding = 1e-12;  // the same sums in another order
    expect_equal(gradients(outputs, which, dense), gradients(outputs, which, strided), rounding,
                 "a gradient with gaps in memory gives another result than a contiguous one");
    expect_equal(gradients(outputs, which, constant), gradients(outputs, which, expanded), rounding,
                 "an expanded gradient gives another result than a contiguous one");
  }

  void check_determinism(const variable_list& outputs, const std::vector<size_t>& which) const {
    variable_list v;
    for (size_t j : which) v.push_back(random_like(outputs[j]));
    expect_equal(gradients(outputs, which, v), gradients(outputs, which, v), options_.nondet_tol,
                 "backward gives another result the second time");
  }

  // Each output alone, the others without a gradient.
  void check_parts(const variable_list& outputs, const std::vector<size_t>& which) const {
    if (which.size() < 2) return;
    variable_list v;
    for (size_t j : which) v.push_back(random_like(outputs[j]));
    const variable_list together = gradients(outputs, which, v);
    variable_list sum;
    for (size_t k = 0; k < which.size(); ++k) {
      variable_list part = gradients(outputs, {which[k]}, {v[k]});
      for (size_t i = 0; i < part.size(); ++i) {
        if (k == 0)
          sum.push_back(raw::clone_contiguous(part[i]));
        else
          add_scaled(sum[i], part[i], 1);
      }
    }
    expect_equal(together, sum, 1e-10, "outputs that get no gradient count as if they got one");
  }

  const CheckedFunction& fn_;
  const variable_list& inputs_;
  const GradcheckOptions& options_;
  std::vector<size_t> wrt_;
};

}  // namespace

bool gradcheck(const CheckedFunction& fn, const variable_list& inputs, const GradcheckOptions& options) {
  Check check(fn, inputs, options);
  try {
    check.run();
  } catch (const AutogradError&) {
    if (options.raise_exception) throw;
    return false;
  }
  return true;
}

bool gradcheck(const CheckedFunction& fn, const variable_list& inputs, double eps, double atol, double rtol,
               bool raise_exception) {
  GradcheckOptions o;
  o.eps = eps;
  o.atol = atol;
  o.rtol = rtol;
  o.raise_exception = raise_exception;
  return gradcheck(fn, inputs, o);
}

bool gradgradcheck(const CheckedFunction& fn, const variable_list& inputs, const variable_list& grad_outputs,
                   const GradcheckOptions& options) {
  // Which outputs and inputs take part is found once.
  std::vector<size_t> outputs_used, inputs_used;
  variable_list extended = inputs;
  {
    AutoGradMode on(true);
    const variable_list outputs = fn(inputs);
    TAPIR_CHECK_AS(ValueError, grad_outputs.empty() || grad_outputs.size() == outputs.size(),
                   "gradgradcheck: {} outputs but {} gradients; give one for each, or none", outputs.size(),
                   grad_outputs.size());
    for (size_t j = 0; j < outputs.size(); ++j) {
      if (!outputs[j].defined() || !outputs[j].requires_grad()) continue;
      outputs_used.push_back(j);
      Tensor g;
      if (!grad_outputs.empty()) {
        g = clone(grad_outputs[j].detach());
      } else {
        Generator generator(kCPU);
        generator.manual_seed(4711 + j);
        g = raw::rand(outputs[j].sizes(), kFloat64, outputs[j].device(), generator);
        raw::pointwise_into(Pointwise::add, g, {g, Scalar(0.25)}, Scalar(1));
      }
      extended.push_back(g.set_requires_grad(true));
    }
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].defined() && inputs[i].requires_grad()) inputs_used.push_back(i);
    if (outputs_used.empty()) return true;
  }
  const size_t n = inputs.size();
  const CheckedFunction gradient = [&](const variable_list& x) {
    const variable_list in(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n));
    const variable_list outputs = fn(in);
    variable_list roots, wrt;
    for (size_t j : outputs_used) roots.push_back(outputs[j]);
    for (size_t i : inputs_used) wrt.push_back(in[i]);
    return autograd::grad(roots, wrt, variable_list(x.begin() + static_cast<std::ptrdiff_t>(n), x.end()),
                          true, true, true);
  };
  try {
    return gradcheck(gradient, extended, options);
  } catch (Error& e) {
    e.add_context(
        "in the second derivatives (gradgradcheck): outputs are the gradients of the inputs, and inputs " +
        std::to_string(n) + " and up the gradients of the outputs");
    throw;
  }
}

bool gradgradcheck(const CheckedFunction& fn, const variable_list& inputs, const variable_list& grad_outputs,
                   double eps, double atol, double rtol, bool raise_exception) {
  GradcheckOptions o;
  o.eps = eps;
  o.atol = atol;
  o.rtol = rtol;
  o.raise_exception = raise_exception;
  return gradgradcheck(fn, inputs, grad_outputs, o);
}

}  // namespace tapir::autograd
