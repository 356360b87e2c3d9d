#include "tapir/autograd/functions/scan.h"

#include <limits>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/shape.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/sort.h"

namespace tapir {

namespace {

/// Element i is the sum of elements i to the last.
Tensor cumsum_from_end(const Tensor& x, int64_t dim) {
  if (x.dim() == 0) return x;
  return flip(cumsum(flip(x, dim), dim), dim);
}

Tensor summable(const Tensor& x, std::optional<DType> dtype) {
  return to(x, dtype ? *dtype : is_integral(x.dtype(), true) ? kInt64 : x.dtype());
}

struct CumsumBackward final : NodeOf<1> {
  const char* type_name() const override { return "CumsumBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, cumsum_from_end(g[0], dim)); }
  int64_t dim;
};

/// dx[k] = sum over i >= k of g[i] * (product of x[0..i] without x[k])
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  bool zeros;
  {
    NoGradGuard no_grad;
    zeros = any(eq(x, Scalar(0))).item<bool>();
  }
  if (!zeros) return div(cumsum_from_end(mul(g, y), dim), x);
  if (x.dim() == 0) return g;
  const int64_t n = x.size(dim);
  std::vector<Tensor> parts;
  Tensor before;  // product of x[0..k - 1]
  for (int64_t k = 0; k < n; ++k) {
    Tensor part = narrow(g, dim, k, 1);
    if (k + 1 < n)
      part =
          add(part, sum(mul(narrow(g, dim, k + 1, n - k - 1), cumprod(narrow(x, dim, k + 1, n - k - 1), dim)),
                        dim, true));
    if (before.defined()) part = mul(part, before);
    parts.push_back(part);
    const Tensor here = narrow(x, dim, k, 1);
    before = before.defined() ? mul(before, here) : here;
  }
  return cat(parts, dim);
}

struct CumprodBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "CumprodBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, cumprod_gradient(g[0], saved(0), saved(1), dim));
  }
  int64_t dim;
};

/// dx[i] = sum over j >= i of g[j] * exp(x[i] - y[j])
struct LogCumsumExpBackward final : NodeOf<1, 2> {
  const char* type_name() const override { return "LogCumsumExpBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor x = saved(0), y = saved(1), g = grads[0];
    if (x.dim() == 0) return sink.set(0, mul(g, exp(sub(x, y))));
    if (recording(g, x, y)) {
      // dx[k] = sum over i >= k of g[i] exp(x[k] - y[i]), whose powers are at most 1: a (k, i) matrix per
      // row.
      const Tensor power = sub(unsqueeze(transpose(x, dim, -1), -1), unsqueeze(transpose(y, dim, -1), -2));
      const Tensor before = tril(raw::full({x.size(dim), x.size(dim)}, true, kBool, x.device()), -1);
      const Tensor weight = exp(masked_fill(power, before, -std::numeric_limits<double>::infinity()));
      const Tensor dx = sum(mul(weight, unsqueeze(transpose(g, dim, -1), -2)), -1);
      return sink.set(0, transpose(dx, dim, -1));
    }
    // In logarithms, positive and negative gradients apart, so that nothing overflows.
    const auto part = [&](const Tensor& magnitude) {
      return exp(add(flip(logcumsumexp(flip(sub(log(magnitude), y), dim), dim), dim), x));
    };
    sink.set(0, sub(part(clamp_min(g, 0)), part(clamp_min(neg(g), 0))));
  }
  int64_t dim;
};

std::tuple<Tensor, Tensor> running_best(Scan op, const Tensor& x, int64_t dim, const char* name,
                                        const void* site) {
  auto [values, indices] = raw::scan(op, x, dim, name);
  detail::record_gather(values, x, dim, indices, site);
  return {values, indices};
}

}  // namespace

Tensor cumsum(const Tensor& given, int64_t dim, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  const Tensor x = summable(given, dtype);
  Tensor y = raw::scan(Scan::Sum, x, dim, "cumsum").first;
  if (recording(x)) record<CumsumBackward>(TAPIR_HERE, y, x)->dim = x.layout_of().wrap_dim(dim, "cumsum");
  return y;
}

Tensor cumprod(const Tensor& given, int64_t dim, std::optional<DType> dtype) {
  CallSite site(TAPIR_HERE);
  const Tensor x = summable(given, dtype);
  Tensor y = raw::scan(Scan::Prod, x, dim, "cumprod").first;
  if (recording(x)) {
    auto* node = record<CumprodBackward>(TAPIR_HERE, y, x);
    node->dim = x.layout_of().wrap_dim(dim, "cumprod");
    node->save_input(0, x);
    node->save_output(1, y);
  }
  return y;
}

std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim) {
  return running_best(Scan::Max, x, dim, "cummax", TAPIR_HERE);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim) {
  return running_best(Scan::Min, x, dim, "cummin", TAPIR_HERE);
}

Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "logcumsumexp: got a tensor of {}, expected a floating-point dtype", x.dtype());
  Tensor y = raw::scan(Scan::LogSumExp, x, dim, "logcumsumexp").first;
  if (recording(x)) {
    auto* node = record<LogCumsumExpBackward>(TAPIR_HERE, y, x);
    node->dim = x.layout_of().wrap_dim(dim, "logcumsumexp");
    node->save_input(0, x);
    node->save_output(1, y);
  }
  return y;
}

Tensor diff(const Tensor& x, int64_t n, int64_t dim, const std::optional<Tensor>& prepend,
            const std::optional<Tensor>& append) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() > 0, "diff: a tensor without dimensions has no differences");
  TAPIR_CHECK_AS(ValueError, n >= 0, "diff: order {} is negative", n);
  std::vector<Tensor> parts;
  if (prepend) parts.push_back(*prepend);
  parts.push_back(x);
  if (append) parts.push_back(*append);
  Tensor y = parts.size() > 1 ? cat(parts, dim) : x;
  for (int64_t i = 0; i < n && y.size(dim) > 0; ++i) {
    const int64_t m = y.size(dim) - 1;
    const Tensor later = narrow(y, dim, 1, m), earlier = narrow(y, dim, 0, m);
    y = y.dtype() == kBool ? ne(later, earlier) : sub(later, earlier);
  }
  return n == 0 ? clone(y) : y;
}

// --- methods ---

Tensor Tensor::cumsum(int64_t dim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::cumsum(*this, dim, dtype);
}
Tensor& Tensor::cumsum_(int64_t dim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "cumsum_", [&](const Tensor& x) { return tapir::cumsum(x, dim, dtype); });
  return self();
}
Tensor Tensor::cumprod(int64_t dim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  return tapir::cumprod(*this, dim, dtype);
}
Tensor& Tensor::cumprod_(int64_t dim, std::optional<DType> dtype) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "cumprod_", [&](const Tensor& x) { return tapir::cumprod(x, dim, dtype); });
  return self();
}
std::tuple<Tensor, Tensor> Tensor::cummax(int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::cummax(*this, dim);
}
std::tuple<Tensor, Tensor> Tensor::cummin(int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::cummin(*this, dim);
}
Tensor Tensor::logcumsumexp(int64_t dim) const {
  CallSite site(TAPIR_HERE);
  return tapir::logcumsumexp(*this, dim);
}
Tensor Tensor::diff(int64_t n, int64_t dim, const std::optional<Tensor>& prepend,
                    const std::optional<Tensor>& append) const {
  CallSite site(TAPIR_HERE);
  return tapir::diff(*this, n, dim, prepend, append);
}

}  // namespace tapir
