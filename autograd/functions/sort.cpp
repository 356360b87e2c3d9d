#include "tapir/autograd/functions/sort.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/sort.h"

namespace tapir {

namespace {

using Pair = std::pair<Tensor, Tensor>;

/// Values and places along `dim`, recorded.
std::tuple<Tensor, Tensor> chosen(Pair r, const Tensor& x, int64_t dim, const void* site) {
  detail::record_gather(r.first, x, dim, r.second, site);
  return {std::move(r.first), std::move(r.second)};
}
/// The same where `dim` has size 1 and goes, unless `keepdim`.
std::tuple<Tensor, Tensor> chosen_one(Pair r, const Tensor& x, int64_t dim, bool keepdim, const void* site) {
  auto [values, indices] = chosen(std::move(r), x, dim, site);
  if (keepdim || x.dim() == 0) return {values, indices};
  return {squeeze(values, dim), squeeze(indices, dim)};
}

}  // namespace

std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending) {
  return chosen(raw::sort(x, dim, descending, "sort"), x, dim, TAPIR_HERE);
}
std::tuple<Tensor, Tensor> sort(const Tensor& x, std::optional<bool>, int64_t dim, bool descending) {
  return chosen(raw::sort(x, dim, descending, "sort"), x, dim, TAPIR_HERE);
}
Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  return raw::sort(x, dim, descending, "argsort").second;
}
Tensor argsort(const Tensor& x, bool, int64_t dim, bool descending) { return argsort(x, dim, descending); }
Tensor msort(const Tensor& x) {
  CallSite site(TAPIR_HERE);
  return std::get<0>(sort(x, 0, false));
}

std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  TAPIR_CHECK_AS(ValueError, k >= 0, "topk: k = {} is negative", k);
  return chosen(raw::sort(x, dim, largest, "topk", k, sorted), x, dim, TAPIR_HERE);
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  return chosen_one(raw::select_kth(x, dim, k - 1, false, false, "kthvalue"), x, dim, keepdim, TAPIR_HERE);
}
std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  const int64_t k = x.dim() == 0 ? 0 : std::max<int64_t>(0, x.size(dim) - 1) / 2;
  return chosen_one(raw::select_kth(x, dim, k, true, false, "median"), x, dim, keepdim, TAPIR_HERE);
}
std::tuple<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  const int64_t k = x.dim() == 0 ? 0 : std::max<int64_t>(0, x.size(dim) - 1) / 2;
  return chosen_one(raw::select_kth(x, dim, k, false, true, "nanmedian"), x, dim, keepdim, TAPIR_HERE);
}

std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim, bool keepdim) {
  CallSite site(TAPIR_HERE);
  if (x.dim() == 0) return {clone(x), raw::zeros({}, kInt64, x.device())};
  TAPIR_CHECK_AS(ShapeError, x.size(dim) > 0,
                 "mode: sizes {} have no element to choose from along dimension {}", x.sizes(), dim);
  const int64_t d = x.layout_of().wrap_dim(dim, "mode"), n = x.size(d);
  Tensor where_;
  {
    NoGradGuard no_grad;
    // Of sorted rows: the end of the longest run, the first of several; the sort is stable, so the last
    // place.
    const auto [sorted, order] = raw::sort(x.detach(), d, false, "mode");
    const Tensor s = contiguous(transpose(sorted, d, -1));
    const int64_t rows = s.numel() / n;
    Tensor at = raw::zeros({rows}, kInt64);
    int64_t* to = at.data_ptr<int64_t>();
    visit_dtype(s.dtype(), [&]<class Tag>(Tag) {
      using T = typename Tag::type;
      for (int64_t r = 0; r < rows; ++r) {
        const T* p = s.data_ptr<T>() + r * n;
        int64_t longest = 0, run = 0;
        for (int64_t i = 0; i < n; ++i) {
          run = i > 0 && p[i] == p[i - 1] ? run + 1 : 1;
          if (run > longest) {
            longest = run;
            to[r] = i;
          }
        }
      }
    });
    Dims sizes = s.sizes();
    sizes[static_cast<size_t>(sizes.size() - 1)] = 1;
    where_ = gather(order, d, transpose(reshape(at, sizes), d, -1));
  }
  const Tensor values = gather(x, d, where_);
  return keepdim ? std::tuple(values, where_) : std::tuple(squeeze(values, d), squeeze(where_, d));
}

// --- quantiles ---

namespace {

Tensor quantiles(const Tensor& x, const Tensor& q, std::optional<int64_t> given, bool keepdim,
                 std::string_view interpolation, bool ignore_nan, const char* op) {
  TAPIR_CHECK_AS(DTypeError, x.dtype() == kFloat32 || x.dtype() == kFloat64,
                 "{}: got a tensor of {}, expected float32 or float64", op, x.dtype());
  TAPIR_CHECK_AS(ShapeError, x.numel() > 0, "{}: a tensor of sizes {} has no elements", op, x.sizes());
  TAPIR_CHECK_AS(ShapeError, q.dim() <= 1, "{}: q has sizes {}, expected a number or a vector", op,
                 q.sizes());
  TAPIR_CHECK_AS(DTypeError, q.dtype() == x.dtype(), "{}: q of {} for a tensor of {}", op, q.dtype(),
                 x.dtype());
  const bool known = interpolation == "linear" || interpolation == "lower" || interpolation == "higher" ||
                     interpolation == "midpoint" || interpolation == "nearest";
  TAPIR_CHECK_AS(ValueError, known,
                 "{}: interpolation is \"{}\", expected \"linear\", \"lower\", \"higher\", \"midpoint\" or "
                 "\"nearest\"",
                 op, interpolation);
  const bool along = given.has_value() && x.dim() > 0;
  const int64_t dim = along ? x.layout_of().wrap_dim(given.value_or(0), op) : 0;
  Tensor ranks, below, above, weight;
  const Tensor rows = along ? transpose(unsqueeze(x, -1), dim, -1) : reshape(x, {-1});
  const Tensor sorted = std::get<0>(sort(rows, -1, false));  // (..., n)
  {
    NoGradGuard no_grad;
    const int64_t n = sorted.size(-1);
    TAPIR_CHECK_AS(ValueError, all(logical_and(ge(q, Scalar(0)), le(q, Scalar(1)))).item<bool>(),
                   "{}: q must lie in [0, 1]", op);
    const Tensor each = reshape(q, {-1});  // (Q)
    if (ignore_nan) {
      const Tensor count = sum(logical_not(isnan(sorted)), -1, true);
      ranks = mul(each, clamp_min(to(sub(count, Scalar(1)), x.dtype()), 0));
    } else {
      const Tensor bad = isnan(narrow(sorted, -1, n - 1, 1));
      ranks = where(bad, Scalar(static_cast<double>(n - 1)), mul(each, Scalar(static_cast<double>(n - 1))));
      ranks = to(ranks, x.dtype());
    }
    if (interpolation == "lower") ranks = floor(ranks);
    if (interpolation == "higher") ranks = ceil(ranks);
    if (interpolation == "nearest") ranks = round(ranks);
    below = to(floor(ranks), kInt64);
    above = to(ceil(ranks), kInt64);
    weight = interpolation == "midpoint" ? raw::full(ranks.sizes(), 0.5, x.dtype(), x.device())
                                         : sub(ranks, floor(ranks));
  }
  Tensor y = gather(sorted, -1, below);
  if (interpolation == "linear" || interpolation == "midpoint") {
    const Tensor high = gather(sorted, -1, above), step = sub(high, y);
    y = where(lt(weight, Scalar(0.5)), add(y, mul(weight, step)), sub(high, mul(step, 1 - weight)));
  }
  // y is (..., 1 in the place of dim ..., Q): Q goes first, or away.
  if (!along && keepdim)
    y = reshape(y, [&] {
      Dims sizes = Dims::filled(static_cast<size_t>(x.dim()), 1);
      sizes.push_back(q.numel());
      return sizes;
    }());
  if (along && !keepdim) y = squeeze(y, dim);
  return q.dim() == 0 ? squeeze(y, -1) : movedim(y, -1, 0);
}

Tensor share(const Tensor& x, double q) { return raw::full({}, q, x.dtype(), x.device()); }

}  // namespace

Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                std::string_view interpolation) {
  CallSite site(TAPIR_HERE);
  return quantiles(x, share(x, q), dim, keepdim, interpolation, false, "quantile");
}
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                std::string_view interpolation) {
  CallSite site(TAPIR_HERE);
  return quantiles(x, q, dim, keepdim, interpolation, false, "quantile");
}
Tensor nanquantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                   std::string_view interpolation) {
  CallSite site(TAPIR_HERE);
  return quantiles(x, share(x, q), dim, keepdim, interpolation, true, "nanquantile");
}
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                   std::string_view interpolation) {
  CallSite site(TAPIR_HERE);
  return quantiles(x, q, dim, keepdim, interpolation, true, "nanquantile");
}

// --- distinct values ---

namespace {
std::tuple<Tensor, Tensor, Tensor> asked_for(raw::Distinct d, IntArrayRef sizes, bool inverse, bool counts) {
  const auto none = [&] { return Tensor::empty({0}, kInt64, d.values.device()); };
  return {d.values, inverse ? reshape(d.inverse, sizes) : none(), counts ? d.counts : none()};
}
}  // namespace

std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& x, bool, bool return_inverse, bool return_counts) {
  NoGradGuard no_grad;
  return asked_for(raw::distinct(reshape(x.detach(), {-1}), false), x.sizes(), return_inverse, return_counts);
}
std::tuple<Tensor, Tensor, Tensor> unique_dim(const Tensor& x, int64_t dim, bool, bool return_inverse,
                                              bool return_counts) {
  NoGradGuard no_grad;
  return asked_for(raw::distinct_slices(x.detach(), dim, false), {-1}, return_inverse, return_counts);
}
std::tuple<Tensor, Tensor, Tensor> unique_consecutive(const Tensor& x, bool return_inverse,
                                                      bool return_counts, std::optional<int64_t> dim) {
  NoGradGuard no_grad;
  if (dim)
    return asked_for(raw::distinct_slices(x.detach(), *dim, true), {-1}, return_inverse, return_counts);
  return asked_for(raw::distinct(reshape(x.detach(), {-1}), true), x.sizes(), return_inverse, return_counts);
}

// --- counting and looking up ---

Tensor bincount(const Tensor& x, const std::optional<Tensor>& weights, int64_t minlength) {
  return raw::bincount(x, weights ? weights->detach() : Tensor(), minlength);
}
Tensor histc(const Tensor& x, int64_t bins, const Scalar& min, const Scalar& max) {
  return raw::histc(x.detach(), bins, min.to_double(), max.to_double());
}

namespace {
bool goes_right(bool right, std::optional<std::string_view> side) {
  if (!side) return right;
  TAPIR_CHECK_AS(ValueError, *side == "left" || *side == "right",
                 "searchsorted: side is \"{}\", expected \"left\" or \"right\"", *side);
  TAPIR_CHECK_AS(ValueError, !(right && *side == "left"),
                 "searchsorted: side \"left\" contradicts right = true");
  return *side == "right";
}
/// `value` beside a tensor: in its dtype, or the default one where that is of integers and it is not.
std::pair<Tensor, Tensor> side_by_side(const Tensor& sorted, const Scalar& value) {
  const DType d =
      value.isFloatingPoint() && !is_floating_point(sorted.dtype()) ? get_default_dtype() : sorted.dtype();
  return {to(sorted, d), raw::full({}, value, d, sorted.device())};
}
}  // namespace

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool out_int32, bool right,
                    std::optional<std::string_view> side, const std::optional<Tensor>& sorter) {
  return raw::searchsorted(sorted.detach(), values.detach(), out_int32, goes_right(right, side),
                           sorter.value_or(Tensor()), "searchsorted");
}
Tensor searchsorted(const Tensor& sorted, const Scalar& value, bool out_int32, bool right,
                    std::optional<std::string_view> side, const std::optional<Tensor>& sorter) {
  const auto [from, v] = side_by_side(sorted.detach(), value);
  TAPIR_CHECK_AS(ShapeError, sorted.dim() == 1,
                 "searchsorted: boundaries of sizes {} for a number, expected one "
                 "dimension",
                 sorted.sizes());
  return raw::searchsorted(from, v, out_int32, goes_right(right, side), sorter.value_or(Tensor()),
                           "searchsorted");
}
Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool out_int32, bool right) {
  TAPIR_CHECK_AS(ShapeError, boundaries.dim() == 1,
                 "bucketize: boundaries of sizes {}, expected one dimension", boundaries.sizes());
  const DType d = promote_types(values.dtype(), boundaries.dtype());
  return raw::searchsorted(to(boundaries.detach(), d), to(values.detach(), d), out_int32, right, {},
                           "bucketize");
}
Tensor bucketize(const Scalar& value, const Tensor& boundaries, bool out_int32, bool right) {
  return searchsorted(boundaries, value, out_int32, right);
}

// --- methods ---

std::tuple<Tensor, Tensor> Tensor::sort(int64_t dim, bool descending) const {
  CallSite site(TAPIR_HERE);
  return tapir::sort(*this, dim, descending);
}
std::tuple<Tensor, Tensor> Tensor::sort(std::optional<bool> stable, int64_t dim, bool descending) const {
  CallSite site(TAPIR_HERE);
  return tapir::sort(*this, stable, dim, descending);
}
Tensor Tensor::argsort(int64_t dim, bool descending) const {
  CallSite site(TAPIR_HERE);
  return tapir::argsort(*this, dim, descending);
}
Tensor Tensor::argsort(bool stable, int64_t dim, bool descending) const {
  CallSite site(TAPIR_HERE);
  return tapir::argsort(*this, stable, dim, descending);
}
Tensor Tensor::msort() const {
  CallSite site(TAPIR_HERE);
  return tapir::msort(*this);
}
std::tuple<Tensor, Tensor> Tensor::topk(int64_t k, int64_t dim, bool largest, bool sorted) const {
  CallSite site(TAPIR_HERE);
  return tapir::topk(*this, k, dim, largest, sorted);
}
std::tuple<Tensor, Tensor> Tensor::kthvalue(int64_t k, int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::kthvalue(*this, k, dim, keepdim);
}
std::tuple<Tensor, Tensor> Tensor::median(int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::median(*this, dim, keepdim);
}
std::tuple<Tensor, Tensor> Tensor::nanmedian(int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::nanmedian(*this, dim, keepdim);
}
std::tuple<Tensor, Tensor> Tensor::mode(int64_t dim, bool keepdim) const {
  CallSite site(TAPIR_HERE);
  return tapir::mode(*this, dim, keepdim);
}
Tensor Tensor::quantile(double q, std::optional<int64_t> dim, bool keepdim,
                        std::string_view interpolation) const {
  CallSite site(TAPIR_HERE);
  return tapir::quantile(*this, q, dim, keepdim, interpolation);
}
Tensor Tensor::quantile(const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                        std::string_view interpolation) const {
  CallSite site(TAPIR_HERE);
  return tapir::quantile(*this, q, dim, keepdim, interpolation);
}
Tensor Tensor::nanquantile(double q, std::optional<int64_t> dim, bool keepdim,
                           std::string_view interpolation) const {
  CallSite site(TAPIR_HERE);
  return tapir::nanquantile(*this, q, dim, keepdim, interpolation);
}
Tensor Tensor::nanquantile(const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                           std::string_view interpolation) const {
  CallSite site(TAPIR_HERE);
  return tapir::nanquantile(*this, q, dim, keepdim, interpolation);
}
Tensor Tensor::bincount(const std::optional<Tensor>& weights, int64_t minlength) const {
  CallSite site(TAPIR_HERE);
  return tapir::bincount(*this, weights, minlength);
}
Tensor Tensor::histc(int64_t bins, const Scalar& min, const Scalar& max) const {
  CallSite site(TAPIR_HERE);
  return tapir::histc(*this, bins, min, max);
}

}  // namespace tapir
