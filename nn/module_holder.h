// ModuleHolder: a shared handle to a module that is used like the module, and TAPIR_MODULE, which declares
// one.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "tapir/nn/module_hooks.h"
#include "tapir/tensor/macros.h"

namespace tapir::nn {

namespace detail {
struct HolderBase {};  // all holders derive from it
[[noreturn]] TAPIR_API TAPIR_COLD void empty_holder_failure();

template <class T>
inline constexpr bool is_holder = std::is_base_of_v<HolderBase, std::decay_t<T>>;
template <class T, bool = is_holder<T>>
struct ModuleType {
  using type = T;
};
template <class T>
struct ModuleType<T, true> {
  using type = typename T::ContainedType;
};
/// The module type behind a holder, or the type itself.
template <class T>
using module_type_t = typename ModuleType<T>::type;
/// An argument that is neither a holder nor a pointer to its module. The order matters: std::shared_ptr of a
/// module is left alone where it is a holder.
template <class T, class Holder>
concept NoHandle = !std::is_base_of_v<Holder, std::decay_t<T>> &&
                   !std::is_convertible_v<T, std::shared_ptr<typename Holder::ContainedType>>;

/// A std::shared_ptr<T> to those who use it, which costs the compiler little where nobody does: holders of
/// all layers are in every program.
template <class T>
class SharedModule {
 public:
  SharedModule() = default;
  SharedModule(std::nullptr_t) {}  // NOLINT
  template <class P>
  requires(!std::is_same_v<std::decay_t<P>, SharedModule> && std::is_convertible_v<P, std::shared_ptr<T>>)
      SharedModule(P&& p)
      : object_(std::shared_ptr<T>(std::forward<P>(p))) {}  // NOLINT
  template <class U = T>
  operator std::shared_ptr<U>() const {  // NOLINT
    return std::static_pointer_cast<T>(object_);
  }
  T* get() const noexcept { return static_cast<T*>(object_.get()); }
  T* operator->() const noexcept { return get(); }
  T& operator*() const noexcept { return *get(); }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  friend bool operator==(const SharedModule& p, std::nullptr_t) noexcept { return p.object_ == nullptr; }

 private:
  std::shared_ptr<void> object_;
};
}  // namespace detail

/// Shared ownership of a module. `Linear fc(4, 5)` makes a LinearImpl; `Linear fc{nullptr}` is empty until
/// one is assigned; copies share the module. Using an empty holder throws ValueError.
template <class Contained>
class ModuleHolder : public detail::HolderBase {
 protected:
  detail::SharedModule<Contained> impl_;

 public:
  using ContainedType = Contained;
  /// A default-constructed module.
  ModuleHolder() : impl_(make_default()) {}
  ModuleHolder(std::nullptr_t) {}  // NOLINT
  /// A module made from the arguments.
  template <class Head, class... Tail>
  requires(sizeof...(Tail) > 0 || detail::NoHandle<Head, ModuleHolder>)  //
      explicit ModuleHolder(Head&& head, Tail&&... tail)
      : impl_(std::shared_ptr<Contained>(
            new Contained(std::forward<Head>(head), std::forward<Tail>(tail)...))) {}
  ModuleHolder(std::shared_ptr<Contained> module) : impl_(std::move(module)) {}  // NOLINT

  explicit operator bool() const noexcept { return impl_ != nullptr; }
  bool is_empty() const noexcept { return !impl_; }
  Contained* operator->() const { return get(); }
  Contained& operator*() const { return *get(); }
  Contained* get() const {
    if (TAPIR_UNLIKELY(!impl_)) detail::empty_holder_failure();
    return impl_.get();
  }
  // Constant, so that `auto& p = holder.ptr()` compiles, as with libtorch's reference.
  const std::shared_ptr<Contained> ptr() const {
    get();
    return impl_;
  }
  /// An element of a container.
  template <class Key>
  decltype(auto) operator[](Key&& key) const {
    return (*get())[std::forward<Key>(key)];
  }
  /// forward(arguments...)
  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    Contained* const module = get();
    if constexpr (requires { module->hooks(); })
      if (TAPIR_UNLIKELY(module->hooks() != nullptr))
        return detail::call_hooked(*module, std::forward<Args>(args)...);
    return module->forward(std::forward<Args>(args)...);
  }

 private:
  static std::shared_ptr<Contained> make_default() {
    static_assert(std::is_default_constructible_v<Contained>,
                  "this module has no default constructor: give the holder the constructor's arguments, or "
                  "nullptr for an empty holder");
    return std::shared_ptr<Contained>(new Contained);
  }
};

/// Prints the module.
template <class Stream, class Contained>
requires requires(Stream& s, const Contained& c) { s << c; }
Stream& operator<<(Stream& stream, const ModuleHolder<Contained>& holder) {
  stream << *holder;
  return stream;
}

}  // namespace tapir::nn

/// Declares the holder `Name` of the module type `ImplType`.
#define TAPIR_MODULE_IMPL(Name, ImplType)                    \
  class Name : public ::tapir::nn::ModuleHolder<ImplType> {  \
   public:                                                   \
    using ::tapir::nn::ModuleHolder<ImplType>::ModuleHolder; \
    using Impl [[maybe_unused]] = ImplType;                  \
  }
/// Declares the holder `Name` of `NameImpl`.
#define TAPIR_MODULE(Name) TAPIR_MODULE_IMPL(Name, Name##Impl)
