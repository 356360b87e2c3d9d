#include "tapir/tensor/ops/index.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/index_checks.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

Tensor pick_rows(const Tensor& x, const Tensor& index, const Dims& sizes, int64_t outer, int64_t count,
                 int64_t row, const char* op) {
  Tensor out = Tensor::empty(sizes, x.dtype(), x.device());
  if (out.numel() > 0)
    require(&KernelTable::index_rows, x.device(),
            op)({x.data_ptr(), index.data_ptr<int64_t>(), out.data_ptr(), x.itemsize(), outer, count,
                 index.numel(), row});
  return out;
}

}  // namespace

Tensor index_select(const Tensor& source, int64_t dim, const Tensor& index) {
  const Tensor x = contiguous(source);
  const Layout& l = x.layout_of();
  const int64_t d = l.wrap_dim(dim, "index_select");
  TAPIR_CHECK_AS(ShapeError, index.dim() <= 1, "index_select: indices have sizes {}, expected one dimension",
                 index.sizes());
  const Middle m(l, d);
  const Tensor i = checked_index("index_select", index, d, m.n, x.device());
  Dims sizes = l.sizes;
  if (l.dim() > 0)
    sizes[d] = i.numel();
  else
    TAPIR_CHECK_AS(ShapeError, i.numel() == 1,
                   "index_select: {} indices into a tensor without dimensions, expected 1", i.numel());
  return pick_rows(x, i, sizes, m.outer, m.n, m.inner, "index_select");
}

Tensor embedding(const Tensor& weight_in, const Tensor& index) {
  const Tensor weight = contiguous(weight_in);
  TAPIR_CHECK_AS(ShapeError, weight.dim() == 2, "embedding: weight has sizes {}, expected (rows, columns)",
                 weight.sizes());
  const Tensor i = checked_index("embedding", index, 0, weight.size(0), weight.device());
  Dims sizes = index.layout_of().sizes;
  sizes.push_back(weight.size(1));
  return pick_rows(weight, i, sizes, 1, weight.size(0), weight.size(1), "embedding");
}

void add_rows(const Tensor& dst, int64_t dim, const Tensor& index, const Tensor& src_in, int64_t skip,
              const char* op) {
  const Layout& l = dst.layout_of();
  const int64_t d = l.wrap_dim(dim, op);
  const Middle m(l, d);
  const Tensor src = contiguous(src_in);
  TAPIR_CHECK_AS(DTypeError, src.dtype() == dst.dtype(), "{}: adding {} to {}; cast it first", op,
                 src.dtype(), dst.dtype());
  TAPIR_CHECK_AS(ShapeError, index.numel() * m.outer * m.inner == src.numel(),
                 "{}: {} indices along dimension {} of {} do not fit values of sizes {}", op, index.numel(),
                 d, dst.sizes(), src.sizes());
  const Tensor i = checked_index(op, index, d, m.n, dst.device());
  through_contiguous(dst, op, [&](const Tensor& to) {
    if (src.numel() > 0)
      require(&KernelTable::add_rows, to.device(),
              op)({to.dtype(), to.data_ptr(), i.data_ptr<int64_t>(), src.data_ptr(), m.outer, m.n, i.numel(),
                   m.inner, skip});
  });
}

namespace {
void check_rows(const char* op, const Tensor& a, const Tensor& b) {
  TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(), "{}: rows of {} and {}; cast them first", op, a.dtype(),
                 b.dtype());
  TAPIR_CHECK_AS(ShapeError, a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(1),
                 "{}: sizes {} and {}, expected rows of one length", op, a.sizes(), b.sizes());
}
}  // namespace

void add_picked_rows(const Tensor& dst, const Tensor& to_in, const Tensor& src_in, const Tensor& from_in,
                     const Tensor& factor_in, const char* op) {
  check_rows(op, dst, src_in);
  const Tensor to = contiguous(to_in), from = contiguous(from_in);
  const Tensor src = contiguous(src_in), factor = factor_in.defined() ? contiguous(factor_in) : Tensor();
  TAPIR_CHECK_AS(ShapeError,
                 from.numel() == to.numel() && (!factor.defined() || factor.numel() == to.numel()),
                 "{}: {} places, {} rows and {} factors, expected as many", op, to.numel(), from.numel(),
                 factor.defined() ? factor.numel() : to.numel());
  TAPIR_CHECK_AS(DTypeError, !factor.defined() || factor.dtype() == dst.dtype(),
                 "{}: factors of {} for rows of {}", op, factor.dtype(), dst.dtype());
  through_contiguous(dst, op, [&](const Tensor& out) {
    if (out.numel() > 0 && to.numel() > 0)
      require(&KernelTable::add_rows, out.device(), op)(
          {out.dtype(), out.data_ptr(), to.data_ptr<int64_t>(), src.data_ptr(), 1, out.size(0), to.numel(),
           out.size(1), -1, from.data_ptr<int64_t>(), factor.defined() ? factor.data_ptr() : nullptr});
  });
}

Tensor dot_rows(const Tensor& a_in, const Tensor& a_index_in, const Tensor& b_in, const Tensor& b_index_in,
                const char* op) {
  check_rows(op, a_in, b_in);
  const Tensor a = contiguous(a_in), b = contiguous(b_in);
  const Tensor a_index = contiguous(a_index_in), b_index = contiguous(b_index_in);
  TAPIR_CHECK_AS(DTypeError, is_floating_point(a.dtype()), "{}: rows of {}, expected a floating-point dtype",
                 op, a.dtype());
  TAPIR_CHECK_AS(ShapeError, a_index.numel() == b_index.numel(), "{}: {} and {} rows, expected as many", op,
                 a_index.numel(), b_index.numel());
  Tensor out = Tensor::empty({a_index.numel()}, a.dtype(), a.device());
  if (out.numel() > 0)
    require(&KernelTable::dot_rows, out.device(),
            op)({a.dtype(), a.data_ptr(), a_index.data_ptr<int64_t>(), b.data_ptr(),
                 b_index.data_ptr<int64_t>(), out.data_ptr(), out.numel(), a.size(1)});
  return out;
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const int64_t d = x.layout_of().wrap_dim(dim, "gather");
  const Tensor src = contiguous(trim(x, index, d, "gather", "the input"));
  const Middle m(src.layout_of(), d);
  const Tensor i = checked_index("gather", index, d, m.n, x.device());
  Tensor out = Tensor::empty(index.sizes(), x.dtype(), x.device());
  if (out.numel() > 0)
    require(&KernelTable::gather, x.device(),
            "gather")({x.dtype(), src.data_ptr(), i.data_ptr<int64_t>(), out.data_ptr(), m.outer, m.n,
                       out.numel() / (m.outer * m.inner), m.inner});
  return out;
}

namespace {

TAPIR_COLD void cat_mismatch(const char* op, IntArrayRef a, IntArrayRef b, size_t at) {
  throw_error<ShapeError>("{}: tensor {} has sizes {}, which do not fit {}", op, at, b, a);
}

struct Joined {
  DType dtype;
  Device device;
};
Joined joined_type(const char* op, TensorList tensors) {
  TAPIR_CHECK_AS(ValueError, !tensors.empty(), "{}: expected at least one tensor", op);
  Joined j{tensors[0].dtype(), tensors[0].device()};
  for (const Tensor& t : tensors) {
    if (t.dtype() != j.dtype) j.dtype = promote_types(j.dtype, t.dtype());
    TAPIR_CHECK_AS(DeviceError, t.device() == j.device, "{}: tensors on {} and {}", op, j.device, t.device());
  }
  return j;
}

/// Copies the rows of t, of `run` elements each, `stride` elements apart into out, from element `start` on.
void place(const Tensor& out, int64_t start, int64_t stride, const Tensor& t, int64_t outer, int64_t run) {
  const Tensor src = contiguous(t);
  if (src.numel() == 0) return;
  CopyArgs args;
  args.dst = out.impl()->data + static_cast<size_t>(start) * out.itemsize();
  args.src = src.data_ptr();
  args.dst_dtype = out.dtype();
  args.src_dtype = src.dtype();
  args.ndim = outer == 1 ? 1 : 2;
  args.numel = src.numel();
  args.sizes[0] = outer;
  args.dst_strides[0] = stride;
  args.src_strides[0] = run;
  args.sizes[args.ndim - 1] = run;
  args.dst_strides[args.ndim - 1] = args.src_strides[args.ndim - 1] = 1;
  require(&KernelTable::copy, out.device(), "cat")(args);
}

bool is_left_out(const Tensor& t) { return t.dim() == 1 && t.numel() == 0; }

}  // namespace

Tensor cat(TensorList tensors, int64_t dim) {
  const Joined type = joined_type("cat", tensors);
  const Tensor* first = nullptr;
  for (size_t k = 0; k < tensors.size(); ++k) {
    TAPIR_CHECK_AS(ShapeError, tensors[k].dim() > 0, "cat: tensor {} has no dimensions; use stack", k);
    if (!first && !is_left_out(tensors[k])) first = &tensors[k];
  }
  if (!first) first = &tensors[0];
  const int64_t d = first->layout_of().wrap_dim(dim, "cat");
  Dims sizes = first->layout_of().sizes;
  sizes[d] = 0;
  for (size_t k = 0; k < tensors.size(); ++k) {
    const Dims& s = tensors[k].layout_of().sizes;
    if (is_left_out(tensors[k])) continue;
    bool fits = s.size() == sizes.size();
    for (size_t i = 0; i < s.size() && fits; ++i) fits = static_cast<int64_t>(i) == d || s[i] == sizes[i];
    if (!fits) cat_mismatch("cat", first->sizes(), tensors[k].sizes(), k);
    sizes[d] += s[d];
  }
  Tensor out = Tensor::empty(sizes, type.dtype, type.device);
  const Middle m(out.layout_of(), d);
  int64_t start = 0;
  for (const Tensor& t : tensors) {
    if (is_left_out(t)) continue;
    const int64_t run = t.layout_of().sizes[d] * m.inner;
    place(out, start, m.n * m.inner, t, m.outer, run);
    start += run;
  }
  return out;
}

Tensor stack(TensorList tensors, int64_t dim) {
  const Joined type = joined_type("stack", tensors);
  const Dims& each = tensors[0].layout_of().sizes;
  for (size_t k = 1; k < tensors.size(); ++k)
    if (!(tensors[k].layout_of().sizes == each)) cat_mismatch("stack", each, tensors[k].sizes(), k);
  const int64_t dims = static_cast<int64_t>(each.size()) + 1, d = dim < 0 ? dim + dims : dim;
  TAPIR_CHECK_AS(IndexError, d >= 0 && d < dims, "stack: dimension {} is out of range [{}, {})", dim, -dims,
                 dims);
  Dims sizes = each;
  sizes.insert(static_cast<size_t>(d), static_cast<int64_t>(tensors.size()));
  Tensor out = Tensor::empty(sizes, type.dtype, type.device);
  const Middle m(out.layout_of(), d);
  for (size_t k = 0; k < tensors.size(); ++k)
    place(out, static_cast<int64_t>(k) * m.inner, m.n * m.inner, tensors[k], m.outer, m.inner);
  return out;
}

Tensor nonzero(const Tensor& source) {
  const Tensor x = contiguous(to_device(source, kCPU));
  const Layout& l = x.layout_of();
  const int64_t dims = l.dim();
  return visit_dtype(x.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* p = x.data_ptr<T>();
    const auto is_set = [](T v) { return v != T(0); };
    const int64_t n = std::count_if(p, p + l.numel, is_set);
    Tensor out = Tensor::empty({n, dims}, kInt64);
    int64_t* to = out.data_ptr<int64_t>();
    if (dims > 0) {
      for (int64_t i = 0; i < l.numel; ++i) {
        if (!is_set(p[i])) continue;
        int64_t rest = i;
        for (int64_t d = dims - 1; d >= 0; --d) {
          to[d] = rest % l.sizes[d];
          rest /= l.sizes[d];
        }
        to += dims;
      }
    }
    return to_device(out, source.device());
  });
}

IndexPlan plan_index(IntArrayRef sizes, const std::vector<Tensor>& given) {
  // Masks become the positions of their true elements, one index per dimension.
  std::vector<Tensor> indices;
  for (const Tensor& t : given) {
    if (!t.defined()) {
      indices.emplace_back();
    } else if (t.dtype() == kBool || t.dtype() == kUInt8) {
      for (int64_t d = 0; d < t.dim(); ++d) {
        const size_t at = indices.size() + static_cast<size_t>(d);
        TAPIR_CHECK_AS(IndexError, at < sizes.size() && sizes[at] == t.size(d),
                       "index: a mask of sizes {} does not fit dimensions {} to {} of {}", t.sizes(),
                       indices.size(), indices.size() + static_cast<size_t>(t.dim()) - 1, sizes);
      }
      const Tensor positions = nonzero(t);
      for (int64_t d = 0; d < t.dim(); ++d)
        indices.push_back(positions.alias(positions.layout_of().select(1, d)));
    } else {
      TAPIR_CHECK_AS(IndexError, t.dtype() == kInt64 || t.dtype() == kInt32,
                     "index: a tensor of {} cannot be an index; expected int64, int32, or bool for a mask",
                     t.dtype());
      indices.push_back(cast(t, kInt64));
    }
  }
  TAPIR_CHECK_AS(IndexError, indices.size() <= sizes.size(), "index: {} indices for a tensor of sizes {}",
                 indices.size(), sizes);
  indices.resize(sizes.size());

  Dims shape;
  Device device = kCPU;
  int first = -1, last = -1, used = 0;
  for (size_t d = 0; d < indices.size(); ++d) {
    if (!indices[d].defined()) continue;
    shape = used == 0 ? Dims(indices[d].sizes()) : broadcast_sizes(shape, indices[d].sizes(), "index");
    device = indices[d].device();
    if (used++ == 0) first = static_cast<int>(d);
    last = static_cast<int>(d);
  }
  TAPIR_CHECK_AS(IndexError, used > 0, "index: no index given");

  // Which row of the indexed dimensions, taken together, each place of the result shows.
  Tensor rows = Tensor::empty({count(shape)}, kInt64);
  int64_t* to = rows.data_ptr<int64_t>();
  std::fill(to, to + rows.numel(), int64_t{0});
  for (size_t d = 0; d < indices.size(); ++d) {
    if (!indices[d].defined()) continue;
    const Tensor index = to_device(indices[d], kCPU);
    const Tensor all = clone_contiguous(index.alias(index.layout_of().expand(shape)));
    const int64_t* p = all.data_ptr<int64_t>();
    const int64_t size = sizes[d];
    for (int64_t i = 0; i < rows.numel(); ++i) {
      const int64_t k = p[i] < 0 ? p[i] + size : p[i];
      if (TAPIR_UNLIKELY(k < 0 || k >= size)) bad_index("index", p[i], static_cast<int64_t>(d), size, -size);
      to[i] = to[i] * size + k;
    }
  }

  IndexPlan plan;
  plan.rows = to_device(rows, device);
  const bool neighbours = last - first + 1 == used;
  const int start = neighbours ? first : 0;  // where the indexed dimensions go
  for (int d = 0; d < start; ++d) {
    plan.permutation.push_back(d);
    plan.sizes.push_back(sizes[d]);
    plan.outer *= sizes[d];
  }
  for (size_t d = 0; d < indices.size(); ++d) {
    if (!indices[d].defined()) continue;
    plan.permutation.push_back(static_cast<int64_t>(d));
    plan.count *= sizes[d];
  }
  for (int64_t s : shape) plan.sizes.push_back(s);
  for (size_t d = static_cast<size_t>(start); d < indices.size(); ++d) {
    if (indices[d].defined()) continue;
    plan.permutation.push_back(static_cast<int64_t>(d));
    plan.sizes.push_back(sizes[d]);
    plan.row *= sizes[d];
  }
  return plan;
}

namespace {
/// x with its dimensions in the plan's order.
Tensor permuted(const Tensor& x, const IndexPlan& plan) {
  for (size_t i = 0; i < plan.permutation.size(); ++i)
    if (plan.permutation[i] != static_cast<int64_t>(i))
      return same_tracking(x.alias(x.layout_of().permute(plan.permutation)), x);
  return x;
}
}  // namespace

Tensor index(const Tensor& x, const IndexPlan& plan) {
  TAPIR_CHECK_AS(DeviceError, plan.rows.device() == x.device(), "index: a tensor on {}, indices on {}",
                 x.device(), plan.rows.device());
  return pick_rows(contiguous(permuted(x, plan)), plan.rows, plan.sizes, plan.outer, plan.count, plan.row,
                   "index");
}

void index_put(const Tensor& dst, const IndexPlan& plan, const Tensor& values_in, bool accumulate) {
  const char* op = "index_put_";
  TAPIR_CHECK_AS(DTypeError, values_in.dtype() == dst.dtype(),
                 "{}: values of {} for a tensor of {}; cast them first", op, values_in.dtype(), dst.dtype());
  TAPIR_CHECK_AS(DeviceError, values_in.device() == dst.device() && plan.rows.device() == dst.device(),
                 "{}: a tensor on {}, values on {}, indices on {}", op, dst.device(), values_in.device(),
                 plan.rows.device());
  TAPIR_CHECK_AS(ShapeError, is_expandable_to(values_in.sizes(), plan.sizes),
                 "{}: values of sizes {} do not broadcast to the indexed part, {}", op, values_in.sizes(),
                 IntArrayRef(plan.sizes));
  Tensor values = contiguous(values_in.alias(values_in.layout_of().expand(plan.sizes)));
  if (values.impl()->storage.get() == dst.impl()->storage.get()) values = clone_contiguous(values);
  through_contiguous(permuted(dst, plan), op, [&](const Tensor& to) {
    if (values.numel() == 0) return;
    const int64_t* rows = plan.rows.data_ptr<int64_t>();
    const int64_t n = plan.rows.numel();
    if (accumulate)
      require(&KernelTable::add_rows, to.device(), op)(
          {to.dtype(), to.data_ptr(), rows, values.data_ptr(), plan.outer, plan.count, n, plan.row, -1});
    else
      require(&KernelTable::put_rows, to.device(), op)(
          {to.data_ptr(), rows, values.data_ptr(), to.itemsize(), plan.outer, plan.count, n, plan.row});
  });
}

}  // namespace tapir::raw
