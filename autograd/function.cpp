#include "tapir/autograd/function.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace autograd {

class FunctionNode final : public Node {
 public:
  FunctionNode(FunctionBackward backward, const std::type_info& type, const variable_list& inputs,
               std::vector<bool> is_tensor)
      : Node(Kind::kNode, nullptr, 0, nullptr, 0),
        backward_(backward),
        is_tensor_(std::move(is_tensor)),
        edges_(inputs.size()) {
    int status = 0;
    char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
    name_ = status == 0 && text ? text : type.name();
    std::free(text);
    context.node_ = this;
    attach(edges_.data(), edges_.size(), nullptr, 0);
    for (size_t i = 0; i < inputs.size(); ++i) set_edge(i, inputs[i]);
  }
  const char* type_name() const override { return name_.c_str(); }

  void set_outputs(const variable_list& outputs) {
    outputs_ = std::vector<NodeOutput>(outputs.size());
    attach(edges_.data(), edges_.size(), outputs_.data(), outputs_.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].defined()) describe_output(i, outputs[i]);
  }
  void save(const variable_list& outputs) {
    saved_.resize(context.to_save_.size());
    for (size_t i = 0; i < saved_.size(); ++i) {
      const Tensor& t = context.to_save_[i];
      const auto at = std::find_if(outputs.begin(), outputs.end(), [&](const Tensor& o) {
        return o.defined() && o.is_same(t) &&
               (o.impl()->autograd.get() == this ||
                std::any_of(context.dirty_.begin(), context.dirty_.end(),
                            [&](const Tensor& d) { return d.is_same(t); }));
      });
      if (at != outputs.end())
        saved_[i].save_output(t, static_cast<uint32_t>(at - outputs.begin()));
      else
        saved_[i].save_input(t);
    }
    context.to_save_.clear();
    context.dirty_.clear();
    context.non_differentiable_.clear();
  }
  variable_list unpack() const {
    TAPIR_CHECK_AS(
        AutogradError, !released_,
        "{}: the graph was already freed by an earlier backward; pass retain_graph = true to the first "
        "one to run another",
        name());
    variable_list tensors;
    for (const SavedTensor& s : saved_) tensors.push_back(s.unpack(*this));
    return tensors;
  }
  void release_saved() override {
    released_ = true;
    for (SavedTensor& s : saved_) s.release();
  }

  void backward(Grads g, GradSink& sink) override {
    variable_list grads(g.size());
    for (size_t i = 0; i < g.size(); ++i) {
      grads[i] = std::move(g[i]);
      const NodeOutput& o = outputs_[i];
      if (!grads[i].defined() && context.materialize_) grads[i] = raw::zeros(o.sizes, o.dtype, o.device);
    }
    sink_ = &sink;
    struct Clear {
      GradSink*& sink;
      ~Clear() { sink = nullptr; }
    } clear{sink_};
    variable_list results = backward_(&context, std::move(grads));
    // Further ones are forgiven where they are undefined, as by libtorch.
    while (results.size() > is_tensor_.size() && !results.back().defined()) results.pop_back();
    TAPIR_CHECK_AS(
        AutogradError, results.size() == is_tensor_.size(),
        "{}: backward returned {} gradients, but forward was called with {} arguments; return one for "
        "each, undefined for those that are no tensors",
        name(), results.size(), is_tensor_.size());
    size_t input = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      if (is_tensor_[i])
        sink.set(input++, std::move(results[i]));
      else
        TAPIR_CHECK_AS(AutogradError, !results[i].defined(),
                       "{}: backward returned a gradient for argument {} of forward, which is no tensor",
                       name(), i);
    }
  }
  bool wants(size_t i) const {
    TAPIR_CHECK_AS(IndexError, i < edges_.size(), "{}: needs_input_grad({}), but forward got {} tensors",
                   name(), i, edges_.size());
    return sink_ ? sink_->wants(i) : edges_[i].is_valid();
  }

  AutogradContext context;

 private:
  FunctionBackward backward_;
  std::string name_;
  std::vector<bool> is_tensor_;
  std::vector<Edge> edges_;
  std::vector<NodeOutput> outputs_;
  std::vector<SavedTensor> saved_;
  GradSink* sink_ = nullptr;  // while backward runs
  bool released_ = false;
};

variable_list AutogradContext::get_saved_variables() const { return node_ ? node_->unpack() : to_save_; }
bool AutogradContext::needs_input_grad(size_t i) const { return node_ && node_->wants(i); }

FunctionCall::FunctionCall(FunctionBackward backward, const std::type_info& type)
    : backward_(backward), type_(type) {}
FunctionCall::~FunctionCall() = default;

void FunctionCall::add(const Tensor& t) {
  is_tensor_.push_back(true);
  inputs_.push_back(t);
}

AutogradContext* FunctionCall::begin() {
  if (!recording(TensorList(inputs_))) return &unrecorded_;
  node_ = Ref<FunctionNode>::adopt(new FunctionNode(backward_, type_, inputs_, std::move(is_tensor_)));
  node_->set_call_site(TAPIR_HERE);
  return &node_->context;
}

namespace {
bool contains(const variable_list& list, const Tensor& t) {
  return std::any_of(list.begin(), list.end(), [&](const Tensor& x) { return x.is_same(t); });
}
}  // namespace

void FunctionCall::end(variable_list& outputs) {
  const AutogradContext& ctx = node_ ? node_->context : unrecorded_;
  for (const Tensor& t : ctx.dirty_) {
    TAPIR_CHECK_AS(AutogradError, contains(inputs_, t), "mark_dirty: a tensor is no input of forward");
    TAPIR_CHECK_AS(AutogradError, contains(outputs, t), "mark_dirty: an input is not returned by forward");
    check_inplace(t, "mark_dirty");
  }
  for (const Tensor& t : ctx.dirty_) raw::mark_changed(t, "a user-defined function");
  for (Tensor& t : outputs)
    if (t.defined() && contains(inputs_, t) && !contains(ctx.dirty_, t)) t = t.alias(t.layout_of());
  if (!node_) return;
  node_->set_outputs(outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& t = outputs[i];
    if (!t.defined()) continue;
    TensorImpl& impl = *t.impl();
    const bool dirty = contains(ctx.dirty_, t);
    if (!is_floating_point(t.dtype()) || contains(ctx.non_differentiable_, t)) {
      if (!dirty) impl.autograd.reset();
      continue;
    }
    if (dirty) {
      rebase_history(t, node_, static_cast<uint32_t>(i));
      continue;
    }
    // Where it shows memory of an input, backward is still the user's: in-place changes could not follow it.
    const auto shares = [&](const Tensor& x) { return x.defined() && x.impl()->storage == impl.storage; };
    impl.frozen_view = std::any_of(inputs_.begin(), inputs_.end(), shares);
    impl.base.reset();
    set_history(t, node_, static_cast<uint32_t>(i));
  }
  node_->save(outputs);
}

}  // namespace autograd
}  // namespace tapir
