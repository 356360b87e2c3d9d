// Adding and removing hooks, and calling those of whole nodes; engine.cpp calls the hooks of tensors.
#include "tapir/autograd/hooks.h"

#include <algorithm>
#include <atomic>

#include "tapir/autograd/engine_run.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

FunctionPreHook::~FunctionPreHook() = default;
FunctionPostHook::~FunctionPostHook() = default;

namespace {

// Unique in the process: a handle says nothing to another node, such as the one that an in-place change
// gives.
unsigned new_handle() {
  static std::atomic<unsigned> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// Puts a hook's result in the place of what it was given.
void replace(std::span<Tensor> grads, std::vector<Tensor> by, const Node& node, const char* kind,
             const NodeOutput* (*expected)(const Node&, size_t)) {
  if (by.empty()) return;
  TAPIR_CHECK_AS(ValueError, by.size() == grads.size(),
                 "{} of {}: it returned {} gradients, expected {}, or none to keep all", kind, node.name(),
                 by.size(), grads.size());
  for (size_t i = 0; i < by.size(); ++i) {
    if (!by[i].defined()) continue;
    if (const NodeOutput* want = expected(node, i)) {
      TAPIR_CHECK_AS(ShapeError, by[i].sizes() == IntArrayRef(want->sizes),
                     "{} of {}: it returned gradient {} of sizes {}, expected {}", kind, node.name(), i,
                     by[i].sizes(), IntArrayRef(want->sizes));
      TAPIR_CHECK_AS(DTypeError, by[i].dtype() == want->dtype,
                     "{} of {}: it returned gradient {} of {}, expected {}", kind, node.name(), i,
                     by[i].dtype(), want->dtype);
      TAPIR_CHECK_AS(DeviceError, by[i].device() == want->device,
                     "{} of {}: it returned gradient {} on {}, expected {}", kind, node.name(), i,
                     by[i].device(), want->device);
    }
    grads[i] = std::move(by[i]);
  }
}

const NodeOutput* of_output(const Node& n, size_t i) { return &n.outputs()[i]; }
const NodeOutput* of_input(const Node& n, size_t i) {
  const Edge& e = n.edges()[i];
  return e.is_valid() ? &e.function->outputs()[e.input_nr] : nullptr;
}

}  // namespace

NodeHooks& Node::make_hooks() {
  if (!hooks_) hooks_ = new NodeHooks;
  return *hooks_;
}

unsigned Node::add_hook(uint32_t output_nr, std::function<Tensor(const Tensor&)> hook, bool keeps) {
  auto& hooks = make_hooks().hooks;
  const unsigned handle = new_handle();
  const auto at =
      keeps ? hooks.end() : std::find_if(hooks.begin(), hooks.end(), [](const auto& h) { return h.keeps; });
  hooks.insert(at, {handle, output_nr, keeps, std::move(hook)});
  return handle;
}

unsigned Node::add_pre_hook(PreHook hook) {
  make_hooks().pre.push_back({new_handle(), 0, std::move(hook)});
  return hooks_->pre.back().handle;
}

unsigned Node::add_post_hook(PostHook hook) {
  make_hooks().post.push_back({new_handle(), 0, std::move(hook)});
  return hooks_->post.back().handle;
}

uintptr_t Node::add_pre_hook(std::unique_ptr<FunctionPreHook>&& hook) {
  const std::shared_ptr<FunctionPreHook> shared = std::move(hook);
  const auto key = reinterpret_cast<uintptr_t>(shared.get());
  make_hooks().pre.push_back(
      {new_handle(), key, [shared](const std::vector<Tensor>& grads) { return (*shared)(grads); }});
  return key;
}

uintptr_t Node::add_post_hook(std::unique_ptr<FunctionPostHook>&& hook) {
  const std::shared_ptr<FunctionPostHook> shared = std::move(hook);
  const auto key = reinterpret_cast<uintptr_t>(shared.get());
  make_hooks().post.push_back(
      {new_handle(), key, [shared](const auto& to, const auto& from) { return (*shared)(to, from); }});
  return key;
}

bool Node::del_post_hook(const uintptr_t& key) {
  return hooks_ && std::erase_if(hooks_->post, [&](const auto& h) { return h.key && h.key == key; }) > 0;
}

void Node::remove_hook(unsigned handle) {
  if (!hooks_) return;
  const auto is_it = [&](const auto& h) { return h.handle == handle; };
  std::erase_if(hooks_->hooks, is_it);
  std::erase_if(hooks_->pre, is_it);
  std::erase_if(hooks_->post, is_it);
  std::erase_if(hooks_->accumulated, is_it);
}

unsigned LeafNode::add_post_accumulate_hook(const Tensor& variable, std::function<void(const Tensor&)> hook) {
  make_hooks().accumulated.push_back({new_handle(), std::move(hook)});
  show_variable(variable);
  return hooks_->accumulated.back().handle;
}

void LeafNode::show_variable(const Tensor& variable) {
  if (hooks_ && !hooks_->accumulated.empty()) hooks_->variable = variable.alias(variable.layout_of());
}

void LeafNode::move_hooks_to(LeafNode& leaf) { std::swap(hooks_, leaf.hooks_); }

unsigned detail::register_post_accumulate_grad_hook(const Tensor& t,
                                                    std::function<void(const Tensor&)> hook) {
  TAPIR_CHECK_AS(AutogradError, requires_grad(t),
                 "register_post_accumulate_grad_hook: the tensor does not require a gradient");
  TAPIR_CHECK_AS(
      AutogradError, t.is_leaf(),
      "register_post_accumulate_grad_hook: the tensor (sizes {}) is the result of a recorded op, and "
      "gradients accumulate in leaves only; use register_hook",
      t.sizes());
  const Edge edge = gradient_edge(t);
  return static_cast<LeafNode*>(edge.function.get())->add_post_accumulate_hook(t, std::move(hook));
}

// Hooks may add and remove hooks, themselves too: those that were there at the start are called, unless they
// were removed since.
template <class List, class Call>
static void call_each(NodeHooks* const& now, List NodeHooks::*which, Call call) {
  const List list = now->*which;
  for (const auto& h : list) {
    const auto& left = now->*which;
    if (std::any_of(left.begin(), left.end(), [&](const auto& l) { return l.handle == h.handle; })) call(h);
  }
}

void EngineRun::run_tensor_hooks(Node* n, Grads grads) {
  call_each(n->hooks_, &NodeHooks::hooks, [&](const NodeHooks::Hook& hook) {
    Tensor& grad = grads[hook.output_nr];
    if (!grad.defined()) return;
    Tensor replaced = hook.call(grad);
    if (!replaced.defined()) return;
    const NodeOutput& want = n->outputs_[hook.output_nr];
    TAPIR_CHECK_AS(ShapeError, replaced.layout_of().sizes == want.sizes,
                   "hook on the result of {}: it returned a gradient of sizes {}, expected {}", n->name(),
                   replaced.sizes(), IntArrayRef(want.sizes));
    TAPIR_CHECK_AS(DTypeError, replaced.dtype() == want.dtype,
                   "hook on the result of {}: it returned a gradient of {}, expected {}", n->name(),
                   replaced.dtype(), want.dtype);
    TAPIR_CHECK_AS(DeviceError, replaced.device() == want.device,
                   "hook on the result of {}: it returned a gradient on {}, expected {}", n->name(),
                   replaced.device(), want.device);
    grad = std::move(replaced);
  });
}

void EngineRun::run_pre_hooks(Node* n, Grads grads) {
  call_each(n->hooks_, &NodeHooks::pre, [&](const NodeHooks::Pre& hook) {
    replace(grads, hook.call(std::vector<Tensor>(grads.begin(), grads.end())), *n, "pre-hook", of_output);
  });
}

void EngineRun::run_post_hooks(Node* n, std::vector<Tensor>& grad_inputs,
                               const std::vector<Tensor>& grad_outputs) {
  call_each(n->hooks_, &NodeHooks::post, [&](const NodeHooks::Post& hook) {
    replace(grad_inputs, hook.call(grad_inputs, grad_outputs), *n, "post-hook", of_input);
  });
}

void EngineRun::run_accumulated_hooks(LeafNode* leaf) {
  call_each(leaf->hooks_, &NodeHooks::accumulated, [&](const NodeHooks::Accumulated& hook) {
    // The leaf again behind its array, while the hook runs.
    const Tensor& shown = leaf->hooks_->variable;
    Tensor variable = shown.alias(shown.layout_of());
    variable.impl()->autograd = Ref<Node>::share(leaf);
    hook.call(variable);
  });
}

}  // namespace tapir
