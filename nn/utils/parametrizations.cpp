#include "tapir/nn/utils/parametrizations.h"

#include "tapir/autograd/functions/linalg_norm.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/nn/normalization.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::nn {

void detail::adopt_all_but_weight(Module& to, const Module& from) {
  for (const auto& p : from.named_parameters(false))
    if (p.key() != "weight") to.register_parameter(p.key(), p.value(), p.value().requires_grad());
  for (const auto& b : from.named_buffers(false)) to.register_buffer(b.key(), b.value());
  for (const auto& m : from.named_children()) to.register_module(m.key(), m.value());
}

Tensor detail::copy_of(const Tensor& t, const std::optional<Device>& device) {
  return device && !(*device == t.device()) ? raw::to_device(t, *device) : raw::clone(t);
}

namespace {
/// The norm over all dimensions but dim, which are kept; over all of them without dim.
Tensor norm_but(const Tensor& v, std::optional<int64_t> dim) {
  if (!dim) return linalg::vector_norm(v);
  const int64_t kept = v.layout_of().wrap_dim(*dim, "weight_norm");
  std::vector<int64_t> others;
  for (int64_t d = 0; d < v.dim(); ++d)
    if (d != kept) others.push_back(d);
  return others.empty() ? abs(v) : linalg::vector_norm(v, Scalar(2), others, true);
}
}  // namespace

Tensor detail::first_norm(const Tensor& weight, std::optional<int64_t> dim) {
  NoGradGuard no_grad;
  return norm_but(weight, dim);
}

Tensor weight_norm_of(const Tensor& v, const Tensor& g, std::optional<int64_t> dim) {
  CallSite site(TAPIR_HERE);
  return mul(v, div(g, norm_but(v, dim)));
}

SpectralNormImpl::SpectralNormImpl(const Tensor& weight, int64_t n_power_iterations, double eps, int64_t dim)
    : n_power_iterations_(n_power_iterations), dim_(dim), eps_(eps) {
  TAPIR_CHECK_AS(ValueError, n_power_iterations > 0,
                 "spectral_norm: n_power_iterations is {}, expected at least 1", n_power_iterations);
  TAPIR_CHECK_AS(ShapeError, weight.dim() >= 1 && weight.numel() > 0,
                 "spectral_norm: the weight has sizes {}, expected at least one element", weight.sizes());
  dim_ = weight.layout_of().wrap_dim(dim, "spectral_norm");
  if (weight.dim() == 1) return;
  NoGradGuard no_grad;
  const Tensor m = matrix(weight);
  const auto start = [&](int64_t n) {
    const Tensor x = init::normal_(Tensor::empty({n}, weight.dtype(), weight.device()));
    return functional::normalize(x, functional::NormalizeFuncOptions().dim(0).eps(eps_));
  };
  const Tensor u = start(m.size(0)), v = start(m.size(1));
  _u = register_buffer("_u", u);
  _v = register_buffer("_v", v);
  improve(m, 15);
}

SpectralNormImpl::SpectralNormImpl(const SpectralNormImpl& other, const std::optional<Device>& device)
    : n_power_iterations_(other.n_power_iterations_), dim_(other.dim_), eps_(other.eps_) {
  if (!other._u.defined()) return;
  _u = register_buffer("_u", detail::copy_of(other._u, device));
  _v = register_buffer("_v", detail::copy_of(other._v, device));
}

std::shared_ptr<Module> SpectralNormImpl::clone(const std::optional<Device>& device) const {
  auto copy = std::shared_ptr<SpectralNormImpl>(new SpectralNormImpl(*this, device));
  copy->train(is_training());
  return copy;
}

Tensor SpectralNormImpl::matrix(const Tensor& weight) const {
  std::vector<int64_t> order{dim_};
  for (int64_t d = 0; d < weight.dim(); ++d)
    if (d != dim_) order.push_back(d);
  return reshape(permute(weight, order), {weight.size(dim_), -1});
}

void SpectralNormImpl::improve(const Tensor& m, int64_t times) {
  NoGradGuard no_grad;
  const auto o = functional::NormalizeFuncOptions().dim(0).eps(eps_);
  for (int64_t i = 0; i < times; ++i) {
    raw::copy_into(_u, functional::normalize(mv(m, _v), o));
    raw::copy_into(_v, functional::normalize(mv(transpose(m, 0, 1), _u), o));
  }
}

Tensor SpectralNormImpl::forward(const Tensor& weight) {
  CallSite site(TAPIR_HERE);
  if (weight.dim() == 1)
    return functional::normalize(weight, functional::NormalizeFuncOptions().dim(0).eps(eps_));
  const Tensor m = matrix(weight);
  if (is_training()) improve(m.detach(), n_power_iterations_);
  const Tensor u = raw::clone(_u), v = raw::clone(_v);  // the next forward changes the estimates in place
  return div(weight, dot(u, mv(m, v)));
}

}  // namespace tapir::nn
