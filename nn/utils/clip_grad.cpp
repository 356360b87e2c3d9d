#include "tapir/nn/utils/clip_grad.h"

#include <cmath>

#include "tapir/autograd/node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/reduce.h"

namespace tapir::nn::utils {

namespace {

std::vector<Tensor> gradients(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> grads;
  for (const Tensor& p : parameters) {
    if (!p.defined()) continue;
    if (const RowGradient* by_rows = row_gradient(p))
      grads.push_back(by_rows->values);
    else if (p.grad().defined())
      grads.push_back(p.grad());
  }
  return grads;
}

double norm_of(const Tensor& grad, double p) {
  if (p == 2) return raw::item(raw::norm2(grad)).to_double();
  const Tensor magnitude = raw::unary(Pointwise::abs, grad);
  if (std::isinf(p)) return grad.numel() ? raw::item(raw::max(magnitude)).to_double() : 0;
  const double sum = raw::item(raw::sum(raw::binary(Pointwise::pow, magnitude, Scalar(p)))).to_double();
  return std::pow(sum, 1 / p);
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  TAPIR_CHECK_AS(ValueError, norm_type > 0, "clip_grad_norm_: norm_type is {}, expected more than 0",
                 norm_type);
  NoGradGuard no_grad;
  const std::vector<Tensor> grads = gradients(parameters);
  double total = 0;
  for (const Tensor& g : grads) {
    const double norm = norm_of(g, norm_type);
    // max() would lose a NaN
    total = std::isinf(norm_type) ? (norm > total || std::isnan(norm) ? norm : total)
                                  : total + std::pow(norm, norm_type);
  }
  if (!std::isinf(norm_type)) total = std::pow(total, 1 / norm_type);
  TAPIR_CHECK_AS(ValueError, !error_if_nonfinite || std::isfinite(total),
                 "clip_grad_norm_: the total norm of order {} of {} gradients is {}; nothing was scaled",
                 norm_type, grads.size(), total);
  const double scale = max_norm / (total + 1e-6);
  if (!(scale >= 1))
    for (const Tensor& g : grads) raw::pointwise_into(Pointwise::mul, g, {g, Scalar(scale)});
  return total;
}

double clip_grad_norm_(const Tensor& parameter, double max_norm, double norm_type, bool error_if_nonfinite) {
  return clip_grad_norm_(std::vector<Tensor>{parameter}, max_norm, norm_type, error_if_nonfinite);
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
  TAPIR_CHECK_AS(ValueError, clip_value >= 0, "clip_grad_value_: clip_value is {}, expected at least 0",
                 clip_value);
  for (const Tensor& g : gradients(parameters))
    raw::pointwise_into(Pointwise::clamp, g, {g}, {Scalar(-clip_value), Scalar(clip_value)});
}

void clip_grad_value_(const Tensor& parameter, double clip_value) {
  clip_grad_value_(std::vector<Tensor>{parameter}, clip_value);
}

}  // namespace tapir::nn::utils
