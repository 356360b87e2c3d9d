#include "tapir/tensor/ops/pool.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

void Band::add_row(int64_t first, const std::vector<double>& values) {
  begin.push_back(first);
  weights.insert(weights.end(), values.begin(), values.end());
  offset.push_back(static_cast<int64_t>(weights.size()));
}

Band Band::transposed() const {
  Band t;
  t.columns = rows();
  std::vector<int64_t> first(static_cast<size_t>(columns), rows()), last(static_cast<size_t>(columns), -1);
  const auto each = [&](auto f) {
    for (int64_t p = 0; p < rows(); ++p)
      for (int64_t i = offset[static_cast<size_t>(p)]; i < offset[static_cast<size_t>(p) + 1]; ++i)
        f(p, static_cast<size_t>(begin[static_cast<size_t>(p)] + i - offset[static_cast<size_t>(p)]),
          weights[static_cast<size_t>(i)]);
  };
  each([&](int64_t p, size_t c, double) {
    first[c] = std::min(first[c], p);
    last[c] = std::max(last[c], p);
  });
  for (size_t c = 0; c < first.size(); ++c)
    t.add_row(last[c] < 0 ? 0 : first[c],
              std::vector<double>(static_cast<size_t>(last[c] < 0 ? 0 : last[c] - first[c] + 1), 0));
  each([&](int64_t p, size_t c, double w) {
    t.weights[static_cast<size_t>(t.offset[c] + p - first[c])] += w;
  });
  return t;
}

Tensor banded(const char* op, const Tensor& x_in, int64_t dim, const Band& band) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x_in.dtype()),
                 "{}: got a tensor of {}, expected a floating-point dtype; cast it with to(dtype)", op,
                 x_in.dtype());
  const Tensor x = contiguous(x_in);
  Dims sizes = x.sizes();
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < x.dim(); ++d) (d < dim ? outer : inner) *= d == dim ? 1 : x.size(d);
  sizes[static_cast<size_t>(dim)] = band.rows();
  Tensor y = Tensor::empty(sizes, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  require(&KernelTable::banded, x.device(),
          op)({x.dtype(), x.data_ptr(), y.data_ptr(), band.begin.data(), band.offset.data(),
               band.weights.data(), outer, band.columns, band.rows(), inner});
  return y;
}

MaxPoolResult max_pool(const char* op, const Tensor& x_in, const Windows& w) {
  TAPIR_CHECK_AS(DTypeError, x_in.dtype() != kBool,
                 "{}: got a tensor of bool, expected numbers; cast it with to(dtype)", op);
  const bool widened = !is_floating_point(x_in.dtype()) && x_in.dtype() != kInt64;
  const Tensor x = contiguous(widened ? cast(x_in, kInt64) : x_in);
  const size_t spatial = w.begin.size(), lead = static_cast<size_t>(x.dim()) - spatial;
  Dims sizes = x.sizes();
  MaxPoolArgs a;
  a.planes = 1;
  for (size_t d = 0; d < lead; ++d) a.planes *= sizes[d];
  static constexpr int64_t kZero = 0, kOne = 1;
  for (size_t d = 0; d < kMaxSpatial; ++d) {
    const bool there = d + spatial >= kMaxSpatial;
    const size_t i = d + spatial - kMaxSpatial;
    a.in[d] = there ? sizes[lead + i] : 1;
    a.out[d] = there ? static_cast<int64_t>(w.count[i].size()) : 1;
    a.step[d] = there ? w.step[i] : 1;
    a.begin[d] = there ? w.begin[i].data() : &kZero;
    a.count[d] = there ? w.count[i].data() : &kOne;
    if (there) sizes[lead + i] = a.out[d];
  }
  MaxPoolResult r{Tensor::empty(sizes, x.dtype(), x.device()), Tensor::empty(sizes, kInt64, x.device())};
  // The dimensions that are not there have one window, whichever plane it is.
  std::vector<int64_t> zeros;
  if (w.own && spatial < kMaxSpatial) {
    zeros.assign(static_cast<size_t>(a.planes), 0);
    for (size_t d = 0; d + spatial < kMaxSpatial; ++d) a.begin[d] = zeros.data();
  }
  if (r.y.numel() > 0) {
    a.dtype = x.dtype();
    a.x = x.data_ptr();
    a.y = r.y.data_ptr();
    a.indices = r.indices.data_ptr<int64_t>();
    a.own_windows = w.own;
    require(&KernelTable::max_pool, x.device(), op)(a);
  }
  if (widened) r.y = cast(r.y, x_in.dtype());
  return r;
}

}  // namespace tapir::raw
