// Sequential: modules called one after the other.
#pragma once

#include "tapir/nn/any.h"

namespace tapir::nn {

namespace detail {
template <class T>
inline constexpr bool is_module_argument =
    is_holder<T> || std::is_base_of_v<Module, T> || std::is_same_v<T, AnyModule>;
template <class T>
inline constexpr bool is_module_argument<std::shared_ptr<T>> = std::is_base_of_v<Module, T>;
}  // namespace detail

/// Calls its modules in order, each with what the one before returned; the first takes the arguments of
/// forward. The modules may have any types that fit each other; in a chain of Tensor to Tensor nothing is
/// boxed. They are named "0", "1", ... unless named:  Sequential({{"fc", Linear(4, 5)}, {"act", ReLU()}})
class TAPIR_API SequentialImpl : public Cloneable<SequentialImpl> {
 public:
  using Iterator = std::vector<AnyModule>::iterator;
  using ConstIterator = std::vector<AnyModule>::const_iterator;
  /// A module with its name, for the braced list.
  struct NamedModule {
    template <class M>
    NamedModule(std::string n, M&& m) : name(std::move(n)), module(std::forward<M>(m)) {}
    std::string name;
    AnyModule module;
  };

  SequentialImpl() = default;
  template <class... Modules>
  requires(sizeof...(Modules) > 0 && (detail::is_module_argument<std::decay_t<Modules>> && ...) &&
           !(sizeof...(Modules) == 1 && (std::is_same_v<std::decay_t<Modules>, SequentialImpl> &&
                                         ...))) explicit SequentialImpl(Modules&&... modules) {
    modules_.reserve(sizeof...(Modules));
    (push_back(std::forward<Modules>(modules)), ...);
  }
  explicit SequentialImpl(std::initializer_list<NamedModule> modules) {
    for (const NamedModule& m : modules) push_back(m.name, m.module);
  }
  explicit SequentialImpl(const OrderedDict<std::string, AnyModule>& modules) {
    for (const auto& m : modules) push_back(m.key(), m.value());
  }

  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;

  /// What a Sequential is within another: a module of one tensor that gives a tensor.
  using ForwardOfTensor = Tensor (SequentialImpl::*)(const Tensor&);
  static ForwardOfTensor whole_forward();

  /// The last module's result as a ReturnType. Throws ValueError where the chain is empty or types do not
  /// fit.
  template <class ReturnType = Tensor, class... Inputs>
  ReturnType forward(Inputs&&... inputs) {
    if constexpr (std::is_same_v<ReturnType, Tensor> && sizeof...(Inputs) == 1 &&
                  (std::is_convertible_v<Inputs&&, const Tensor&> && ...))
      if (all_map_) return map(inputs...);
    std::vector<AnyValue> values;
    values.reserve(sizeof...(Inputs));
    (values.push_back(AnyValue(std::forward<Inputs>(inputs))), ...);
    return run(std::move(values)).template get<ReturnType>();
  }

  /// Appends a module: a holder, a shared_ptr, an AnyModule, or a module by value.
  template <class M>
  void push_back(M&& module) {
    push_back(std::to_string(modules_.size()), std::forward<M>(module));
  }
  template <class M>
  void push_back(std::string name, M&& module) {
    if constexpr (std::is_same_v<std::decay_t<M>, AnyModule>)
      append(std::move(name), std::forward<M>(module));
    else
      append(std::move(name), AnyModule(std::forward<M>(module)));
  }
  /// Appends all modules of a container under new numbers.
  template <class Container>
  void extend(const Container& container) {
    for (const auto& module : container) push_back(module);
  }

  Iterator begin() { return modules_.begin(); }
  ConstIterator begin() const { return modules_.begin(); }
  Iterator end() { return modules_.end(); }
  ConstIterator end() const { return modules_.end(); }
  /// Module `index` as a T. Throws IndexError, ValueError.
  template <class T>
  detail::module_type_t<T>& at(size_t index) {
    return checked(index).template get<detail::module_type_t<T>>();
  }
  template <class T>
  const detail::module_type_t<T>& at(size_t index) const {
    return const_cast<SequentialImpl*>(this)->checked(index).template get<detail::module_type_t<T>>();
  }
  std::shared_ptr<Module> ptr(size_t index) const {
    return const_cast<SequentialImpl*>(this)->checked(index).ptr();
  }
  template <class T>
  std::shared_ptr<detail::module_type_t<T>> ptr(size_t index) const {
    return const_cast<SequentialImpl*>(this)->checked(index).template ptr<T>();
  }
  std::shared_ptr<Module> operator[](size_t index) const { return ptr(index); }
  size_t size() const noexcept { return modules_.size(); }
  bool is_empty() const noexcept { return modules_.empty(); }

 private:
  Tensor map(const Tensor& x);
  AnyValue run(std::vector<AnyValue>&& values);
  void append(std::string name, AnyModule module);
  AnyModule& checked(size_t index);
  std::vector<AnyModule> modules_;
  bool all_map_ = false;  // every module maps a Tensor to a Tensor, and there is one
};
TAPIR_BUILTIN_CLONEABLE(SequentialImpl);

/// Holder of SequentialImpl.
class Sequential : public ModuleHolder<SequentialImpl> {
 public:
  using ModuleHolder<SequentialImpl>::ModuleHolder;
  using Impl = SequentialImpl;
  Sequential() = default;
  Sequential(std::initializer_list<SequentialImpl::NamedModule> modules)
      : ModuleHolder<SequentialImpl>(std::make_shared<SequentialImpl>(modules)) {}
};

}  // namespace tapir::nn
