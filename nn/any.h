// AnyModule: a module of any type behind one interface; AnyValue: what it takes and gives.
#pragma once

#include <memory>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include "tapir/nn/module.h"

namespace tapir::nn {

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void any_value_failure(const std::type_info& wanted,
                                                         const std::type_info& got);
[[noreturn]] TAPIR_API TAPIR_COLD void any_module_cast_failure(const std::type_info& wanted,
                                                               const Module& got);
[[noreturn]] TAPIR_API TAPIR_COLD void any_argument_failure(const Module& module, size_t index,
                                                            const std::type_info& wanted,
                                                            const std::type_info& got);
[[noreturn]] TAPIR_API TAPIR_COLD void any_count_failure(const Module& module, size_t wanted, size_t got);
[[noreturn]] TAPIR_API TAPIR_COLD void any_empty_failure();
}  // namespace detail

/// One value of any copyable type.
class AnyValue {
 public:
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, AnyValue>) explicit AnyValue(T&& value)
      : content_(new Box<std::decay_t<T>>(std::forward<T>(value))) {}
  AnyValue(AnyValue&&) = default;
  AnyValue& operator=(AnyValue&&) = default;
  AnyValue(const AnyValue& other) : content_(other.content_->clone()) {}
  AnyValue& operator=(const AnyValue& other) {
    content_.reset(other.content_->clone());
    return *this;
  }
  /// The value, where it is exactly a T; else null.
  template <class T>
  std::decay_t<T>* try_get() {
    using U = std::decay_t<T>;
    return type_info() == typeid(U) ? &static_cast<Box<U>*>(content_.get())->value : nullptr;
  }
  /// The value. Throws ValueError where it is not exactly a T.
  template <class T>
  std::decay_t<T> get() {
    if (auto* v = try_get<T>()) return *v;
    detail::any_value_failure(typeid(std::decay_t<T>), type_info());
  }
  const std::type_info& type_info() const noexcept { return content_->type(); }

 private:
  struct Content {
    virtual ~Content() = default;
    virtual Content* clone() const = 0;
    virtual const std::type_info& type() const noexcept = 0;
  };
  template <class T>
  struct Box final : Content {
    template <class U>
    explicit Box(U&& v) : value(std::forward<U>(v)) {}
    Content* clone() const override { return new Box(value); }
    const std::type_info& type() const noexcept override { return typeid(T); }
    T value;
  };
  std::unique_ptr<Content> content_;
};

/// The trailing arguments of a forward that may be left out when it is called through AnyModule or
/// Sequential: inside the module, TAPIR_FORWARD_HAS_DEFAULT_ARGS({1, nn::AnyValue(Tensor())})  (argument 1 is
/// Tensor()).
#define TAPIR_FORWARD_HAS_DEFAULT_ARGS(...)                                                  \
 public:                                                                                     \
  static ::std::vector<::std::pair<size_t, ::tapir::nn::AnyValue>> forward_default_args_() { \
    return {__VA_ARGS__};                                                                    \
  }                                                                                          \
  static_assert(true)

/// Holds a module of any type that has one `forward`, and calls it without knowing the type.
class AnyModule {
 public:
  AnyModule() = default;
  template <class M>
  requires std::is_base_of_v<Module, M>
  explicit AnyModule(std::shared_ptr<M> module) {
    if constexpr (requires { M::whole_forward(); })
      content_ = make(std::move(module), M::whole_forward());
    else
      content_ = make(std::move(module), &M::forward);
  }
  template <class M>
  requires std::is_base_of_v<Module, std::decay_t<M>>
  explicit AnyModule(M&& module) : AnyModule(std::make_shared<std::decay_t<M>>(std::forward<M>(module))) {}
  template <class M>
  explicit AnyModule(const ModuleHolder<M>& holder) : AnyModule(holder.ptr()) {}
  AnyModule(AnyModule&&) = default;
  AnyModule& operator=(AnyModule&&) = default;
  /// Shares the module.
  AnyModule(const AnyModule& other) : content_(other.content_ ? other.content_->copy() : nullptr) {}
  AnyModule& operator=(const AnyModule& other) {
    content_ = other.content_ ? other.content_->copy() : nullptr;
    return *this;
  }
  template <class M>
  AnyModule& operator=(std::shared_ptr<M> module) {
    return *this = AnyModule(std::move(module));
  }
  /// A deep copy.
  AnyModule clone(const std::optional<Device>& device = std::nullopt) const {
    AnyModule copy;
    copy.content_ = content().clone(device);
    return copy;
  }

  /// Calls the module's forward. Throws ValueError where the number of arguments or the type of one does not
  /// fit (types must agree exactly: an int is no int64_t).
  template <class... Args>
  AnyValue any_forward(Args&&... args) {
    std::vector<AnyValue> values;
    values.reserve(sizeof...(Args));
    (values.push_back(AnyValue(std::forward<Args>(args))), ...);
    return content().forward(std::move(values));
  }
  /// The same with the result as a ReturnType.
  template <class ReturnType = Tensor, class... Args>
  ReturnType forward(Args&&... args) {
    if constexpr (std::is_same_v<ReturnType, Tensor> && sizeof...(Args) == 1 &&
                  (std::is_same_v<std::decay_t<Args>, Tensor> && ...))
      if (maps_tensor()) return map(args...);
    return any_forward(std::forward<Args>(args)...).template get<ReturnType>();
  }
  /// True where forward can be called with one Tensor and gives a Tensor: then map() does that without boxes.
  bool maps_tensor() const { return content().maps_tensor; }
  Tensor map(const Tensor& x) { return content().map(x); }
  AnyValue forward_values(std::vector<AnyValue>&& arguments) {
    return content().forward(std::move(arguments));
  }

  /// The module as a T: a reference, or for a holder's type a holder. Throws ValueError where it is not
  /// exactly one.
  template <class T>
  decltype(auto) get() const {
    using M = detail::module_type_t<T>;
    if (typeid(M) != type_info()) detail::any_module_cast_failure(typeid(M), *ptr());
    if constexpr (detail::is_holder<T>)
      return T(std::static_pointer_cast<M>(ptr()));
    else
      return static_cast<M&>(*ptr());
  }
  std::shared_ptr<Module> ptr() const { return content().module(); }
  template <class T>
  std::shared_ptr<detail::module_type_t<T>> ptr() const {
    get<detail::module_type_t<T>>();
    return std::static_pointer_cast<detail::module_type_t<T>>(ptr());
  }
  const std::type_info& type_info() const { return content().type(); }
  bool is_empty() const noexcept { return content_ == nullptr; }

 private:
  struct Content {
    explicit Content(bool m) : maps_tensor(m) {}
    virtual ~Content() = default;
    virtual AnyValue forward(std::vector<AnyValue>&& arguments) = 0;
    virtual Tensor map(const Tensor& x) = 0;
    virtual std::shared_ptr<Module> module() const = 0;
    virtual std::unique_ptr<Content> copy() const = 0;
    virtual std::unique_ptr<Content> clone(const std::optional<Device>& device) const = 0;
    virtual const std::type_info& type() const = 0;
    const bool maps_tensor;
  };
  template <class M, class R, class... Args>
  struct Box final : Content {
    static constexpr bool kMaps = sizeof...(Args) == 1 && std::is_same_v<std::decay_t<R>, Tensor> &&
                                  (std::is_same_v<std::decay_t<Args>, Tensor> && ...);
    explicit Box(std::shared_ptr<M> m) : Content(kMaps), held(std::move(m)) {}
    AnyValue forward(std::vector<AnyValue>&& arguments) override {
      const size_t given = arguments.size();
      if constexpr (requires { M::forward_default_args_(); }) {
        for (auto& [index, value] : M::forward_default_args_())
          if (index == arguments.size()) arguments.push_back(std::move(value));
      }
      if (arguments.size() != sizeof...(Args)) detail::any_count_failure(*held, sizeof...(Args), given);
      return call(arguments, std::index_sequence_for<Args...>());
    }
    Tensor map(const Tensor& x) override {
      if constexpr (kMaps) {
        if constexpr ((std::is_lvalue_reference_v<Args> && ...) &&
                      (!std::is_const_v<std::remove_reference_t<Args>> && ...)) {
          Tensor copy = x;
          return detail::call_module(*held, copy);
        } else {
          return detail::call_module(*held, x);
        }
      } else {
        return forward(std::vector<AnyValue>(1, AnyValue(x))).template get<Tensor>();
      }
    }
    std::shared_ptr<Module> module() const override { return held; }
    std::unique_ptr<Content> copy() const override { return std::unique_ptr<Content>(new Box(held)); }
    std::unique_ptr<Content> clone(const std::optional<Device>& device) const override {
      return std::unique_ptr<Content>(new Box(std::static_pointer_cast<M>(held->clone(device))));
    }
    const std::type_info& type() const override { return typeid(M); }

    template <size_t... I>
    AnyValue call(std::vector<AnyValue>& arguments, std::index_sequence<I...>) {
      if constexpr (std::is_void_v<R>) {
        detail::call_module(*held, static_cast<Args>(argument<Args>(arguments[I], I))...);
        return AnyValue(std::tuple<>());
      } else {
        return AnyValue(detail::call_module(*held, static_cast<Args>(argument<Args>(arguments[I], I))...));
      }
    }
    template <class A>
    std::decay_t<A>& argument(AnyValue& value, size_t index) {
      if (auto* v = value.try_get<A>()) return *v;
      detail::any_argument_failure(*held, index, typeid(std::decay_t<A>), value.type_info());
    }
    std::shared_ptr<M> held;
  };
  template <class M, class C, class R, class... Args>
  static std::unique_ptr<Content> make(std::shared_ptr<M> module, R (C::*)(Args...)) {
    return std::unique_ptr<Content>(new Box<M, R, Args...>(std::move(module)));
  }
  template <class M, class C, class R, class... Args>
  static std::unique_ptr<Content> make(std::shared_ptr<M> module, R (C::*)(Args...) const) {
    return std::unique_ptr<Content>(new Box<M, R, Args...>(std::move(module)));
  }
  Content& content() const {
    if (TAPIR_UNLIKELY(!content_)) detail::any_empty_failure();
    return *content_;
  }

  std::unique_ptr<Content> content_;
};

}  // namespace tapir::nn
