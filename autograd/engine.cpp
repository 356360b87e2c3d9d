#include "tapir/autograd/engine.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tapir/autograd/engine_run.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

namespace {

/// Pending products are summed once they hold this much, so that memory stays bounded.
constexpr size_t kMaxPendingBytes = 32u << 20;

// True where nobody else can see the tensor's memory, so that it may be added into.
bool unshared(const Tensor& t) {
  const TensorImpl& i = *t.impl();
  return i.unique() && i.storage->unique() && i.layout.contiguous && !i.autograd;
}

void add_in_place(const Tensor& to, const Tensor& from) {
  raw::pointwise_into(Pointwise::add, to, {to, from}, Scalar(1));
}

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

void GradBuffer::drop_pending() {
  delete pending;
  pending = nullptr;
}

EngineRun::EngineRun(bool keep_graph, bool create_graph)
    : keep_graph_(keep_graph), create_graph_(create_graph), outer_(std::exchange(current_run, this)) {}

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
  filtered_ = true;
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
        if (next && seen.insert(next).second) stack.push_back({next, 0});
        continue;
      }
      for (const Edge& e : f.node->edges())
        if (e.is_valid() && needed_.contains(e.function.get())) needed_.insert(f.node);
      stack.pop_back();
    }
  }
}

void EngineRun::push_ready(Node* n) {
  if (TAPIR_UNLIKELY(n->waits_ && !n->hooks_ && !filtered_ && !create_graph_ && foreign_.empty())) {
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

void EngineRun::run(const std::vector<Edge>& roots, std::vector<Tensor> grads) {
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
  if (TAPIR_UNLIKELY(n->num_outputs_ != 1 || n->hooks_ || filtered_ ||
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
  try {
    if (TAPIR_UNLIKELY(create_graph_)) {
      CallSite site(n->site_);
      n->backward(grads, sink);
    } else {
      n->backward(grads, sink);
    }
  } catch (Error& e) {
    add_node_context(e, *n);
    throw;
  }
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
  LeafNode* leaf = n->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(n) : nullptr;
  bool any = false;
  for (size_t i = 0; i < outputs; ++i) {
    GradBuffer& b = buffer(n, i);
    if (TAPIR_UNLIKELY(b.pending != nullptr)) {
      if (leaf && !(target && !accumulate_) && flush_into_leaf(leaf, b)) return;
      flush(n, i, b);
    }
    grads[i] = std::move(b.grad);
    any = any || grads[i].defined();
  }
  if (TAPIR_UNLIKELY(n->hooks_ != nullptr)) {
    // By index and by copy: a hook may add or remove hooks.
    for (size_t h = 0; n->hooks_ && h < n->hooks_->hooks.size(); ++h) {
      const auto hook = n->hooks_->hooks[h];
      if (!grads[hook.output_nr].defined()) continue;
      Tensor replaced = hook.call(grads[hook.output_nr]);
      if (!replaced.defined()) continue;
      TAPIR_CHECK_AS(ShapeError, replaced.layout_of().sizes == n->outputs()[hook.output_nr].sizes,
                     "hook on the result of {}: it returned a gradient of sizes {}, expected {}", n->name(),
                     replaced.sizes(), IntArrayRef(n->outputs()[hook.output_nr].sizes));
      TAPIR_CHECK_AS(DTypeError, replaced.dtype() == n->outputs()[hook.output_nr].dtype,
                     "hook on the result of {}: it returned a gradient of {}, expected {}", n->name(),
                     replaced.dtype(), n->outputs()[hook.output_nr].dtype);
      TAPIR_CHECK_AS(DeviceError, replaced.device() == n->outputs()[hook.output_nr].device,
                     "hook on the result of {}: it returned a gradient on {}, expected {}", n->name(),
                     replaced.device(), n->outputs()[hook.output_nr].device);
      grads[hook.output_nr] = std::move(replaced);
    }
  }
  if (target)
    for (const auto& [nr, index] : targets_[n]) captured_[index] = grads[nr];
  if (leaf) {
    if (any && accumulate_) accumulate(leaf, std::move(grads[0]));
    return;
  }
  bool leads_on = !filtered_;
  if (filtered_)
    for (const Edge& e : n->edges()) leads_on = leads_on || (e.is_valid() && needed(e.function.get()));
  if (!leads_on) return;
  if (any) call_backward(n, Grads(grads, outputs));
  finish(n);
}

namespace {
[[noreturn]] TAPIR_COLD void wrong_gradient(const Node* from, const Node& to, IntArrayRef got,
                                            IntArrayRef expected) {
  throw_error<ShapeError>("backward: {} gave a gradient of sizes {} for the result of {}, expected {}",
                          from ? from->name() : "the caller", got, to.name(), expected);
}
}  // namespace

void EngineRun::deliver(const Node* from, const Edge& edge, Tensor grad) {
  if (!grad.defined()) return;
  const NodeOutput& want = edge.function->outputs_[edge.input_nr];
  const TensorImpl& got = *grad.impl();
  if (TAPIR_UNLIKELY(!(got.layout.sizes == want.sizes))) {
    if (!is_expandable_to(want.sizes, got.layout.sizes))
      wrong_gradient(from, *edge.function, got.layout.sizes, want.sizes);
    grad = sum_to_size(grad, want.sizes);
  }
  if (TAPIR_UNLIKELY(grad.impl()->dtype != want.dtype)) grad = to(grad, want.dtype);
  if (TAPIR_UNLIKELY(!(grad.impl()->device == want.device)))
    throw_error<DeviceError>("backward: {} gave a gradient on {} for the result of {}, which is on {}",
                             from ? from->name() : "the caller", grad.device(), edge.function->name(),
                             want.device);
  add_to(buffer(edge.function.get(), edge.input_nr), std::move(grad));
}

void EngineRun::add_to(GradBuffer& b, Tensor grad) {
  if (!b.grad.defined()) {
    b.grad = std::move(grad);
  } else if (create_graph_) {
    b.grad = add(b.grad, grad);
  } else if (unshared(b.grad)) {
    add_in_place(b.grad, grad);
  } else if (unshared(grad)) {
    add_in_place(grad, b.grad);
    b.grad = std::move(grad);
  } else {
    b.grad = raw::binary(Pointwise::add, b.grad, grad, Scalar(1));
  }
}

Tensor& EngineRun::exclusive(Node* n, size_t nr) {
  Tensor& grad = buffer(n, nr).grad;
  const NodeOutput& o = n->outputs_[nr];
  if (!grad.defined()) {
    grad = raw::zeros(o.sizes, o.dtype, o.device);
  } else if (!unshared(grad)) {
    grad = raw::clone_contiguous(grad);
  }
  return grad;
}

namespace {

// The x (or g) of all pairs, laid one under the other: (rows, columns).
Tensor gathered(const PendingProducts& p, Tensor PendingProducts::Pair::*which) {
  const Tensor& first = p.pairs[0].*which;
  if (p.pairs.size() == 1) return first;
  const Tensor whole = Tensor::empty({p.rows, first.size(1)}, first.dtype(), first.device());
  const KernelTable& table = kernels(whole.device());
  CopyArgs args;
  args.dst = whole.data_ptr();
  args.dst_dtype = args.src_dtype = whole.dtype();
  args.ndim = 1;
  args.dst_strides[0] = args.src_strides[0] = 1;
  for (const auto& pair : p.pairs) {
    const TensorImpl& part = *(pair.*which).impl();
    args.src = part.data;
    args.numel = args.sizes[0] = part.layout.numel;
    if (args.numel) table.copy(args);
    args.dst = static_cast<std::byte*>(args.dst) + static_cast<size_t>(args.numel) * item_size(part.dtype);
  }
  return whole;
}

// c (n) = the sum of all rows g + beta * c
void sum_rows(PendingProducts& p, const Tensor& c, double beta) {
  const Tensor g = gathered(p, &PendingProducts::Pair::g);
  const Tensor sum = beta == 0 ? c : Tensor::empty(c.sizes(), c.dtype(), c.device());
  ReduceArgs args{};
  args.op = Reduction::Sum;
  args.in = g.data_ptr();
  args.dtype = args.out_dtype = c.dtype();
  args.out = sum.data_ptr();
  args.outer = 1;
  args.reduced = p.rows;
  args.inner = c.numel();
  args.scale = 1;
  if (args.inner) kernels(c.device()).reduce(args);
  if (beta != 0) add_in_place(c, sum);
}

// c (m, k) = g^T x + beta * c over all pairs, or what else their kind asks for.
void sum_pending(PendingProducts& p, const Tensor& c, double beta) {
  if (p.kind == PendingProducts::Kind::kRowSums) return sum_rows(p, c, beta);
  if (p.kind == PendingProducts::Kind::kRows) {
    if (beta == 0) raw::fill(c, 0, "backward");
    for (const auto& pair : p.pairs) raw::add_rows(c, 0, pair.x, pair.g, pair.skip, "backward");
    return;
  }
  const Tensor x = gathered(p, &PendingProducts::Pair::x), g = gathered(p, &PendingProducts::Pair::g);
  GemmArgs args{};
  args.dtype = c.dtype();
  args.trans_a = true;
  args.m = c.size(0);
  args.n = c.size(1);
  args.k = p.rows;
  args.alpha = 1;
  args.beta = beta;
  args.a = g.data_ptr();
  args.lda = args.m;
  args.b = x.data_ptr();
  args.ldb = args.n;
  args.c = c.data_ptr();
  args.ldc = args.n;
  args.batch = 1;
  if (args.m && args.n) kernels(c.device()).gemm(args);
}

}  // namespace

void EngineRun::flush(Node* n, size_t nr, GradBuffer& b) {
  const NodeOutput& o = n->outputs_[nr];
  const bool first = !b.grad.defined();
  if (first)
    b.grad = Tensor::empty(o.sizes, o.dtype, o.device);
  else
    exclusive(n, nr);
  sum_pending(*b.pending, b.grad, first ? 0 : 1);
  b.drop_pending();
}

namespace {
// Keeps a leaf's gradient to one thread at a time; held for one accumulation.
class LeafLock {
 public:
  explicit LeafLock(LeafNode& leaf) : leaf_(leaf) {
    while (leaf_.busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  ~LeafLock() { leaf_.busy.store(false, std::memory_order_release); }

 private:
  LeafNode& leaf_;
};
}  // namespace

bool EngineRun::flush_into_leaf(LeafNode* leaf, GradBuffer& b) {
  if (b.grad.defined() || create_graph_ || leaf->hooks_ ||
      (filtered_ && targets_.contains(leaf) && !accumulate_))
    return false;
  LeafLock lock(*leaf);
  const NodeOutput& o = leaf->outputs()[0];
  if (b.pending->kind == PendingProducts::Kind::kRows && (leaf->by_rows() || !leaf->grad.defined())) {
    if (!leaf->rows) leaf->rows = std::make_unique<detail::LeafRows>();
    leaf->rows->dense.reset();
    leaf->grad.reset();
    for (auto& pair : b.pending->pairs) leaf->rows->add(std::move(pair.x), std::move(pair.g), pair.skip);
    b.drop_pending();
    return true;
  }
  const Tensor& grad = leaf->dense_grad();
  if (!grad.defined() || !grad.is_contiguous() || grad.dtype() != o.dtype || !(grad.device() == o.device) ||
      !(grad.layout_of().sizes == o.sizes))
    return false;
  sum_pending(*b.pending, grad, 1);
  raw::mark_changed(grad, "backward");
  b.drop_pending();
  return true;
}

void EngineRun::accumulate(LeafNode* leaf, Tensor grad) {
  LeafLock lock(*leaf);
  leaf->dense_grad();
  leaf->rows.reset();
  if (!leaf->grad.defined()) {
    if (create_graph_)
      leaf->grad = clone(grad);
    else
      leaf->grad = unshared(grad) ? std::move(grad) : raw::clone_contiguous(grad);
    return;
  }
  TAPIR_CHECK_AS(
      ShapeError, leaf->grad.sizes() == grad.sizes(),
      "backward: the leaf's grad has sizes {}, the gradient to add has {}; assign a grad that fits",
      leaf->grad.sizes(), grad.sizes());
  if (create_graph_)
    leaf->grad = add(leaf->grad, grad);
  else
    add_in_place(leaf->grad, grad);
}

// Contributions of another kind that wait are summed first.
void EngineRun::add_pending(const Edge& edge, PendingProducts::Kind kind, Tensor x, Tensor g, int64_t skip) {
  GradBuffer& b = buffer(edge.function.get(), edge.input_nr);
  if (TAPIR_UNLIKELY(b.pending && b.pending->kind != kind)) flush(edge.function.get(), edge.input_nr, b);
  if (!b.pending) b.pending = new PendingProducts{kind, {}};
  PendingProducts& p = *b.pending;
  p.rows += g.size(0);
  p.bytes += (x.defined() ? x.nbytes() : 0) + g.nbytes();
  p.pairs.push_back({std::move(x), std::move(g), skip});
  if (p.bytes > kMaxPendingBytes) flush(edge.function.get(), edge.input_nr, b);
}

// --- GradSink ---

bool GradSink::wants(size_t i) const {
  const Edge& e = node_.edges_[i];
  return e.is_valid() && run_.needed(e.function.get());
}

bool GradSink::deferring() const { return !run_.create_graph_; }

void GradSink::set(size_t i, Tensor grad) {
  if (wants(i)) run_.deliver(&node_, node_.edges_[i], std::move(grad));
}

void GradSink::add_product(size_t i, Tensor x, Tensor g) {
  if (!wants(i)) return;
  TAPIR_INTERNAL_CHECK(deferring());
  const Edge& e = node_.edges_[i];
  const NodeOutput& o = e.function->outputs_[e.input_nr];
  if (!(o.sizes.size() == 2 && x.dim() == 2 && g.dim() == 2 && x.size(0) == g.size(0) &&
        g.size(1) == o.sizes[0] && x.size(1) == o.sizes[1]))
    wrong_gradient(&node_, *e.function, Dims{g.size(-1), x.size(-1)}, o.sizes);
  run_.add_pending(e, PendingProducts::Kind::kProducts, raw::contiguous(raw::cast(x, o.dtype)),
                   raw::contiguous(raw::cast(g, o.dtype)));
}

Tensor& GradSink::accumulator(size_t i) {
  TAPIR_INTERNAL_CHECK(deferring() && wants(i));
  const Edge& e = node_.edges_[i];
  return run_.exclusive(e.function.get(), e.input_nr);
}

void GradSink::add_row_sum(size_t i, const Tensor& g) {
  if (!wants(i)) return;
  TAPIR_INTERNAL_CHECK(deferring());
  const Edge& e = node_.edges_[i];
  const NodeOutput& o = e.function->outputs_[e.input_nr];
  // Summed at once while it is in the cache; what waits is one row.
  Tensor row = raw::contiguous(raw::cast(g.size(0) == 1 ? g : raw::sum(g, {0}, true), o.dtype));
  if (!(o.sizes.size() == 1 && row.size(1) == o.sizes[0]))
    wrong_gradient(&node_, *e.function, Dims{row.size(1)}, o.sizes);
  run_.add_pending(e, PendingProducts::Kind::kRowSums, Tensor(), std::move(row));
}

void GradSink::add_rows(size_t i, Tensor index, Tensor g, int64_t skip) {
  if (!wants(i)) return;
  TAPIR_INTERNAL_CHECK(deferring());
  const Edge& e = node_.edges_[i];
  const NodeOutput& o = e.function->outputs_[e.input_nr];
  if (!(o.sizes.size() == 2 && g.dim() == 2 && g.size(1) == o.sizes[1] && g.size(0) == index.numel()))
    wrong_gradient(&node_, *e.function, g.sizes(), o.sizes);
  run_.add_pending(e, PendingProducts::Kind::kRows, std::move(index), raw::contiguous(raw::cast(g, o.dtype)),
                   skip);
}

// --- the public functions ---

namespace autograd {
namespace {

struct Roots {
  std::vector<Edge> edges;
  std::vector<Tensor> grads;
};

Roots make_roots(const char* op, const variable_list& tensors, const variable_list& grads) {
  TAPIR_CHECK_AS(ValueError, grads.empty() || grads.size() == tensors.size(),
                 "{}: {} tensors but {} gradients; give one for each, or none", op, tensors.size(),
                 grads.size());
  Roots roots;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    TAPIR_CHECK_AS(AutogradError, t.defined(), "{}: tensor {} is undefined", op, i);
    TAPIR_CHECK_AS(AutogradError, requires_grad(t),
                   "{}: tensor {} (sizes {}) does not require a gradient: no op on a tensor with "
                   "requires_grad led to it, or "
                   "it was made under NoGradGuard",
                   op, i, t.sizes());
    Tensor g = i < grads.size() ? grads[i] : Tensor();
    if (!g.defined()) {
      TAPIR_CHECK_AS(ShapeError, t.numel() == 1,
                     "{}: tensor {} has sizes {}; only one with a single element needs no gradient argument: "
                     "sum it to a loss, or "
                     "pass a gradient of its sizes",
                     op, i, t.sizes());
      g = raw::full(t.sizes(), 1, t.dtype(), t.device());
    } else {
      TAPIR_CHECK_AS(ShapeError, g.sizes() == t.sizes(),
                     "{}: the gradient for tensor {} has sizes {}, expected {}", op, i, g.sizes(), t.sizes());
    }
    roots.edges.push_back(gradient_edge(t));
    roots.grads.push_back(std::move(g));
  }
  return roots;
}

}  // namespace

void backward(const variable_list& tensors, const variable_list& grad_tensors,
              std::optional<bool> retain_graph, bool create_graph, const variable_list& inputs) {
  Roots roots = make_roots("backward", tensors, grad_tensors);
  EngineRun run(retain_graph.value_or(create_graph), create_graph);
  if (!inputs.empty()) {
    std::vector<Edge> targets;
    for (const Tensor& t : inputs) {
      TAPIR_CHECK_AS(
          AutogradError, t.defined() && requires_grad(t),
          "backward: an input does not require a gradient; call requires_grad_() before the forward");
      if (!t.is_leaf()) t.retain_grad();
      targets.push_back(gradient_edge(t));
    }
    run.capture(roots.edges, targets, true);
  }
  run.run(roots.edges, std::move(roots.grads));
}

variable_list grad(const variable_list& outputs, const variable_list& inputs,
                   const variable_list& grad_outputs, std::optional<bool> retain_graph, bool create_graph,
                   bool allow_unused) {
  Roots roots = make_roots("grad", outputs, grad_outputs);
  std::vector<Edge> targets;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TAPIR_CHECK_AS(AutogradError, inputs[i].defined() && requires_grad(inputs[i]),
                   "grad: input {} does not require a gradient; call requires_grad_() before the forward", i);
    targets.push_back(gradient_edge(inputs[i]));
  }
  EngineRun run(retain_graph.value_or(create_graph), create_graph);
  run.capture(roots.edges, targets, false);
  run.run(roots.edges, std::move(roots.grads));
  for (size_t i = 0; i < inputs.size(); ++i)
    TAPIR_CHECK_AS(AutogradError, run.captured()[i].defined() || allow_unused,
                   "grad: the outputs do not depend on input {} (sizes {}); pass allow_unused = true for an "
                   "undefined gradient",
                   i, inputs[i].sizes());
  return std::move(run.captured());
}

}  // namespace autograd
}  // namespace tapir
