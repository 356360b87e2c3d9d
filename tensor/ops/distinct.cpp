// Ops that count and look up values: unique, bincount, histc, searchsorted. They run on the CPU.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/index_checks.h"
#include "tapir/tensor/ops/reduce.h"
#include "tapir/tensor/ops/sort.h"

namespace tapir::raw {

namespace {

/// Runs of equal items, visited in `order`: same(a, b) tells whether items a and b are equal. `first` gets an
/// item of each run.
template <class Same>
Distinct runs(int64_t n, const int64_t* order, Same same, std::vector<int64_t>& first) {
  Tensor inverse = Tensor::empty({n}, kInt64);
  int64_t* to = inverse.data_ptr<int64_t>();
  std::vector<int64_t> counts;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = order ? order[i] : i;
    if (i == 0 || !same(first.back(), at)) {
      first.push_back(at);
      counts.push_back(0);
    }
    ++counts.back();
    to[at] = static_cast<int64_t>(counts.size()) - 1;
  }
  Tensor c = Tensor::empty({static_cast<int64_t>(counts.size())}, kInt64);
  std::copy(counts.begin(), counts.end(), c.data_ptr<int64_t>());
  return {{}, inverse, c};
}

Tensor from_vector(const std::vector<int64_t>& v) {
  Tensor t = Tensor::empty({static_cast<int64_t>(v.size())}, kInt64);
  std::copy(v.begin(), v.end(), t.data_ptr<int64_t>());
  return t;
}

Distinct on_device(Distinct d, Device device) {
  return {to_device(d.values, device), to_device(d.inverse, device), to_device(d.counts, device)};
}

}  // namespace

Distinct distinct(const Tensor& source, bool consecutive) {
  const Tensor x = contiguous(to_device(source, kCPU));
  const int64_t n = x.numel();
  const Tensor order = consecutive ? Tensor() : sort(x, 0, false, "unique").second;
  std::vector<int64_t> first;
  Distinct d = visit_dtype(x.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* p = x.data_ptr<T>();
    return runs(
        n, order.defined() ? order.data_ptr<int64_t>() : nullptr,
        [=](int64_t a, int64_t b) { return p[a] == p[b]; }, first);
  });
  d.values = index_select(x, 0, from_vector(first));
  return on_device(d, source.device());
}

Distinct distinct_slices(const Tensor& source, int64_t dim, bool consecutive) {
  const Tensor cpu = to_device(source, kCPU);
  const Layout& l = cpu.layout_of();
  const int64_t d = l.wrap_dim(dim, "unique_dim");
  TAPIR_CHECK_AS(ShapeError, l.dim() > 0, "unique_dim: a tensor without dimensions has no slices");
  const Tensor x = contiguous(cpu.alias(l.transpose(0, d)));
  const int64_t n = x.size(0), width = n > 0 ? x.numel() / n : 0;
  std::vector<int64_t> first;
  Distinct r = visit_dtype(x.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* p = x.data_ptr<T>();
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    if (!consecutive)
      std::stable_sort(order.begin(), order.end(), [=](int64_t a, int64_t b) {
        for (int64_t i = 0; i < width; ++i) {
          const T u = p[a * width + i], v = p[b * width + i];
          const bool nan_u = u != u, nan_v = v != v;
          if (nan_u || nan_v) {
            if (nan_u != nan_v) return nan_v;
          } else if (u != v) {
            return u < v;
          }
        }
        return false;
      });
    return runs(
        n, order.data(),
        [=](int64_t a, int64_t b) { return std::equal(p + a * width, p + (a + 1) * width, p + b * width); },
        first);
  });
  r.values = index_select(cpu, d, from_vector(first));
  return on_device(r, source.device());
}

Tensor bincount(const Tensor& source, const Tensor& weights_in, int64_t minlength) {
  TAPIR_CHECK_AS(DTypeError, is_integral(source.dtype()), "bincount: got a tensor of {}, expected integers",
                 source.dtype());
  TAPIR_CHECK_AS(ShapeError, source.dim() == 1, "bincount: got sizes {}, expected one dimension",
                 source.sizes());
  TAPIR_CHECK_AS(ValueError, minlength >= 0, "bincount: minlength {} is negative", minlength);
  const Tensor x = contiguous(cast(to_device(source, kCPU), kInt64));
  const int64_t* p = x.data_ptr<int64_t>();
  const int64_t n = x.numel();
  int64_t size = minlength;
  for (int64_t i = 0; i < n; ++i) {
    TAPIR_CHECK_AS(ValueError, p[i] >= 0 && p[i] < std::numeric_limits<int64_t>::max(),
                   "bincount: element {} is {}, expected a number from 0 on whose successor is an int64", i,
                   p[i]);
    size = std::max(size, p[i] + 1);
  }
  if (!weights_in.defined()) {
    Tensor out = zeros({size}, kInt64);
    int64_t* to = out.data_ptr<int64_t>();
    for (int64_t i = 0; i < n; ++i) ++to[p[i]];
    return to_device(out, source.device());
  }
  TAPIR_CHECK_AS(ShapeError, weights_in.sizes() == source.sizes(),
                 "bincount: weights of sizes {} for values of sizes {}", weights_in.sizes(), source.sizes());
  const Tensor weights =
      contiguous(cast(to_device(weights_in, kCPU), weights_in.dtype() == kFloat32 ? kFloat32 : kFloat64));
  Tensor out = zeros({size}, weights.dtype());
  add_rows(out, 0, x, weights, -1, "bincount");
  return to_device(out, source.device());
}

Tensor histc(const Tensor& source, int64_t bins, double low, double high) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(source.dtype()),
                 "histc: got a tensor of {}, expected a floating-point dtype", source.dtype());
  TAPIR_CHECK_AS(ValueError, bins > 0, "histc: {} bins, expected one or more", bins);
  const Tensor x = contiguous(to_device(source, kCPU));
  Tensor counts = zeros({bins}, kInt64);
  int64_t* to = counts.data_ptr<int64_t>();
  visit_dtype(x.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    using A = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const T* p = x.data_ptr<T>();
    const int64_t n = x.numel();
    if (low == high && n > 0) {
      low = item(min(x)).to_double();
      high = item(max(x)).to_double();
    }
    if (low == high) {
      low -= 1;
      high += 1;
    }
    TAPIR_CHECK_AS(ValueError, std::isfinite(low) && std::isfinite(high),
                   "histc: the range [{}, {}] is not finite", low, high);
    TAPIR_CHECK_AS(ValueError, low < high, "histc: max {} must be larger than min {}", high, low);
    const A from = static_cast<A>(low), until = static_cast<A>(high);
    for (int64_t i = 0; i < n; ++i) {
      const A v = static_cast<A>(p[i]);
      if (!(v >= from && v <= until)) continue;
      const int64_t bin = static_cast<int64_t>((v - from) * static_cast<A>(bins) / (until - from));
      ++to[std::min(bin, bins - 1)];
    }
  });
  return to_device(cast(counts, source.dtype()), source.device());
}

Tensor searchsorted(const Tensor& sorted_in, const Tensor& values_in, bool out_int32, bool right,
                    const Tensor& sorter_in, const char* op) {
  TAPIR_CHECK_AS(DTypeError, sorted_in.dtype() == values_in.dtype(),
                 "{}: boundaries of {} and values of {}; cast one of them", op, sorted_in.dtype(),
                 values_in.dtype());
  TAPIR_CHECK_AS(ShapeError, sorted_in.dim() > 0, "{}: boundaries without dimensions, expected one or more",
                 op);
  const int64_t dims = sorted_in.dim();
  bool fits = dims == 1 || dims == values_in.dim();
  for (int64_t d = 0; fits && dims > 1 && d < dims - 1; ++d) fits = sorted_in.size(d) == values_in.size(d);
  TAPIR_CHECK_AS(ShapeError, fits,
                 "{}: boundaries of sizes {} do not fit values of sizes {}; all dimensions but "
                 "the last must agree, or boundaries have one dimension",
                 op, sorted_in.sizes(), values_in.sizes());
  const Tensor sorted = contiguous(to_device(sorted_in, kCPU)),
               values = contiguous(to_device(values_in, kCPU));
  const int64_t n = sorted.size(-1);
  Tensor sorter;
  if (sorter_in.defined()) {
    TAPIR_CHECK_AS(ShapeError, sorter_in.sizes() == sorted_in.sizes(),
                   "{}: a sorter of sizes {} for boundaries of sizes {}", op, sorter_in.sizes(),
                   sorted_in.sizes());
    sorter = to_device(checked_index(op, sorter_in, dims - 1, n, sorter_in.device()), kCPU);
  }
  Tensor out = Tensor::empty(values.sizes(), kInt64);
  int64_t* to = out.data_ptr<int64_t>();
  const int64_t row = dims == 1 ? values.numel() : values.size(-1);
  visit_dtype(sorted.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    const T* v = values.data_ptr<T>();
    for (int64_t i = 0; i < values.numel(); ++i) {
      const int64_t o = dims == 1 ? 0 : i / row;
      const T* p = sorted.data_ptr<T>() + o * n;
      const int64_t* order = sorter.defined() ? sorter.data_ptr<int64_t>() + o * n : nullptr;
      const T x = v[i];
      int64_t lo = 0, hi = n;  // NaN comes after every number
      while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        const T at = p[order ? order[mid] : mid];
        if (right ? !(at > x) : !(at >= x))
          lo = mid + 1;
        else
          hi = mid;
      }
      to[i] = lo;
    }
  });
  return to_device(out_int32 ? cast(out, kInt32) : out, values_in.device());
}

}  // namespace tapir::raw
