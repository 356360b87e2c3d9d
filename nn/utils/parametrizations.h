// Weights that are computed from others before each forward: weight norm and spectral norm.
#pragma once

#include <memory>
#include <utility>

#include "tapir/nn/module.h"

namespace tapir::nn {

namespace detail {
/// What the templates below do without knowing the layer's type.
class TAPIR_API Parametrized : public Module {
 protected:
  using Module::Module;
  /// Registers everything of `module` here but its parameter "weight".
  void adopt(const Module& module);
};

/// A forward with the arguments and the result of `Forward`, a pointer to a layer's forward.
template <class Self, class Forward>
struct ForwardLike;
template <class Self, class M, class R, class... Args>
struct ForwardLike<Self, R (M::*)(Args...)> : Parametrized {
  using Parametrized::Parametrized;
  R forward(Args... args) {
    Self& self = static_cast<Self&>(*this);
    self.module->weight = self.compute_weight();
    return self.module->forward(std::forward<Args>(args)...);
  }
};
template <class Self, class M, class R, class... Args>
struct ForwardLike<Self, R (M::*)(Args...) const> : ForwardLike<Self, R (M::*)(Args...)> {
  using ForwardLike<Self, R (M::*)(Args...)>::ForwardLike;
};

TAPIR_API Tensor first_norm(const Tensor& weight, std::optional<int64_t> dim);
}  // namespace detail

/// weight_v * weight_g / |weight_v|, where the norm is over all dimensions but `dim` (over all of them
/// without one). Throws IndexError.
TAPIR_API Tensor weight_norm_of(const Tensor& weight_v, const Tensor& weight_g, std::optional<int64_t> dim);

/// A layer whose `weight` is computed from a direction weight_v and lengths weight_g (Salimans and Kingma
/// 2016); see utils::weight_norm. Its parameters have the names of PyTorch's: the layer's others, weight_g,
/// weight_v.
template <class M>
class WeightNormImpl : public detail::ForwardLike<WeightNormImpl<M>, decltype(&M::forward)> {
 public:
  explicit WeightNormImpl(std::shared_ptr<M> layer, std::optional<int64_t> dimension = 0)
      : module(std::move(layer)), dim(dimension) {
    const Tensor first = detail::first_norm(module->weight, dim);
    this->adopt(*module);
    weight_g = this->register_parameter("weight_g", first);
    weight_v = this->register_parameter("weight_v", module->weight);
  }
  void train(bool on = true) override {
    Module::train(on);
    module->train(on);
  }
  void pretty_print(std::ostream& stream) const override { module->pretty_print(stream); }
  Tensor compute_weight() const { return weight_norm_of(weight_v, weight_g, dim); }

  std::shared_ptr<M> module;  ///< the layer; call it through this module, which sets its weight
  std::optional<int64_t> dim;
  Tensor weight_g, weight_v;
};
template <class M>
class WeightNorm : public ModuleHolder<WeightNormImpl<M>> {
 public:
  using ModuleHolder<WeightNormImpl<M>>::ModuleHolder;
};

/// What spectral norm keeps: estimates of the first singular vectors of the weight as a matrix of its
/// dimension dim by all others.
class TAPIR_API SpectralNormImpl : public Module {
 public:
  SpectralNormImpl(const Tensor& weight, int64_t n_power_iterations, double eps, int64_t dim);
  /// weight / sigma, its first singular value as u^T W v. While training, the estimates are improved first.
  Tensor forward(const Tensor& weight);
  Tensor _u, _v;

 private:
  Tensor matrix(const Tensor& weight) const;
  void improve(const Tensor& matrix, int64_t times);
  int64_t n_power_iterations_, dim_;
  double eps_;
};

/// A layer whose `weight` is divided by its largest singular value (Miyato et al. 2018); see
/// utils::parametrizations::spectral_norm. The state has the names of PyTorch's parametrization:
/// parametrizations.weight.original, parametrizations.weight.0._u and _v.
template <class M>
class SpectralNormedImpl : public detail::ForwardLike<SpectralNormedImpl<M>, decltype(&M::forward)> {
 public:
  explicit SpectralNormedImpl(std::shared_ptr<M> layer, int64_t n_power_iterations = 1, double eps = 1e-12,
                              int64_t dim = 0)
      : module(std::move(layer)),
        norm(std::make_shared<SpectralNormImpl>(module->weight, n_power_iterations, eps, dim)) {
    this->adopt(*module);
    auto all = std::make_shared<Module>("ModuleDict"), list = std::make_shared<Module>("ParametrizationList");
    original = list->register_parameter("original", module->weight);
    list->register_module("0", norm);
    all->register_module("weight", list);
    this->register_module("parametrizations", all);
  }
  void train(bool on = true) override {
    Module::train(on);
    module->train(on);
  }
  void pretty_print(std::ostream& stream) const override { module->pretty_print(stream); }
  Tensor compute_weight() { return norm->forward(original); }

  std::shared_ptr<M> module;
  std::shared_ptr<SpectralNormImpl> norm;
  Tensor original;
};
template <class M>
class SpectralNormed : public ModuleHolder<SpectralNormedImpl<M>> {
 public:
  using ModuleHolder<SpectralNormedImpl<M>>::ModuleHolder;
};

namespace utils {

/// Takes a layer with a weight, such as a Linear, and gives the layer with weight norm: lengths along `dim`,
/// or one for all without it. It takes the layer's place:
///
///   auto fc = register_module("fc", nn::utils::weight_norm(nn::Linear(4, 5)));
///   y = fc->forward(x);
template <class M>
WeightNorm<M> weight_norm(const ModuleHolder<M>& layer, std::optional<int64_t> dim = 0) {
  return WeightNorm<M>(layer.ptr(), dim);
}

namespace parametrizations {
using utils::weight_norm;
/// The same with spectral norm. Each forward while training does n_power_iterations steps of the power
/// method.
template <class M>
SpectralNormed<M> spectral_norm(const ModuleHolder<M>& layer, int64_t n_power_iterations = 1,
                                double eps = 1e-12, int64_t dim = 0) {
  return SpectralNormed<M>(layer.ptr(), n_power_iterations, eps, dim);
}
}  // namespace parametrizations

}  // namespace utils

}  // namespace tapir::nn
