#include "tapir/tensor/ops/norm.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {
void* data_or_null(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// x is floating-point; weight and bias are of its dtype and on its device, or undefined.
void check_affine(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(x.dtype()),
                 "{}: got a tensor of {}, expected a floating-point dtype", op, x.dtype());
  for (const Tensor* t : {&weight, &bias}) {
    if (!t->defined()) continue;
    TAPIR_CHECK_AS(DTypeError, t->dtype() == x.dtype(), "{}: input of {}, weight or bias of {}", op,
                   x.dtype(), t->dtype());
    TAPIR_CHECK_AS(DeviceError, t->device() == x.device(), "{}: input on {}, weight or bias on {}", op,
                   x.device(), t->device());
  }
}
}  // namespace

RowNormResult row_norm(const char* op, const Tensor& x_in, const RowNorm& s, const Tensor& weight_in,
                       const Tensor& bias_in, double eps) {
  const Tensor x = contiguous(x_in);
  check_affine(op, x, weight_in, bias_in);
  const Tensor weight = weight_in.defined() ? contiguous(weight_in) : Tensor();
  const Tensor bias = bias_in.defined() ? contiguous(bias_in) : Tensor();
  const DType statistics = is_half(x.dtype()) ? kFloat32 : x.dtype();
  RowNormResult r{Tensor::empty(x.sizes(), x.dtype(), x.device()),
                  Tensor::empty({s.rows}, statistics, x.device()),
                  Tensor::empty({s.rows}, statistics, x.device())};
  require(&KernelTable::row_norm, x.device(),
          op)({x.dtype(), x.data_ptr(), data_or_null(weight), data_or_null(bias), r.y.data_ptr(),
               r.mean.data_ptr(), r.rstd.data_ptr(), s.rows, s.n, s.groups, s.inner, eps});
  return r;
}

RowNormGrads row_norm_backward(const char* op, const Tensor& grad_in, const Tensor& x_in, const RowNorm& s,
                               const Tensor& mean, const Tensor& rstd, const Tensor& weight_in,
                               IntArrayRef weight_sizes, bool want_x, bool want_weight, bool want_bias) {
  const Tensor grad = contiguous(grad_in), x = contiguous(x_in);
  const Tensor weight = weight_in.defined() ? contiguous(weight_in) : Tensor();
  RowNormGrads r;
  if (want_x) r.x = Tensor::empty(x.sizes(), x.dtype(), x.device());
  if (want_weight) r.weight = Tensor::empty(weight_sizes, x.dtype(), x.device());
  if (want_bias) r.bias = Tensor::empty(weight_sizes, x.dtype(), x.device());
  require(&KernelTable::row_norm_backward, x.device(), op)(
      {x.dtype(), grad.data_ptr(), x.data_ptr(), mean.data_ptr(), rstd.data_ptr(), data_or_null(weight),
       data_or_null(r.x), data_or_null(r.weight), data_or_null(r.bias), s.rows, s.n, s.groups, s.inner});
  return r;
}

namespace {
/// The elements of a channel of (N, C, ...) that lie together.
int64_t inner_of(const Tensor& x) {
  int64_t inner = 1;
  for (int64_t d = 2; d < x.dim(); ++d) inner *= x.size(d);
  return inner;
}
}  // namespace

BatchNormResult batch_norm(const char* op, const Tensor& x_in, const Tensor& weight_in, const Tensor& bias_in,
                           const Tensor& mean, const Tensor& variance, double eps) {
  const Tensor x = contiguous(x_in);
  check_affine(op, x, weight_in, bias_in);
  const Tensor weight = weight_in.defined() ? contiguous(weight_in) : Tensor();
  const Tensor bias = bias_in.defined() ? contiguous(bias_in) : Tensor();
  const DType statistics = is_half(x.dtype()) ? kFloat32 : x.dtype();
  const Dims channels{x.size(1)};
  const auto statistic = [&](const Tensor& given) {
    return given.defined() ? contiguous(cast(given, statistics))
                           : Tensor::empty(channels, statistics, x.device());
  };
  BatchNormResult r{Tensor::empty(x.sizes(), x.dtype(), x.device()), statistic(mean), statistic(variance),
                    Tensor::empty(channels, statistics, x.device())};
  require(&KernelTable::batch_norm, x.device(), op)(
      {x.dtype(), x.data_ptr(), data_or_null(weight), data_or_null(bias), r.y.data_ptr(), r.mean.data_ptr(),
       r.variance.data_ptr(), r.rstd.data_ptr(), x.size(0), x.size(1), inner_of(x), eps, !mean.defined()});
  return r;
}

RowNormGrads batch_norm_backward(const char* op, const Tensor& grad_in, const Tensor& x_in,
                                 const Tensor& mean, const Tensor& rstd, const Tensor& weight_in,
                                 bool training, bool want_x, bool want_weight, bool want_bias) {
  const Tensor grad = contiguous(grad_in), x = contiguous(x_in);
  const Tensor weight = weight_in.defined() ? contiguous(weight_in) : Tensor();
  RowNormGrads r;
  if (want_x) r.x = Tensor::empty(x.sizes(), x.dtype(), x.device());
  if (want_weight) r.weight = Tensor::empty({x.size(1)}, x.dtype(), x.device());
  if (want_bias) r.bias = Tensor::empty({x.size(1)}, x.dtype(), x.device());
  require(&KernelTable::batch_norm_backward, x.device(),
          op)({x.dtype(), grad.data_ptr(), x.data_ptr(), mean.data_ptr(), rstd.data_ptr(),
               data_or_null(weight), data_or_null(r.x), data_or_null(r.weight), data_or_null(r.bias),
               x.size(0), x.size(1), inner_of(x), training});
  return r;
}

}  // namespace tapir::raw
