// Derivatives of whole functions: Jacobians, Hessians, and their products with vectors, as in PyTorch's
// torch.autograd.functional.
//
//   auto f = [](const Tensor& x) { return x.exp().sum(1); };
//   Tensor J = autograd::functional::jacobian(f, x);               // (sizes of f(x)) + (sizes of x)
//   auto [y, g] = autograd::functional::vjp(f, x, v);              // f(x), v^T J
//
// Each takes a function of one tensor, or of a list, which gives a tensor or a list. The inputs are used as
// leaves of their own: neither their grad() nor their graph is touched.
//   create_graph  record the result, so that it can be differentiated, with respect to the inputs too
//   strict        throw AutogradError where an output does not depend on an input; without it the derivative
//   is zeros
#pragma once

#include <utility>

#include "tapir/autograd/gradcheck.h"

namespace tapir::autograd::functional {

/// A function of a list of tensors that gives a tensor or a list.
using ListFunction = CheckedFunction;

/// J[i][j] = d outputs[i] / d inputs[j], of sizes (sizes of output i) + (sizes of input j). One backward pass
/// for each element of each output.
TAPIR_API std::vector<variable_list> jacobian(const ListFunction& func, const variable_list& inputs,
                                              bool create_graph = false, bool strict = false);

/// H[i][j] = d^2 func / d inputs[i] d inputs[j], of sizes (sizes of input i) + (sizes of input j). Throws
/// ShapeError where func gives more than one element.
TAPIR_API std::vector<variable_list> hessian(const ListFunction& func, const variable_list& inputs,
                                             bool create_graph = false, bool strict = false);

/// The outputs and v^T J, one tensor per input. v: one per output, of its sizes; may be left out where there
/// is one output of one element. Throws ShapeError where v does not fit.
TAPIR_API std::pair<variable_list, variable_list> vjp(const ListFunction& func, const variable_list& inputs,
                                                      const variable_list& v = {}, bool create_graph = false,
                                                      bool strict = false);

/// The outputs and J v, one tensor per output, by the backward of the backward. v: one per input, of its
/// sizes; may be left out where there is one input of one element.
TAPIR_API std::pair<variable_list, variable_list> jvp(const ListFunction& func, const variable_list& inputs,
                                                      const variable_list& v = {}, bool create_graph = false,
                                                      bool strict = false);

/// The output, of one element, and v^T H, one tensor per input; v as for jvp.
TAPIR_API std::pair<variable_list, variable_list> vhp(const ListFunction& func, const variable_list& inputs,
                                                      const variable_list& v = {}, bool create_graph = false,
                                                      bool strict = false);

/// The output and H v. The same as vhp where func is twice continuously differentiable, and computed so.
inline std::pair<variable_list, variable_list> hvp(const ListFunction& func, const variable_list& inputs,
                                                   const variable_list& v = {}, bool create_graph = false,
                                                   bool strict = false) {
  return vhp(func, inputs, v, create_graph, strict);
}

// --- one tensor to one tensor ---

namespace detail {
template <class F>
concept OfTensor = std::is_invocable_v<const F&, const Tensor&>;

template <class F>
ListFunction of_list(F func) {
  return ListFunction([func = std::move(func)](const variable_list& x) { return Tensor(func(x[0])); });
}
inline variable_list list_of(const Tensor& v) { return v.defined() ? variable_list{v} : variable_list(); }
inline std::pair<Tensor, Tensor> first_of(const std::pair<variable_list, variable_list>& p) {
  return {p.first[0], p.second[0]};
}
}  // namespace detail

template <detail::OfTensor F>
Tensor jacobian(F func, const Tensor& input, bool create_graph = false, bool strict = false) {
  return jacobian(detail::of_list(std::move(func)), variable_list{input}, create_graph, strict)[0][0];
}
template <detail::OfTensor F>
Tensor hessian(F func, const Tensor& input, bool create_graph = false, bool strict = false) {
  return hessian(detail::of_list(std::move(func)), variable_list{input}, create_graph, strict)[0][0];
}
template <detail::OfTensor F>
std::pair<Tensor, Tensor> vjp(F func, const Tensor& input, const Tensor& v = {}, bool create_graph = false,
                              bool strict = false) {
  return detail::first_of(
      vjp(detail::of_list(std::move(func)), variable_list{input}, detail::list_of(v), create_graph, strict));
}
template <detail::OfTensor F>
std::pair<Tensor, Tensor> jvp(F func, const Tensor& input, const Tensor& v = {}, bool create_graph = false,
                              bool strict = false) {
  return detail::first_of(
      jvp(detail::of_list(std::move(func)), variable_list{input}, detail::list_of(v), create_graph, strict));
}
template <detail::OfTensor F>
std::pair<Tensor, Tensor> vhp(F func, const Tensor& input, const Tensor& v = {}, bool create_graph = false,
                              bool strict = false) {
  return detail::first_of(
      vhp(detail::of_list(std::move(func)), variable_list{input}, detail::list_of(v), create_graph, strict));
}
template <detail::OfTensor F>
std::pair<Tensor, Tensor> hvp(F func, const Tensor& input, const Tensor& v = {}, bool create_graph = false,
                              bool strict = false) {
  return vhp(std::move(func), input, v, create_graph, strict);
}

}  // namespace tapir::autograd::functional
