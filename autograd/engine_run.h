// EngineRun: one backward pass. Private to autograd/.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tapir/autograd/node.h"

namespace tapir {

struct NodeHooks {
  struct Hook {
    unsigned handle;
    uint32_t output_nr;
    std::function<Tensor(const Tensor&)> call;
  };
  std::vector<Hook> hooks;
  unsigned next_handle = 0;
};

struct PendingProducts {
  struct Pair {
    Tensor x, g;  // (rows, k), (rows, m), contiguous
  };
  std::vector<Pair> pairs;
  int64_t rows = 0;
  size_t bytes = 0;
};

/// Visits the nodes from the roots down to the leaves, each after all that feed it, highest sequence first.
/// Neither the walk nor the freeing of the graph recurses.
class EngineRun {
 public:
  EngineRun(bool keep_graph, bool create_graph) : keep_graph_(keep_graph), create_graph_(create_graph) {}
  ~EngineRun();
  EngineRun(const EngineRun&) = delete;

  /// Restricts the run to what leads to these edges; leaves are then accumulated into only where
  /// `accumulate`, and the gradients that arrive are kept in captured().
  void capture(const std::vector<Edge>& roots, const std::vector<Edge>& targets, bool accumulate);
  void run(const std::vector<Edge>& roots, std::vector<Tensor> grads);
  std::vector<Tensor>& captured() { return captured_; }

 private:
  friend class GradSink;
  /// State for a node that another run holds.
  struct Foreign {
    uint32_t dependencies = 0;
    std::vector<GradBuffer> buffers;
  };

  bool owns(const Node* n) const { return n->run_.load(std::memory_order_relaxed) == this; }
  uint32_t& dependencies(Node* n) {
    return owns(n) ? n->dependencies_ : foreign_.find(n)->second.dependencies;
  }
  GradBuffer& buffer(Node* n, size_t nr) {
    return owns(n) ? n->outputs_[nr].buffer : foreign_.find(n)->second.buffers[nr];
  }
  bool needed(Node* n) const { return !filtered_ || needed_.contains(n); }
  bool first_visit(Node* n);
  void discover(const std::vector<Edge>& roots);
  void push_ready(Node* n);
  void execute(Node* n);
  void deliver(const Node* from, const Edge& edge, Tensor grad);
  void add_to(GradBuffer& b, Tensor grad);
  void flush(Node* n, size_t nr, GradBuffer& b);
  void accumulate(LeafNode* leaf, Tensor grad);
  bool flush_into_leaf(LeafNode* leaf, GradBuffer& b);
  Tensor& exclusive(Node* n, size_t nr);

  bool keep_graph_, create_graph_;
  bool finished_ = false;
  bool filtered_ = false, accumulate_ = true;
  std::vector<Node*> claimed_;
  std::vector<Node*> ready_;  // a heap
  std::unordered_map<Node*, Foreign> foreign_;
  std::unordered_set<Node*> needed_;
  std::unordered_map<Node*, std::vector<std::pair<uint32_t, size_t>>> targets_;
  std::vector<Tensor> captured_;
};

/// Says in an exception thrown by a node's backward which op and which line of the user's forward it belongs
/// to.
void add_node_context(class Error& error, const Node& node);

}  // namespace tapir
