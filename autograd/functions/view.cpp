#include "tapir/autograd/functions/view.h"

#include <algorithm>

#include "tapir/autograd/functions/copy.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir {

namespace {

TAPIR_ALWAYS_INLINE Tensor make_view(const Tensor& x, Layout&& layout) {
  Tensor y = x.alias(std::move(layout));
  mark_view(y, x);
  return y;
}

// A view that shows every element once in another order: backward is the inverse view of the gradient, which
// the node's functor does on the gradient tensor.
template <class Inverse>
struct RearrangeBackward final : NodeOf<1> {
  explicit RearrangeBackward(const char* n, Inverse i) : name_(n), inverse(std::move(i)) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, inverse(g[0])); }
  const char* name_;
  Inverse inverse;
};

// `make_inverse` makes the functor; it is called only where the view is recorded.
template <class MakeInverse>
TAPIR_ALWAYS_INLINE Tensor rearrange(const Tensor& x, Layout&& layout, const char* name,
                                     const MakeInverse& make_inverse) {
  Tensor y = make_view(x, std::move(layout));
  if (recording(x)) {
    auto* node = new RearrangeBackward<decltype(make_inverse())>(name, make_inverse());
    node->set_edge(0, x);
    node->set_call_site(TAPIR_HERE);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

// The inverse of a view that only changes how sizes are written.
auto back_to(const Tensor& x) {
  return [sizes = x.layout_of().sizes](const Tensor& g) { return reshape(g, sizes); };
}

void add_in_place(const Tensor& to, const Tensor& from) {
  raw::pointwise_into(Pointwise::add, to, {to, from}, Scalar(1));
}

// A part of a tensor: `part` maps the layout of any tensor of the input's sizes to the layout of that part.
template <class Part>
Tensor embed_part(const Tensor& g, const Dims& sizes, const Part& part, const char* name);

template <class Part>
struct PartBackward final : NodeOf<1> {
  PartBackward(const char* n, const Dims& s, Part p) : name_(n), sizes(s), part(std::move(p)) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    if (!sink.wants(0)) return;
    if (sink.deferring()) {
      Tensor& sum = sink.accumulator(0);
      add_in_place(sum.alias(part(sum.layout_of())), g[0]);
    } else {
      sink.set(0, embed_part(g[0], sizes, part, name_));
    }
  }
  const char* name_;
  Dims sizes;
  Part part;
};

template <class Part>
Tensor take_part(const Tensor& x, const Part& part, const char* name, const void* site) {
  Tensor y = make_view(x, part(x.layout_of()));
  if (recording(x)) {
    auto* node = new PartBackward<Part>(name, x.layout_of().sizes, part);
    node->set_edge(0, x);
    node->set_call_site(site);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

template <class Part>
struct EmbedPartBackward final : NodeOf<1> {
  EmbedPartBackward(const char* n, Part p) : name_(n), part(std::move(p)) {}
  const char* type_name() const override { return "EmbedPartBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, take_part(g[0], part, name_, call_site())); }
  const char* name_;
  Part part;
};

template <class Part>
Tensor embed_part(const Tensor& g, const Dims& sizes, const Part& part, const char* name) {
  Tensor y = raw::zeros(sizes, g.dtype(), g.device());
  add_in_place(y.alias(part(y.layout_of())), g);
  if (recording(g)) {
    auto* node = new EmbedPartBackward<Part>(name, part);
    node->set_edge(0, g);
    node->set_call_site(TAPIR_HERE);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

}  // namespace

Tensor view(const Tensor& x, IntArrayRef sizes) {
  bool possible;
  Layout layout = x.layout_of().view(sizes, possible);
  if (!possible)
    throw_error<ShapeError>(
        "view: sizes {} with strides {} cannot be seen as {} without a copy; use reshape, or contiguous() "
        "first",
        x.sizes(), x.strides(), sizes);
  return rearrange(x, std::move(layout), "ViewBackward", [&] { return back_to(x); });
}

Tensor reshape(const Tensor& x, IntArrayRef sizes) {
  CallSite site(TAPIR_HERE);
  bool possible;
  Layout layout = x.layout_of().view(sizes, possible, "reshape");
  if (!possible) return view(contiguous(x), sizes);
  return rearrange(x, std::move(layout), "ViewBackward", [&] { return back_to(x); });
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  CallSite site(TAPIR_HERE);
  const Layout& l = x.layout_of();
  if (l.dim() == 0) return reshape(x, {1});
  const int64_t a = l.wrap_dim(start_dim, "flatten"), b = l.wrap_dim(end_dim, "flatten");
  TAPIR_CHECK_AS(ValueError, a <= b, "flatten: start_dim {} comes after end_dim {}", start_dim, end_dim);
  if (a == b) return x;
  Dims sizes;
  int64_t merged = 1;
  for (int64_t d = 0; d < l.dim(); ++d) {
    if (d < a || d > b) {
      sizes.push_back(l.sizes[d]);
    } else {
      merged *= l.sizes[d];
      if (d == b) sizes.push_back(merged);
    }
  }
  return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes) {
  CallSite site(TAPIR_HERE);
  const Layout& l = x.layout_of();
  const int64_t d = l.wrap_dim(dim, "unflatten");
  const Dims inner = infer_size(sizes, x.size(d), "unflatten");
  Dims to;
  for (int64_t i = 0; i < l.dim(); ++i) {
    if (i != d) {
      to.push_back(l.sizes[i]);
    } else {
      for (int64_t s : inner) to.push_back(s);
    }
  }
  return view(x, to);
}

Tensor transpose(const Tensor& x, int64_t d0, int64_t d1) {
  return rearrange(x, x.layout_of().transpose(d0, d1), "TransposeBackward",
                   [&] { return [d0, d1](const Tensor& g) { return transpose(g, d0, d1); }; });
}

Tensor t(const Tensor& x) {
  TAPIR_CHECK_AS(ShapeError, x.dim() <= 2,
                 "t: got sizes {}, expected at most two dimensions; use transpose or permute", x.sizes());
  if (x.dim() < 2) return x;
  return rearrange(x, x.layout_of().transpose(0, 1, "t"), "TBackward",
                   [] { return [](const Tensor& g) { return transpose(g, 0, 1); }; });
}

Tensor permute(const Tensor& x, IntArrayRef dims) {
  Layout layout = x.layout_of().permute(dims);
  Dims inverse = Dims::uninitialized(dims.size());
  for (size_t i = 0; i < dims.size(); ++i)
    inverse[x.layout_of().wrap_dim(dims[i], "permute")] = static_cast<int64_t>(i);
  return rearrange(x, std::move(layout), "PermuteBackward",
                   [&] { return [inverse](const Tensor& g) { return permute(g, inverse); }; });
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  return rearrange(x, x.layout_of().unsqueeze(dim), "UnsqueezeBackward", [&] { return back_to(x); });
}

Tensor squeeze(const Tensor& x) {
  return rearrange(x, x.layout_of().squeeze(), "SqueezeBackward", [&] { return back_to(x); });
}

Tensor squeeze(const Tensor& x, int64_t dim) {
  return rearrange(x, x.layout_of().squeeze(dim), "SqueezeBackward", [&] { return back_to(x); });
}

Tensor expand(const Tensor& x, IntArrayRef sizes) {
  // The engine sums a gradient over the dimensions in which its input was broadcast.
  return rearrange(x, x.layout_of().expand(sizes), "ExpandBackward",
                   [] { return [](const Tensor& g) { return g; }; });
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  const auto part = [dim, index](const Layout& l) { return l.select(dim, index); };
  return take_part(x, part, "SelectBackward", TAPIR_HERE);
}

Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  const auto part = [dim, a = start.value_or(0), b = end.value_or(INT64_MAX), step](const Layout& l) {
    return l.slice(dim, a, b, step);
  };
  return take_part(x, part, "SliceBackward", TAPIR_HERE);
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  const auto part = [dim, start, length](const Layout& l) { return l.narrow(dim, start, length); };
  return take_part(x, part, "NarrowBackward", TAPIR_HERE);
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const int64_t a = x.layout_of().wrap_dim(dim1, "diagonal"), b = x.layout_of().wrap_dim(dim2, "diagonal");
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "diagonal: got sizes {}, expected two or more dimensions",
                 x.sizes());
  TAPIR_CHECK_AS(ValueError, a != b, "diagonal: dimensions {} and {} are the same", dim1, dim2);
  const auto part = [offset, a, b](const Layout& l) {
    const int64_t n = std::max<int64_t>(0, offset >= 0 ? std::min(l.sizes[a], l.sizes[b] - offset)
                                                       : std::min(l.sizes[a] + offset, l.sizes[b]));
    Dims sizes, strides;
    for (int64_t d = 0; d < l.dim(); ++d) {
      if (d == a || d == b) continue;
      sizes.push_back(l.sizes[d]);
      strides.push_back(l.strides[d]);
    }
    sizes.push_back(n);
    strides.push_back(l.strides[a] + l.strides[b]);
    const int64_t first = n == 0 ? 0 : offset >= 0 ? offset * l.strides[b] : -offset * l.strides[a];
    return Layout::strided(sizes, strides, l.offset + first);
  };
  return take_part(x, part, "DiagonalBackward", TAPIR_HERE);
}

std::vector<Tensor> split(const Tensor& x, IntArrayRef split_sizes, int64_t dim) {
  CallSite site(TAPIR_HERE);
  const int64_t n = x.size(dim);
  int64_t total = 0;
  for (int64_t s : split_sizes) {
    TAPIR_CHECK_AS(ShapeError, s >= 0, "split: negative size in {}", split_sizes);
    total += s;
  }
  TAPIR_CHECK_AS(ShapeError, total == n, "split: sizes {} sum to {}, but dimension {} has size {}",
                 split_sizes, total, dim, n);
  std::vector<Tensor> parts;
  parts.reserve(split_sizes.size());
  int64_t start = 0;
  for (int64_t s : split_sizes) {
    parts.push_back(narrow(x, dim, start, s));
    start += s;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim) {
  CallSite site(TAPIR_HERE);
  const int64_t n = x.size(dim);
  TAPIR_CHECK_AS(ValueError, split_size > 0 || (split_size == 0 && n == 0),
                 "split: split_size {} must be positive", split_size);
  std::vector<int64_t> sizes;
  for (int64_t start = 0; start < n || sizes.empty(); start += split_size)
    sizes.push_back(std::min(split_size, n - start));
  return split(x, IntArrayRef(sizes), dim);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, chunks > 0, "chunk: {} chunks; expected one or more", chunks);
  const int64_t n = x.size(dim);
  if (n == 0) return split(x, IntArrayRef(std::vector<int64_t>(static_cast<size_t>(chunks), 0)), dim);
  return split(x, (n + chunks - 1) / chunks, dim);
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(IndexError, x.dim() > 0, "unbind: a tensor without dimensions cannot be unbound");
  const int64_t n = x.size(dim);
  std::vector<Tensor> parts;
  parts.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) parts.push_back(select(x, dim, i));
  return parts;
}

// --- parts given by strides ---

namespace {

// A tensor with its own storage in which `base` (at offset 0) and `part` can be shown.
struct Frame {
  Tensor base, part;
};
Frame make_frame(const Tensor& like, const Layout& base, const Layout& part) {
  Layout b = base, p = part;
  const int64_t first = std::min(b.offset, p.offset);  // a part may begin before its base (as_strided)
  p.offset -= first;
  b.offset -= first;
  const int64_t n = std::max(b.offset + b.extent(), p.offset + p.extent());
  Tensor storage = raw::zeros({n}, like.dtype(), like.device());
  return {storage.alias(b), storage.alias(p)};
}

// Copies (or adds, where `part` may show elements several times) in row-major order.
void add_elements(const Tensor& to, const Tensor& from) {
  if (to.layout_of().non_overlapping()) return raw::copy_into(to, from);
  // Peel the outermost dimension until what is left does not overlap.
  for (int64_t i = 0; i < to.size(0); ++i) {
    const Tensor row = to.alias(to.layout_of().select(0, i)),
                 values = from.alias(from.layout_of().select(0, i));
    if (row.layout_of().non_overlapping())
      add_in_place(row, values);
    else
      add_elements(row, values);
  }
}

struct StridedPartBackward final : NodeOf<1> {
  const char* type_name() const override { return "AsStridedBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, embed_strided_part(g[0], base, part)); }
  Layout base, part;
};
struct ZeroStridedPartBackward final : NodeOf<1> {
  const char* type_name() const override { return "ZeroStridedPartBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, zero_strided_part(g[0], base, part)); }
  Layout base, part;
};
struct EmbedStridedPartBackward final : NodeOf<1> {
  const char* type_name() const override { return "EmbedStridedPartBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, strided_part(g[0], base, part)); }
  Layout base, part;
};

template <class N>
void record_part(const Tensor& y, const Tensor& x, const Layout& base, const Layout& part) {
  if (!recording(x)) return;
  auto* node = record<N>(TAPIR_HERE, y, x);
  node->base = base;
  node->part = part;
}

}  // namespace

Tensor strided_part(const Tensor& g, const Layout& base, const Layout& part) {
  Frame f = make_frame(g, base, part);
  raw::copy_into(f.base, g);
  Tensor y = raw::clone_contiguous(f.part);
  record_part<StridedPartBackward>(y, g, base, part);
  return y;
}

Tensor zero_strided_part(const Tensor& g, const Layout& base, const Layout& part) {
  Frame f = make_frame(g, base, part);
  raw::copy_into(f.base, g);
  raw::fill(f.part, 0);
  Tensor y = raw::clone_contiguous(f.base);
  record_part<ZeroStridedPartBackward>(y, g, base, part);
  return y;
}

Tensor embed_strided_part(const Tensor& g, const Layout& base, const Layout& part) {
  Frame f = make_frame(g, base, part);
  add_elements(f.part, g);
  Tensor y = raw::clone_contiguous(f.base);
  record_part<EmbedStridedPartBackward>(y, g, base, part);
  return y;
}

void record_strided_view(const Tensor& view, const Tensor& base) {
  auto* node = record<StridedPartBackward>(TAPIR_HERE, view, base);
  node->base = base.layout_of();
  node->part = view.layout_of();
}

Tensor as_strided(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                  std::optional<int64_t> storage_offset) {
  Layout layout = Layout::strided(sizes, strides, storage_offset.value_or(x.storage_offset()));
  for (int64_t s : strides) TAPIR_CHECK_AS(ValueError, s >= 0, "as_strided: negative stride in {}", strides);
  const int64_t capacity = static_cast<int64_t>(x.impl()->storage->nbytes() / x.itemsize());
  TAPIR_CHECK_AS(ValueError, layout.offset >= 0 && layout.offset + layout.extent() <= capacity,
                 "as_strided: sizes {}, strides {} and offset {} reach past the storage of {} elements",
                 sizes, strides, layout.offset, capacity);
  Tensor y = make_view(x, std::move(layout));
  if (recording(x)) record_strided_view(y, x);
  return y;
}

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const Layout& l = x.layout_of();
  const int64_t d = l.wrap_dim(dim, "unfold"), n = l.dim() > 0 ? l.sizes[d] : 1;
  TAPIR_CHECK_AS(ValueError, size >= 0 && size <= n, "unfold: windows of {} along dimension {} of sizes {}",
                 size, dim, x.sizes());
  TAPIR_CHECK_AS(ValueError, step > 0, "unfold: step {} is not positive", step);
  Dims sizes = l.sizes, strides = l.strides;
  if (l.dim() > 0) {
    sizes[d] = (n - size) / step + 1;
    strides[d] *= step;
  }
  sizes.push_back(size);
  strides.push_back(l.dim() > 0 ? l.strides[d] : 1);
  Tensor y = make_view(x, Layout::strided(sizes, strides, l.offset));
  if (recording(x)) record_strided_view(y, x);
  return y;
}

// --- methods ---

Tensor Tensor::diagonal(int64_t offset, int64_t dim1, int64_t dim2) const {
  CallSite site(TAPIR_HERE);
  return tapir::diagonal(*this, offset, dim1, dim2);
}
Tensor Tensor::unfold(int64_t dim, int64_t size, int64_t step) const {
  CallSite site(TAPIR_HERE);
  return tapir::unfold(*this, dim, size, step);
}

// --- another dtype ---

Tensor Tensor::view(DType dtype) const {
  const Layout& l = layout_of();
  const auto from = static_cast<int64_t>(itemsize()), to = static_cast<int64_t>(item_size(dtype));
  TAPIR_CHECK_AS(DTypeError, dtype != kBool || this->dtype() == kBool,
                 "view: the bits of {} need not be those of bools, which are 0 and 1; use to(kBool)",
                 this->dtype());
  TAPIR_CHECK_AS(
      ShapeError, from == to || dim() > 0,
      "view: a tensor of {} without dimensions cannot be seen as {}, whose elements differ in size",
      this->dtype(), dtype);
  Layout seen = l;
  if (from != to) {
    const int64_t last = dim() - 1;
    TAPIR_CHECK_AS(
        ShapeError, l.strides[last] == 1,
        "view: the last dimension of strides {} must have stride 1 to be seen as {}; make it contiguous",
        strides(), dtype);
    for (int64_t d = 0; d <= last; ++d) {
      const int64_t bytes = d == last ? l.sizes[d] * from : l.strides[d] * from;
      TAPIR_CHECK_AS(ShapeError, bytes % to == 0,
                     "view: {} with strides {} of {} does not divide into elements of {}", sizes(), strides(),
                     this->dtype(), dtype);
      (d == last ? seen.sizes[d] : seen.strides[d]) = bytes / to;
    }
    TAPIR_CHECK_AS(ShapeError, l.offset * from % to == 0,
                   "view: an offset of {} elements of {} is no whole number of elements of {}", l.offset,
                   this->dtype(), dtype);
    seen.offset = l.offset * from / to;
    seen = Layout::strided(seen.sizes, seen.strides, seen.offset);
  }
  Tensor bits(Ref<TensorImpl>::adopt(new TensorImpl(impl_->storage, std::move(seen), dtype)));
  bits.impl()->untracked = impl_->untracked;
  return bits;
}

}  // namespace tapir
