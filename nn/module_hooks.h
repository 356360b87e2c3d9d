// Hooks of modules: what Module::register_forward_hook and its siblings keep, and the call of a module that
// has some.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tapir/autograd/tensor_pack.h"

namespace tapir::nn {

class Module;
using TensorVector = std::vector<Tensor>;

namespace detail {

/// `f`, which returns nothing, a tensor or a list of tensors, as a function that returns a list: empty for
/// nothing.
template <class... Args, class F>
std::function<TensorVector(Args...)> returning_list(F&& f) {
  return [f = std::forward<F>(f)](Args... args) mutable -> TensorVector {
    if constexpr (std::is_void_v<std::invoke_result_t<decltype(f)&, Args...>>) {
      f(args...);
      return {};
    } else if constexpr (std::is_convertible_v<std::invoke_result_t<decltype(f)&, Args...>, Tensor>) {
      return {f(args...)};
    } else {
      return f(args...);
    }
  };
}

class TAPIR_API ModuleHooks {
 public:
  using One = std::function<TensorVector(Module&, const TensorVector&)>;
  using Two = std::function<TensorVector(Module&, const TensorVector&, const TensorVector&)>;
  unsigned add_forward_pre(One hook);
  unsigned add_forward(Two hook);
  unsigned add_backward_pre(One hook);
  unsigned add_backward(Two hook);
  bool remove(unsigned handle);

  /// What happens around one forward. The hooks that it was begun with are those of its backward too.
  class Call;
  std::shared_ptr<Call> begin(Module& module, TensorVector& inputs) const;
  static void end(const std::shared_ptr<Call>& call, TensorVector& outputs);

 private:
  friend class Call;
  template <class H>
  using List = std::vector<std::pair<unsigned, H>>;
  template <class H>
  unsigned add(List<H>& list, H hook);
  List<One> forward_pre_, backward_pre_;
  List<Two> forward_, backward_;
  unsigned next_ = 0;
};

/// A module's hooks, copied with the module.
class TAPIR_API ModuleHooksOwner {
 public:
  ModuleHooksOwner() = default;
  ModuleHooksOwner(const ModuleHooksOwner& other);
  ModuleHooksOwner& operator=(const ModuleHooksOwner& other);
  ~ModuleHooksOwner();
  ModuleHooks* get() const { return hooks_; }
  ModuleHooks& make();

 private:
  ModuleHooks* hooks_ = nullptr;
};

/// An argument on its way to forward: a copy where it holds tensors, which hooks may replace.
template <class A>
using HookedArgument = std::conditional_t<tapir::detail::holds_tensors<A>, std::decay_t<A>, A&&>;

/// module.forward(args...) with the module's hooks around it.
template <class M, class... Args>
auto call_hooked(M& module, Args&&... args) -> decltype(module.forward(std::forward<Args>(args)...)) {
  using Result = decltype(module.forward(std::forward<Args>(args)...));
  std::tuple<HookedArgument<Args>...> given(std::forward<Args>(args)...);
  TensorVector inputs = tapir::detail::tensors_in(given);
  const auto call = module.hooks()->begin(module, inputs);
  tapir::detail::put_tensors(given, inputs);
  const auto forward = [&]() -> Result {
    return std::apply([&](auto&... a) -> Result { return module.forward(static_cast<Args&&>(a)...); }, given);
  };
  if constexpr (std::is_void_v<Result>) {
    forward();
    TensorVector none;
    ModuleHooks::end(call, none);
  } else if constexpr (std::is_reference_v<Result>) {
    return forward();  // a reference to something of the module's own: nothing to replace
  } else {
    Result result = forward();
    TensorVector outputs = tapir::detail::tensors_in(result);
    ModuleHooks::end(call, outputs);
    tapir::detail::put_tensors(result, outputs);
    return result;
  }
}

/// module.forward(args...), with hooks where there are any.
template <class M, class... Args>
TAPIR_ALWAYS_INLINE decltype(auto) call_module(M& module, Args&&... args) {
  if (TAPIR_UNLIKELY(module.hooks() != nullptr)) return call_hooked(module, std::forward<Args>(args)...);
  return module.forward(std::forward<Args>(args)...);
}

}  // namespace detail
}  // namespace tapir::nn
