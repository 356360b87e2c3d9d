#include "tapir/autograd/functions/shape.h"

#include <algorithm>
#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir {

namespace {

Tensor from_vector(const std::vector<int64_t>& v, Device device) {
  Tensor t = Tensor::empty({static_cast<int64_t>(v.size())}, kInt64);
  std::copy(v.begin(), v.end(), t.data_ptr<int64_t>());
  return raw::to_device(t, device);
}
Tensor count_down(int64_t n, Device device) { return raw::arange(n - 1, -1, -1, kInt64, device); }

struct FlipBackward final : NodeOf<1> {
  const char* type_name() const override { return "FlipBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, flip(g[0], dims)); }
  Dims dims;
};

}  // namespace

// --- order ---

Tensor flip(const Tensor& x, IntArrayRef dims) {
  uint32_t seen = 0;
  Tensor y = x.detach();
  for (int64_t dim : dims) {
    const int64_t d = x.layout_of().wrap_dim(dim, "flip");
    TAPIR_CHECK_AS(ValueError, !((seen >> d) & 1), "flip: dimension {} is listed twice in {}", dim, dims);
    seen |= uint32_t{1} << d;
    if (x.dim() > 0) y = raw::index_select(y, d, count_down(x.size(d), x.device()));
  }
  if (seen == 0 || x.dim() == 0) y = raw::clone(x);
  if (recording(x)) record<FlipBackward>(TAPIR_HERE, y, x)->dims = dims;
  return y;
}
Tensor fliplr(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "fliplr: got sizes {}, expected two or more dimensions",
                 x.sizes());
  return flip(x, 1);
}
Tensor flipud(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 1, "flipud: a tensor without dimensions cannot be turned");
  return flip(x, 0);
}

Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !shifts.empty(), "roll: no shift is given");
  if (dims.empty()) {
    TAPIR_CHECK_AS(ValueError, shifts.size() == 1, "roll: {} shifts without dims, expected one",
                   shifts.size());
    return reshape(roll(reshape(x, {-1}), shifts, 0), x.sizes());
  }
  TAPIR_CHECK_AS(ValueError, shifts.size() == dims.size(), "roll: shifts {} and dims {} differ in length",
                 shifts, dims);
  Tensor y = x;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t n = y.size(dims[i]);
    if (n == 0) continue;
    const int64_t start = (n - shifts[i] % n) % n;
    if (start != 0) y = cat({narrow(y, dims[i], start, n - start), narrow(y, dims[i], 0, start)}, dims[i]);
  }
  return y.is_same(x) ? clone(x) : y;
}

Tensor rot90(const Tensor& x, int64_t k, IntArrayRef dims) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, dims.size() == 2, "rot90: dims {}, expected two", dims);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "rot90: got sizes {}, expected two or more dimensions", x.sizes());
  const int64_t a = x.layout_of().wrap_dim(dims[0], "rot90"), b = x.layout_of().wrap_dim(dims[1], "rot90");
  TAPIR_CHECK_AS(ValueError, a != b, "rot90: dims {} are the same", dims);
  switch ((k % 4 + 4) % 4) {
    case 1:
      return transpose(flip(x, b), a, b);
    case 2:
      return flip(x, {a, b});
    case 3:
      return transpose(flip(x, a), a, b);
    default:
      return clone(x);
  }
}

// --- more of the same ---

Tensor tile(const Tensor& x, IntArrayRef dims) {
  CallSite site(TAPIR_HERE);
  Dims all;
  for (int64_t d = static_cast<int64_t>(dims.size()); d < x.dim(); ++d) all.push_back(1);
  for (int64_t r : dims) all.push_back(r);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> output_size) {
  TAPIR_CHECK_AS(DTypeError, repeats.dtype() == kInt64 || repeats.dtype() == kInt32,
                 "repeat_interleave: repeats of {}, expected int64 or int32", repeats.dtype());
  TAPIR_CHECK_AS(ShapeError, repeats.dim() == 1,
                 "repeat_interleave: repeats of sizes {}, expected one dimension", repeats.sizes());
  const Tensor counts = raw::contiguous(raw::cast(raw::to_device(repeats, kCPU), kInt64));
  const int64_t* p = counts.data_ptr<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    TAPIR_CHECK_AS(ValueError, p[i] >= 0, "repeat_interleave: repeats[{}] is {}, expected none below 0", i,
                   p[i]);
    TAPIR_CHECK_AS(ValueError, p[i] <= std::numeric_limits<int64_t>::max() - total,
                   "repeat_interleave: the repeats sum to more than an int64 holds, repeats[{}] is {}", i,
                   p[i]);
    total += p[i];
  }
  TAPIR_CHECK_AS(ValueError, !output_size || *output_size == total,
                 "repeat_interleave: output_size {} but the repeats sum to {}", output_size.value_or(0),
                 total);
  Tensor out = Tensor::empty({total}, kInt64);
  int64_t* to = out.data_ptr<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) to = std::fill_n(to, p[i], i);
  return raw::cast(raw::to_device(out, repeats.device()), repeats.dtype());
}
Tensor repeat_interleave(const Tensor& given, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  CallSite site(TAPIR_HERE);
  const Tensor x = dim ? given : reshape(given, {-1});
  const int64_t d = dim.value_or(0), n = x.dim() > 0 ? x.size(d) : 1;
  TAPIR_CHECK_AS(ShapeError,
                 repeats.dim() == 0 || (repeats.dim() == 1 && (repeats.size(0) == n || repeats.size(0) == 1)),
                 "repeat_interleave: repeats of sizes {} for dimension {} of sizes {}", repeats.sizes(), d,
                 x.sizes());
  return index_select(x, d, repeat_interleave(expand(reshape(repeats, {-1}), n), output_size));
}
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  CallSite site(TAPIR_HERE);
  return repeat_interleave(x, raw::full({1}, repeats, kInt64, x.device()), dim, output_size);
}

namespace {

void check_pad(const Tensor& x, IntArrayRef pad) {
  TAPIR_CHECK_AS(ValueError, pad.size() % 2 == 0 && static_cast<int64_t>(pad.size()) <= 2 * x.dim(),
                 "pad: {} numbers for a tensor of sizes {}; expected two for each of its last dimensions",
                 pad.size(), x.sizes());
  for (size_t i = 0; i < pad.size(); i += 2) {
    const int64_t d = x.dim() - 1 - static_cast<int64_t>(i / 2);
    TAPIR_CHECK_AS(
        ShapeError, x.size(d) + pad[i] + pad[i + 1] >= 0 && pad[i] >= -x.size(d) && pad[i + 1] >= -x.size(d),
        "pad: {} and {} cut off more than dimension {} of sizes {} has", pad[i], pad[i + 1], d, x.sizes());
  }
}

}  // namespace

Tensor constant_pad_nd(const Tensor& x, IntArrayRef pad, const Scalar& value) {
  CallSite site(TAPIR_HERE);
  check_pad(x, pad);
  Tensor part = x;
  Dims sizes = x.layout_of().sizes;
  for (size_t i = 0; i < pad.size(); i += 2) {
    const size_t d = sizes.size() - 1 - i / 2;
    sizes[d] += pad[i] + pad[i + 1];
    const int64_t first = std::max<int64_t>(0, -pad[i]),
                  last = x.size(static_cast<int64_t>(d)) - std::max<int64_t>(0, -pad[i + 1]);
    if (first > 0 || last < x.size(static_cast<int64_t>(d)))
      part = narrow(part, static_cast<int64_t>(d), first, std::max<int64_t>(0, last - first));
  }
  const Tensor y = raw::full(sizes, value, x.dtype(), x.device());
  Tensor to_ = y;
  for (size_t i = 0; i < pad.size(); i += 2) {
    const int64_t d = x.dim() - 1 - static_cast<int64_t>(i / 2);
    to_ = narrow(to_, d, std::max<int64_t>(0, pad[i]), part.size(d));
  }
  copy_(to_, part);
  return y;
}

Tensor pad(const Tensor& x, IntArrayRef pad, std::string_view mode, std::optional<double> value) {
  CallSite site(TAPIR_HERE);
  if (mode == "constant") return constant_pad_nd(x, pad, value ? Scalar(*value) : Scalar(0));
  TAPIR_CHECK_AS(ValueError, mode == "reflect" || mode == "replicate" || mode == "circular",
                 "pad: mode is \"{}\", expected \"constant\", \"reflect\", \"replicate\" or \"circular\"",
                 mode);
  TAPIR_CHECK_AS(ValueError, !value || *value == 0, "pad: mode \"{}\" takes no value", mode);
  check_pad(x, pad);
  Tensor y = x;
  for (size_t i = 0; i < pad.size(); i += 2) {
    const int64_t d = x.dim() - 1 - static_cast<int64_t>(i / 2), n = x.size(d);
    const int64_t most = mode == "reflect" ? n - 1 : mode == "circular" ? n : INT64_MAX;
    TAPIR_CHECK_AS(ShapeError, n > 0 && pad[i] <= most && pad[i + 1] <= most,
                   "pad: {} and {} in mode \"{}\" for dimension {} of sizes {}", pad[i], pad[i + 1], mode, d,
                   x.sizes());
    if (pad[i] == 0 && pad[i + 1] == 0) continue;
    std::vector<int64_t> from;
    for (int64_t j = -pad[i]; j < n + pad[i + 1]; ++j) {
      if (mode == "reflect")
        from.push_back(j < 0 ? -j : j >= n ? 2 * n - 2 - j : j);
      else if (mode == "replicate")
        from.push_back(std::clamp<int64_t>(j, 0, n - 1));
      else
        from.push_back((j + n) % n);
    }
    y = index_select(y, d, from_vector(from, x.device()));
  }
  return y.is_same(x) ? clone(x) : y;
}

// --- triangles and diagonals ---

namespace {

/// Where column - row compares with `diagonal`, (rows, columns).
Tensor beyond(const Tensor& x, int64_t diagonal, bool above, const char* op) {
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 2, "{}: got sizes {}, expected two or more dimensions", op,
                 x.sizes());
  NoGradGuard no_grad;
  const Tensor column = raw::arange(0, x.size(-1), 1, kInt64, x.device());
  const Tensor row = unsqueeze(raw::arange(diagonal, x.size(-2) + diagonal, 1, kInt64, x.device()), 1);
  return above ? gt(column, row) : lt(column, row);
}

template <class Keep>
Tensor triangle_indices(int64_t rows, int64_t columns, const TensorOptions& options, const char* op,
                        Keep keep) {
  TAPIR_CHECK_AS(ShapeError, rows >= 0 && columns >= 0, "{}: {} rows and {} columns", op, rows, columns);
  std::vector<int64_t> r, c;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (keep(i, j)) {
        r.push_back(i);
        c.push_back(j);
      }
  const Device device = options.device();
  const Tensor y = stack({from_vector(r, device), from_vector(c, device)}, 0);
  return options.has_dtype() ? to(y, options.dtype()) : y;
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) {
  CallSite site(TAPIR_HERE);
  return masked_fill(x, beyond(x, diagonal, true, "tril"), Scalar(0));
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  CallSite site(TAPIR_HERE);
  return masked_fill(x, beyond(x, diagonal, false, "triu"), Scalar(0));
}
Tensor tril_indices(int64_t row, int64_t col, int64_t offset, const TensorOptions& options) {
  return triangle_indices(row, col, options, "tril_indices",
                          [=](int64_t i, int64_t j) { return j - i <= offset; });
}
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, const TensorOptions& options) {
  return triangle_indices(row, col, options, "triu_indices",
                          [=](int64_t i, int64_t j) { return j - i >= offset; });
}
Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 1,
                 "diag_embed: got a tensor without dimensions, expected one or more");
  const int64_t dims = x.dim() + 1, a = dim1 < 0 ? dim1 + dims : dim1, b = dim2 < 0 ? dim2 + dims : dim2;
  TAPIR_CHECK_AS(IndexError, a >= 0 && a < dims && b >= 0 && b < dims,
                 "diag_embed: dimensions {} and {} are out of range [{}, {})", dim1, dim2, -dims, dims);
  TAPIR_CHECK_AS(ValueError, a != b, "diag_embed: dimensions {} and {} are the same", dim1, dim2);
  const int64_t n = x.size(-1) + std::abs(offset);
  Dims sizes;
  for (int64_t d = 0, from = 0; d < dims; ++d) sizes.push_back(d == a || d == b ? n : x.size(from++));
  const Tensor y = raw::zeros(sizes, x.dtype(), x.device());
  copy_(diagonal(y, offset, a, b), x);
  return y;
}
Tensor diag(const Tensor& x, int64_t k) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() == 1 || x.dim() == 2,
                 "diag: got sizes {}, expected one or two dimensions", x.sizes());
  return x.dim() == 1 ? diag_embed(x, k) : clone(diagonal(x, k));
}
Tensor diagflat(const Tensor& x, int64_t offset) {
  CallSite site(TAPIR_HERE);
  return diag_embed(reshape(x, {-1}), offset);
}

// --- joining and grids ---

namespace {
std::vector<Tensor> each(TensorList tensors, Tensor (*f)(const Tensor&)) {
  std::vector<Tensor> all;
  for (const Tensor& t : tensors) all.push_back(f(t));
  return all;
}
}  // namespace

Tensor concat(TensorList tensors, int64_t dim) {
  CallSite site(TAPIR_HERE);
  return cat(tensors, dim);
}
Tensor hstack(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  const std::vector<Tensor> t = each(tensors, atleast_1d);
  return cat(t, !t.empty() && t[0].dim() > 1 ? 1 : 0);
}
Tensor vstack(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  return cat(each(tensors, atleast_2d), 0);
}
Tensor row_stack(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  return vstack(tensors);
}
Tensor dstack(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  return cat(each(tensors, atleast_3d), 2);
}
Tensor column_stack(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  return hstack(each(tensors, [](const Tensor& t) { return t.dim() > 1 ? t : reshape(t, {t.numel(), 1}); }));
}

Tensor vander(const Tensor& x, std::optional<int64_t> N, bool increasing) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() == 1, "vander: got sizes {}, expected one dimension", x.sizes());
  const int64_t columns = N.value_or(x.numel());
  TAPIR_CHECK_AS(ValueError, columns >= 0, "vander: N is {}, expected a number >= 0", columns);
  const Tensor powers = raw::arange(0, columns, 1, kInt64, x.device());
  const Tensor in = is_integral(x.dtype()) || x.dtype() == kBool ? to(x, kInt64) : x;
  const Tensor y = pow(unsqueeze(in, 1), powers);
  return increasing ? y : flip(y, {1});
}

Tensor block_diag(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !tensors.empty(), "block_diag: expected at least one tensor");
  int64_t rows = 0, columns = 0;
  DType dtype = tensors[0].dtype();
  const std::vector<Tensor> blocks = each(tensors, atleast_2d);
  for (const Tensor& t : blocks) {
    TAPIR_CHECK_AS(ShapeError, t.dim() == 2,
                   "block_diag: a tensor of sizes {}, expected at most two dimensions", t.sizes());
    rows += t.size(0);
    columns += t.size(1);
    dtype = promote_types(dtype, t.dtype());
  }
  const Tensor y = raw::zeros({rows, columns}, dtype, tensors[0].device());
  int64_t r = 0, c = 0;
  for (const Tensor& t : blocks) {
    copy_(narrow(narrow(y, 0, r, t.size(0)), 1, c, t.size(1)), t);
    r += t.size(0);
    c += t.size(1);
  }
  return y;
}

std::vector<Tensor> meshgrid(TensorList tensors, std::string_view indexing) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, !tensors.empty(), "meshgrid: expected at least one tensor");
  TAPIR_CHECK_AS(ValueError, indexing == "ij" || indexing == "xy",
                 "meshgrid: indexing is \"{}\", expected \"ij\" or \"xy\"", indexing);
  const bool swap = indexing == "xy" && tensors.size() >= 2;
  Dims sizes;
  for (const Tensor& t : tensors) {
    TAPIR_CHECK_AS(ShapeError, t.dim() <= 1, "meshgrid: a tensor of sizes {}, expected one dimension",
                   t.sizes());
    TAPIR_CHECK_AS(DTypeError, t.dtype() == tensors[0].dtype(), "meshgrid: tensors of {} and {}",
                   tensors[0].dtype(), t.dtype());
    sizes.push_back(t.numel());
  }
  std::vector<Tensor> grids;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Dims shape = Dims::filled(tensors.size(), 1);
    shape[i] = tensors[i].numel();
    const Tensor grid = expand(reshape(tensors[i], shape), sizes);
    grids.push_back(swap ? transpose(grid, 0, 1) : grid);
  }
  return grids;
}

Tensor cartesian_prod(TensorList tensors) {
  CallSite site(TAPIR_HERE);
  if (tensors.size() == 1) return tensors[0];
  return stack(each(meshgrid(tensors), ravel), 1);
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() == 1, "combinations: got sizes {}, expected one dimension", x.sizes());
  TAPIR_CHECK_AS(ValueError, r >= 0, "combinations: r = {} is negative", r);
  if (r == 0) return Tensor::empty({0}, x.dtype(), x.device());
  const int64_t n = x.numel();
  std::vector<int64_t> all, now;
  const auto extend = [&](auto& self, int64_t from) -> void {
    if (static_cast<int64_t>(now.size()) == r) {
      all.insert(all.end(), now.begin(), now.end());
      return;
    }
    for (int64_t i = from; i < n; ++i) {
      now.push_back(i);
      self(self, with_replacement ? i : i + 1);
      now.pop_back();
    }
  };
  extend(extend, 0);
  const int64_t count = static_cast<int64_t>(all.size()) / r;
  return reshape(index_select(x, 0, from_vector(all, x.device())), {count, r});
}

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  TAPIR_CHECK_AS(DTypeError, x.dtype() == kInt64, "one_hot: got a tensor of {}, expected int64", x.dtype());
  TAPIR_CHECK_AS(ValueError, num_classes > 0 || (num_classes == -1 && x.numel() > 0),
                 "one_hot: {} classes for a tensor of sizes {}", num_classes, x.sizes());
  int64_t n = num_classes;
  if (x.numel() > 0) {
    const int64_t low = raw::item(raw::min(x)).to_int64(), high = raw::item(raw::max(x)).to_int64();
    TAPIR_CHECK_AS(ValueError, n > 0 || high < std::numeric_limits<int64_t>::max(),
                   "one_hot: class {} is too large; give num_classes", high);
    if (n < 0) n = std::max<int64_t>(0, high) + 1;
    TAPIR_CHECK_AS(IndexError, low >= 0 && high < n,
                   "one_hot: class {} is out of range for {} classes; expected [0, {}]", low < 0 ? low : high,
                   n, n - 1);
  }
  Dims sizes = x.layout_of().sizes;
  sizes.push_back(n);
  return scatter(raw::zeros(sizes, kInt64, x.device()), -1, unsqueeze(x, -1), Scalar(1));
}

}  // namespace tapir
