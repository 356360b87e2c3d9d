// Module: the base of every layer and model.
//
//   struct NetImpl : nn::Module {
//     NetImpl(int64_t in, int64_t out) : fc(register_module("fc", nn::Linear(in, out))) {}
//     Tensor forward(const Tensor& x) { return relu(fc(x)); }
//     nn::Linear fc;
//   };
//   TAPIR_MODULE(Net);  // Net is a shared handle: Net net(4, 5); net(x); net->fc->weight
#pragma once

#include <concepts>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "tapir/nn/module_holder.h"
#include "tapir/nn/module_hooks.h"
#include "tapir/nn/ordered_dict.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::serialize {
class OutputArchive;
class InputArchive;
}  // namespace tapir::serialize

namespace tapir::nn {

class Module;
namespace detail {
class CloneableModule;
}
using NamedTensors = OrderedDict<std::string, Tensor>;

/// Holds parameters (which are trained), buffers (which are not, but are part of the state) and submodules,
/// each under a name. Derive from it, or from Cloneable where clone() is wanted, and write `forward` with any
/// arguments. It is held by std::shared_ptr or a holder; a copy of the C++ object shares the tensors, see
/// clone().
class TAPIR_API Module : public std::enable_shared_from_this<Module> {
 public:
  Module();
  /// `name` is what name() returns; without it, that is the demangled type.
  explicit Module(std::string name);
  virtual ~Module();

  /// The name of the type, such as "tapir::nn::LinearImpl".
  const std::string& name() const noexcept;
  /// A deep copy on `device` (default: the devices of the originals). Throws ValueError where the module is
  /// not Cloneable.
  virtual std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const;

  /// Calls f for this module and all below it, parents first. f takes one of
  ///   (Module&)   (const std::string& name, Module&)   (const std::shared_ptr<Module>&)
  ///   (const std::string& name, const std::shared_ptr<Module>&)
  /// The last two need a module that is held by a shared_ptr. A name is the dotted path, after `name_prefix`.
  template <class F>
  void apply(F&& f, const std::string& name_prefix = {}) {
    apply_named(f, name_prefix);
  }
  template <class F>
  void apply(F&& f, const std::string& name_prefix = {}) const {
    const_cast<Module*>(this)->apply_named(f, name_prefix);
  }

  /// The parameters, in order of registration, each once; without `recurse` only this module's own.
  std::vector<Tensor> parameters(bool recurse = true) const;
  /// The same with their dotted names ("fc.weight").
  NamedTensors named_parameters(bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  NamedTensors named_buffers(bool recurse = true) const;
  /// This module (unless include_self is false) and all below it, parents first, each once.
  std::vector<std::shared_ptr<Module>> modules(bool include_self = true) const;
  OrderedDict<std::string, std::shared_ptr<Module>> named_modules(const std::string& name_prefix = {},
                                                                  bool include_self = true) const;
  /// The modules registered here.
  std::vector<std::shared_ptr<Module>> children() const;
  OrderedDict<std::string, std::shared_ptr<Module>> named_children() const;

  /// Sets the mode that Dropout and the like look at, here and below.
  virtual void train(bool on = true);
  void eval() { train(false); }
  virtual bool is_training() const noexcept { return training_; }

  /// Moves and casts parameters and buffers in place: handles to them stay valid. Integer ones keep their
  /// dtype. Throws DTypeError for an integer dtype.
  virtual void to(Device device, DType dtype, bool non_blocking = false);
  virtual void to(DType dtype, bool non_blocking = false);
  virtual void to(Device device, bool non_blocking = false);
  /// Drops every gradient, or fills it with zeros.
  virtual void zero_grad(bool set_to_none = true);

  /// Parameters and persistent buffers by dotted name, in PyTorch's order (own parameters, own buffers, then
  /// the children). The tensors share memory with the module and record no gradient. A parameter with two
  /// names is listed under both.
  NamedTensors state_dict() const;
  /// Copies values by name into the module, casting dtypes. Throws ValueError that lists every missing,
  /// unexpected and misfitting entry, and changes nothing then. With strict = false, missing and unexpected
  /// entries are passed over.
  void load_state_dict(const NamedTensors& state, bool strict = true);
  /// The same to and from an archive (io/archive.h).
  void save(serialize::OutputArchive& archive) const;
  void load(serialize::InputArchive& archive);

  /// This module as a T, a module type or its holder; null where it is not one.
  template <class T>
  auto* as() noexcept {
    return dynamic_cast<detail::module_type_t<T>*>(this);
  }
  template <class T>
  const auto* as() const noexcept {
    return dynamic_cast<const detail::module_type_t<T>*>(this);
  }

  /// Adds a parameter. An undefined tensor stands for one that is absent. Returns the stored handle.
  /// Throws ValueError for a name that is empty, holds a dot or is taken, AutogradError for a tensor that is
  /// the result of a recorded op.
  Tensor& register_parameter(std::string name, Tensor tensor, bool requires_grad = true);
  /// Adds a buffer; one that is not persistent is left out of state_dict().
  Tensor& register_buffer(std::string name, Tensor tensor, bool persistent = true);
  /// Adds a submodule and returns it.
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> module) {
    add_child(std::move(name), module, false);
    return module;
  }
  template <class M>
  std::shared_ptr<M> register_module(std::string name, ModuleHolder<M> holder) {
    return register_module(std::move(name), holder.ptr());
  }
  /// Puts another module in the place of a registered one. Throws IndexError where there is none.
  template <class M>
  std::shared_ptr<M> replace_module(const std::string& name, std::shared_ptr<M> module) {
    add_child(name, module, true);
    return module;
  }
  template <class M>
  std::shared_ptr<M> replace_module(const std::string& name, ModuleHolder<M> holder) {
    return replace_module(name, holder.ptr());
  }
  /// Takes a submodule away. Throws IndexError where there is none.
  void unregister_module(const std::string& name);

  /// Hooks, called where the module is called: through a holder, AnyModule, Sequential or a container, but
  /// not by forward() itself. Each may return nothing, or what takes the place of what it was given:
  ///   forward_pre        (Module&, inputs)                    -> inputs
  ///   forward            (Module&, inputs, outputs)           -> outputs
  ///   full_backward_pre  (Module&, grad_outputs)              -> grad_outputs, before the module's backward
  ///   full_backward      (Module&, grad_inputs, grad_outputs) -> grad_inputs, after it
  /// The lists hold the tensors among the arguments or results of forward, also those in optionals, tuples
  /// and vectors; gradients of tensors that require none are undefined. Hooks run in order of registration.
  /// While there is a backward hook, inputs and outputs that require a gradient are seen through an identity,
  /// and may not be changed in place. Where no input requires a gradient, the full backward hook runs when
  /// the gradients of the outputs are there. A copy of the module has copies of its hooks. Returns a handle
  /// for remove_hook.
  template <class F>
  unsigned register_forward_pre_hook(F&& hook) {
    return hooks_.make().add_forward_pre(
        detail::returning_list<Module&, const TensorVector&>(std::forward<F>(hook)));
  }
  template <class F>
  unsigned register_forward_hook(F&& hook) {
    return hooks_.make().add_forward(
        detail::returning_list<Module&, const TensorVector&, const TensorVector&>(std::forward<F>(hook)));
  }
  template <class F>
  unsigned register_full_backward_pre_hook(F&& hook) {
    return hooks_.make().add_backward_pre(
        detail::returning_list<Module&, const TensorVector&>(std::forward<F>(hook)));
  }
  template <class F>
  unsigned register_full_backward_hook(F&& hook) {
    return hooks_.make().add_backward(
        detail::returning_list<Module&, const TensorVector&, const TensorVector&>(std::forward<F>(hook)));
  }
  /// Takes a hook of any kind back; false where there is none of that handle.
  bool remove_hook(unsigned handle) { return hooks_.get() && hooks_.get()->remove(handle); }
  /// Null where no hook was ever registered.
  const detail::ModuleHooks* hooks() const { return hooks_.get(); }

  /// Prints one line, such as "tapir::nn::Linear(in_features=4, out_features=5, bias=true)". printing a
  /// module with << adds its children.
  virtual void pretty_print(std::ostream& stream) const;
  friend TAPIR_API std::ostream& operator<<(std::ostream& stream, const Module& module);

 protected:
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  NamedTensors parameters_;
  NamedTensors buffers_;
  OrderedDict<std::string, std::shared_ptr<Module>> children_;

 private:
  friend class detail::CloneableModule;
  virtual void clone_(Module& other, const std::optional<Device>& device);
  void add_child(std::string name, std::shared_ptr<Module> module, bool replace);
  void state_into(NamedTensors& state, const std::string& prefix) const;
  void move_to(std::optional<Device> device, std::optional<DType> dtype);
  std::shared_ptr<Module> shared() const;
  void adopt_clones(const Module& original, const std::optional<Device>& device);

  // Visits this module and those below, parents first.
  using Visit = void (*)(void* context, const std::string& path, Module& module);
  void walk(const std::string& path, void* context, Visit visit);
  template <class F>
  void apply_named(F& f, const std::string& prefix) {
    walk(prefix, &f, [](void* context, [[maybe_unused]] const std::string& path, Module& m) {
      F& g = *static_cast<F*>(context);
      if constexpr (std::invocable<F&, const std::string&, Module&>)
        g(path, m);
      else if constexpr (std::invocable<F&, Module&>)
        g(m);
      else if constexpr (std::invocable<F&, const std::string&, const std::shared_ptr<Module>&>)
        g(path, m.shared());
      else
        g(m.shared());
    });
  }

  std::vector<std::string> transient_buffers_;
  mutable std::string name_;
  detail::ModuleHooksOwner hooks_;
  bool training_ = true;
};

namespace detail {
/// What Cloneable does without knowing the type.
class TAPIR_API CloneableModule : public Module {
 public:
  using Module::Module;
  /// Makes parameters, buffers and submodules anew.
  virtual void reset() = 0;
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override;

 private:
  void clone_(Module& other, const std::optional<Device>& device) final;
  // The copy constructor and the copy assignment of the type.
  virtual CloneableModule* copy_object() const = 0;
  virtual void assign_object(const Module& other) = 0;
};
}  // namespace detail

/// Gives a module clone(): Derived puts the making of its parameters and submodules into reset(), which its
/// constructor calls too. As in Python, a clone draws nothing from the default generator: a seed gives the
/// same network whether layers are cloned or not.
template <class Derived>
class TAPIR_API Cloneable : public detail::CloneableModule {
 public:
  using CloneableModule::CloneableModule;

 private:
  CloneableModule* copy_object() const final { return new Derived(static_cast<const Derived&>(*this)); }
  void assign_object(const Module& other) final {
    static_assert(std::is_copy_assignable_v<Derived>,
                  "Cloneable: the module must be copy-assignable (no const or reference members)");
    static_cast<Derived&>(*this) = static_cast<const Derived&>(other);
  }
};

}  // namespace tapir::nn

/// TAPIR_MODULE for Tapir's own modules: what Cloneable makes for them is compiled once, in nn/instances.cpp,
/// and not in every file that includes the header.
#define TAPIR_BUILTIN_MODULE(Name)     \
  TAPIR_BUILTIN_CLONEABLE(Name##Impl); \
  TAPIR_MODULE(Name)
#ifdef TAPIR_INSTANTIATE_MODULES
#define TAPIR_BUILTIN_CLONEABLE(ImplType) template class ::tapir::nn::Cloneable<ImplType>
#else
#define TAPIR_BUILTIN_CLONEABLE(ImplType) extern template class ::tapir::nn::Cloneable<ImplType>
#endif
