// Hooks of graph nodes and leaves: the forms in which they may be given. What they get and when they run is
// said at Tensor::register_hook, Tensor::register_post_accumulate_grad_hook and Node::add_pre_hook.
#pragma once

#include "tapir/autograd/engine.h"

namespace tapir {

/// libtorch's pre-hook of a node: returns the gradients to go on with, one for each it got.
struct TAPIR_API FunctionPreHook {
  virtual ~FunctionPreHook();
  virtual std::vector<Tensor> operator()(const std::vector<Tensor>& grads) = 0;
};

/// libtorch's post-hook of a node. In its words, `outputs` are the gradients that the node computed for its
/// inputs, and `inputs` those that it got.
struct TAPIR_API FunctionPostHook {
  virtual ~FunctionPostHook();
  virtual std::vector<Tensor> operator()(const std::vector<Tensor>& outputs,
                                         const std::vector<Tensor>& inputs) = 0;
};

namespace autograd {
using tapir::FunctionPostHook;
using tapir::FunctionPreHook;
}  // namespace autograd

template <class F>
unsigned Node::register_prehook(F&& hook) {
  return add_pre_hook(
      PreHook([f = std::forward<F>(hook)](const std::vector<Tensor>& grads) mutable -> std::vector<Tensor> {
        if constexpr (std::is_void_v<decltype(f(grads))>) {
          f(grads);
          return {};
        } else {
          return f(grads);
        }
      }));
}

template <class F>
unsigned Node::register_hook(F&& hook) {
  return add_post_hook(PostHook(
      [f = std::forward<F>(hook)](const std::vector<Tensor>& grad_inputs,
                                  const std::vector<Tensor>& grad_outputs) mutable -> std::vector<Tensor> {
        if constexpr (std::is_void_v<decltype(f(grad_inputs, grad_outputs))>) {
          f(grad_inputs, grad_outputs);
          return {};
        } else {
          return f(grad_inputs, grad_outputs);
        }
      }));
}

namespace detail {
TAPIR_API unsigned register_post_accumulate_grad_hook(const Tensor& t,
                                                      std::function<void(const Tensor&)> hook);
}
template <class F>
unsigned Tensor::register_post_accumulate_grad_hook(F&& hook) const {
  return detail::register_post_accumulate_grad_hook(*this, std::forward<F>(hook));
}

}  // namespace tapir
