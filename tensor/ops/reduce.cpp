#include "tapir/tensor/ops/reduce.h"

#include <algorithm>
#include <cmath>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

/// One bit per dimension to reduce.
uint32_t mask_of(const Layout& l, IntArrayRef dims, const char* op) {
  const uint32_t every = (uint32_t{1} << l.dim()) - 1;
  if (dims.empty()) return every;
  uint32_t mask = 0;
  for (int64_t d : dims) {
    const int64_t wrapped = l.wrap_dim(d, op);
    const uint32_t bit = uint32_t{1} << wrapped;
    TAPIR_CHECK_AS(ValueError, !(mask & bit), "{}: dimension {} is listed twice in {}", op, d, dims);
    mask |= bit;
  }
  return mask & every;  // dimension 0 of a tensor without dimensions
}
bool is_reduced(uint32_t mask, int64_t d) { return (mask >> d) & 1; }

/// What a reduction is and what it gives.
struct Kind {
  Reduction op;
  const char* name;
  DType dtype;  ///< of the result
  double scale = 1;
};

void run(const Kind& k, const Tensor& in, const Tensor& out, int64_t* indices, int64_t outer, int64_t reduced,
         int64_t inner) {
  require(&KernelTable::reduce, in.device(), k.name)({k.op, in.data_ptr(), in.dtype(), out.data_ptr(),
                                                      out.dtype(), indices, outer, reduced, inner, k.scale});
}

/// A run of dimensions that lie together in memory, outermost first.
struct Group {
  int64_t size;
  bool reduced;
};

/// The layout of the result: row-major, or, where the kept dimensions of x lie in another order, in that
/// order.
Layout result_layout(const Layout& l, uint32_t mask, bool keepdim, const int* order, int n) {
  Dims sizes, strides;
  int64_t stride_of[kMaxDims] = {};
  int64_t stride = 1;
  for (int k = n - 1; k >= 0; --k) {
    if (is_reduced(mask, order[k])) continue;
    stride_of[order[k]] = stride;
    stride *= l.sizes[order[k]];
  }
  for (int64_t d = 0; d < l.dim(); ++d) {
    if (!is_reduced(mask, d)) {
      sizes.push_back(l.sizes[d]);
      strides.push_back(l.sizes[d] == 1 ? 1 : stride_of[d]);
    } else if (keepdim) {
      sizes.push_back(1);
      strides.push_back(1);
    }
  }
  return Layout::strided(sizes, strides, 0);
}

Dims kept_sizes(const Layout& l, uint32_t mask, bool keepdim) {
  Dims sizes;
  for (int64_t d = 0; d < l.dim(); ++d)
    if (!is_reduced(mask, d))
      sizes.push_back(l.sizes[d]);
    else if (keepdim)
      sizes.push_back(1);
  return sizes;
}

/// Dense tensors in any order of dimensions: joins neighbours in memory, then reduces one run of dimensions
/// after another, the innermost first.
Tensor reduce_dense(Kind k, const Tensor& x, uint32_t mask, bool keepdim) {
  const Layout& l = x.layout_of();
  int order[kMaxDims], n = 0;
  for (int d = 0; d < static_cast<int>(l.dim()); ++d) {  // by falling stride
    if (l.sizes[d] == 1) continue;
    int at = n++;
    for (; at > 0 && l.strides[order[at - 1]] < l.strides[d]; --at) order[at] = order[at - 1];
    order[at] = d;
  }
  Group groups[kMaxDims];
  int count = 0, runs = 0;
  for (int i = 0; i < n; ++i) {
    const bool reduced = is_reduced(mask, order[i]);
    if (count > 0 && groups[count - 1].reduced == reduced) {
      groups[count - 1].size *= l.sizes[order[i]];
    } else {
      groups[count++] = {l.sizes[order[i]], reduced};
      runs += reduced;
    }
  }
  Tensor out = Tensor::from_layout(result_layout(l, mask, keepdim, order, n), k.dtype, x.device());
  if (runs == 0) {  // nothing is joined, but the values may change (norm, logsumexp, another dtype)
    run(k, x, out, nullptr, x.numel(), 1, 1);
    return out;
  }
  Tensor from = x;
  for (; runs > 0; --runs) {
    int at = count - 1;
    while (!groups[at].reduced) --at;
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < at; ++i) outer *= groups[i].size;
    for (int i = at + 1; i < count; ++i) inner *= groups[i].size;
    Kind step = k;
    if (runs > 1) {  // the scale belongs to the last step, and half types keep their precision until then
      step.scale = 1;
      if (is_half(step.dtype) && (k.op == Reduction::Sum || k.op == Reduction::Prod)) step.dtype = kFloat32;
    }
    Tensor to = runs > 1 ? Tensor::empty({outer * inner}, step.dtype, x.device()) : out;
    run(step, from, to, nullptr, outer, groups[at].size, inner);
    from = to;
    std::copy(groups + at + 1, groups + count, groups + at);
    --count;
  }
  return out;
}

/// Reduces over the dimensions of `mask`, values only.
Tensor reduce(const Kind& k, const Tensor& x, uint32_t mask, bool keepdim) {
  const Layout& l = x.layout_of();
  const uint32_t every = (uint32_t{1} << l.dim()) - 1;
  if (TAPIR_LIKELY(l.contiguous)) {
    if (mask == every) {
      Tensor out = Tensor::empty(keepdim ? Dims::filled(l.sizes.size(), 1) : Dims(), k.dtype, x.device());
      run(k, x, out, nullptr, 1, l.numel, 1);
      return out;
    }
    // One run of dimensions, such as a single one.
    const int first = __builtin_ctz(mask | (every + 1)), bits = __builtin_popcount(mask);
    if (mask >> first == (uint32_t{1} << bits) - 1) {
      int64_t outer = 1, reduced = 1, inner = 1;
      for (int d = 0; d < static_cast<int>(l.dim()); ++d)
        (d < first ? outer : d < first + bits ? reduced : inner) *= l.sizes[d];
      Tensor out = Tensor::empty(kept_sizes(l, mask, keepdim), k.dtype, x.device());
      run(k, x, out, nullptr, outer, reduced, inner);
      return out;
    }
  }
  if (l.numel == 0) {
    Tensor out = Tensor::empty(kept_sizes(l, mask, keepdim), k.dtype, x.device());
    if (out.numel() > 0) run(k, x, out, nullptr, out.numel(), 0, 1);
    return out;
  }
  return reduce_dense(k, l.contiguous || l.dense() ? x : clone_contiguous(x), mask, keepdim);
}

void check_not_empty(const Tensor& x, uint32_t mask, const char* op) {
  if (TAPIR_LIKELY(x.numel() > 0)) return;
  TAPIR_CHECK_AS(ShapeError, mask != (uint32_t{1} << x.dim()) - 1,
                 "{}: a tensor of sizes {} has no element to choose from", op, x.sizes());
  for (int64_t d = 0; d < x.dim(); ++d)
    TAPIR_CHECK_AS(ShapeError, !is_reduced(mask, d) || x.layout_of().sizes[d] != 0,
                   "{}: sizes {} have no element to choose from along dimension {}", op, x.sizes(), d);
}

int64_t count_of(const Layout& l, uint32_t mask) {
  int64_t n = 1;
  for (int64_t d = 0; d < l.dim(); ++d)
    if (is_reduced(mask, d)) n *= l.sizes[d];
  return n;
}

Tensor best(Reduction op, const char* name, const Tensor& x, IntArrayRef dims, bool keepdim) {
  const uint32_t mask = mask_of(x.layout_of(), dims, name);
  check_not_empty(x, mask, name);
  return reduce({op, name, x.dtype()}, x, mask, keepdim);
}

/// Along one dimension, or with dim empty over all elements in row-major order. Gives the value where
/// `values`.
std::pair<Tensor, Tensor> best_index(Reduction op, const char* name, const Tensor& source,
                                     std::optional<int64_t> dim, bool keepdim, bool values) {
  const Layout& ls = source.layout_of();
  const uint32_t every = (uint32_t{1} << ls.dim()) - 1;
  const uint32_t mask = dim ? (uint32_t{1} << ls.wrap_dim(*dim, name)) & every : every;
  check_not_empty(source, mask, name);
  const Tensor x = contiguous(source);
  const Layout& l = x.layout_of();
  const Dims sizes = kept_sizes(l, mask, keepdim);
  Tensor index = Tensor::empty(sizes, kInt64, x.device());
  Tensor value = values ? Tensor::empty(sizes, x.dtype(), x.device()) : Tensor();
  int64_t outer = 1, inner = 1;
  const int64_t at = dim ? ls.wrap_dim(*dim, name) : 0;
  if (dim)
    for (int64_t d = 0; d < l.dim(); ++d)
      (d < at ? outer : d == at ? outer : inner) *= d == at ? 1 : l.sizes[d];
  if (index.numel() > 0)
    run({op, name, x.dtype()}, x, values ? value : index, values ? index.data_ptr<int64_t>() : nullptr, outer,
        count_of(l, mask), inner);
  return {value, index};
}

Tensor quantify(Reduction op, const char* name, const Tensor& x, IntArrayRef dims, bool keepdim) {
  Tensor out = reduce({op, name, kBool}, x, mask_of(x.layout_of(), dims, name), keepdim);
  return x.dtype() == kUInt8 ? cast(out, kUInt8) : out;
}

}  // namespace

Tensor sum(const Tensor& x, IntArrayRef dims, bool keepdim, std::optional<DType> dtype) {
  const DType out = dtype ? *dtype : is_integral(x.dtype(), true) ? kInt64 : x.dtype();
  return reduce({Reduction::Sum, "sum", out}, x, mask_of(x.layout_of(), dims, "sum"), keepdim);
}

Tensor prod(const Tensor& x, IntArrayRef dims, bool keepdim, std::optional<DType> dtype) {
  const DType out = dtype ? *dtype : is_integral(x.dtype(), true) ? kInt64 : x.dtype();
  return reduce({Reduction::Prod, "prod", out}, x, mask_of(x.layout_of(), dims, "prod"), keepdim);
}

std::pair<Tensor, Tensor> variance(const Tensor& source, IntArrayRef dims, double correction, bool keepdim,
                                   bool root, bool with_mean, const char* op) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(source.dtype()),
                 "{}: got a tensor of {}, expected a floating-point dtype; cast it first", op,
                 source.dtype());
  const Layout& ls = source.layout_of();
  const uint32_t mask = mask_of(ls, dims, op);
  const uint32_t every = (uint32_t{1} << ls.dim()) - 1;
  Tensor x = source;
  const int first = __builtin_ctz(mask | (every + 1)), bits = __builtin_popcount(mask);
  int64_t inner = 1;
  if (mask >> first == (uint32_t{1} << bits) - 1) {  // one run of dimensions
    for (int64_t d = first + bits; d < ls.dim(); ++d) inner *= ls.sizes[d];
  } else {
    Dims order;
    for (int64_t d = 0; d < ls.dim(); ++d)
      if (!is_reduced(mask, d)) order.push_back(d);
    for (int64_t d = 0; d < ls.dim(); ++d)
      if (is_reduced(mask, d)) order.push_back(d);
    x = x.alias(ls.permute(order));
  }
  x = contiguous(x);
  const Dims sizes = kept_sizes(ls, mask, keepdim);
  Tensor spread = Tensor::empty(sizes, x.dtype(), x.device());
  Tensor mean = with_mean ? Tensor::empty(sizes, x.dtype(), x.device()) : Tensor();
  const int64_t n = count_of(ls, mask);
  if (spread.numel() > 0)
    require(&KernelTable::moments, x.device(),
            op)({x.dtype(), x.data_ptr(), with_mean ? mean.data_ptr() : nullptr, spread.data_ptr(),
                 spread.numel() / inner, n, inner, correction, root});
  return {spread, mean};
}

Tensor mean(const Tensor& x, IntArrayRef dims, bool keepdim, std::optional<DType> dtype) {
  const DType out = dtype.value_or(x.dtype());
  TAPIR_CHECK_AS(
      DTypeError, is_floating_point(out),
      "mean: got a tensor of {}{}, expected a floating-point dtype; give one as the dtype argument",
      x.dtype(), dtype ? " and an integer result dtype" : "");
  const uint32_t mask = mask_of(x.layout_of(), dims, "mean");
  const double n = static_cast<double>(count_of(x.layout_of(), mask));
  return reduce({Reduction::Sum, "mean", out, 1 / n}, x, mask, keepdim);
}

Tensor max(const Tensor& x, IntArrayRef dims, bool keepdim) {
  return best(Reduction::Max, "max", x, dims, keepdim);
}
Tensor min(const Tensor& x, IntArrayRef dims, bool keepdim) {
  return best(Reduction::Min, "min", x, dims, keepdim);
}

std::pair<Tensor, Tensor> max_with_index(const Tensor& x, int64_t dim, bool keepdim) {
  return best_index(Reduction::MaxIndex, "max", x, dim, keepdim, true);
}
std::pair<Tensor, Tensor> min_with_index(const Tensor& x, int64_t dim, bool keepdim) {
  return best_index(Reduction::MinIndex, "min", x, dim, keepdim, true);
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return best_index(Reduction::ArgMax, "argmax", x, dim, keepdim, false).second;
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return best_index(Reduction::ArgMin, "argmin", x, dim, keepdim, false).second;
}

Tensor logsumexp(const Tensor& source, IntArrayRef dims, bool keepdim) {
  const Tensor x = is_floating_point(source.dtype()) ? source : cast(source, get_default_dtype());
  return reduce({Reduction::LogSumExp, "logsumexp", x.dtype()}, x, mask_of(x.layout_of(), dims, "logsumexp"),
                keepdim);
}

Tensor norm2(const Tensor& x, IntArrayRef dims, bool keepdim) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "norm: got a tensor of {}, expected a floating-point dtype; cast it first", x.dtype());
  return reduce({Reduction::NormTwo, "norm", x.dtype()}, x, mask_of(x.layout_of(), dims, "norm"), keepdim);
}

Tensor all(const Tensor& x, IntArrayRef dims, bool keepdim) {
  return quantify(Reduction::All, "all", x, dims, keepdim);
}
Tensor any(const Tensor& x, IntArrayRef dims, bool keepdim) {
  return quantify(Reduction::Any, "any", x, dims, keepdim);
}

int64_t reduced_count(const Tensor& x, IntArrayRef dims, const char* op) {
  return count_of(x.layout_of(), mask_of(x.layout_of(), dims, op));
}
Dims reduced_sizes(const Tensor& x, IntArrayRef dims, bool keepdim, const char* op) {
  return kept_sizes(x.layout_of(), mask_of(x.layout_of(), dims, op), keepdim);
}

}  // namespace tapir::raw
