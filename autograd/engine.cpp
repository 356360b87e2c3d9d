#include "tapir/autograd/engine.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string_view>
#include <thread>

#include "tapir/autograd/anomaly_mode.h"
#include "tapir/autograd/engine_run.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

namespace {

uint64_t priority(const Node* n) {
  return n->kind() == AutogradSlot::Kind::kLeaf ? UINT64_MAX : n->sequence();
}
bool runs_later(const Node* a, const Node* b) { return priority(a) < priority(b); }

// Vectors that a thread's runs reuse, so that a small backward does not touch malloc.
struct Scratch {
  std::vector<Node*> claimed, ready;
};
thread_local Scratch scratch;
thread_local EngineRun* current_run = nullptr;

// Runs that wait for the end of another thread's.
struct Waiting {
  std::atomic<int> runs{0};
  std::mutex mutex;
  std::condition_variable ended;
};
Waiting& waiting() {
  static Waiting& w = *new Waiting;  // outlives threads that end after main()
  return w;
}

}  // namespace

EngineRun::EngineRun(bool keep_graph, bool create_graph)
    : keep_graph_(keep_graph),
      create_graph_(create_graph),
      outer_(std::exchange(current_run, this)),
      anomaly_(autograd::AnomalyMode::should_check_nan()),
      general_(anomaly_),
      depth_(outer_ ? outer_->depth_ + 1 : 0) {}

EngineRun::~EngineRun() {
  current_run = outer_;
  for (Node* n : claimed_) {
    if (!finished_) {
      for (NodeOutput& o : n->outputs()) {
        o.buffer.grad.reset();
        if (o.buffer.pending) o.buffer.drop_pending();
      }
      n->dependencies_ = 0;
    }
  }
  give_back();
  scratch.claimed.swap(claimed_);
  scratch.ready.swap(ready_);
}

void EngineRun::give_back() {
  for (Node* n : claimed_) n->run_.store(nullptr, std::memory_order_release);
  claimed_.clear();
  ready_.clear();
  foreign_.clear();
  // A read-modify-write: either it sees the count of a run that began to wait, or that run sees the nodes
  // free.
  Waiting& w = waiting();
  if (w.runs.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  { std::lock_guard lock(w.mutex); }
  w.ended.notify_all();
}

void EngineRun::await_holder() {
  Waiting& w = waiting();
  w.runs.fetch_add(1, std::memory_order_acq_rel);
  {
    std::unique_lock lock(w.mutex);
    w.ended.wait(lock, [&] { return held_->run_.load(std::memory_order_acquire) != holder_; });
  }
  w.runs.fetch_sub(1, std::memory_order_acq_rel);
  held_ = nullptr;
}

bool EngineRun::is_outer(const EngineRun* run) const {
  for (const EngineRun* r = outer_; r; r = r->outer_)
    if (r == run) return true;
  return false;
}

// Called by one thread at a time, so that claiming a node takes no atomic exchange.
bool EngineRun::first_visit(Node* n) {
  if (owns(n) || (TAPIR_UNLIKELY(!foreign_.empty()) && foreign_.contains(n))) return false;
  EngineRun* const holder = n->run_.load(std::memory_order_acquire);
  if (TAPIR_LIKELY(!holder)) {
    n->run_.store(this, std::memory_order_relaxed);
    claimed_.push_back(n);
    n->dependencies_ = 0;
    return true;
  }
  if (n->kind() != AutogradSlot::Kind::kLeaf && !is_outer(holder)) {
    held_ = n;
    holder_ = holder;
    return false;
  }
  const auto [it, inserted] = foreign_.try_emplace(n);
  if (inserted) it->second.buffers.resize(n->num_outputs_);
  return inserted;
}

// False where a node is held by another thread's run.
bool EngineRun::discover(const std::vector<Edge>& roots) {
  static std::mutex claiming;
  std::lock_guard lock(claiming);
  // Known beforehand, and so neither claimed nor passed.
  for (Node* n : border_) foreign_[n].buffers.resize(n->num_outputs_);
  std::vector<Node*>& stack = ready_;  // empty until the first node is ready
  for (const Edge& root : roots)
    if (root.is_valid() && needed(root.function.get()) && first_visit(root.function.get()))
      stack.push_back(root.function.get());
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    for (const Edge& e : n->edges()) {
      Node* next = e.function.get();
      if (!next || !needed(next)) continue;
      const bool first = first_visit(next);
      if (TAPIR_UNLIKELY(held_ != nullptr)) return false;
      ++dependencies(next);
      if (first) stack.push_back(next);
    }
  }
  return held_ == nullptr;
}

void EngineRun::capture(const std::vector<Edge>& roots, const std::vector<Edge>& targets, bool accumulate) {
  filtered_ = general_ = true;
  accumulate_ = accumulate;
  captured_.resize(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!targets[i].is_valid()) continue;
    targets_[targets[i].function.get()].push_back({targets[i].input_nr, i});
    needed_.insert(targets[i].function.get());
  }
  // A node is needed where one of its edges leads to a needed one: found in postorder, without recursion.
  struct Frame {
    Node* node;
    size_t edge;
  };
  std::unordered_set<Node*> seen;
  std::vector<Frame> stack;
  for (const Edge& root : roots) {
    if (!root.is_valid() || !seen.insert(root.function.get()).second) continue;
    stack.push_back({root.function.get(), 0});
    while (!stack.empty()) {
      Frame& f = stack.back();
      if (f.edge < f.node->edges().size()) {
        Node* next = f.node->edges()[f.edge++].function.get();
        if (next && !border_.contains(next) && seen.insert(next).second) stack.push_back({next, 0});
        continue;
      }
      for (const Edge& e : f.node->edges())
        if (e.is_valid() && needed_.contains(e.function.get())) needed_.insert(f.node);
      stack.pop_back();
    }
  }
}

void EngineRun::capture_at_border(const std::vector<Edge>& roots, const std::vector<Edge>& targets,
                                  const std::vector<Edge>& border) {
  for (const Edge& e : border) border_.insert(e.function.get());
  capture(roots, targets, false);
}

void EngineRun::push_ready(Node* n) {
  if (TAPIR_UNLIKELY(n->waits_ && !n->hooks_ && !general_ && !create_graph_ && foreign_.empty())) {
    waiting_.push_back(n);
    return;
  }
  if (!next_) {
    next_ = n;
    return;
  }
  ready_.push_back(n);
  std::push_heap(ready_.begin(), ready_.end(), runs_later);
}

// The ready node with the highest priority, or null.
Node* EngineRun::pop_ready() {
  Node* n = std::exchange(next_, nullptr);
  if (ready_.empty() || (n && !runs_later(n, ready_.front()))) return n;
  if (n) {
    ready_.push_back(n);
    std::push_heap(ready_.begin(), ready_.end(), runs_later);
  }
  std::pop_heap(ready_.begin(), ready_.end(), runs_later);
  n = ready_.back();
  ready_.pop_back();
  return n;
}

// Note [A stack for backwards inside backwards]
//
// A backward that a hook or a user's backward starts runs on the stack of the one that it is started from,
// and one inside that further up. So that thousands fit, every kBackwardsPerStack-th runs on a thread of its
// own, for which the one that started it waits; it takes what autograd keeps per thread along.
void EngineRun::run(const std::vector<Edge>& roots, std::vector<Tensor> grads) {
  constexpr unsigned kBackwardsPerStack = 50;
  if (TAPIR_LIKELY(depth_ % kBackwardsPerStack != kBackwardsPerStack - 1))
    return run_here(roots, std::move(grads));
  std::exception_ptr error;
  detail::AutogradThread state = detail::autograd_thread;
  std::thread thread([&] {
    std::swap(detail::autograd_thread, state);
    current_run = this;
    try {
      run_here(roots, std::move(grads));
    } catch (...) {
      error = std::current_exception();
    }
    current_run = nullptr;
    std::swap(detail::autograd_thread, state);
  });
  thread.join();
  detail::autograd_thread = state;
  if (error) std::rethrow_exception(error);
}

void EngineRun::run_here(const std::vector<Edge>& roots, std::vector<Tensor> grads) {
  claimed_.swap(scratch.claimed);
  ready_.swap(scratch.ready);
  AutoGradMode mode(create_graph_);
  while (TAPIR_UNLIKELY(!discover(roots))) {  // see Note [Who runs a node]
    give_back();
    await_holder();
  }
  for (size_t i = 0; i < roots.size(); ++i)
    if (roots[i].is_valid() && needed(roots[i].function.get()))
      deliver(nullptr, roots[i], std::move(grads[i]));
  for (size_t i = 0; i < roots.size(); ++i) {
    Node* n = roots[i].function.get();
    if (!n || !needed(n) || dependencies(n) != 0) continue;
    const auto among = [n](const std::vector<Node*>& nodes) {
      return std::find(nodes.begin(), nodes.end(), n) != nodes.end();
    };
    if (n != next_ && !among(ready_) && !among(waiting_)) push_ready(n);
  }
  do {
    while (Node* n = pop_ready()) execute(n);
  } while (run_waiting());
  finished_ = true;
}

// Runs the last waiting node and its company; false where none waits.
bool EngineRun::run_waiting() {
  if (waiting_.empty()) return false;
  const void* company = waiting_.back()->company();
  std::vector<Node*> nodes;
  std::erase_if(waiting_, [&](Node* n) {
    if (n->company() != company) return false;
    nodes.push_back(n);
    return true;
  });
  if (nodes.size() == 1) {
    execute(nodes[0]);
    return true;
  }
  std::vector<Together> together;
  together.reserve(nodes.size());
  for (Node* n : nodes) {
    GradBuffer& b = n->outputs_[0].buffer;
    if (TAPIR_UNLIKELY(b.pending != nullptr)) flush(n, 0, b);
    if (!b.grad.defined()) continue;
    try {
      n->check_saved();
    } catch (Error& e) {
      add_node_context(e, *n);
      throw;
    }
    together.push_back({n, std::move(b.grad), GradSink(*this, *n)});
  }
  if (!together.empty()) {
    try {
      together[0].node->backward_together(together);
    } catch (Error& e) {
      add_node_context(e, *together[0].node);
      throw;
    }
  }
  for (Node* n : nodes) finish(n);
  return true;
}

// The usual node: one output, nobody else's, no hook.
void EngineRun::execute(Node* n) {
  if (TAPIR_UNLIKELY(n->num_outputs_ != 1 || n->hooks_ || general_ ||
                     n->kind() != AutogradSlot::Kind::kNode || !foreign_.empty()))
    return execute_general(n);
  GradBuffer& b = n->outputs_[0].buffer;
  if (TAPIR_UNLIKELY(b.pending != nullptr)) flush(n, 0, b);
  Tensor grad = std::move(b.grad);
  if (grad.defined()) call_backward(n, Grads(&grad, 1));
  finish(n);
}

void EngineRun::call_backward(Node* n, Grads grads) {
  GradSink sink(*this, *n);
  call_backward(n, grads, sink);
}

TAPIR_ALWAYS_INLINE void EngineRun::call_backward(Node* n, Grads grads, GradSink& sink) {
  try {
    if (TAPIR_UNLIKELY(create_graph_)) {
      CallSite site(n->site_);
      n->backward(grads, sink);
    } else {
      n->backward(grads, sink);
    }
  } catch (Error& e) {
    // Backwards inside backwards each add a line; a few say enough.
    if (std::string_view(e.what()).size() < 4096) add_node_context(e, *n);
    throw;
  }
}

namespace {
// Stands in for the end of an edge while a node's results are looked at before they go on.
struct Collector final : Node {
  explicit Collector(const Edge& to) : Node(Kind::kNode, nullptr, 0, &output, 1), end(to.function.get()) {
    if (!end) return;
    const NodeOutput& o = end->outputs()[to.input_nr];
    output.sizes = o.sizes;
    output.dtype = o.dtype;
    output.device = o.device;
  }
  const char* type_name() const override { return end->type_name(); }
  void backward(Grads, GradSink&) override {}
  Node* end;
  NodeOutput output;
};
}  // namespace

// For nodes with post-hooks, and for all in anomaly mode.
void EngineRun::call_backward_collecting(Node* n, Grads grads) {
  const size_t count = n->num_edges_;
  const bool hooked = n->hooks_ && !n->hooks_->post.empty();
  const std::vector<Tensor> grad_outputs(grads.begin(), grads.end());
  std::vector<Edge> to(count);
  for (size_t i = 0; i < count; ++i) {
    to[i].function = Ref<Node>::adopt(new Collector(n->edges_[i]));
    to[i].function->run_.store(this, std::memory_order_relaxed);
  }
  GradSink sink(*this, *n, to.data());
  call_backward(n, grads, sink);
  std::vector<Tensor> results(count);
  try {
    for (size_t i = 0; i < count; ++i) {
      if (!sink.wants(i)) continue;
      const Edge& e = n->edges_[i];
      GradBuffer& b = to[i].function->outputs_[0].buffer;
      if (b.pending && b.pending->kind == PendingProducts::Kind::kRows && !hooked) {
        // A gradient by rows stays one.
        for (auto& pair : b.pending->pairs) {
          check_anomaly(*n, i, pair.g, grad_outputs);
          add_pending(e, PendingProducts::Kind::kRows, std::move(pair.x), std::move(pair.g), pair.skip);
        }
        b.drop_pending();
      } else if (b.pending) {
        flush(to[i].function.get(), 0, b);
      }
      results[i] = std::move(b.grad);
      if (anomaly_ && results[i].defined()) check_anomaly(*n, i, results[i], grad_outputs);
    }
    if (hooked) run_post_hooks(n, results, grad_outputs);
  } catch (Error& e) {
    add_node_context(e, *n);
    throw;
  }
  for (size_t i = 0; i < count; ++i)
    if (results[i].defined() && sink.wants(i)) deliver(n, n->edges_[i], std::move(results[i]));
}

void EngineRun::finish(Node* n) {
  if (!keep_graph_) n->release_saved();
  for (const Edge& e : n->edges()) {
    Node* next = e.function.get();
    if (next && needed(next) && --dependencies(next) == 0) push_ready(next);
  }
}

void EngineRun::execute_general(Node* n) {
  const size_t outputs = n->num_outputs_;
  Tensor small[4];
  std::vector<Tensor> large;
  Tensor* grads = small;
  if (outputs > 4) {
    large.resize(outputs);
    grads = large.data();
  }
  const bool target = filtered_ && targets_.contains(n);
  const bool at_border = !border_.empty() && border_.contains(n);
  LeafNode* leaf = n->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(n) : nullptr;
  bool any = false;
  for (size_t i = 0; i < outputs; ++i) {
    GradBuffer& b = buffer(n, i);
    if (TAPIR_UNLIKELY(b.pending != nullptr)) {
      if (leaf && !at_border && !(target && !accumulate_) && flush_into_leaf(leaf, b)) return;
      flush(n, i, b);
    }
    grads[i] = std::move(b.grad);
    any = any || grads[i].defined();
  }
  const Grads all(grads, outputs);
  if (TAPIR_UNLIKELY(n->hooks_ != nullptr) && !at_border && !n->hooks_->hooks.empty())
    run_tensor_hooks(n, all);
  if (target)
    for (const auto& [nr, index] : targets_[n])
      captured_[index] = at_border ? std::move(grads[nr]) : grads[nr];
  if (at_border) return;
  if (leaf) {
    if (any && accumulate_) run_leaf(leaf, all);
    return;
  }
  bool leads_on = !filtered_;
  if (filtered_)
    for (const Edge& e : n->edges()) leads_on = leads_on || (e.is_valid() && needed(e.function.get()));
  if (!leads_on) return;
  if (any) {
    if (n->hooks_ && !n->hooks_->pre.empty()) run_pre_hooks(n, all);
    if (anomaly_ || (n->hooks_ && !n->hooks_->post.empty()))
      call_backward_collecting(n, all);
    else
      call_backward(n, all);
  }
  finish(n);
}

void EngineRun::run_leaf(LeafNode* leaf, Grads grads) {
  // One that was frozen since the forward gets nothing.
  if (TAPIR_LIKELY(!leaf->hooks_)) {
    if (TAPIR_LIKELY(leaf->requires_grad)) accumulate(leaf, std::move(grads[0]));
    return;
  }
  if (!leaf->hooks_->pre.empty()) run_pre_hooks(leaf, grads);
  if (leaf->requires_grad) {
    accumulate(leaf, leaf->hooks_->post.empty() ? std::move(grads[0]) : grads[0]);
    if (!leaf->hooks_->accumulated.empty()) run_accumulated_hooks(leaf);
  }
  if (!leaf->hooks_->post.empty()) {
    std::vector<Tensor> none;
    run_post_hooks(leaf, none, {grads[0]});
  }
}

}  // namespace tapir
