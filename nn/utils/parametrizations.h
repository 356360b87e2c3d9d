// Weights that are computed from others before each forward: weight norm and spectral norm.
#pragma once

#include <memory>
#include <utility>

#include "tapir/nn/module.h"

namespace tapir::nn {

namespace detail {
/// Registers everything of `from` at `to` but its parameter "weight".
TAPIR_API void adopt_all_but_weight(Module& to, const Module& from);
/// A copy of t's values on `device` (default: where they are).
TAPIR_API Tensor copy_of(const Tensor& t, const std::optional<Device>& device);

/// A layer's place: a forward with the arguments and the result of `Forward`, a pointer to the layer's, which
/// it may have inherited; and clone(), for which Self has copy_with(a copy of the layer, device).
template <class Self, class M, class Forward = decltype(&M::forward)>
class Wrapper;
template <class Self, class M, class Base, class R, class... Args>
class Wrapper<Self, M, R (Base::*)(Args...)> : public Module {
 public:
  explicit Wrapper(std::shared_ptr<M> layer) : module(std::move(layer)) {}
  R forward(Args... args) {
    module->weight = static_cast<Self&>(*this).compute_weight();
    return module->forward(std::forward<Args>(args)...);
  }
  /// Without the arguments for which the layer has defaults.
  template <class... Given>
  requires(sizeof...(Given) < sizeof...(Args)) && requires(M& m, Given&&... given) {
    m.forward(std::forward<Given>(given)...);
  }
  R forward(Given&&... given) {
    module->weight = static_cast<Self&>(*this).compute_weight();
    return module->forward(std::forward<Given>(given)...);
  }
  /// The forward with all arguments, for AnyModule.
  static constexpr auto whole_forward() { return static_cast<R (Wrapper::*)(Args...)>(&Wrapper::forward); }
  static auto forward_default_args_() requires requires { M::forward_default_args_(); }
  { return M::forward_default_args_(); }
  /// Throws ValueError where the layer is not Cloneable.
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override {
    auto copy =
        static_cast<const Self&>(*this).copy_with(std::static_pointer_cast<M>(module->clone(device)), device);
    if (!is_training()) copy->train(false);
    return copy;
  }
  void train(bool on = true) override {
    Module::train(on);
    module->train(on);
  }
  void pretty_print(std::ostream& stream) const override { module->pretty_print(stream); }

  std::shared_ptr<M> module;  ///< the layer; call it through this module, which sets its weight

 private:
  void clone_(Module& other, const std::optional<Device>& device) final {
    static_cast<Self&>(*this) = static_cast<const Self&>(*other.clone(device));
  }
};
template <class Self, class M, class Base, class R, class... Args>
class Wrapper<Self, M, R (Base::*)(Args...) const> : public Wrapper<Self, M, R (Base::*)(Args...)> {
 public:
  using Wrapper<Self, M, R (Base::*)(Args...)>::Wrapper;
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
class WeightNormImpl : public detail::Wrapper<WeightNormImpl<M>, M> {
 public:
  explicit WeightNormImpl(std::shared_ptr<M> layer, std::optional<int64_t> dimension = 0)
      : WeightNormImpl(layer, dimension, detail::first_norm(layer->weight, dimension)) {}
  Tensor compute_weight() const { return weight_norm_of(weight_v, weight_g, dim); }

  std::optional<int64_t> dim;
  Tensor weight_g, weight_v;

 private:
  template <class, class, class>
  friend class detail::Wrapper;
  WeightNormImpl(const std::shared_ptr<M>& layer, std::optional<int64_t> dimension, const Tensor& lengths)
      : detail::Wrapper<WeightNormImpl<M>, M>(layer), dim(dimension) {
    detail::adopt_all_but_weight(*this, *layer);
    weight_g = this->register_parameter("weight_g", lengths);
    weight_v = this->register_parameter("weight_v", layer->weight);
  }
  std::shared_ptr<WeightNormImpl> copy_with(std::shared_ptr<M> layer,
                                            const std::optional<Device>& device) const {
    auto copy =
        std::shared_ptr<WeightNormImpl>(new WeightNormImpl(layer, dim, detail::copy_of(weight_g, device)));
    copy->weight_g.requires_grad_(weight_g.requires_grad());
    copy->weight_v.requires_grad_(weight_v.requires_grad());
    return copy;
  }
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
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  Tensor _u, _v;

 private:
  SpectralNormImpl(const SpectralNormImpl& other, const std::optional<Device>& device);
  Tensor matrix(const Tensor& weight) const;
  void improve(const Tensor& matrix, int64_t times);
  int64_t n_power_iterations_, dim_;
  double eps_;
};

/// A layer whose `weight` is divided by its largest singular value (Miyato et al. 2018); see
/// utils::parametrizations::spectral_norm. The state has the names of PyTorch's parametrization:
/// parametrizations.weight.original, parametrizations.weight.0._u and _v.
template <class M>
class SpectralNormedImpl : public detail::Wrapper<SpectralNormedImpl<M>, M> {
 public:
  explicit SpectralNormedImpl(std::shared_ptr<M> layer, int64_t n_power_iterations = 1, double eps = 1e-12,
                              int64_t dim = 0)
      : SpectralNormedImpl(layer,
                           std::make_shared<SpectralNormImpl>(layer->weight, n_power_iterations, eps, dim)) {}
  Tensor compute_weight() { return norm->forward(original); }

  std::shared_ptr<SpectralNormImpl> norm;
  Tensor original;

 private:
  template <class, class, class>
  friend class detail::Wrapper;
  SpectralNormedImpl(const std::shared_ptr<M>& layer, std::shared_ptr<SpectralNormImpl> estimates)
      : detail::Wrapper<SpectralNormedImpl<M>, M>(layer), norm(std::move(estimates)) {
    detail::adopt_all_but_weight(*this, *layer);
    auto all = std::make_shared<Module>("ModuleDict"), list = std::make_shared<Module>("ParametrizationList");
    original = list->register_parameter("original", layer->weight);
    list->register_module("0", norm);
    all->register_module("weight", list);
    this->register_module("parametrizations", all);
  }
  std::shared_ptr<SpectralNormedImpl> copy_with(std::shared_ptr<M> layer,
                                                const std::optional<Device>& device) const {
    auto copy = std::shared_ptr<SpectralNormedImpl>(
        new SpectralNormedImpl(layer, std::static_pointer_cast<SpectralNormImpl>(norm->clone(device))));
    copy->original.requires_grad_(original.requires_grad());
    return copy;
  }
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
