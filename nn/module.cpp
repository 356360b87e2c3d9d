#include "tapir/nn/module.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <ostream>
#include <typeinfo>
#include <unordered_set>

#include "tapir/autograd/node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator_impl.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

void detail::dict_failure(const std::string& subject, const char* key, const char* problem) {
  const std::string message = fmt::format("{} '{}' {}", subject, key, problem);
  if (problem[3] == 'n') throw IndexError(message);  // is not defined
  throw ValueError(message);
}

namespace nn {

void detail::empty_holder_failure() {
  throw_error<ValueError>(
      "the module holder is empty (it was made from nullptr); assign a module to it before using it");
}

namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

void check_name(const char* op, const std::string& name) {
  TAPIR_CHECK_AS(ValueError, !name.empty(), "{}: the name is empty", op);
  TAPIR_CHECK_AS(ValueError, name.find('.') == std::string::npos,
                 "{}: the name '{}' holds a dot, which separates the names of modules in a path", op, name);
}

}  // namespace

Module::Module() : parameters_("Parameter"), buffers_("Buffer"), children_("Submodule") {}
Module::Module(std::string name) : Module() { name_ = std::move(name); }
Module::~Module() = default;

const std::string& Module::name() const noexcept {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (name_.empty()) {
    const char* mangled = typeid(*this).name();
    int status = 0;
    char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
    name_ = status == 0 ? text : mangled;
    std::free(text);
  }
  return name_;
}

std::shared_ptr<Module> Module::shared() const {
  auto self = const_cast<Module*>(this)->weak_from_this().lock();
  TAPIR_CHECK_AS(ValueError, self != nullptr,
                 "{}: this call hands out shared_ptrs to the module, which is not held by one; make it with "
                 "std::make_shared or a holder (TAPIR_MODULE)",
                 name());
  return self;
}

std::shared_ptr<Module> Module::clone(const std::optional<Device>&) const {
  throw_error<ValueError>(
      "clone: {} is not cloneable; derive it from nn::Cloneable<{}> instead of nn::Module", name(), name());
}

void Module::clone_(Module& other, const std::optional<Device>& device) {
  static_cast<void>(other.clone(device));
}

namespace {
// While one lives, what this thread draws from the CPU's default generator comes from a stream of its own.
class DrawAside {
 public:
  DrawAside() {
    thread_local Generator stream;
    before_ = tapir::detail::exchange_thread_generator(&stream);
  }
  ~DrawAside() { tapir::detail::exchange_thread_generator(before_); }
  DrawAside(const DrawAside&) = delete;
  DrawAside& operator=(const DrawAside&) = delete;

 private:
  Generator* before_;
};
}  // namespace

std::shared_ptr<Module> detail::CloneableModule::clone(const std::optional<Device>& device) const {
  const std::shared_ptr<CloneableModule> copy(copy_object());
  copy->parameters_.clear();
  copy->buffers_.clear();
  copy->children_.clear();
  copy->transient_buffers_.clear();
  {
    const DrawAside aside;
    copy->reset();
  }
  copy->adopt_clones(*this, device);
  return copy;
}

void detail::CloneableModule::clone_(Module& other, const std::optional<Device>& device) {
  assign_object(*other.clone(device));  // assigned, so that handles to this module keep pointing at it
}

void Module::adopt_clones(const Module& original, const std::optional<Device>& device) {
  NoGradGuard no_grad;
  const auto adopt = [&](NamedTensors& mine, const NamedTensors& theirs, const char* kind) {
    TAPIR_CHECK_AS(ValueError, mine.size() == theirs.size(),
                   "clone: {}: the copy has {} {} after reset(), the original {}; register all of them in "
                   "reset(), not in the constructor",
                   name(), mine.size(), kind, theirs.size());
    for (const auto& item : theirs) {
      const Tensor& from = item.value();
      Tensor& to = mine[item.key()];
      if (!from.defined()) {
        to.reset();
        continue;
      }
      const Tensor value =
          device && !(*device == from.device()) ? raw::to_device(from, *device) : raw::clone(from);
      if (to.defined())
        to.set_data(value);
      else
        to = value;
      to.set_requires_grad(from.requires_grad());
    }
  };
  adopt(parameters_, original.parameters_, "parameters");
  adopt(buffers_, original.buffers_, "buffers");
  TAPIR_CHECK_AS(ValueError, children_.size() == original.children_.size(),
                 "clone: {}: the copy has {} submodules after reset(), the original {}; register all of them "
                 "in reset(), not in the constructor",
                 name(), children_.size(), original.children_.size());
  for (const auto& item : original.children_) children_[item.key()]->clone_(*item.value(), device);
  training_ = original.training_;
}

void Module::walk(const std::string& path, void* context, Visit visit) {
  visit(context, path, *this);
  for (size_t i = 0; i < children_.size(); ++i)  // by index: a visit may replace modules
    children_[i].value()->walk(join(path, children_[i].key()), context, visit);
}

NamedTensors Module::named_parameters(bool recurse) const {
  NamedTensors result("Parameter");
  std::unordered_set<const TensorImpl*> seen;
  const auto add = [&](const std::string& path, const Module& m) {
    for (const auto& p : m.parameters_)
      if (p.value().defined() && seen.insert(p.value().impl()).second)
        result.insert(join(path, p.key()), p.value());
  };
  if (recurse)
    apply([&](const std::string& path, Module& m) { add(path, m); });
  else
    add({}, *this);
  return result;
}

NamedTensors Module::named_buffers(bool recurse) const {
  NamedTensors result("Buffer");
  std::unordered_set<const TensorImpl*> seen;
  const auto add = [&](const std::string& path, const Module& m) {
    for (const auto& b : m.buffers_)
      if (b.value().defined() && seen.insert(b.value().impl()).second)
        result.insert(join(path, b.key()), b.value());
  };
  if (recurse)
    apply([&](const std::string& path, Module& m) { add(path, m); });
  else
    add({}, *this);
  return result;
}

std::vector<Tensor> Module::parameters(bool recurse) const { return named_parameters(recurse).values(); }
std::vector<Tensor> Module::buffers(bool recurse) const { return named_buffers(recurse).values(); }

OrderedDict<std::string, std::shared_ptr<Module>> Module::named_modules(const std::string& name_prefix,
                                                                        bool include_self) const {
  OrderedDict<std::string, std::shared_ptr<Module>> result("Submodule");
  std::unordered_set<const Module*> seen;
  apply(
      [&](const std::string& path, Module& m) {
        if (seen.insert(&m).second && (include_self || &m != this)) result.insert(path, m.shared());
      },
      name_prefix);
  return result;
}

std::vector<std::shared_ptr<Module>> Module::modules(bool include_self) const {
  return named_modules({}, include_self).values();
}
std::vector<std::shared_ptr<Module>> Module::children() const { return children_.values(); }
OrderedDict<std::string, std::shared_ptr<Module>> Module::named_children() const { return children_; }

void Module::train(bool on) {
  training_ = on;
  for (const auto& c : children_) c.value()->train(on);
}

void Module::move_to(std::optional<Device> device, std::optional<DType> dtype) {
  TAPIR_CHECK_AS(DTypeError, !dtype || is_floating_point(*dtype),
                 "to: got {}; modules take floating-point dtypes only", *dtype);
  NoGradGuard no_grad;
  const auto moved = [&](const Tensor& t) {
    Tensor u = dtype && t.is_floating_point() ? raw::cast(t, *dtype) : t;
    return device ? raw::to_device(u, *device) : u;
  };
  const auto move = [&](Tensor& t) {
    if (!t.defined()) return;
    Tensor grad = t.grad();
    const Tensor value = moved(t);
    if (!value.is_same(t)) t.set_data(value);
    if (grad.defined()) t.mutable_grad() = moved(grad);
  };
  for (auto& p : parameters_) move(p.value());
  for (auto& b : buffers_) move(b.value());
}

void Module::to(Device device, DType dtype, bool) {
  move_to(device, dtype);
  for (auto& c : children_) c.value()->to(device, dtype);
}
void Module::to(DType dtype, bool) {
  move_to(std::nullopt, dtype);
  for (auto& c : children_) c.value()->to(dtype);
}
void Module::to(Device device, bool) {
  move_to(device, std::nullopt);
  for (auto& c : children_) c.value()->to(device);
}

void Module::zero_grad(bool set_to_none) {
  for (auto& c : children_) c.value()->zero_grad(set_to_none);
  for (auto& p : parameters_) {
    if (p.value().defined()) clear_gradient(p.value(), set_to_none);
  }
}

void Module::state_into(NamedTensors& state, const std::string& prefix) const {
  for (const auto& p : parameters_)
    if (p.value().defined()) state.insert(join(prefix, p.key()), p.value().detach());
  for (const auto& b : buffers_)
    if (b.value().defined() &&
        std::find(transient_buffers_.begin(), transient_buffers_.end(), b.key()) == transient_buffers_.end())
      state.insert(join(prefix, b.key()), b.value().detach());
  for (const auto& c : children_) c.value()->state_into(state, join(prefix, c.key()));
}

NamedTensors Module::state_dict() const {
  NamedTensors state("Entry");
  state_into(state, {});
  return state;
}

void Module::load_state_dict(const NamedTensors& state, bool strict) {
  const NamedTensors mine = state_dict();
  std::string problems;
  for (const auto& item : mine) {
    const Tensor* value = state.find(item.key());
    const Tensor& t = item.value();
    if (!value) {
      if (strict) problems += fmt::format("\n  missing: {} ({}, sizes {})", item.key(), t.dtype(), t.sizes());
    } else if (!value->defined()) {
      problems += fmt::format("\n  misfitting: {} is undefined", item.key());
    } else if (!(value->sizes() == t.sizes())) {
      problems += fmt::format("\n  misfitting: {} has sizes {}, the module's has {}", item.key(),
                              value->sizes(), t.sizes());
    }
  }
  if (strict)
    for (const auto& item : state)
      if (!mine.contains(item.key())) problems += fmt::format("\n  unexpected: {}", item.key());
  TAPIR_CHECK_AS(ValueError, problems.empty(),
                 "load_state_dict: the entries do not fit {}; nothing was loaded:{}", name(), problems);
  for (const auto& item : mine)
    if (const Tensor* value = state.find(item.key())) raw::copy_into(item.value(), *value);
}

Tensor& Module::register_parameter(std::string name, Tensor tensor, bool requires_grad) {
  check_name("register_parameter", name);
  TAPIR_CHECK_AS(ValueError, !buffers_.contains(name) && !children_.contains(name),
                 "register_parameter: '{}' names a buffer or a submodule already", name);
  if (tensor.defined()) {
    TAPIR_CHECK_AS(
        AutogradError, tensor.is_leaf(),
        "register_parameter: '{}' is the result of a recorded op; make it under NoGradGuard or detach() it",
        name);
    tensor.set_requires_grad(requires_grad);
  }
  return parameters_.insert(std::move(name), std::move(tensor));
}

Tensor& Module::register_buffer(std::string name, Tensor tensor, bool persistent) {
  check_name("register_buffer", name);
  TAPIR_CHECK_AS(ValueError, !parameters_.contains(name) && !children_.contains(name),
                 "register_buffer: '{}' names a parameter or a submodule already", name);
  Tensor& stored = buffers_.insert(name, std::move(tensor));
  if (!persistent) transient_buffers_.push_back(std::move(name));
  return stored;
}

void Module::add_child(std::string name, std::shared_ptr<Module> module, bool replace) {
  const char* op = replace ? "replace_module" : "register_module";
  TAPIR_CHECK_AS(ValueError, module != nullptr, "{}: '{}' is a null module", op, name);
  TAPIR_CHECK_AS(ValueError, module.get() != this, "{}: '{}' is the module itself", op, name);
  if (replace) {
    children_[name] = std::move(module);
    return;
  }
  check_name(op, name);
  TAPIR_CHECK_AS(ValueError, !parameters_.contains(name) && !buffers_.contains(name),
                 "{}: '{}' names a parameter or a buffer already", op, name);
  children_.insert(std::move(name), std::move(module));
}

void Module::unregister_module(const std::string& name) { children_.erase(name); }

void Module::pretty_print(std::ostream& stream) const { stream << name(); }

namespace {
void print_tree(std::ostream& stream, const Module& module, const std::string& indent) {
  module.pretty_print(stream);
  const auto children = module.named_children();
  if (children.is_empty()) return;
  stream << "(\n";
  for (const auto& c : children) {
    stream << indent << "  (" << c.key() << "): ";
    print_tree(stream, *c.value(), indent + "  ");
    stream << "\n";
  }
  stream << indent << ")";
}
}  // namespace

std::ostream& operator<<(std::ostream& stream, const Module& module) {
  const auto flags = stream.flags();  // pretty_print may set boolalpha, say
  print_tree(stream, module, "");
  stream.flags(flags);
  return stream;
}

}  // namespace nn
}  // namespace tapir
