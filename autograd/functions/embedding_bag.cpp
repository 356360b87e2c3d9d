#include "tapir/autograd/functions/embedding_bag.h"

#include <vector>

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace {

std::vector<int64_t> integers(const Tensor& t, const char* what) {
  TAPIR_CHECK_AS(ShapeError, t.dim() == 1, "embedding_bag: {} has sizes {}, expected one dimension", what,
                 t.sizes());
  TAPIR_CHECK_AS(DTypeError, t.dtype() == kInt64 || t.dtype() == kInt32,
                 "embedding_bag: {} of {}, expected int64 or int32", what, t.dtype());
  const Tensor here = raw::contiguous(raw::to_device(raw::cast(t, kInt64), kCPU));
  const int64_t* p = here.data_ptr<int64_t>();
  return {p, p + here.numel()};
}

/// The row that gives each bag its largest value in each column: the first of equal ones, and of a NaN.
template <class T>
void find_largest(const Tensor& weight, const std::vector<int64_t>& rows, const std::vector<int64_t>& bag,
                  int64_t padding, int64_t* out) {
  const int64_t columns = weight.size(1);
  const T* const w = weight.data_ptr<T>();
  for (size_t i = 0; i < rows.size(); ++i) {
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
  const std::vector<int64_t> rows = integers(indices, "indices"), starts = integers(offsets, "offsets");
  const int64_t n = static_cast<int64_t>(rows.size());
  for (const int64_t r : rows)
    TAPIR_CHECK_AS(IndexError, r >= 0 && r < count, "embedding_bag: index {} is out of range for {} rows", r,
                   count);
  int64_t padding = padding_idx.value_or(-1);
  TAPIR_CHECK_AS(ValueError, !padding_idx || (padding >= -count && padding < count),
                 "embedding_bag: padding_idx is {}, expected one of {} rows", padding, count);
  if (padding_idx && padding < 0) padding += count;
  TAPIR_CHECK_AS(ValueError, !include_last_offset || !starts.empty(),
                 "embedding_bag: include_last_offset needs at least one offset");
  TAPIR_CHECK_AS(ValueError, starts.empty() || starts.front() == 0,
                 "embedding_bag: offsets start with {}, expected 0", starts.empty() ? 0 : starts.front());
  for (size_t b = 0; b < starts.size(); ++b)
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

  const int64_t bags = static_cast<int64_t>(starts.size()) - (include_last_offset ? 1 : 0);
  std::vector<int64_t> bag(rows.size(), bags), sizes(static_cast<size_t>(bags), 0);
  for (int64_t b = 0; b < bags; ++b) {
    const int64_t end = b + 1 < static_cast<int64_t>(starts.size()) ? starts[static_cast<size_t>(b) + 1] : n;
    for (int64_t i = starts[static_cast<size_t>(b)]; i < end; ++i) {
      bag[static_cast<size_t>(i)] = b;
      sizes[static_cast<size_t>(b)] += rows[static_cast<size_t>(i)] != padding;
    }
  }
  // Indices after the last end are in no bag.
  const int64_t used = include_last_offset ? starts.back() : bags > 0 ? n : 0;
  const auto on_device = [&](const std::vector<int64_t>& v) {
    return raw::to_device(tensor(v, kInt64), weight.device());
  };
  const Tensor bag_of = on_device({bag.begin(), bag.begin() + used}), bag_size = on_device(sizes);

  if (mode == 2) {
    Tensor at = raw::full({bags, columns}, -1, kInt64);
    const Tensor values = raw::contiguous(raw::to_device(weight.detach(), kCPU));
    const std::vector<int64_t> named(rows.begin(), rows.begin() + used);
    if (values.dtype() == kFloat64)
      find_largest<double>(values, named, bag, padding, at.data_ptr<int64_t>());
    else
      find_largest<float>(raw::cast(values, kFloat32), named, bag, padding, at.data_ptr<int64_t>());
    at = raw::to_device(at, weight.device());
    const Tensor empty = lt(at, Scalar(0));
    if (count == 0 || bags == 0)
      return {raw::zeros({bags, columns}, weight.dtype(), weight.device()), bag_of, bag_size, at};
    const Tensor rows_at = clamp_min(at, Scalar(0));
    return {masked_fill(gather(weight, 0, rows_at), empty, Scalar(0)), bag_of, bag_size, rows_at};
  }

  const Tensor index = narrow(indices, 0, 0, used);
  Tensor picked = embedding(weight, index, padding, scale_grad_by_freq, sparse);  // (used, columns)
  if (per_sample_weights.defined())
    picked = mul(picked, unsqueeze(narrow(per_sample_weights, 0, 0, used), 1));
  if (padding >= 0) picked = masked_fill(picked, unsqueeze(eq(index, Scalar(padding)), 1), Scalar(0));
  Tensor y = index_add(raw::zeros({bags, columns}, weight.dtype(), weight.device()), 0, bag_of, picked);
  if (mode == 1) y = div(y, unsqueeze(raw::cast(clamp_min(bag_size, Scalar(1)), weight.dtype()), 1));
  return {y, bag_of, bag_size, on_device({})};
}

}  // namespace tapir
