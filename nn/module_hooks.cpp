#include "tapir/nn/module_hooks.h"

#include <algorithm>

#include "tapir/autograd/node.h"
#include "tapir/nn/module.h"
#include "tapir/tensor/error_format.h"

namespace tapir::nn::detail {

template <class H>
unsigned ModuleHooks::add(List<H>& list, H hook) {
  list.emplace_back(next_++, std::move(hook));
  return next_ - 1;
}
unsigned ModuleHooks::add_forward_pre(One hook) { return add(forward_pre_, std::move(hook)); }
unsigned ModuleHooks::add_forward(Two hook) { return add(forward_, std::move(hook)); }
unsigned ModuleHooks::add_backward_pre(One hook) { return add(backward_pre_, std::move(hook)); }
unsigned ModuleHooks::add_backward(Two hook) { return add(backward_, std::move(hook)); }

ModuleHooksOwner::ModuleHooksOwner(const ModuleHooksOwner& other)
    : hooks_(other.hooks_ ? new ModuleHooks(*other.hooks_) : nullptr) {}
ModuleHooksOwner& ModuleHooksOwner::operator=(const ModuleHooksOwner& other) {
  ModuleHooksOwner copy(other);
  std::swap(hooks_, copy.hooks_);
  return *this;
}
ModuleHooksOwner::~ModuleHooksOwner() { delete hooks_; }
ModuleHooks& ModuleHooksOwner::make() {
  if (!hooks_) hooks_ = new ModuleHooks;
  return *hooks_;
}

namespace {

void replace(TensorVector& tensors, TensorVector by, const Module& module, const char* kind) {
  if (by.empty()) return;
  TAPIR_CHECK_AS(ValueError, by.size() == tensors.size(),
                 "{} hook of {}: it returned {} tensors, expected {}, or none to keep all", kind,
                 module.name(), by.size(), tensors.size());
  tensors = std::move(by);
}

// The identity on some tensors, one node for all: where a module's backward begins, or ends.
struct BoundaryBackward final : DynamicNode {
  BoundaryBackward(const char* n, size_t count, std::function<void(TensorVector& grads)> f)
      : DynamicNode(count, count), name_(n), pass(std::move(f)) {}
  const char* type_name() const override { return name_; }
  void backward(Grads grads, GradSink& sink) override {
    TensorVector all(grads.begin(), grads.end());
    pass(all);
    for (size_t i = 0; i < all.size(); ++i) sink.set(i, std::move(all[i]));
  }
  const char* name_;
  std::function<void(TensorVector&)> pass;
};

// Puts the identity behind those of `tensors` that require a gradient; false where none does. `pass` gets
// their gradients in the places of `tensors`, and may change them.
bool pass_through(TensorVector& tensors, const char* name, const std::function<void(TensorVector&)>& pass) {
  std::vector<size_t> places;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (recording(tensors[i])) places.push_back(i);
  if (places.empty()) return false;
  const Ref<Node> node = Ref<Node>::adopt(
      new BoundaryBackward(name, places.size(), [places, pass, n = tensors.size()](TensorVector& grads) {
        TensorVector spread(n);
        for (size_t i = 0; i < places.size(); ++i) spread[places[i]] = std::move(grads[i]);
        pass(spread);
        for (size_t i = 0; i < places.size(); ++i) grads[i] = std::move(spread[places[i]]);
      }));
  node->set_call_site(TAPIR_HERE);
  for (size_t i = 0; i < places.size(); ++i) {
    Tensor& t = tensors[places[i]];
    node->set_edge(i, t);
    const Tensor shown = t.alias(t.layout_of());
    set_history(shown, node, static_cast<uint32_t>(i));
    shown.impl()->frozen_view = true;
    t = shown;
  }
  return true;
}

}  // namespace

bool ModuleHooks::remove(unsigned handle) {
  const auto from = [&](auto& list) {
    return std::erase_if(list, [&](const auto& h) { return h.first == handle; });
  };
  return from(forward_pre_) + from(forward_) + from(backward_pre_) + from(backward_) > 0;
}

class ModuleHooks::Call {
 public:
  Call(const ModuleHooks& h, Module& m) : hooks(h), module(m), held(m.weak_from_this().lock()) {}
  const ModuleHooks hooks;
  Module& module;
  const std::shared_ptr<Module> held;  // backward may come when nobody else holds the module
  TensorVector inputs;
  size_t count_of_inputs = 0;
  bool input_passes = false;
  TensorVector grad_outputs;

  void backward_begins(TensorVector& grads) {
    for (const auto& [handle, hook] : hooks.backward_pre_)
      replace(grads, hook(module, grads), module, "full backward pre");
    grad_outputs = grads;
    if (!input_passes) {
      TensorVector none(count_of_inputs);
      call_backward_hooks(none);
    }
  }
  void call_backward_hooks(TensorVector& grad_inputs) {
    for (const auto& [handle, hook] : hooks.backward_)
      replace(grad_inputs, hook(module, grad_inputs, grad_outputs), module, "full backward");
  }
};

std::shared_ptr<ModuleHooks::Call> ModuleHooks::begin(Module& module, TensorVector& inputs) const {
  auto call = std::make_shared<Call>(*this, module);
  for (const auto& [handle, hook] : call->hooks.forward_pre_)
    replace(inputs, hook(module, inputs), module, "forward pre");
  call->count_of_inputs = inputs.size();
  if (!call->hooks.forward_.empty()) call->inputs = inputs;
  if (!call->hooks.backward_.empty())
    call->input_passes = pass_through(inputs, "ModuleInputBackward", [call](TensorVector& grads) {
      call->call_backward_hooks(grads);
      call->grad_outputs.clear();
    });
  return call;
}

void ModuleHooks::end(const std::shared_ptr<Call>& call, TensorVector& outputs) {
  for (const auto& [handle, hook] : call->hooks.forward_)
    replace(outputs, hook(call->module, call->inputs, outputs), call->module, "forward");
  call->inputs.clear();
  if (!call->hooks.backward_.empty() || !call->hooks.backward_pre_.empty())
    pass_through(outputs, "ModuleOutputBackward",
                 [call](TensorVector& grads) { call->backward_begins(grads); });
}

}  // namespace tapir::nn::detail
