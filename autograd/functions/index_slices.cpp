// index_add, index_copy, index_fill, take and put: whole slices of a tensor, and elements as if it had one
// dimension.
#include "tapir/autograd/functions/scatter.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/scatter_method.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/reduce.h"
#include "tapir/tensor/ops/scatter.h"

namespace tapir {

// --- whole slices ---

namespace {

struct IndexAddBackward final : NodeOf<2, 1> {
  explicit IndexAddBackward(bool a) : adds(a) {}
  const char* type_name() const override { return adds ? "IndexAddBackward" : "IndexCopyBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor index = saved(0);
    if (sink.wants(0)) sink.set(0, adds ? g[0] : index_fill(g[0], dim, index, Scalar(0)));
    if (sink.wants(1)) sink.set(1, reshape(index_select(g[0], dim, index), source));
  }
  bool adds;
  int64_t dim = 0;
  Dims source;  // sizes
};

void check_slices(const char* op, const Tensor& x, int64_t d, const Tensor& index, const Tensor& source) {
  TAPIR_CHECK_AS(ShapeError, index.dim() <= 1, "{}: an index of sizes {}, expected one dimension", op,
                 index.sizes());
  const int64_t length = source.dim() == 0 ? 1 : source.dim() > d ? source.size(d) : -1;
  TAPIR_CHECK_AS(ShapeError,
                 length == index.numel() && (source.dim() == x.dim() || x.dim() * source.dim() == 0),
                 "{}: {} indices along dimension {} of sizes {} do not fit a source of sizes {}", op,
                 index.numel(), d, x.sizes(), source.sizes());
  for (int64_t i = 0; i < std::min(x.dim(), source.dim()); ++i)
    TAPIR_CHECK_AS(ShapeError, i == d || x.size(i) == source.size(i),
                   "{}: a source of sizes {} does not fit {} in dimension {}", op, source.sizes(), x.sizes(),
                   i);
}

void write_slices(const char* op, bool adds, const Tensor& to, int64_t d, const Tensor& index,
                  const Tensor& source) {
  if (adds)
    raw::add_rows(to, d, index, source, -1, op);
  else
    raw::put_rows(to, d, index, source, op);
}

Tensor put_slices(const char* op, bool adds, const Tensor& x, int64_t dim, const Tensor& index,
                  const Tensor& source, const void* site) {
  const int64_t d = x.layout_of().wrap_dim(dim, op);
  check_slices(op, x, d, index, source);
  Tensor y = raw::clone_contiguous(x);
  write_slices(op, adds, y, d, index, source);
  if (recording(x, source) && is_floating_point(y.dtype())) {
    auto* node = new IndexAddBackward(adds);
    Ref<Node> ref = Ref<Node>::adopt(node);
    node->set_edge(0, x);
    node->set_edge(1, source);
    node->set_call_site(site);
    node->dim = d;
    node->source = source.layout_of().sizes;
    node->save(index);
    set_history(y, std::move(ref));
  }
  return y;
}

/// Indices that count from the end where negative, as [0, size) ones.
Tensor wrapped(const char* op, const Tensor& index, int64_t size) {
  TAPIR_CHECK_AS(DTypeError, index.dtype() == kInt64 || index.dtype() == kInt32,
                 "{}: an index of {}, expected int64 or int32", op, index.dtype());
  if (index.numel() > 0) {
    const int64_t low = raw::item(raw::min(index)).to_int64(), high = raw::item(raw::max(index)).to_int64();
    TAPIR_CHECK_AS(IndexError, low >= -size && high < size,
                   "{}: index {} is out of range for size {}; expected [{}, {})", op,
                   low < -size ? low : high, size, -size, size);
  }
  NoGradGuard no_grad;
  return where(lt(index, Scalar(0)), add(index, Scalar(size)), index);
}

Tensor fill_slices(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value,
                   const void* site) {
  TAPIR_CHECK_AS(ShapeError, value.dim() == 0, "{}: a value of sizes {}, expected no dimensions", op,
                 value.sizes());
  TAPIR_CHECK_AS(ShapeError, index.dim() <= 1, "{}: an index of sizes {}, expected one dimension", op,
                 index.sizes());
  TAPIR_CHECK_AS(DTypeError, can_cast(value.dtype(), x.dtype()), "{}: a value of {} for a tensor of {}", op,
                 value.dtype(), x.dtype());
  const int64_t d = x.layout_of().wrap_dim(dim, op);
  Dims sizes = x.layout_of().sizes;
  if (!sizes.empty()) sizes[d] = index.numel();
  const int64_t n = x.dim() > 0 ? x.size(d) : 1;
  return put_slices(op, false, x, d, wrapped(op, index, n), expand(to(value, x.dtype()), sizes), site);
}

/// As if there were one dimension.
Tensor put_elements(const char* op, const Tensor& x, const Tensor& index, const Tensor& source,
                    bool accumulate, const void* site) {
  TAPIR_CHECK_AS(ShapeError, source.numel() == index.numel(), "{}: {} indices for a source of sizes {}", op,
                 index.numel(), source.sizes());
  const Tensor at = reshape(wrapped(op, index, x.numel()), {-1});
  return reshape(put_slices(op, accumulate, reshape(x, {-1}), 0, at, reshape(source, {-1}), site), x.sizes());
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
  CallSite site(TAPIR_HERE);
  const bool scaled = alpha.isFloatingPoint() ? alpha.to_double() != 1 : alpha.to_int64() != 1;
  return put_slices("index_add", true, x, dim, index, scaled ? mul(source, alpha) : source, TAPIR_HERE);
}
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  CallSite site(TAPIR_HERE);
  return put_slices("index_copy", false, x, dim, index, source, TAPIR_HERE);
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  return index_fill(x, dim, index, raw::full({}, value, x.dtype(), x.device()));
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  CallSite site(TAPIR_HERE);
  return fill_slices("index_fill", x, dim, index, value, TAPIR_HERE);
}

// --- as if there were one dimension ---

Tensor take(const Tensor& x, const Tensor& index) {
  CallSite site(TAPIR_HERE);
  return reshape(index_select(reshape(x, {-1}), 0, reshape(wrapped("take", index, x.numel()), {-1})),
                 index.sizes());
}
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  CallSite site(TAPIR_HERE);
  return put_elements("put", x, index, source, accumulate, TAPIR_HERE);
}
// --- in place ---

Tensor& Tensor::index_add_(int64_t dim, const Tensor& index, const Tensor& source,
                           const Scalar& alpha) const {
  const bool scaled = alpha.isFloatingPoint() ? alpha.to_double() != 1 : alpha.to_int64() != 1;
  check_inplace(self(), "index_add_");
  const int64_t d = layout_of().wrap_dim(dim, "index_add_");
  check_slices("index_add_", self(), d, index, source);
  TAPIR_SCATTER_METHOD("index_add_", scaled || recording(self(), source),
                       write_slices("index_add_", true, self(), d, index, source),
                       tapir::index_add(x, dim, index, source, alpha));
}
Tensor& Tensor::index_copy_(int64_t dim, const Tensor& index, const Tensor& source) const {
  check_inplace(self(), "index_copy_");
  const int64_t d = layout_of().wrap_dim(dim, "index_copy_");
  check_slices("index_copy_", self(), d, index, source);
  TAPIR_SCATTER_METHOD("index_copy_", recording(self(), source),
                       write_slices("index_copy_", false, self(), d, index, source),
                       tapir::index_copy(x, dim, index, source));
}
// --- methods ---

Tensor Tensor::index_add(int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_add(*this, dim, index, source, alpha);
}
Tensor Tensor::index_copy(int64_t dim, const Tensor& index, const Tensor& source) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_copy(*this, dim, index, source);
}
Tensor Tensor::index_fill(int64_t dim, const Tensor& index, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_fill(*this, dim, index, value);
}
Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  check_inplace(self(), "index_fill_");
  return index_fill_(dim, index, raw::full({}, value, dtype(), device()));
}
Tensor Tensor::index_fill(int64_t dim, const Tensor& index, const Tensor& value) const {
  CallSite site(TAPIR_HERE);
  return tapir::index_fill(*this, dim, index, value);
}
Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, const Tensor& value) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "index_fill_", [&](const Tensor& x) {
    return fill_slices("index_fill_", x, dim, index, value, TAPIR_HERE);
  });
  return self();
}
Tensor Tensor::take(const Tensor& index) const {
  CallSite site(TAPIR_HERE);
  return tapir::take(*this, index);
}
Tensor Tensor::put(const Tensor& index, const Tensor& source, bool accumulate) const {
  CallSite site(TAPIR_HERE);
  return tapir::put(*this, index, source, accumulate);
}
Tensor& Tensor::put_(const Tensor& index, const Tensor& source, bool accumulate) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "put_", [&](const Tensor& x) {
    return put_elements("put_", x, index, source, accumulate, TAPIR_HERE);
  });
  return self();
}

}  // namespace tapir
