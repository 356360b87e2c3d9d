#include "tapir/autograd/functional.h"

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::autograd::functional {

namespace {

// One call of the function on inputs that are leaves, or views of what they were made from.
struct Call {
  Call(const char* o, const ListFunction& func, const variable_list& given, bool keep_history) : op(o) {
    for (size_t i = 0; i < given.size(); ++i) {
      const Tensor& x = given[i];
      TAPIR_CHECK_AS(ValueError, x.defined(), "{}: input {} is undefined", op, i);
      TAPIR_CHECK_AS(DTypeError, x.is_floating_point(),
                     "{}: input {} is {}; only floating-point tensors have "
                     "derivatives",
                     op, i, x.dtype());
      inputs.push_back(keep_history && x.requires_grad() ? view(x, x.sizes()) : x.detach().requires_grad_());
    }
    outputs = func(inputs);
    for (size_t i = 0; i < outputs.size(); ++i)
      TAPIR_CHECK_AS(ValueError, outputs[i].defined(), "{}: output {} of the function is undefined", op, i);
  }

  const char* op;
  AutoGradMode recording{true};
  variable_list inputs, outputs;
};

Tensor zeros_of(const Tensor& like) { return raw::zeros(like.sizes(), like.dtype(), like.device()); }

// d(sum of `of`, weighted) / d(with_respect_to); an undefined tensor where nothing leads there.
variable_list gradient(const variable_list& of, const variable_list& with_respect_to,
                       const variable_list& weights, bool create_graph) {
  variable_list roots, at_roots;
  for (size_t i = 0; i < of.size(); ++i) {
    if (!of[i].defined() || !of[i].requires_grad()) continue;
    roots.push_back(of[i]);
    at_roots.push_back(weights[i]);
  }
  if (roots.empty()) return variable_list(with_respect_to.size());
  return autograd::grad(roots, with_respect_to, at_roots, true, create_graph, true);
}

// Zeros in the places of the undefined ones; with `strict` there must be none.
void complete(const Call& call, variable_list& found, const variable_list& like, bool strict,
              const char* what) {
  for (size_t i = 0; i < found.size(); ++i) {
    TAPIR_CHECK_AS(
        AutogradError, found[i].defined() || !strict,
        "{}: {} {} does not take part: the function is independent of it, and `strict` was asked for",
        call.op, what, i);
    if (!found[i].defined()) found[i] = zeros_of(like[i]);
  }
}

void check_vectors(const char* op, const variable_list& v, const variable_list& like, const char* what) {
  TAPIR_CHECK_AS(ShapeError, v.size() == like.size(),
                 "{}: got {} tensors for v, expected one for each of {} {}", op, v.size(), like.size(), what);
  for (size_t i = 0; i < v.size(); ++i)
    TAPIR_CHECK_AS(ShapeError, v[i].defined() && v[i].sizes() == like[i].sizes(),
                   "{}: v[{}] has sizes {}, expected {}", op, i,
                   v[i].defined() ? v[i].sizes() : IntArrayRef(), like[i].sizes());
}

variable_list ones_or(const char* op, const variable_list& v, const variable_list& like, const char* what) {
  if (v.empty()) {
    TAPIR_CHECK_AS(ShapeError, like.size() == 1 && like[0].numel() == 1,
                   "{}: v may be left out only where there is one of the {}, of one element", op, what);
    return {raw::full(like[0].sizes(), 1, like[0].dtype(), like[0].device())};
  }
  check_vectors(op, v, like, what);
  return v;
}

void check_scalar(const char* op, const variable_list& outputs) {
  TAPIR_CHECK_AS(ShapeError, outputs.size() == 1 && outputs[0].numel() == 1,
                 "{}: the function must give one tensor of one element, got {} of sizes {}", op,
                 outputs.size(), outputs.empty() ? IntArrayRef() : outputs[0].sizes());
}

variable_list finished(variable_list tensors, bool create_graph) {
  if (!create_graph)
    for (Tensor& t : tensors) t = t.detach();
  return tensors;
}

}  // namespace

std::vector<variable_list> jacobian(const ListFunction& func, const variable_list& inputs, bool create_graph,
                                    bool strict) {
  const Call call("jacobian", func, inputs, create_graph);
  std::vector<variable_list> result;
  for (size_t o = 0; o < call.outputs.size(); ++o) {
    const Tensor& out = call.outputs[o];
    TAPIR_CHECK_AS(AutogradError, out.requires_grad() || !strict,
                   "jacobian: output {} does not depend on the inputs, and `strict` was asked for", o);
    std::vector<variable_list> rows(inputs.size());
    for (int64_t k = 0; k < out.numel(); ++k) {
      Tensor unit = raw::zeros(Dims{out.numel()}, out.dtype(), out.device());
      raw::fill(unit.alias(unit.layout_of().narrow(0, k, 1)), 1);
      unit = view(unit, out.sizes());
      variable_list row = gradient({out}, call.inputs, {unit}, create_graph);
      complete(call, row, call.inputs, strict, "input");
      for (size_t i = 0; i < row.size(); ++i) rows[i].push_back(std::move(row[i]));
    }
    variable_list blocks;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Dims sizes = out.layout_of().sizes;
      for (const int64_t s : inputs[i].sizes()) sizes.push_back(s);
      blocks.push_back(rows[i].empty() ? raw::zeros(sizes, inputs[i].dtype(), inputs[i].device())
                                       : reshape(stack(rows[i]), sizes));
    }
    result.push_back(finished(std::move(blocks), create_graph));
  }
  return result;
}

std::vector<variable_list> hessian(const ListFunction& func, const variable_list& inputs, bool create_graph,
                                   bool strict) {
  const auto slope = [&](const variable_list& x) -> variable_list {
    const variable_list y = func(x);
    check_scalar("hessian", y);
    variable_list g = gradient(y, x, {raw::full(y[0].sizes(), 1, y[0].dtype(), y[0].device())}, true);
    for (size_t i = 0; i < g.size(); ++i) {
      TAPIR_CHECK_AS(AutogradError, g[i].defined() || !strict,
                     "hessian: the function is independent of input {}, and `strict` was asked for", i);
      if (!g[i].defined()) g[i] = zeros_of(x[i]);
    }
    return g;
  };
  return jacobian(ListFunction(slope), inputs, create_graph, strict);
}

std::pair<variable_list, variable_list> vjp(const ListFunction& func, const variable_list& inputs,
                                            const variable_list& v, bool create_graph, bool strict) {
  const Call call("vjp", func, inputs, create_graph);
  const variable_list weights = ones_or("vjp", v, call.outputs, "outputs");
  variable_list g = gradient(call.outputs, call.inputs, weights, create_graph);
  complete(call, g, call.inputs, strict, "input");
  return {finished(call.outputs, create_graph), finished(std::move(g), create_graph)};
}

std::pair<variable_list, variable_list> jvp(const ListFunction& func, const variable_list& inputs,
                                            const variable_list& v, bool create_graph, bool strict) {
  const Call call("jvp", func, inputs, create_graph);
  const variable_list direction = ones_or("jvp", v, call.inputs, "inputs");
  // g(u) = u^T J is linear in u, so that its own derivative in direction v is J v, at any u.
  variable_list u;
  for (const Tensor& y : call.outputs) u.push_back(zeros_of(y).requires_grad_());
  const variable_list g = gradient(call.outputs, call.inputs, u, true);
  variable_list products = gradient(g, u, direction, create_graph);
  complete(call, products, call.outputs, strict, "output");
  return {finished(call.outputs, create_graph), finished(std::move(products), create_graph)};
}

std::pair<variable_list, variable_list> vhp(const ListFunction& func, const variable_list& inputs,
                                            const variable_list& v, bool create_graph, bool strict) {
  const Call call("vhp", func, inputs, create_graph);
  check_scalar("vhp", call.outputs);
  const variable_list direction = ones_or("vhp", v, call.inputs, "inputs");
  const Tensor& y = call.outputs[0];
  variable_list g =
      gradient(call.outputs, call.inputs, {raw::full(y.sizes(), 1, y.dtype(), y.device())}, true);
  if (strict) complete(call, g, call.inputs, true, "input");
  variable_list products = gradient(g, call.inputs, direction, create_graph);
  complete(call, products, call.inputs, strict, "input");
  return {finished(call.outputs, create_graph), finished(std::move(products), create_graph)};
}

}  // namespace tapir::autograd::functional
