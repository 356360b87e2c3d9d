// How gradients gather: in the buffers of nodes, as products that wait for their weight's turn, in leaves.
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

}  // namespace

void GradBuffer::drop_pending() {
  delete pending;
  pending = nullptr;
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
  if (TAPIR_UNLIKELY(!leaf->requires_grad)) {  // frozen since the forward
    b.drop_pending();
    return true;
  }
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
  if (wants(i)) run_.deliver(&node_, to_[i], std::move(grad));
}

void GradSink::add_product(size_t i, Tensor x, Tensor g) {
  if (!wants(i)) return;
  TAPIR_INTERNAL_CHECK(deferring());
  const Edge& e = to_[i];
  const NodeOutput& o = e.function->outputs_[e.input_nr];
  if (!(o.sizes.size() == 2 && x.dim() == 2 && g.dim() == 2 && x.size(0) == g.size(0) &&
        g.size(1) == o.sizes[0] && x.size(1) == o.sizes[1]))
    wrong_gradient(&node_, *e.function, Dims{g.size(-1), x.size(-1)}, o.sizes);
  run_.add_pending(e, PendingProducts::Kind::kProducts, raw::contiguous(raw::cast(x, o.dtype)),
                   raw::contiguous(raw::cast(g, o.dtype)));
}

Tensor& GradSink::accumulator(size_t i) {
  TAPIR_INTERNAL_CHECK(deferring() && wants(i));
  const Edge& e = to_[i];
  return run_.exclusive(e.function.get(), e.input_nr);
}

void GradSink::add_row_sum(size_t i, const Tensor& g) {
  if (!wants(i)) return;
  TAPIR_INTERNAL_CHECK(deferring());
  const Edge& e = to_[i];
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
  const Edge& e = to_[i];
  const NodeOutput& o = e.function->outputs_[e.input_nr];
  if (!(o.sizes.size() == 2 && g.dim() == 2 && g.size(1) == o.sizes[1] && g.size(0) == index.numel()))
    wrong_gradient(&node_, *e.function, g.sizes(), o.sizes);
  run_.add_pending(e, PendingProducts::Kind::kRows, std::move(index), raw::contiguous(raw::cast(g, o.dtype)),
                   skip);
}

}  // namespace tapir
