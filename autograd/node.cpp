#include "tapir/autograd/node.h"

#include "tapir/autograd/engine_run.h"

namespace tapir {

namespace detail {
constinit thread_local AutogradThread autograd_thread{};
}

AutogradSlot::~AutogradSlot() = default;

Node::~Node() { delete hooks_; }

// Deleting a node drops its edges and saved tensors, which may delete further nodes. Those are put on a list
// that the outermost call works off, so that a chain of a million nodes does not recurse.
void Node::dispose() {
  struct Queue {
    Node* head = nullptr;
    bool draining = false;
  };
  static constinit thread_local Queue queue{};
  next_disposed_ = queue.head;
  queue.head = this;
  if (queue.draining) return;
  queue.draining = true;
  while (Node* n = queue.head) {
    queue.head = n->next_disposed_;
    delete n;
  }
  queue.draining = false;
}

void Node::backward_together(std::span<Together> nodes) {
  for (Together& t : nodes) t.node->backward(Grads(&t.grad, 1), t.sink);
}

std::vector<Edge> Node::next_edges() const { return std::vector<Edge>(edges_, edges_ + num_edges_); }

LeafNode::LeafNode(const Tensor& variable) : Node(Kind::kLeaf, nullptr, 0, &output, 1) {
  describe_output(0, variable);
}

void LeafNode::backward(Grads, GradSink&) {}  // the engine accumulates

}  // namespace tapir
