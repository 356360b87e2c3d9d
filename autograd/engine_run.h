// EngineRun: one backward pass. Private to autograd/.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

/// What a node calls beside its backward; handles are unique in the process.
struct NodeHooks {
  struct Hook {
    unsigned handle;
    uint32_t output_nr;
    bool keeps;  // the gradient, without replacing it: runs after the others
    std::function<Tensor(const Tensor&)> call;
  };
  struct Pre {
    unsigned handle;
    uintptr_t key;  // of a libtorch hook: its address
    Node::PreHook call;
  };
  struct Post {
    unsigned handle;
    uintptr_t key;
    Node::PostHook call;
  };
  struct Accumulated {
    unsigned handle;
    std::function<void(const Tensor&)> call;
  };
  std::vector<Hook> hooks;
  std::vector<Pre> pre;
  std::vector<Post> post;
  std::vector<Accumulated> accumulated;
  // What those get: an alias of the variable without its leaf, which would own itself.
  Tensor variable;
};

/// Contributions of one kind to one gradient, which wait to be summed.
struct PendingProducts {
  enum class Kind { kProducts, kRowSums, kRows };
  struct Pair {
    Tensor x, g;        // kProducts: (rows, k), (rows, m); kRowSums: none, (1, m); kRows: indices (n), (n, d)
    int64_t skip = -1;  // kRows: the index whose rows do not count
  };
  Kind kind;
  std::vector<Pair> pairs;
  int64_t rows = 0;
  size_t bytes = 0;
};

/// Visits the nodes from the roots down to the leaves, each after all that feed it, highest sequence first.
/// Neither the walk nor the freeing of the graph recurses.
class EngineRun {
 public:
  EngineRun(bool keep_graph, bool create_graph);
  ~EngineRun();
  EngineRun(const EngineRun&) = delete;

  /// Restricts the run to what leads to these edges; leaves are then accumulated into only where
  /// `accumulate`, and the gradients that arrive are kept in captured().
  void capture(const std::vector<Edge>& roots, const std::vector<Edge>& targets, bool accumulate);
  /// Restricts the run to what lies between the roots and `border`, edges to nodes that are not run, nor are
  /// their hooks. The sums of what arrives at `targets`, some of the border, are kept in captured().
  void capture_at_border(const std::vector<Edge>& roots, const std::vector<Edge>& targets,
                         const std::vector<Edge>& border);
  void run(const std::vector<Edge>& roots, std::vector<Tensor> grads);
  std::vector<Tensor>& captured() { return captured_; }

 private:
  friend class GradSink;
  // Note [Who runs a node]
  //
  // A run claims the nodes that it will execute, and keeps its state in them. Where a node is held by a run
  // that this thread is in the middle of (a backward inside a backward), the inner run keeps its state in a
  // map. Where a run of another thread holds it, this run gives its own claims back and waits for the end of
  // that one, since one of them may free what the other reads; it holds nothing meanwhile, so two runs cannot
  // wait for each other. Leaves are shared freely (threads that train one model): each run has its own state
  // for them, and a lock orders the accumulation.

  /// State for a node that another run holds.
  struct Foreign {
    uint32_t dependencies = 0;
    std::vector<GradBuffer> buffers;
  };

  // Note [Nodes that wait]
  //
  // The gradient of a row that was multiplied with a large weight is bound by the reading of the weight.
  // Where a loop or a recursion multiplies one weight with a row at a time, many such gradients become ready
  // before anything needs the first one: the losses of all steps, the nodes on one level of a tree. So the
  // node of such a product waits until nothing else is ready, and then runs together with all that wait for
  // the same weight. It does not wait where hooks or a restricted run could see the order, nor under
  // create_graph.

  bool owns(const Node* n) const { return n->run_.load(std::memory_order_relaxed) == this; }
  uint32_t& dependencies(Node* n) {
    return owns(n) ? n->dependencies_ : foreign_.find(n)->second.dependencies;
  }
  GradBuffer& buffer(Node* n, size_t nr) {
    return owns(n) ? n->outputs_[nr].buffer : foreign_.find(n)->second.buffers[nr];
  }
  bool needed(Node* n) const { return !filtered_ || needed_.contains(n); }
  bool first_visit(Node* n);
  bool discover(const std::vector<Edge>& roots);
  bool is_outer(const EngineRun* run) const;
  void give_back();
  void await_holder();
  void push_ready(Node* n);
  Node* pop_ready();
  void execute(Node* n);
  bool run_waiting();
  void execute_general(Node* n);
  void call_backward(Node* n, Grads grads);
  void call_backward(Node* n, Grads grads, GradSink& sink);
  void call_backward_collecting(Node* n, Grads grads);
  void run_here(const std::vector<Edge>& roots, std::vector<Tensor> grads);
  void run_tensor_hooks(Node* n, Grads grads);
  void run_pre_hooks(Node* n, Grads grads);
  void run_post_hooks(Node* n, std::vector<Tensor>& grad_inputs, const std::vector<Tensor>& grad_outputs);
  void run_accumulated_hooks(LeafNode* leaf);
  void run_leaf(LeafNode* leaf, Grads grads);
  static void check_anomaly(const Node& n, size_t input, const Tensor& grad, const std::vector<Tensor>& got);
  void finish(Node* n);
  void deliver(const Node* from, const Edge& edge, Tensor grad);
  void add_to(GradBuffer& b, Tensor grad);
  void add_pending(const Edge& edge, PendingProducts::Kind kind, Tensor x, Tensor g, int64_t skip = -1);
  void flush(Node* n, size_t nr, GradBuffer& b);
  void accumulate(LeafNode* leaf, Tensor grad);
  bool flush_into_leaf(LeafNode* leaf, GradBuffer& b);
  Tensor& exclusive(Node* n, size_t nr);

  bool keep_graph_, create_graph_;
  EngineRun* outer_;      // the run that this thread is in the middle of
  Node* held_ = nullptr;  // by `holder_`, a run of another thread
  EngineRun* holder_ = nullptr;
  bool finished_ = false;
  bool filtered_ = false, accumulate_ = true;
  bool anomaly_;    // look for NaN
  bool general_;    // filtered_ or anomaly_: no shortcut for the usual node
  unsigned depth_;  // of backwards inside backwards
  std::unordered_set<Node*> border_;
  std::vector<Node*> claimed_;
  std::vector<Node*> ready_;    // a heap
  Node* next_ = nullptr;        // ready too: spares the heap in a chain
  std::vector<Node*> waiting_;  // ready, but see Note [Nodes that wait]
  std::unordered_map<Node*, Foreign> foreign_;
  std::unordered_set<Node*> needed_;
  std::unordered_map<Node*, std::vector<std::pair<uint32_t, size_t>>> targets_;
  std::vector<Tensor> captured_;
};

/// Says in an exception thrown by a node's backward which op and which line of the user's forward it belongs
/// to.
void add_node_context(class Error& error, const Node& node);

}  // namespace tapir
