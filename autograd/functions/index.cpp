#include "tapir/autograd/functions/index.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <unordered_map>

#include "tapir/autograd/functions/compare.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/scatter.h"

namespace tapir {

// --- cat, stack, repeat ---

namespace {

struct CatBackward final : DynamicNode {
  CatBackward(size_t n, int64_t d) : DynamicNode(n, 1), dim(d), lengths(n) {}
  const char* type_name() const override { return "CatBackward"; }
  void backward(Grads g, GradSink& sink) override {
    int64_t start = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      if (lengths[i] < 0) continue;
      if (sink.wants(i)) sink.set(i, narrow(g[0], dim, start, lengths[i]));
      start += lengths[i];
    }
  }
  int64_t dim;
  std::vector<int64_t> lengths;  // -1: left out
};

struct StackBackward final : DynamicNode {
  StackBackward(size_t n, int64_t d) : DynamicNode(n, 1), dim(d) {}
  const char* type_name() const override { return "StackBackward"; }
  void backward(Grads g, GradSink& sink) override {
    for (size_t i = 0; i < edges().size(); ++i)
      if (sink.wants(i)) sink.set(i, select(g[0], dim, static_cast<int64_t>(i)));
  }
  int64_t dim;
};

template <class N>
N* record_list(const void* site, const Tensor& y, TensorList inputs, int64_t dim) {
  auto* node = new N(inputs.size(), dim);
  for (size_t i = 0; i < inputs.size(); ++i) node->set_edge(i, inputs[i]);
  node->set_call_site(site);
  set_history(y, Ref<Node>::adopt(node));
  return node;
}

}  // namespace

Tensor cat(TensorList tensors, int64_t dim) {
  Tensor y = raw::cat(tensors, dim);
  if (recording(tensors)) {
    const int64_t d = y.layout_of().wrap_dim(dim, "cat");
    auto* node = record_list<CatBackward>(TAPIR_HERE, y, tensors, d);
    for (size_t i = 0; i < tensors.size(); ++i) {
      const bool left_out = tensors[i].dim() == 1 && tensors[i].numel() == 0;
      node->lengths[i] = left_out ? -1 : tensors[i].size(d);
    }
  }
  return y;
}

Tensor stack(TensorList tensors, int64_t dim) {
  Tensor y = raw::stack(tensors, dim);
  if (recording(tensors)) record_list<StackBackward>(TAPIR_HERE, y, tensors, dim < 0 ? dim + y.dim() : dim);
  return y;
}

Tensor repeat(const Tensor& x, IntArrayRef repeats) {
  CallSite site(TAPIR_HERE);
  const size_t n = repeats.size(), extra = n - static_cast<size_t>(x.dim());
  TAPIR_CHECK_AS(ShapeError, n >= static_cast<size_t>(x.dim()),
                 "repeat: {} has fewer entries than the tensor of sizes {} has dimensions", repeats,
                 x.sizes());
  Dims apart, spread, sizes;  // (1, s), (r, s), (r * s) for each dimension
  for (size_t d = 0; d < n; ++d) {
    const int64_t s = d < extra ? 1 : x.layout_of().sizes[d - extra];
    TAPIR_CHECK_AS(ValueError, repeats[d] >= 0, "repeat: a negative number of repeats in {}", repeats);
    sizes.push_back(repeats[d] * s);
    if (repeats[d] != 1) {
      apart.push_back(1);
      spread.push_back(repeats[d]);
    }
    apart.push_back(s);
    spread.push_back(s);
  }
  const Tensor y = expand(reshape(x, apart), spread);
  return reshape(y.is_contiguous() ? clone(y) : y, sizes);
}

// --- rows ---

namespace {

/// Zeros of `sizes` with the slices of g added along `dim` at the indices, but for index `skip`.
Tensor place_rows(const Tensor& g, const Dims& sizes, int64_t dim, const Tensor& index, int64_t skip);

struct IndexSelectBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "IndexSelectBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (!sink.wants(0)) return;
    if (sink.deferring())
      raw::add_rows(sink.accumulator(0), dim, saved(0), g[0], -1, "index_select backward");
    else
      sink.set(0, place_rows(g[0], sizes, dim, saved(0), -1));
  }
  Dims sizes;
  int64_t dim;
};

/// The indices on the host, in their order.
std::vector<int64_t> values_of(const Tensor& index) {
  const Tensor host = raw::contiguous(raw::cast(raw::to_device(index, kCPU), kInt64));
  return {host.data_ptr<int64_t>(), host.data_ptr<int64_t>() + host.numel()};
}

/// (n, 1): 1 / how often each index occurs.
Tensor inverse_frequency(const Tensor& index, DType dtype) {
  const std::vector<int64_t> indices = values_of(index);
  std::unordered_map<int64_t, int64_t> counts;
  for (int64_t i : indices) ++counts[i];
  std::vector<double> inverse;
  for (int64_t i : indices) inverse.push_back(1 / static_cast<double>(counts[i]));
  return raw::to_device(tensor(inverse, dtype), index.device()).view({-1, 1});
}

struct EmbeddingBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "EmbeddingBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (!sink.wants(0)) return;
    const Tensor index = saved(0);
    Tensor rows = reshape(g[0], {index.numel(), sizes[1]});
    if (scale_grad_by_freq) rows = mul(rows, inverse_frequency(index, rows.dtype()));
    if (!sink.deferring())
      sink.set(0, place_rows(rows, sizes, 0, reshape(index, {index.numel()}), padding_idx));
    else if (sparse)
      sink.add_rows(0, index, std::move(rows), padding_idx);
    else
      raw::add_rows(sink.accumulator(0), 0, index, rows, padding_idx, "embedding backward");
  }
  Dims sizes;
  int64_t padding_idx;
  bool scale_grad_by_freq, sparse;
};

struct PlaceRowsBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "PlaceRowsBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor index = saved(0);
    Tensor rows = index_select(g[0], dim, index);
    if (skip >= 0) {
      Dims shape = Dims::filled(static_cast<size_t>(rows.dim()), 1);
      shape[dim] = index.numel();
      rows = masked_fill(rows, reshape(eq(index, Scalar(skip)), shape), 0);
    }
    sink.set(0, rows);
  }
  int64_t dim, skip;
};

Tensor place_rows(const Tensor& g, const Dims& sizes, int64_t dim, const Tensor& index, int64_t skip) {
  Tensor y = raw::zeros(sizes, g.dtype(), g.device());
  raw::add_rows(y, dim, index, g, skip);
  if (recording(g)) {
    auto* node = record<PlaceRowsBackward>(TAPIR_HERE, y, g);
    node->dim = dim;
    node->skip = skip;
    node->save(index);
  }
  return y;
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  Tensor y = raw::index_select(x, dim, index);
  if (recording(x)) {
    auto* node = record<IndexSelectBackward>(TAPIR_HERE, y, x);
    node->sizes = x.layout_of().sizes;
    node->dim = x.layout_of().wrap_dim(dim, "index_select");
    node->save(index);
  }
  return y;
}

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq,
                 bool sparse) {
  Tensor y = raw::embedding(weight, indices);
  TAPIR_CHECK_AS(IndexError, padding_idx >= -1 && padding_idx < weight.size(0),
                 "embedding: padding_idx {} is not a row of a weight of sizes {}", padding_idx,
                 weight.sizes());
  if (recording(weight)) {
    auto* node = record<EmbeddingBackward>(TAPIR_HERE, y, weight);
    node->sizes = weight.layout_of().sizes;
    node->padding_idx = padding_idx;
    node->scale_grad_by_freq = scale_grad_by_freq;
    node->sparse = sparse;
    node->save(indices);
  }
  return y;
}

void embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm, double norm_type) {
  NoGradGuard no_grad;
  std::vector<int64_t> named = values_of(indices);
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  const Tensor index = raw::to_device(tensor(named, kInt64), weight.device());
  const Tensor rows = raw::index_select(weight, 0, index), size = abs(rows);
  const Tensor norm = std::isinf(norm_type) ? std::get<0>(max(size, 1, true))
                                            : pow(sum(pow(size, norm_type), {1}, true), 1 / norm_type);
  const Tensor scale = clamp(div(full_like(norm, max_norm), norm + 1e-7), nullopt, 1);
  raw::index_put(weight, raw::plan_index(weight.sizes(), {index}),
                 where(gt(norm, max_norm), mul(rows, scale), rows), false);
}

// --- gather ---

namespace {

struct GatherBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "GatherBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (!sink.wants(0)) return;
    if (sink.deferring())
      raw::scatter_into(sink.accumulator(0), dim, saved(0), g[0], ScatterMode::Add, "gather backward");
    else
      sink.set(0, scatter_add(raw::zeros(sizes, g[0].dtype(), g[0].device()), dim, saved(0), g[0]));
  }
  Dims sizes;
  int64_t dim;
};

}  // namespace

void detail::record_gather(const Tensor& y, const Tensor& x, int64_t dim, const Tensor& index,
                           const void* site) {
  if (!recording(x) || !is_floating_point(x.dtype())) return;
  auto* node = record<GatherBackward>(site, y, x);
  node->sizes = x.layout_of().sizes;
  node->dim = x.layout_of().wrap_dim(dim, "gather");
  node->save(index);
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index, bool) {
  Tensor y = raw::gather(x, dim, index);
  detail::record_gather(y, x, dim, index, TAPIR_HERE);
  return y;
}

// --- index and index_put_ ---

namespace {

using Plan = std::shared_ptr<const raw::IndexPlan>;

Tensor index_planned(const Tensor& x, const Plan& plan, const void* site);
/// Zeros of `sizes` with g added at the plan's places.
Tensor place_planned(const Tensor& g, const Dims& sizes, const Plan& plan, const void* site);

struct IndexBackward final : NodeOf<1> {
  const char* type_name() const override { return "IndexBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (!sink.wants(0)) return;
    if (sink.deferring())
      raw::index_put(sink.accumulator(0), *plan, g[0], true);
    else
      sink.set(0, place_planned(g[0], sizes, plan, call_site()));
  }
  Dims sizes;
  Plan plan;
};

struct PlaceBackward final : NodeOf<1> {
  const char* type_name() const override { return "IndexPlaceBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, index_planned(g[0], plan, call_site())); }
  Plan plan;
};

Tensor index_planned(const Tensor& x, const Plan& plan, const void* site) {
  Tensor y = raw::index(x, *plan);
  if (recording(x)) {
    auto* node = record<IndexBackward>(site, y, x);
    node->sizes = x.layout_of().sizes;
    node->plan = plan;
  }
  return y;
}

Tensor place_planned(const Tensor& g, const Dims& sizes, const Plan& plan, const void* site) {
  Tensor y = raw::zeros(sizes, g.dtype(), g.device());
  raw::index_put(y, *plan, g, true);
  if (recording(g)) record<PlaceBackward>(site, y, g)->plan = plan;
  return y;
}

/// g with zeros at the plan's places.
Tensor erase_planned(const Tensor& g, const Plan& plan, const void* site);

struct EraseBackward final : NodeOf<1> {
  const char* type_name() const override { return "IndexEraseBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, erase_planned(g[0], plan, call_site())); }
  Plan plan;
};

Tensor erase_planned(const Tensor& g, const Plan& plan, const void* site) {
  Tensor y = raw::clone_contiguous(g);
  raw::index_put(y, *plan, raw::zeros({}, g.dtype(), g.device()), false);
  if (recording(g)) record<EraseBackward>(site, y, g)->plan = plan;
  return y;
}

struct IndexPutBackward final : NodeOf<2> {
  const char* type_name() const override { return "IndexPutBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, index_planned(g[0], plan, call_site()));
    if (sink.wants(0)) sink.set(0, accumulate ? g[0] : erase_planned(g[0], plan, call_site()));
  }
  Plan plan;
  bool accumulate;
};

/// What basic indices leave: a view, and the tensors that index its dimensions (undefined where none does).
struct Basic {
  Tensor view;
  std::vector<Tensor> indices;
};

bool is_mask(const Tensor& t) { return t.dtype() == kBool || t.dtype() == kUInt8; }

Basic apply_basic(const Tensor& x, ArrayRef<TensorIndex> list) {
  int64_t consumed = 0, ellipses = 0;
  for (const TensorIndex& i : list) {
    if (i.is_integer() || i.is_slice()) ++consumed;
    if (i.is_tensor()) consumed += is_mask(i.tensor()) ? i.tensor().dim() : 1;
    ellipses += i.is_ellipsis();
  }
  TAPIR_CHECK_AS(IndexError, ellipses <= 1, "index: {} ellipses, expected at most one", ellipses);
  TAPIR_CHECK_AS(IndexError, consumed <= x.dim(), "index: too many indices: {} for a tensor of sizes {}",
                 consumed, x.sizes());
  Basic r{x, {}};
  int64_t dim = 0;
  const auto add_index = [&](const Tensor& t) {
    r.indices.resize(static_cast<size_t>(dim));
    r.indices.push_back(t);
  };
  const auto add_bool = [&](bool value) {
    r.view = unsqueeze(r.view, dim);
    add_index(raw::full({1}, value, kBool, x.device()));
    ++dim;
  };
  for (const TensorIndex& i : list) {
    switch (i.kind()) {
      case TensorIndex::Kind::kNone:
        r.view = unsqueeze(r.view, dim++);
        break;
      case TensorIndex::Kind::kEllipsis:
        dim += x.dim() - consumed;
        break;
      case TensorIndex::Kind::kInteger:
        r.view = select(r.view, dim, i.integer());
        break;
      case TensorIndex::Kind::kBoolean:
        add_bool(i.boolean());
        break;
      case TensorIndex::Kind::kSlice: {
        const Slice& s = i.slice();
        if (s.start() != 0 || s.step() != 1 || s.stop() < r.view.size(dim))
          r.view = slice(r.view, dim, s.start(), s.stop(), s.step());
        ++dim;
        break;
      }
      case TensorIndex::Kind::kTensor: {
        const Tensor t = i.tensor();
        if (t.dim() > 0) {
          add_index(t);
          dim += is_mask(t) ? t.dim() : 1;
        } else if (is_mask(t)) {
          add_bool(raw::item(t).toBool());
        } else {
          TAPIR_CHECK_AS(IndexError, is_integral(t.dtype()), "index: a tensor of {} cannot be an index",
                         t.dtype());
          r.view = select(r.view, dim, raw::item(t).to_int64());
        }
        break;
      }
    }
  }
  return r;
}

Plan make_plan(const Basic& b) {
  // A mask stands for as many dimensions as it has, and its entry here for the first of them.
  std::vector<Tensor> indices;
  for (size_t d = 0; d < b.indices.size(); ++d) {
    indices.push_back(b.indices[d]);
    if (b.indices[d].defined() && is_mask(b.indices[d])) d += static_cast<size_t>(b.indices[d].dim()) - 1;
  }
  return std::make_shared<const raw::IndexPlan>(raw::plan_index(b.view.sizes(), indices));
}

}  // namespace

Tensor index(const Tensor& x, ArrayRef<TensorIndex> indices) {
  CallSite site(TAPIR_HERE);
  const Basic b = apply_basic(x, indices);
  if (b.indices.empty()) return b.view.is_same(x) ? expand(x, x.sizes()) : b.view;
  return index_planned(b.view, make_plan(b), TAPIR_HERE);
}

void index_put_(const Tensor& x, ArrayRef<TensorIndex> indices, const Tensor& given, bool accumulate) {
  CallSite site(TAPIR_HERE);
  if (!x.defined()) detail::undefined_inplace_failure("index_put_");
  const Basic b = apply_basic(x, indices);
  Tensor values = given;
  if (b.indices.empty()) {
    while (values.dim() > b.view.dim() && values.size(0) == 1) values = squeeze(values, 0);
    TAPIR_CHECK_AS(ShapeError, is_expandable_to(values.sizes(), b.view.sizes()),
                   "index_put_: values of sizes {} do not broadcast to the indexed part, {}", given.sizes(),
                   b.view.sizes());
    return copy_(b.view, accumulate ? add(b.view, values) : values);
  }
  const Plan plan = make_plan(b);
  while (values.dim() > static_cast<int64_t>(plan->sizes.size()) && values.size(0) == 1)
    values = squeeze(values, 0);
  check_inplace(b.view, "index_put_");
  const bool record_it = recording(b.view, values) && is_floating_point(x.dtype());
  Ref<Node> ref;
  if (record_it) {
    auto* node = new IndexPutBackward;
    ref = Ref<Node>::adopt(node);
    node->set_edge(0, b.view);
    node->set_edge(1, values);
    node->plan = plan;
    node->accumulate = accumulate;
    node->set_call_site(TAPIR_HERE);
    node->describe_output(0, b.view);
  }
  raw::index_put(b.view, *plan, values, accumulate);
  if (record_it) rebase_history(b.view, std::move(ref));
}

Tensor index_put(const Tensor& x, ArrayRef<TensorIndex> indices, const Tensor& values, bool accumulate) {
  CallSite site(TAPIR_HERE);
  const Tensor y = clone(x);
  index_put_(y, indices, values, accumulate);
  return y;
}

void index_put_(const Tensor& x, ArrayRef<TensorIndex> indices, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  if (!x.defined()) detail::undefined_inplace_failure("index_put_");
  index_put_(x, indices, raw::full({}, value, x.dtype(), x.device()));
}

Tensor Tensor::operator[](const Tensor& index) const {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(IndexError, index.dim() == 0 && is_integral(index.dtype()),
                 "operator[]: an index of {} with sizes {}, expected an integer without dimensions; "
                 "index({{t}}) takes tensors of indices and masks",
                 index.dtype(), index.sizes());
  return tapir::select(*this, 0, index.item<int64_t>());
}

}  // namespace tapir
