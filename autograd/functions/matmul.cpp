#include "tapir/autograd/functions/matmul.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/matmul.h"

namespace tapir {

namespace {

Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }

/// All dimensions but the last as one.
Tensor as_rows(const Tensor& x) {
  if (x.dim() == 2) return x;
  const Dims& s = x.layout_of().sizes;
  return reshape(x, {count(IntArrayRef(s.data(), s.size() - 1)), s.back()});
}

Tensor scaled(Tensor x, double factor) { return factor == 1 ? std::move(x) : mul(x, Scalar(factor)); }

/// The gradient of a right factor (k, n), a^T g for a (rows, k) and g (rows, n), as input `i`.
void set_right(GradSink& sink, size_t i, const Tensor& a, const Tensor& g) {
  if (sink.deferring() && a.is_contiguous() && g.is_contiguous())
    sink.add_product(i, g, a);
  else
    sink.set(i, mm(transposed(a), g));
}

/// Saves of two factors only what the gradients that are asked for read: each reads the other factor.
template <class N>
void save_factors(N* node, const Tensor& a, const Tensor& b) {
  if (requires_grad(b)) node->save_input(0, a);
  if (requires_grad(a)) node->save_input(1, b);
}

}  // namespace

// --- mm, addmm ---

namespace {

struct MmBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "MmBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, mm(g[0], transposed(saved(1))));
    if (sink.wants(1)) set_right(sink, 1, saved(0), g[0]);
  }
};

TAPIR_ALWAYS_INLINE Tensor record_mm(Tensor y, const Tensor& a, const Tensor& b, const void* site) {
  if (recording(a, b)) save_factors(record<MmBackward>(site, y, a, b), a, b);
  return y;
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) { return record_mm(raw::mm(a, b), a, b, TAPIR_HERE); }

namespace {

struct AddmmBackward final : NodeOf<3, 2> {
  const char* type_name() const override { return "AddmmBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) {
      if (row && beta == 1 && sink.deferring())
        sink.add_row_sum(0, g[0]);
      else
        sink.set(0, scaled(g[0], beta));
    }
    if (sink.wants(1)) sink.set(1, scaled(mm(g[0], transposed(saved(1))), alpha));
    if (sink.wants(2)) set_right(sink, 2, saved(0), scaled(g[0], alpha));
  }
  double alpha, beta;
  bool row;  // c is one row, for each of the product's
};

}  // namespace

Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  Tensor y = raw::addmm(c, a, b, beta, alpha);
  if (recording(c, a, b)) {
    auto* node = record<AddmmBackward>(TAPIR_HERE, y, c, a, b);
    node->alpha = alpha.to_double();
    node->beta = beta.to_double();
    node->row = c.dim() == 1 && c.size(0) == b.size(1);
    save_factors(node, a, b);
  }
  return y;
}

// --- bmm ---

namespace {
struct BmmBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "BmmBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, bmm(g[0], transposed(saved(1))));
    if (sink.wants(1)) sink.set(1, bmm(transposed(saved(0)), g[0]));
  }
};
}  // namespace

Tensor bmm(const Tensor& a, const Tensor& b) {
  Tensor y = raw::bmm(a, b);
  if (recording(a, b)) save_factors(record<BmmBackward>(TAPIR_HERE, y, a, b), a, b);
  return y;
}

// --- matmul ---

namespace {

// Any ranks: vectors become matrices, and the engine sums the gradients over the batches that broadcast.
struct MatmulBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "MatmulBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    Tensor g = grads[0];
    if (dims_b == 1) g = unsqueeze(g, -1);
    if (dims_a == 1) g = unsqueeze(g, -2);
    if (sink.wants(0)) {
      const Tensor b = dims_b == 1 ? unsqueeze(saved(1), 1) : saved(1);
      const Tensor grad = matmul(g, transposed(b));
      sink.set(0, dims_a == 1 ? squeeze(grad, -2) : grad);
    }
    if (!sink.wants(1)) return;
    const Tensor a = dims_a == 1 ? unsqueeze(saved(0), 0) : saved(0);
    if (dims_b == 2 && dims_a > 2) return set_right(sink, 1, as_rows(a), as_rows(g));
    const Tensor grad = dims_b == 1 ? mm(transposed(as_rows(a)), as_rows(g)) : matmul(transposed(a), g);
    sink.set(1, dims_b == 1 ? squeeze(grad, -1) : grad);
  }
  int64_t dims_a, dims_b;
};

TAPIR_ALWAYS_INLINE Tensor record_matmul(Tensor y, const Tensor& a, const Tensor& b, const void* site) {
  if (!recording(a, b)) return y;
  auto* node = record<MatmulBackward>(site, y, a, b);
  node->dims_a = a.dim();
  node->dims_b = b.dim();
  save_factors(node, a, b);
  return y;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  Tensor y = raw::matmul(a, b);
  return a.dim() == 2 && b.dim() == 2 ? record_mm(std::move(y), a, b, TAPIR_HERE)
                                      : record_matmul(std::move(y), a, b, TAPIR_HERE);
}

Tensor mv(const Tensor& a, const Tensor& v) {
  TAPIR_CHECK_AS(ShapeError, a.dim() == 2 && v.dim() == 1,
                 "mv: sizes {} and {}, expected a matrix and a vector", a.sizes(), v.sizes());
  return record_matmul(raw::matmul(a, v), a, v, TAPIR_HERE);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  TAPIR_CHECK_AS(ShapeError, a.dim() == 1 && b.dim() == 1, "dot: sizes {} and {}, expected two vectors",
                 a.sizes(), b.sizes());
  return record_matmul(raw::matmul(a, b), a, b, TAPIR_HERE);
}

// --- linear ---

namespace {

struct LinearBackward final : NodeOf<3, 2> {
  const char* type_name() const override { return "LinearBackward"; }
  /// Waits for others with the same weight where a product is bound by the reading of it. Not for a view,
  /// of which only an alias is saved: its own address may be another's by then.
  void describe(const Tensor& x, const Tensor& w) {
    weight = w.impl();
    if (!w.is_view() && !w.impl()->has_stale_saved() && w.numel() >= kLargeWeight &&
        x.numel() <= kFewRows * x.size(-1) && tapir::requires_grad(x))
      wait();
  }
  const void* company() const override { return weight; }
  void backward_together(std::span<Together> nodes) override {
    std::vector<Tensor> gradients, inputs;
    for (const Together& t : nodes) gradients.push_back(as_rows(t.grad));
    const Tensor g = raw::cat(gradients, 0), product = raw::matmul(g, saved(1));
    int64_t row = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      GradSink& sink = nodes[i].sink;
      const int64_t rows = gradients[i].size(0);
      Dims sizes = nodes[i].grad.layout_of().sizes;
      sizes[sizes.size() - 1] = product.size(1);
      sink.set(0, view(narrow(product, 0, row, rows), sizes));
      row += rows;
      if (sink.wants(1)) inputs.push_back(as_rows(static_cast<LinearBackward*>(nodes[i].node)->saved(0)));
      if (sink.wants(2)) sink.add_row_sum(2, gradients[i]);
    }
    if (!inputs.empty()) nodes[0].sink.add_product(1, raw::cat(inputs, 0), g);
  }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor& g = grads[0];
    if (sink.wants(0)) sink.set(0, matmul(g, saved(1)));
    if (!sink.wants(1) && !sink.wants(2)) return;
    const Tensor rows = as_rows(g);
    if (sink.deferring()) {
      if (sink.wants(1)) sink.add_product(1, as_rows(saved(0)), rows);
      if (sink.wants(2)) sink.add_row_sum(2, rows);
    } else {
      if (sink.wants(1)) sink.set(1, mm(transposed(rows), as_rows(saved(0))));
      if (sink.wants(2)) sink.set(2, sum(rows, 0));
    }
  }

 private:
  static constexpr int64_t kLargeWeight = 1 << 15, kFewRows = 16;
  const void* weight = nullptr;
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  if (TAPIR_UNLIKELY(w.dim() == 1)) {
    CallSite site(TAPIR_HERE);
    const Tensor y = matmul(x, w);
    return bias.defined() ? add(y, bias) : y;
  }
  Tensor y = raw::linear(x, w, bias);
  if (recording(x, w, bias)) {
    auto* node = record<LinearBackward>(TAPIR_HERE, y, x, w, bias);
    save_factors(node, x, w);
    node->describe(x, w);
  }
  return y;
}

}  // namespace tapir
