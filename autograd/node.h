// Node: one recorded operation of the graph. The life of a differentiable op is
//
//   struct MulBackward final : NodeOf<2, 2> {                      // 2 inputs, 2 saved tensors
//     const char* type_name() const override { return "MulBackward"; }
//     void backward(Grads g, GradSink& sink) override {
//       if (sink.wants(0)) sink.set(0, mul(g[0], saved(1)));
//       if (sink.wants(1)) sink.set(1, mul(g[0], saved(0)));
//     }
//   };
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = raw::binary(Pointwise::mul, a, b);
//     if (recording(a, b)) record<MulBackward>(TAPIR_HERE, y, a, b)->save(a, b);
//     return y;
//   }
//
// backward() is written with differentiable ops, so that it can be recorded itself (create_graph). The engine
// sums what was broadcast, casts and checks every gradient that goes into the sink, and moves the first one
// in without a copy.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "tapir/autograd/grad_mode.h"
#include "tapir/autograd/row_gradient.h"
#include "tapir/autograd/saved_tensor.h"
#include "tapir/tensor/tensor.h"

namespace tapir {

class Node;
class EngineRun;
struct NodeHooks;
struct FunctionPreHook;
struct FunctionPostHook;

/// Where a gradient goes: input number `input_nr` of `function` (that is, output `input_nr` of the forward
/// op).
struct Edge {
  Ref<Node> function;
  uint32_t input_nr = 0;
  bool is_valid() const { return static_cast<bool>(function); }
};

/// Contributions to a weight's gradient that wait to be summed by one product.
struct PendingProducts;

/// The gradient that gathers for one output of a node while backward runs.
struct GradBuffer {
  Tensor grad;
  PendingProducts* pending = nullptr;
  GradBuffer() = default;
  GradBuffer(GradBuffer&& o) noexcept : grad(std::move(o.grad)), pending(std::exchange(o.pending, nullptr)) {}
  GradBuffer& operator=(GradBuffer&&) = delete;
  ~GradBuffer() {
    if (TAPIR_UNLIKELY(pending != nullptr)) drop_pending();
  }
  TAPIR_API void drop_pending();
};

/// One output of the forward op: what its gradient must look like, and the gradient itself while backward
/// runs.
struct NodeOutput {
  Dims sizes;
  DType dtype = kFloat32;
  Device device{kCPU};
  GradBuffer buffer;
};

using Grads = std::span<Tensor>;

/// Where a node's backward puts its results.
class GradSink {
 public:
  /// True where input `i` of the forward takes part in this backward; computing for others is wasted work.
  TAPIR_API bool wants(size_t i) const;
  /// The gradient of input `i`: broadcast dimensions are summed; an undefined tensor means zero. At most once
  /// per input and backward; further calls add.
  TAPIR_API void set(size_t i, Tensor grad);

  /// Deferred contributions, which spare temporaries when one tensor is used many times, such as the weights
  /// in a loop. Only where deferring() holds: otherwise (create_graph) the node computes the gradient with
  /// differentiable ops.
  TAPIR_API bool deferring() const;
  /// grad += g^T x for x (rows, k), g (rows, m) and an input of sizes (m, k): gathered, then done as one
  /// product.
  TAPIR_API void add_product(size_t i, Tensor x, Tensor g);
  /// grad += g.sum(0) for g (rows, n) and an input of sizes (n).
  TAPIR_API void add_row_sum(size_t i, const Tensor& g);
  /// Row index[i] of an input of sizes (count, d) gains g[i] for g (n, d), but not where it is `skip`: a leaf
  /// that gets nothing else keeps its gradient by rows.
  TAPIR_API void add_rows(size_t i, Tensor index, Tensor g, int64_t skip);
  /// A buffer of the input's sizes that holds the sum so far (zeros at first), is shared with nobody and may
  /// be added into in place with raw ops.
  TAPIR_API Tensor& accumulator(size_t i);

 private:
  friend class EngineRun;
  inline GradSink(EngineRun& run, Node& node);
  GradSink(EngineRun& run, Node& node, Edge* to) : run_(run), node_(node), to_(to) {}
  EngineRun& run_;
  Node& node_;
  Edge* to_;  // where the gradients go: the node's edges, or what stands in for them while they are looked at
};

/// A node that runs together with others; see Node::backward_together.
struct Together {
  Node* node;
  Tensor grad;
  GradSink sink;
};

/// One operation of the graph. Its edges lead to the operations that made its inputs.
class TAPIR_API Node : public AutogradSlot {
 public:
  TAPIR_POOLED
  ~Node() override;
  Node(const Node&) = delete;

  /// "MulBackward"
  std::string name() const { return type_name(); }
  virtual const char* type_name() const = 0;
  /// Given the gradients of the outputs (undefined: zero), puts those of the inputs into the sink. A node
  /// with one output is not called for an undefined gradient.
  virtual void backward(Grads grads, GradSink& sink) = 0;
  /// For a node with one output that called wait(): backward() of all `nodes`, which have the same company().
  virtual void backward_together(std::span<Together> nodes);
  /// What nodes that wait do together: those that read the same weight, which this identifies.
  virtual const void* company() const { return nullptr; }
  /// Throws what backward() would where a saved tensor was changed or freed.
  virtual void check_saved() const {}
  /// Frees what was saved, after a backward without retain_graph.
  virtual void release_saved() {}

  std::span<Edge> edges() const { return {edges_, num_edges_}; }
  std::span<NodeOutput> outputs() const { return {outputs_, num_outputs_}; }
  /// libtorch's names.
  std::vector<Edge> next_edges() const;
  Edge next_edge(size_t i) const { return edges_[i]; }
  uint32_t num_inputs() const { return num_outputs_; }

  /// Grows with each node that a thread records; backward runs the highest first.
  uint64_t sequence() const { return sequence_; }
  /// Return address of the user's call that recorded it; see call_site.h.
  const void* call_site() const { return site_; }

  /// Calls `hook` with the gradient of output `output_nr` before backward(); a defined result replaces it.
  /// Hooks run in the order in which they were added; one that keeps the gradient (retain_grad) after them.
  unsigned add_hook(uint32_t output_nr, std::function<Tensor(const Tensor&)> hook, bool keeps = false);
  /// Takes back a hook of any kind.
  void remove_hook(unsigned handle);

  /// Hooks of the node as a whole; they run where the node itself does, pre-hooks after the tensors' hooks:
  ///   pre-hook   (grads of the outputs) -> replacements
  ///   post-hook  (grads that the node computed for its inputs, grads of the outputs) -> replacements
  /// An empty list keeps all, an undefined tensor in it the one at its place. The post-hook of a leaf runs
  /// after its gradient was accumulated; it gets no gradients of inputs. A node with post-hooks computes the
  /// gradients of its inputs at once, rather than leaving products to be gathered. Returns a handle for
  /// remove_hook.
  using PreHook = std::function<std::vector<Tensor>(const std::vector<Tensor>& grads)>;
  using PostHook = std::function<std::vector<Tensor>(const std::vector<Tensor>& grad_inputs,
                                                     const std::vector<Tensor>& grad_outputs)>;
  unsigned add_pre_hook(PreHook hook);
  unsigned add_post_hook(PostHook hook);
  /// The same by PyTorch's names; `hook` may also return nothing. Defined in hooks.h.
  template <class F>
  unsigned register_prehook(F&& hook);
  template <class F>
  unsigned register_hook(F&& hook);
  /// libtorch's: hooks as objects. Their addresses are what del_post_hook takes.
  uintptr_t add_pre_hook(std::unique_ptr<FunctionPreHook>&& hook);
  uintptr_t add_post_hook(std::unique_ptr<FunctionPostHook>&& hook);
  /// False where there is no such hook.
  bool del_post_hook(const uintptr_t& key);

  inline void set_edge(size_t i, const Tensor& input);
  inline void describe_output(size_t i, const Tensor& output);
  void set_call_site(const void* site) {
    site_ = detail::autograd_thread.call_site ? detail::autograd_thread.call_site : site;
  }

  void dispose() override;

 protected:
  /// Lets this node wait, once it is ready, until nothing else is: see Note [Nodes that wait] in
  /// engine_run.h.
  void wait() { waits_ = true; }

  Node(Kind kind, Edge* edges, size_t num_edges, NodeOutput* outputs, size_t num_outputs)
      : AutogradSlot(kind),
        num_edges_(static_cast<uint32_t>(num_edges)),
        num_outputs_(static_cast<uint32_t>(num_outputs)),
        edges_(edges),
        outputs_(outputs),
        sequence_(detail::autograd_thread.next_sequence++) {}
  /// For nodes whose counts are known late.
  void attach(Edge* edges, size_t num_edges, NodeOutput* outputs, size_t num_outputs) {
    edges_ = edges;
    num_edges_ = static_cast<uint32_t>(num_edges);
    outputs_ = outputs;
    num_outputs_ = static_cast<uint32_t>(num_outputs);
  }

 private:
  friend class EngineRun;
  friend class GradSink;
  friend class LeafNode;
  NodeHooks& make_hooks();
  uint32_t num_edges_;
  uint32_t num_outputs_;
  Edge* edges_;
  NodeOutput* outputs_;
  uint64_t sequence_;
  const void* site_ = nullptr;
  NodeHooks* hooks_ = nullptr;
  // The engine's state. A run claims each node that it reaches by setting run_; where another run holds the
  // node (two threads, or a backward inside a backward), it keeps its state for that node in a map of its own
  // instead.
  std::atomic<EngineRun*> run_{nullptr};
  uint32_t dependencies_ = 0;  ///< edges of this run that have not yet delivered
  bool waits_ = false;
  Node* next_disposed_ = nullptr;
};

/// A leaf of the graph: the end of a path, where the gradient of a variable accumulates. The variable's
/// tensor points at it, and so do the edges of the graph.
class TAPIR_API LeafNode final : public Node {
 public:
  explicit LeafNode(const Tensor& variable);
  const char* type_name() const override { return "AccumulateGrad"; }
  void backward(Grads grads, GradSink& sink) override;
  /// The gradient as a dense tensor, which is made here where it is known by its rows.
  Tensor& dense_grad();
  /// True where the gradient is what `rows` says; a dense one that came from elsewhere ends that.
  bool by_rows();
  /// Calls `hook` with a handle to `variable`, whose leaf this is, after each accumulation.
  unsigned add_post_accumulate_hook(const Tensor& variable, std::function<void(const Tensor&)> hook);
  /// Tells those hooks that the variable shows another array.
  void show_variable(const Tensor& variable);
  /// Gives the hooks to the leaf that takes this one's place.
  void move_hooks_to(LeafNode& leaf);

  bool requires_grad = true;
  Tensor grad;
  std::unique_ptr<detail::LeafRows> rows;
  /// Set while `grad` changes: several threads may run backward into one leaf.
  std::atomic<bool> busy{false};
  NodeOutput output;
};

/// The slot of a non-leaf that retains its gradient: its node, and the cell that the retaining hook writes
/// to.
class TAPIR_API RetainedSlot final : public AutogradSlot {
 public:
  struct Cell : RefCounted {
    Tensor grad;
    static void destroy(Cell* c) { delete c; }
  };
  RetainedSlot(Ref<Node> n, Ref<Cell> c, unsigned h)
      : AutogradSlot(Kind::kRetained), node(std::move(n)), cell(std::move(c)), hook(h) {}
  void dispose() override { delete this; }
  Ref<Node> node;
  Ref<Cell> cell;
  unsigned hook;
};

inline GradSink::GradSink(EngineRun& run, Node& node) : run_(run), node_(node), to_(node.edges_) {}

/// A node with fixed numbers of inputs, saved tensors and outputs, all in one block.
template <size_t kInputs, size_t kSaved = 0, size_t kOutputs = 1>
class NodeOf : public Node {
 public:
  NodeOf() : Node(Kind::kNode, edge_storage_, kInputs, output_storage_, kOutputs) {}
  void release_saved() override {
    for (SavedTensor& s : saved_) s.release();
  }
  /// Saves inputs of the forward as saved(0), saved(1), ...
  template <class... T>
  void save(const T&... inputs) {
    static_assert(sizeof...(T) <= kSaved);
    size_t i = 0;
    (saved_[i++].save_input(inputs), ...);
  }
  void save_input(size_t i, const Tensor& t) { saved_[i].save_input(t); }
  void save_output(size_t i, const Tensor& t, uint32_t output_nr = 0) { saved_[i].save_output(t, output_nr); }
  Tensor saved(size_t i) const { return saved_[i].unpack(*this); }
  void check_saved() const override {
    for (const SavedTensor& s : saved_) s.unpack(*this);
  }

 private:
  Edge edge_storage_[kInputs ? kInputs : 1];
  NodeOutput output_storage_[kOutputs];
  SavedTensor saved_[kSaved ? kSaved : 1];
};

/// A node whose numbers of inputs and outputs are known when it is made (cat, stack, split, user functions).
class TAPIR_API DynamicNode : public Node {
 public:
  DynamicNode(size_t inputs, size_t outputs)
      : Node(Kind::kNode, nullptr, 0, nullptr, 0), edge_storage_(inputs), output_storage_(outputs) {
    attach(edge_storage_.data(), inputs, output_storage_.data(), outputs);
  }

 private:
  std::vector<Edge> edge_storage_;
  std::vector<NodeOutput> output_storage_;
};

namespace detail {
/// Brings the slot of a view up to date after its base was changed in place.
TAPIR_API void refresh_view(const TensorImpl& view);
TAPIR_API void check_inplace_slow(const Tensor& t, const char* op);
[[noreturn]] TAPIR_API TAPIR_COLD void undefined_inplace_failure(const char* op);
}  // namespace detail

/// The slot of a tensor, current; null where it has no history.
TAPIR_ALWAYS_INLINE AutogradSlot* slot_of(const TensorImpl& t) {
  if (TAPIR_UNLIKELY(t.base && t.base->history != t.history)) detail::refresh_view(t);
  return t.autograd.get();
}
TAPIR_ALWAYS_INLINE bool requires_grad(const TensorImpl& t) {
  const AutogradSlot* s = slot_of(t);
  return s && (s->kind() != AutogradSlot::Kind::kLeaf || static_cast<const LeafNode*>(s)->requires_grad);
}
TAPIR_ALWAYS_INLINE bool requires_grad(const Tensor& t) { return t.defined() && requires_grad(*t.impl()); }
inline bool Tensor::requires_grad() const { return tapir::requires_grad(checked()); }

/// The edge to the node that made `t`, or to its leaf; invalid where it needs no gradient.
TAPIR_ALWAYS_INLINE Edge gradient_edge(const Tensor& t) {
  if (!t.defined()) return {};
  AutogradSlot* s = slot_of(*t.impl());
  if (!s) return {};
  switch (s->kind()) {
    case AutogradSlot::Kind::kNode:
      return {Ref<Node>::share(static_cast<Node*>(s)), t.impl()->output_nr};
    case AutogradSlot::Kind::kLeaf:
      if (!static_cast<LeafNode*>(s)->requires_grad) return {};
      return {Ref<Node>::share(static_cast<Node*>(s)), 0};
    case AutogradSlot::Kind::kRetained:
      return {static_cast<RetainedSlot*>(s)->node, t.impl()->output_nr};
  }
  return {};
}

/// True where an op on these inputs must be recorded.
template <class... T>
TAPIR_ALWAYS_INLINE bool recording(const T&... inputs) {
  return GradMode::is_enabled() && (requires_grad(inputs) || ...);
}
inline bool recording(TensorList inputs) {
  if (!GradMode::is_enabled()) return false;
  for (const Tensor& t : inputs)
    if (requires_grad(t)) return true;
  return false;
}

/// The address of the call into the function that it is used in: the user's line, where that function is
/// Tapir's.
#define TAPIR_HERE __builtin_return_address(0)

/// While it lives, nodes recorded by this thread carry `site`: for functions of Tapir that call others of
/// Tapir, and for a backward that records. The outermost wins.
class CallSite {
 public:
  explicit CallSite(const void* site) : before_(detail::autograd_thread.call_site) {
    if (!before_) detail::autograd_thread.call_site = site;
  }
  ~CallSite() { detail::autograd_thread.call_site = before_; }
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;

 private:
  const void* before_;
};

TAPIR_ALWAYS_INLINE void Node::set_edge(size_t i, const Tensor& input) { edges_[i] = gradient_edge(input); }

TAPIR_ALWAYS_INLINE void Node::describe_output(size_t i, const Tensor& output) {
  NodeOutput& o = outputs_[i];
  o.sizes = output.impl()->layout.sizes;
  o.dtype = output.impl()->dtype;
  o.device = output.impl()->device;
}

/// Makes `node` the history of `output`, as its output number `nr`.
TAPIR_ALWAYS_INLINE void set_history(const Tensor& output, Ref<Node> node, uint32_t nr = 0) {
  node->describe_output(nr, output);
  output.impl()->autograd = std::move(node);
  output.impl()->output_nr = nr;
}

/// Records a node of type N with edges to `inputs` (tensors; undefined ones give no edge) as the history of
/// `output`. Returns it for saving. An integer or bool output cannot have a history.
template <class N, class... T>
TAPIR_ALWAYS_INLINE N* record(const void* site, const Tensor& output, const T&... inputs) {
  N* node = new N;
  size_t i = 0;
  (node->set_edge(i++, inputs), ...);
  node->set_call_site(site);
  node->describe_output(0, output);
  TensorImpl* t = output.impl();
  t->autograd = Ref<Node>::adopt(node);
  t->output_nr = 0;
  return node;
}

/// Refuses an in-place change of no tensor, and while recording of a leaf that requires a gradient or of a
/// view of one.
TAPIR_ALWAYS_INLINE void check_inplace(const Tensor& t, const char* op) {
  if (TAPIR_UNLIKELY(!t.impl())) detail::undefined_inplace_failure(op);
  if (GradMode::is_enabled() &&
      (requires_grad(t) || (TAPIR_UNLIKELY(t.impl()->base) && requires_grad(*t.impl()->base))))
    detail::check_inplace_slow(t, op);
}

/// After an in-place op changed `t`: `node` (its output `nr` describes the new value) becomes the history of
/// `t`, and, where `t` is a view, its base gets a node that puts the new part into the old whole.
TAPIR_API void rebase_history(const Tensor& t, Ref<Node> node, uint32_t nr = 0);

/// After an in-place op gave `t`, which requires a gradient, values that do not depend on the old ones: the
/// old ones get a gradient of zeros.
TAPIR_API void cut_history(const Tensor& t, const void* site);

/// Registers `view`, made by alias(), as a view of `base`. Its history, if any, is set by the caller.
inline void mark_view(const Tensor& view, const Tensor& base) {
  TensorImpl* b = base.impl();
  view.impl()->base = b->base ? b->base : base.ref();
  view.impl()->history = view.impl()->base->history;
  view.impl()->untracked = b->untracked;
}

}  // namespace tapir
