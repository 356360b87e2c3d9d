// Containers that hold modules or parameters and have no forward, and modules made of a function.
#pragma once

#include <functional>
#include <initializer_list>

#include "tapir/nn/any.h"

namespace tapir::nn {

/// Modules by number, registered as "0", "1", ...
class TAPIR_API ModuleListImpl : public Cloneable<ModuleListImpl> {
 public:
  using Iterator = std::vector<std::shared_ptr<Module>>::iterator;
  using ConstIterator = std::vector<std::shared_ptr<Module>>::const_iterator;
  ModuleListImpl() = default;
  /// Holders, shared_ptrs or modules by value.
  template <class... Modules>
  requires(sizeof...(Modules) > 0 &&
           !(sizeof...(Modules) == 1 && (std::is_same_v<std::decay_t<Modules>, ModuleListImpl> &&
                                         ...))) explicit ModuleListImpl(Modules&&... modules) {
    modules_.reserve(sizeof...(Modules));
    (push_back(std::forward<Modules>(modules)), ...);
  }
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;

  void push_back(std::shared_ptr<Module> module) { insert(modules_.size(), std::move(module)); }
  template <class M>
  void push_back(M&& module) {
    push_back(shared(std::forward<M>(module)));
  }
  /// Appends all modules of a container.
  template <class Container>
  void extend(const Container& container) {
    for (const auto& module : container) push_back(module);
  }
  /// Puts a module before number `index`; those after move up. Throws IndexError.
  void insert(size_t index, std::shared_ptr<Module> module);
  template <class M>
  void insert(size_t index, M&& module) {
    insert(index, shared(std::forward<M>(module)));
  }
  Iterator begin() { return modules_.begin(); }
  ConstIterator begin() const { return modules_.begin(); }
  Iterator end() { return modules_.end(); }
  ConstIterator end() const { return modules_.end(); }
  /// Module `index`. Throws IndexError, and ValueError where it is no T.
  std::shared_ptr<Module> ptr(size_t index) const;
  template <class T>
  std::shared_ptr<detail::module_type_t<T>> ptr(size_t index) const {
    auto module = std::dynamic_pointer_cast<detail::module_type_t<T>>(ptr(index));
    if (!module) detail::any_module_cast_failure(typeid(detail::module_type_t<T>), *ptr(index));
    return module;
  }
  template <class T>
  detail::module_type_t<T>& at(size_t index) {
    return *ptr<T>(index);
  }
  template <class T>
  const detail::module_type_t<T>& at(size_t index) const {
    return *ptr<T>(index);
  }
  std::shared_ptr<Module> operator[](size_t index) const { return ptr(index); }
  size_t size() const noexcept { return modules_.size(); }
  bool is_empty() const noexcept { return modules_.empty(); }

 private:
  template <class M>
  static std::shared_ptr<Module> shared(M&& module) {
    using T = std::decay_t<M>;
    if constexpr (detail::is_holder<T>)
      return module.ptr();
    else if constexpr (std::is_convertible_v<M, std::shared_ptr<Module>>)
      return module;
    else
      return std::make_shared<T>(std::forward<M>(module));
  }
  std::vector<std::shared_ptr<Module>> modules_;
};
TAPIR_BUILTIN_MODULE(ModuleList);

/// Modules by name.
class TAPIR_API ModuleDictImpl : public Cloneable<ModuleDictImpl> {
 public:
  using Items = OrderedDict<std::string, std::shared_ptr<Module>>;
  using Pairs = std::vector<std::pair<std::string, std::shared_ptr<Module>>>;
  ModuleDictImpl() = default;
  explicit ModuleDictImpl(const Pairs& modules);
  explicit ModuleDictImpl(const Items& modules);
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;

  Pairs items() const;
  std::vector<std::string> keys() const;
  std::vector<std::shared_ptr<Module>> values() const;
  size_t size() const noexcept { return children_.size(); }
  bool empty() const noexcept { return children_.is_empty(); }
  bool contains(const std::string& key) const noexcept;
  /// Over the items: key() and value(), or [key, value].
  Items::Iterator begin() { return children_.begin(); }
  Items::ConstIterator begin() const { return children_.begin(); }
  Items::Iterator end() { return children_.end(); }
  Items::ConstIterator end() const { return children_.end(); }
  void clear();
  /// Takes a module out. Throws IndexError where there is none of that name.
  std::shared_ptr<Module> pop(const std::string& key);
  /// Adds modules; one with a name that is there takes its place. Throws ValueError for a name that is empty
  /// or holds a dot and for a null module, and then adds none of them.
  void update(const Pairs& modules);
  void update(std::initializer_list<Pairs::value_type> modules);
  void update(const Items& modules);
  void update(const ModuleDictImpl& other);
  /// A std::map or other container of pairs of a name and a module, as a pointer or a holder.
  template <class Container>
  requires(!std::is_convertible_v<const Container&, Pairs> &&
           !std::is_convertible_v<const Container&, Items> &&
           !std::is_base_of_v<ModuleDictImpl, Container>) void update(const Container& modules) {
    Pairs pairs;
    for (const auto& [key, module] : modules) {
      if constexpr (detail::is_holder<std::decay_t<decltype(module)>>)
        pairs.emplace_back(key, module.ptr());
      else
        pairs.emplace_back(key, module);
    }
    update(pairs);
  }
  /// The module `key`. Throws IndexError.
  std::shared_ptr<Module> operator[](const std::string& key) const;
  /// The same as a T. Throws ValueError where it is none.
  template <class T>
  detail::module_type_t<T>& at(const std::string& key) const {
    const auto module = (*this)[key];
    auto* m = module->template as<T>();
    if (!m) detail::any_module_cast_failure(typeid(detail::module_type_t<T>), *module);
    return *m;
  }
};
TAPIR_BUILTIN_MODULE(ModuleDict);

/// Parameters by number, registered as "0", "1", ...
class TAPIR_API ParameterListImpl : public Cloneable<ParameterListImpl> {
 public:
  ParameterListImpl() = default;
  ParameterListImpl(std::initializer_list<Tensor> parameters) {
    for (const Tensor& p : parameters) append(p);
  }
  template <class... Tensors>
  requires(sizeof...(Tensors) > 0 && (std::is_convertible_v<const Tensors&, Tensor> &&
                                      ...)) explicit ParameterListImpl(const Tensors&... parameters) {
    (append(parameters), ...);
  }
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  /// Throws as register_parameter does. It keeps requires_grad as it is.
  void append(const Tensor& parameter);
  void append(const NamedTensors::Item& item) { append(item.value()); }
  template <class Container>
  void extend(const Container& container) {
    for (const auto& p : container) append(p);
  }
  template <class Container>
  ParameterListImpl& operator+=(const Container& other) {
    extend(other);
    return *this;
  }
  ParameterListImpl& operator+=(const ParameterListImpl& other);
  /// Parameter `index`. Throws IndexError.
  Tensor& at(size_t index);
  const Tensor& at(size_t index) const { return const_cast<ParameterListImpl*>(this)->at(index); }
  Tensor& operator[](size_t index) { return at(index); }
  const Tensor& operator[](size_t index) const { return at(index); }
  NamedTensors::Iterator begin() { return parameters_.begin(); }
  NamedTensors::ConstIterator begin() const { return parameters_.begin(); }
  NamedTensors::Iterator end() { return parameters_.end(); }
  NamedTensors::ConstIterator end() const { return parameters_.end(); }
  size_t size() const noexcept { return parameters_.size(); }
  bool is_empty() const noexcept { return size() == 0; }
};
TAPIR_BUILTIN_MODULE(ParameterList);

/// Parameters by name.
class TAPIR_API ParameterDictImpl : public Cloneable<ParameterDictImpl> {
 public:
  ParameterDictImpl() = default;
  explicit ParameterDictImpl(const NamedTensors& parameters) { update(parameters); }
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  /// Throws ValueError for a name that is taken. It keeps requires_grad as it is.
  Tensor& insert(std::string key, const Tensor& parameter);
  /// Takes a parameter out. Throws IndexError.
  Tensor pop(const std::string& key);
  /// Adds parameters; one with a name that is there takes its place.
  void update(const NamedTensors& parameters);
  void update(const ParameterDictImpl& other) { update(other.parameters_); }
  Tensor& get(const std::string& key);
  const Tensor& get(const std::string& key) const;
  Tensor& operator[](const std::string& key) { return get(key); }
  const Tensor& operator[](const std::string& key) const { return get(key); }
  bool contains(const std::string& key) const noexcept;
  std::vector<std::string> keys() const;
  std::vector<Tensor> values() const;
  NamedTensors::Iterator begin() { return parameters_.begin(); }
  NamedTensors::Iterator end() { return parameters_.end(); }
  size_t size() const noexcept { return parameters_.size(); }
  bool empty() const noexcept { return size() == 0; }
  void clear();
};
TAPIR_BUILTIN_MODULE(ParameterDict);

/// A function of a tensor as a module; further arguments are kept:  Functional(elu, 0.5, 1, 1)
class TAPIR_API FunctionalImpl : public Cloneable<FunctionalImpl> {
 public:
  using Function = std::function<Tensor(Tensor)>;
  explicit FunctionalImpl(Function function) : function_(std::move(function)) {}
  template <class F, class... Args>
  requires(sizeof...(Args) > 0) explicit FunctionalImpl(F function, Args... args)
      : function_(
            [function = std::move(function), args...](Tensor x) -> Tensor { return function(x, args...); }) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input) { return function_(std::move(input)); }

 private:
  Function function_;
};
TAPIR_BUILTIN_MODULE(Functional);

struct UnflattenOptions {
  UnflattenOptions(int64_t dim, std::vector<int64_t> sizes) : dim_(dim), sizes_(std::move(sizes)) {}
  TAPIR_ARG(int64_t, dim);
  TAPIR_ARG(std::vector<int64_t>, sizes);
};
/// Dimension dim split into sizes, one of which may be -1.
class TAPIR_API UnflattenImpl : public Cloneable<UnflattenImpl> {
 public:
  UnflattenImpl(int64_t dim, std::vector<int64_t> sizes)
      : UnflattenImpl(UnflattenOptions(dim, std::move(sizes))) {}
  explicit UnflattenImpl(UnflattenOptions o) : options(std::move(o)) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  UnflattenOptions options;
};
TAPIR_BUILTIN_MODULE(Unflatten);

struct BilinearOptions {
  BilinearOptions(int64_t in1_features, int64_t in2_features, int64_t out_features)
      : in1_features_(in1_features), in2_features_(in2_features), out_features_(out_features) {}
  TAPIR_ARG(int64_t, in1_features);
  TAPIR_ARG(int64_t, in2_features);
  TAPIR_ARG(int64_t, out_features);
  TAPIR_ARG(bool, bias) = true;
};
/// y[k] = x1^T weight[k] x2 + bias[k] for x1 (..., in1) and x2 (..., in2); weight (out, in1, in2). Both start
/// uniform in
/// +-1 / sqrt(in1).
class TAPIR_API BilinearImpl : public Cloneable<BilinearImpl> {
 public:
  BilinearImpl(int64_t in1, int64_t in2, int64_t out) : BilinearImpl(BilinearOptions(in1, in2, out)) {}
  explicit BilinearImpl(const BilinearOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input1, const Tensor& input2);
  BilinearOptions options;
  Tensor weight, bias;
};
TAPIR_BUILTIN_MODULE(Bilinear);

namespace functional {
/// x1^T weight[k] x2 + bias[k]. Throws ShapeError.
TAPIR_API Tensor bilinear(const Tensor& input1, const Tensor& input2, const Tensor& weight,
                          const Tensor& bias = {});
}  // namespace functional

}  // namespace tapir::nn
