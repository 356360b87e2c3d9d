// The methods of Tensor that concern its history, and what happens to it when values change in place.
#include "tapir/autograd/variable.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/hooks.h"
#include "tapir/autograd/inference_mode.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace autograd {

Variable make_variable(const Tensor& data, bool requires_grad, bool) {
  if (!data.defined()) return {};
  Tensor t = data.detach();
  t.set_requires_grad(requires_grad);
  return t;
}

namespace {
struct UndefinedGradBackward final : NodeOf<1> {
  const char* type_name() const override { return "UndefinedGradBackward"; }
  void backward(Grads, GradSink&) override {}
};
}  // namespace

variable_list UndefinedGrad::apply(const variable_list& inputs) const {
  variable_list outputs;
  for (const Tensor& x : inputs) {
    outputs.push_back(x.defined() ? x.detach() : x);
    if (!recording(x)) continue;
    record<UndefinedGradBackward>(TAPIR_HERE, outputs.back(), x);
    outputs.back().impl()->frozen_view = true;
  }
  return outputs;
}

}  // namespace autograd

namespace {

LeafNode* leaf_of(const Tensor& t) {
  AutogradSlot* s = slot_of(*t.impl());
  return s && s->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(s) : nullptr;
}

LeafNode& make_leaf(const Tensor& t) {
  auto* leaf = new LeafNode(t);
  t.impl()->autograd = Ref<Node>::adopt(leaf);
  t.impl()->output_nr = 0;
  return *leaf;
}

}  // namespace

const Tensor& Tensor::set_requires_grad(bool r) const {
  checked();
  TAPIR_CHECK_AS(DTypeError, !r || is_floating_point(),
                 "requires_grad_: got {}; only floating-point tensors have gradients", dtype());
  TAPIR_CHECK_AS(
      AutogradError, !r || !is_inference() || InferenceMode::is_enabled(),
      "requires_grad_: an inference tensor (sizes {}) cannot require a gradient outside of InferenceMode; "
      "clone() it first",
      sizes());
  if (LeafNode* leaf = leaf_of(*this)) {
    leaf->requires_grad = r;
  } else if (slot_of(*impl_)) {
    TAPIR_CHECK_AS(AutogradError, r,
                   "requires_grad_(false): the tensor (sizes {}) is the result of a recorded op; use "
                   "detach() for one that is not",
                   sizes());
  } else if (r) {
    make_leaf(*this);
  }
  return *this;
}

bool Tensor::is_leaf() const {
  const AutogradSlot* s = slot_of(checked());
  return !s || s->kind() == AutogradSlot::Kind::kLeaf;
}

namespace {
const Tensor no_tensor;
}

const Tensor& Tensor::grad() const {
  AutogradSlot* s = slot_of(checked());
  if (!s || s->kind() == AutogradSlot::Kind::kNode) return no_tensor;
  return s->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(s)->dense_grad()
                                                : static_cast<RetainedSlot*>(s)->cell->grad;
}

Tensor& Tensor::mutable_grad() const {
  AutogradSlot* s = slot_of(checked());
  if (!s) {
    LeafNode& leaf = make_leaf(*this);
    leaf.requires_grad = false;
    return leaf.grad;
  }
  TAPIR_CHECK_AS(AutogradError, s->kind() != AutogradSlot::Kind::kNode,
                 "mutable_grad: the tensor (sizes {}) is not a leaf; call retain_grad() first", sizes());
  return s->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(s)->dense_grad()
                                                : static_cast<RetainedSlot*>(s)->cell->grad;
}

Ref<Node> Tensor::grad_fn() const {
  AutogradSlot* s = slot_of(checked());
  if (!s || s->kind() == AutogradSlot::Kind::kLeaf) return {};
  return gradient_edge(*this).function;
}

void Tensor::backward(const Tensor& gradient, std::optional<bool> retain_graph, bool create_graph,
                      std::optional<TensorList> inputs) const {
  TAPIR_CHECK_AS(ValueError, !inputs || !inputs->empty(),
                 "backward: `inputs` is empty; leave it out to accumulate into all leaves");
  std::vector<Tensor> grads;
  if (gradient.defined()) grads.push_back(gradient);
  autograd::backward({*this}, grads, retain_graph, create_graph,
                     inputs ? inputs->vec() : std::vector<Tensor>());
}

namespace {

// From now on, `t` keeps the gradient of `node`'s output in `cell`.
void keep_gradient(TensorImpl& t, Ref<Node> node, Ref<RetainedSlot::Cell> cell) {
  const unsigned hook = node->add_hook(
      t.output_nr,
      [cell](const Tensor& g) {
        // As PyTorch: a second backward adds.
        cell->grad = cell->grad.defined() ? add(cell->grad, g) : clone(g);
        return Tensor();
      },
      true);
  t.autograd = Ref<RetainedSlot>::adopt(new RetainedSlot(std::move(node), std::move(cell), hook));
}

}  // namespace

void Tensor::retain_grad() const {
  AutogradSlot* s = slot_of(checked());
  TAPIR_CHECK_AS(AutogradError, s != nullptr,
                 "retain_grad: the tensor (sizes {}) does not require a gradient", sizes());
  if (s->kind() != AutogradSlot::Kind::kNode) return;
  keep_gradient(*impl_, Ref<Node>::share(static_cast<Node*>(s)),
                Ref<RetainedSlot::Cell>::adopt(new RetainedSlot::Cell));
}

bool Tensor::retains_grad() const {
  const AutogradSlot* s = slot_of(checked());
  return s && s->kind() == AutogradSlot::Kind::kRetained;
}

Tensor Tensor::detach() const {
  Tensor t = alias(checked().layout);
  t.impl()->untracked = impl_->untracked;
  return t;
}

Tensor& Tensor::detach_() const {
  if (!impl_) detail::undefined_inplace_failure("detach_");
  TAPIR_CHECK_AS(AutogradError, !impl_->base, "detach_: the tensor is a view; use detach() instead");
  if (LeafNode* leaf = leaf_of(self())) {
    leaf->requires_grad = false;
    return self();
  }
  impl_->autograd.reset();
  impl_->output_nr = 0;
  return self();
}

Tensor Tensor::data() const {
  Tensor t = alias(checked().layout);
  t.impl()->untracked = true;
  return t;
}

void Tensor::set_data(const Tensor& other) const {
  checked();
  const TensorImpl& o = other.checked();
  TAPIR_CHECK_AS(AutogradError, !impl_->base, "set_data: the tensor is a view; assign to its base");
  TAPIR_CHECK_AS(AutogradError, is_leaf(),
                 "set_data: the tensor is the result of a recorded op; detach() it first");
  if (LeafNode* leaf = leaf_of(*this)) {
    TAPIR_CHECK_AS(DTypeError, tapir::is_floating_point(o.dtype) || !leaf->requires_grad,
                   "set_data: {} values for a tensor that requires a gradient", o.dtype);
    // A new leaf for the new shape; the gradient stays where it fits.
    Tensor grad = std::move(leaf->dense_grad());
    const bool required = leaf->requires_grad;
    if (grad.defined() && (!(grad.sizes() == IntArrayRef(o.layout.sizes)) || grad.dtype() != o.dtype ||
                           !(grad.device() == o.device)))
      grad.reset();
    if (leaf->output.sizes == o.layout.sizes && leaf->output.dtype == o.dtype &&
        leaf->output.device == o.device) {
      leaf->grad = std::move(grad);
      leaf->show_variable(other);
    } else {
      const Tensor shape = other.alias(o.layout);  // holds the leaf until this tensor does
      LeafNode& fresh = make_leaf(shape);
      Ref<AutogradSlot> slot = Ref<AutogradSlot>::share(&fresh);
      fresh.grad = std::move(grad);
      fresh.requires_grad = required;
      leaf->move_hooks_to(fresh);
      fresh.show_variable(other);
      impl_->autograd = std::move(slot);
    }
  }
  // What saved the old array holds this tensor, and would read the new one.
  if (impl_->storage != o.storage && !impl_->storage->is_inference())
    o.storage->raise_version(impl_->storage->version() + 1, "set_data");
  impl_->storage = o.storage;
  impl_->layout = o.layout;
  impl_->data = o.data;
  impl_->dtype = o.dtype;
  impl_->device = o.device;
}

uint32_t Tensor::_version() const {
  TAPIR_CHECK_AS(AutogradError, !is_inference(), "_version: inference tensors do not count their changes");
  return impl_->storage->version();
}

Tensor Tensor::_base() const {
  TAPIR_CHECK_AS(ValueError, is_view(), "_base: the tensor is not a view");
  return Tensor(impl_->base);
}

void Tensor::remove_hook(unsigned handle) const {
  const Edge edge = gradient_edge(*this);
  if (edge.is_valid()) edge.function->remove_hook(handle);
}

unsigned detail::register_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook) {
  TAPIR_CHECK_AS(AutogradError, requires_grad(t), "register_hook: the tensor does not require a gradient");
  const Edge edge = gradient_edge(t);
  return edge.function->add_hook(edge.input_nr, std::move(hook));
}

Scalar Tensor::item() const { return raw::item(*this); }

bool Tensor::is_nonzero() const {
  TAPIR_CHECK_AS(ShapeError, numel() == 1,
                 "is_nonzero: sizes {} hold {} elements, expected exactly one; use all() or any()", sizes(),
                 numel());
  return item().to_double() != 0;
}

// --- in-place changes ---

namespace {

/// PyTorch's name. grad of the old base: the gradient outside the part that was replaced; of the new part:
/// the gradient there.
struct CopySlices final : NodeOf<2> {
  const char* type_name() const override { return "CopySlices"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, strided_part(g[0], base, part));
    if (sink.wants(0)) sink.set(0, zero_strided_part(g[0], base, part));
  }
  Layout base, part;
};

struct OverwriteBackward final : NodeOf<1> {
  const char* type_name() const override { return "OverwriteBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, raw::zeros(g[0].sizes(), g[0].dtype(), g[0].device()));
  }
};

}  // namespace

void cut_history(const Tensor& t, const void* site) {
  auto* node = new OverwriteBackward;
  Ref<Node> ref = Ref<Node>::adopt(node);
  node->set_edge(0, t);
  node->set_call_site(site);
  node->describe_output(0, t);
  rebase_history(t, std::move(ref));
}

namespace {

// A gradient that is retained is, after a change in place, that of the new values: its cell leaves the old
// node, and goes to the new one.
Ref<RetainedSlot::Cell> take_retained(TensorImpl& t) {
  AutogradSlot* s = t.autograd.get();
  if (!s || s->kind() != AutogradSlot::Kind::kRetained) return {};
  auto* retained = static_cast<RetainedSlot*>(s);
  retained->node->remove_hook(retained->hook);
  return retained->cell;
}
void move_retained(TensorImpl& t, Ref<RetainedSlot::Cell> cell) {
  AutogradSlot* s = t.autograd.get();
  if (s && s->kind() == AutogradSlot::Kind::kNode)
    keep_gradient(t, Ref<Node>::share(static_cast<Node*>(s)), std::move(cell));
}

}  // namespace

void detail::refresh_view(const TensorImpl& v) {
  auto& view = const_cast<TensorImpl&>(v);
  view.history = view.base->history;
  const Tensor base(view.base);
  Edge edge = gradient_edge(base);
  if (!edge.is_valid()) return;
  const Tensor self(Ref<TensorImpl>::share(&view));
  const Ref<RetainedSlot::Cell> cell = take_retained(view);
  record_strided_view(self, base);
  if (cell) move_retained(view, cell);
}

void detail::undefined_inplace_failure(const char* op) {
  throw_error<ValueError>(
      "{}: the tensor is undefined (default-constructed, or a grad() that there is not yet); expected one to "
      "change",
      op);
}

void detail::check_inplace_slow(const Tensor& t, const char* op) {
  if (t.impl()->frozen_view || (t.is_view() && t.impl()->base->frozen_view))
    throw_error<AutogradError>(
        "{}: the tensor (sizes {}) is the result of {} and shows the memory of its input, so that a change "
        "of it could "
        "not be followed backwards; clone() it first, or return a copy from forward",
        op, t.sizes(), t.grad_fn() ? t.grad_fn()->name() : "a user-defined function");
  if (t.is_leaf() && requires_grad(t))
    throw_error<AutogradError>(
        "{}: the tensor (sizes {}) is a leaf that requires a gradient; change it under NoGradGuard, or work "
        "on a clone()",
        op, t.sizes());
  if (t.is_view()) {
    const Tensor base = t._base();
    // A base without gradient and a view with one: between them lies a leaf, itself a view, that requires it.
    if (base.is_leaf() && (requires_grad(base) || requires_grad(t)))
      throw_error<AutogradError>(
          "{}: the tensor (sizes {}) is a view of a leaf that requires a gradient; change it under "
          "NoGradGuard, or work on a "
          "clone()",
          op, t.sizes());
    if (requires_grad(base) && !slot_of(*t.impl()))
      throw_error<AutogradError>(
          "{}: the tensor (sizes {}) is a view that was made under NoGradGuard or InferenceMode of a tensor "
          "with a "
          "gradient: whether its change is to be recorded is not clear. Make the view outside, or change it "
          "inside",
          op, t.sizes());
  }
}

void rebase_history(const Tensor& t, Ref<Node> node, uint32_t nr) {
  TensorImpl& impl = *t.impl();
  if (!impl.base) {
    Ref<RetainedSlot::Cell> cell = take_retained(impl);
    set_history(t, node, nr);
    impl.history_changed();
    if (cell) move_retained(impl, std::move(cell));
    return;
  }
  const Tensor base(impl.base);
  auto* replace = new CopySlices;
  replace->set_edge(0, base);
  replace->edges()[1] = {std::move(node), nr};
  replace->base = base.layout_of();
  replace->part = impl.layout;
  replace->set_call_site(replace->edges()[1].function->call_site());
  Ref<RetainedSlot::Cell> cell = take_retained(*impl.base);
  set_history(base, Ref<Node>::adopt(replace));
  impl.base->history_changed();
  if (cell) move_retained(*impl.base, std::move(cell));
  // The view's own history is now a part of its base's.
  detail::refresh_view(impl);
}

}  // namespace tapir
