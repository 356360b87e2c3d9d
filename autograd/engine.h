// Running a graph backwards.
#pragma once

#include "tapir/autograd/node.h"

namespace tapir::autograd {

using Variable = Tensor;
using variable_list = std::vector<Tensor>;
using tensor_list = std::vector<Tensor>;
using tapir::Edge;
using tapir::Node;

/// Accumulates d(sum of tensors weighted by grad_tensors)/d(leaf) into each leaf's grad().
///   grad_tensors  one per tensor; may be left out (or undefined) for tensors with one element
///   retain_graph  keep what was saved, for another backward; defaults to create_graph
///   create_graph  record the backward itself, for higher derivatives
///   inputs        accumulate into these only: leaves, or others, which then retain their gradient
/// A thread may run it inside a hook or a user-defined backward, to any depth; several threads may run it at
/// once, on graphs of their own or on one. Throws AutogradError where nothing requires a gradient, the graph
/// was freed or a saved tensor was changed, ShapeError where a gradient does not fit. An exception leaves the
/// graph usable.
TAPIR_API void backward(const variable_list& tensors, const variable_list& grad_tensors = {},
                        std::optional<bool> retain_graph = std::nullopt, bool create_graph = false,
                        const variable_list& inputs = {});

/// The gradients of `outputs` (weighted by grad_outputs) with respect to `inputs`, without touching any
/// grad(). An input that the outputs do not depend on throws AutogradError, or gives an undefined tensor with
/// allow_unused.
TAPIR_API variable_list grad(const variable_list& outputs, const variable_list& inputs,
                             const variable_list& grad_outputs = {},
                             std::optional<bool> retain_graph = std::nullopt, bool create_graph = false,
                             bool allow_unused = false);

}  // namespace tapir::autograd

namespace tapir {
namespace detail {
TAPIR_API unsigned register_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook);
}
template <class F>
unsigned Tensor::register_hook(F&& hook) const {
  if constexpr (std::is_void_v<std::invoke_result_t<F&, Tensor>>) {
    return detail::register_hook(*this, [f = std::forward<F>(hook)](const Tensor& g) mutable {
      f(g);
      return Tensor();
    });
  } else {
    return detail::register_hook(
        *this, [f = std::forward<F>(hook)](const Tensor& g) mutable { return Tensor(f(g)); });
  }
}
}  // namespace tapir
