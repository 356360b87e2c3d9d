#include "tapir/autograd/functions/embedding_bag.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"

namespace tapir {

namespace {

/// An index as int64 on the host.
struct Integers {
  Tensor tensor;
  const int64_t* p;
  int64_t n;
  const int64_t* begin() const { return p; }
  const int64_t* end() const { return p + n; }
  int64_t operator[](int64_t i) const { return p[i]; }
};

Integers integers(const Tensor& t, const char* what) {
  TAPIR_CHECK_AS(ShapeError, t.dim() == 1, "embedding_bag: {} has sizes {}, expected one dimension", what,
                 t.sizes());
  TAPIR_CHECK_AS(DTypeError, t.dtype() == kInt64 || t.dtype() == kInt32,
                 "embedding_bag: {} of {}, expected int64 or int32", what, t.dtype());
  const Tensor here = raw::contiguous(raw::to_device(raw::cast(t, kInt64), kCPU));
  return {here, here.data_ptr<int64_t>(), here.numel()};
}

// --- sums of rows ---

/// (count, d): y[to[i]] = the sum of factor[i] * src[from[i]]. The gradient of src is scaled by
/// `grad_factor` (n), where given, and kept by rows where `sparse`.
struct RowSum {
  Tensor from, to;
  int64_t count;
  Tensor grad_factor = {};
  bool sparse = false;
};
Tensor sum_rows(const Tensor& src, const Tensor& factor, const RowSum& s);

struct DotRowsBackward final : NodeOf<2, 4> {
  const char* type_name() const override { return "DotRowsBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor a = saved(0), b = saved(1), a_index = saved(2), b_index = saved(3);
    if (sink.wants(0)) sink.set(0, sum_rows(b, g[0], {b_index, a_index, a.size(0)}));
    if (sink.wants(1)) sink.set(1, sum_rows(a, g[0], {a_index, b_index, b.size(0)}));
  }
};

/// (n): the products of rows a[a_index[i]] and b[b_index[i]].
Tensor dot_rows(const Tensor& a, const Tensor& a_index, const Tensor& b, const Tensor& b_index) {
  Tensor y = raw::dot_rows(a, a_index, b, b_index, "embedding_bag");
  if (recording(a, b)) record<DotRowsBackward>(TAPIR_HERE, y, a, b)->save(a, b, a_index, b_index);
  return y;
}

/// The distinct values of an index into `count` rows, ascending, and which of them each is.
std::pair<Tensor, Tensor> distinct(const Tensor& index, int64_t count) {
  const Tensor here = raw::to_device(index, kCPU), place = Tensor::empty({here.numel()}, kInt64);
  const int64_t n = here.numel(), *const p = here.data_ptr<int64_t>();
  int64_t* const to = place.data_ptr<int64_t>();
  std::vector<int64_t> values;
  if (count <= 32 * n) {  // a table of all rows is cheaper than sorting
    std::vector<int64_t> place_of(static_cast<size_t>(count), -1);
    for (int64_t i = 0; i < n; ++i) place_of[static_cast<size_t>(p[i])] = 0;
    for (int64_t r = 0; r < count; ++r) {
      if (place_of[static_cast<size_t>(r)] < 0) continue;
      place_of[static_cast<size_t>(r)] = static_cast<int64_t>(values.size());
      values.push_back(r);
    }
    for (int64_t i = 0; i < n; ++i) to[i] = place_of[static_cast<size_t>(p[i])];
  } else {
    values.assign(p, p + n);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (int64_t i = 0; i < n; ++i)
      to[i] = std::lower_bound(values.begin(), values.end(), p[i]) - values.begin();
  }
  return {raw::to_device(tensor(values, kInt64), index.device()), raw::to_device(place, index.device())};
}

struct SumRowsBackward final : NodeOf<2, 4> {
  const char* type_name() const override { return "EmbeddingBagBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], factor = saved(1), from = saved(2), to = saved(3);
    if (sink.wants(1)) sink.set(1, dot_rows(g, to, saved(0), from));
    if (!sink.wants(0)) return;
    Tensor f = factor;
    if (grad_factor.defined()) f = f.defined() ? mul(f, grad_factor) : grad_factor;
    if (!sink.deferring()) {
      sink.set(0, sum_rows(g, f, {to, from, rows}));
    } else if (sparse) {
      const auto [named, place] = distinct(from, rows);
      const Tensor values = raw::zeros({named.numel(), g.size(1)}, g.dtype(), g.device());
      raw::add_picked_rows(values, place, g, to, f, type_name());
      sink.add_rows(0, named, values, -1);
    } else {
      raw::add_picked_rows(sink.accumulator(0), from, g, to, f, type_name());
    }
  }
  Tensor grad_factor;
  int64_t rows;
  bool sparse;
};

Tensor sum_rows(const Tensor& src, const Tensor& factor, const RowSum& s) {
  Tensor y = raw::zeros({s.count, src.size(1)}, src.dtype(), src.device());
  raw::add_picked_rows(y, s.to, src, s.from, factor, "embedding_bag");
  if (recording(src, factor)) {
    auto* node = record<SumRowsBackward>(TAPIR_HERE, y, src, factor);
    if (requires_grad(factor)) node->save_input(0, src);
    node->save_input(1, factor);
    node->save_input(2, s.from);
    node->save_input(3, s.to);
    node->grad_factor = s.grad_factor;
    node->sparse = s.sparse;
    node->rows = src.size(0);
  }
  return y;
}

/// 1 / how often each value occurs, for each.
Tensor inverse_frequency(const Tensor& index_in, const Tensor& like) {
  const Integers index = integers(index_in, "indices");
  std::unordered_map<int64_t, int64_t> counts;
  for (const int64_t i : index) ++counts[i];
  std::vector<double> inverse;
  for (const int64_t i : index) inverse.push_back(1 / static_cast<double>(counts[i]));
  return raw::to_device(tensor(inverse, like.dtype()), like.device());
}

// --- maxima ---

/// The row that gives each bag its largest value in each column: the first of equal ones, and of a NaN.
template <class T>
void find_largest(const Tensor& weight, const Integers& rows, const Integers& bag, int64_t padding,
                  int64_t* out) {
  const int64_t columns = weight.size(1);
  const T* const w = weight.data_ptr<T>();
  for (int64_t i = 0; i < bag.n; ++i) {
    if (rows[i] == padding) continue;
    int64_t* const best = out + bag[i] * columns;
    const T* const row = w + rows[i] * columns;
    for (int64_t j = 0; j < columns; ++j) {
      const bool better = best[j] < 0 || row[j] > w[best[j] * columns + j] ||
                          (row[j] != row[j] && w[best[j] * columns + j] == w[best[j] * columns + j]);
      if (better) best[j] = rows[i];
    }
  }
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor, Tensor> embedding_bag(const Tensor& weight, const Tensor& indices,
                                                         const Tensor& offsets, bool scale_grad_by_freq,
                                                         int64_t mode, bool sparse,
                                                         const Tensor& per_sample_weights,
                                                         bool include_last_offset,
                                                         std::optional<int64_t> padding_idx) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, weight.dim() == 2,
                 "embedding_bag: weight has sizes {}, expected (rows, columns)", weight.sizes());
  TAPIR_CHECK_AS(ValueError, mode >= 0 && mode <= 2,
                 "embedding_bag: mode is {}, expected 0 (sum), 1 (mean) or 2 (max)", mode);
  TAPIR_CHECK_AS(ValueError, mode != 2 || (!scale_grad_by_freq && !sparse),
                 "embedding_bag: mode max takes neither scale_grad_by_freq nor sparse");
  const int64_t count = weight.size(0), columns = weight.size(1);
  const Integers rows = integers(indices, "indices"), starts = integers(offsets, "offsets");
  const int64_t n = rows.n;
  bool bad = false;
  for (const int64_t r : rows) bad |= static_cast<uint64_t>(r) >= static_cast<uint64_t>(count);
  if (TAPIR_UNLIKELY(bad))
    throw_error<IndexError>(
        "embedding_bag: index {} is out of range for {} rows",
        *std::find_if(rows.begin(), rows.end(), [&](int64_t r) { return r < 0 || r >= count; }), count);
  int64_t padding = padding_idx.value_or(-1);
  TAPIR_CHECK_AS(ValueError, !padding_idx || (padding >= -count && padding < count),
                 "embedding_bag: padding_idx is {}, expected one of {} rows", padding, count);
  if (padding_idx && padding < 0) padding += count;
  TAPIR_CHECK_AS(ValueError, !include_last_offset || starts.n > 0,
                 "embedding_bag: include_last_offset needs at least one offset");
  TAPIR_CHECK_AS(ValueError, starts.n == 0 || starts[0] == 0,
                 "embedding_bag: offsets start with {}, expected 0", starts.n == 0 ? 0 : starts[0]);
  for (int64_t b = 0; b < starts.n; ++b)
    TAPIR_CHECK_AS(ValueError, starts[b] <= n && (b == 0 || starts[b] >= starts[b - 1]),
                   "embedding_bag: offset {} is {}; expected offsets that do not fall, up to the {} indices",
                   b, starts[b], n);
  if (per_sample_weights.defined()) {
    TAPIR_CHECK_AS(ValueError, mode == 0, "embedding_bag: per_sample_weights are for mode sum");
    TAPIR_CHECK_AS(ShapeError, per_sample_weights.sizes() == indices.sizes(),
                   "embedding_bag: per_sample_weights has sizes {}, expected those of indices, {}",
                   per_sample_weights.sizes(), indices.sizes());
    TAPIR_CHECK_AS(DTypeError, per_sample_weights.dtype() == weight.dtype(),
                   "embedding_bag: per_sample_weights of {}, expected weight's {}",
                   per_sample_weights.dtype(), weight.dtype());
  }

  const int64_t bags = starts.n - (include_last_offset ? 1 : 0);
  // Indices after the last end are in no bag.
  const int64_t used = include_last_offset ? starts[starts.n - 1] : bags > 0 ? n : 0;
  const Tensor bag = Tensor::empty({used}, kInt64), sizes = Tensor::empty({bags}, kInt64);
  for (int64_t b = 0; b < bags; ++b) {
    const int64_t begin = starts[b], end = b + 1 < starts.n ? starts[b + 1] : n;
    std::fill(bag.data_ptr<int64_t>() + begin, bag.data_ptr<int64_t>() + end, b);
    sizes.data_ptr<int64_t>()[b] =
        end - begin - (padding_idx ? std::count(rows.p + begin, rows.p + end, padding) : 0);
  }
  const auto on_device = [&](const Tensor& t) { return raw::to_device(t, weight.device()); };
  const Tensor bag_of = on_device(bag), bag_size = on_device(sizes);

  if (mode == 2) {
    Tensor at = raw::full({bags, columns}, -1, kInt64);
    const Tensor values = raw::contiguous(raw::to_device(weight.detach(), kCPU));
    const Integers bag_here = integers(bag, "bags");
    if (values.dtype() == kFloat64)
      find_largest<double>(values, rows, bag_here, padding, at.data_ptr<int64_t>());
    else
      find_largest<float>(raw::cast(values, kFloat32), rows, bag_here, padding, at.data_ptr<int64_t>());
    at = raw::to_device(at, weight.device());
    const Tensor empty = lt(at, Scalar(0));
    if (count == 0 || bags == 0)
      return {raw::zeros({bags, columns}, weight.dtype(), weight.device()), bag_of, bag_size, at};
    const Tensor rows_at = clamp_min(at, Scalar(0));
    return {masked_fill(gather(weight, 0, rows_at), empty, Scalar(0)), bag_of, bag_size, rows_at};
  }

  Tensor factor = per_sample_weights;
  if (factor.defined() && used < n) factor = narrow(factor, 0, 0, used);
  RowSum sum{on_device(used < n ? narrow(rows.tensor, 0, 0, used) : rows.tensor), bag_of, bags, {}, sparse};
  if (padding_idx && std::find(rows.p, rows.p + used, padding) != rows.p + used) {  // it is in no bag
    const Tensor kept = reshape(raw::nonzero(ne(sum.from, Scalar(padding))), {-1});
    sum.from = raw::index_select(sum.from, 0, kept);
    sum.to = raw::index_select(sum.to, 0, kept);
    if (factor.defined()) factor = index_select(factor, 0, kept);
  }
  if (scale_grad_by_freq) sum.grad_factor = inverse_frequency(sum.from, weight);
  Tensor y = sum_rows(weight, factor, sum);
  if (mode == 1) y = div(y, unsqueeze(raw::cast(clamp_min(bag_size, Scalar(1)), weight.dtype()), 1));
  return {y, bag_of, bag_size, raw::to_device(Tensor::empty({0}, kInt64), weight.device())};
}

}  // namespace tapir
