#include "tapir/nn/containers.h"

#include <cmath>
#include <ostream>

#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::nn {

// --- ModuleList ---

std::shared_ptr<Module> ModuleListImpl::clone(const std::optional<Device>& device) const {
  auto copy = std::make_shared<ModuleListImpl>();
  for (const auto& m : modules_) copy->push_back(m->clone(device));
  if (!is_training()) copy->train(false);
  return copy;
}
void ModuleListImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::ModuleList"; }

void ModuleListImpl::insert(size_t index, std::shared_ptr<Module> module) {
  TAPIR_CHECK_AS(IndexError, index <= modules_.size(),
                 "ModuleList: insert at {}, expected at most its size, {}", index, modules_.size());
  TAPIR_CHECK_AS(ValueError, module != nullptr, "ModuleList: a null module");
  register_module(std::to_string(modules_.size()), module);
  modules_.insert(modules_.begin() + static_cast<std::ptrdiff_t>(index), std::move(module));
  for (size_t i = index; i < modules_.size(); ++i) replace_module(std::to_string(i), modules_[i]);
}
std::shared_ptr<Module> ModuleListImpl::ptr(size_t index) const {
  TAPIR_CHECK_AS(IndexError, index < modules_.size(), "ModuleList: index {} of {} modules", index,
                 modules_.size());
  return modules_[index];
}

// --- ModuleDict ---

std::shared_ptr<Module> ModuleDictImpl::clone(const std::optional<Device>& device) const {
  auto copy = std::make_shared<ModuleDictImpl>();
  for (const auto& item : named_children()) copy->register_module(item.key(), item.value()->clone(device));
  if (!is_training()) copy->train(false);
  return copy;
}
ModuleDictImpl::ModuleDictImpl(const Pairs& modules) { update(modules); }
ModuleDictImpl::ModuleDictImpl(const Items& modules) { update(modules); }
ModuleDictImpl::Pairs ModuleDictImpl::items() const { return children_.pairs(); }
std::vector<std::string> ModuleDictImpl::keys() const { return children_.keys(); }
std::vector<std::shared_ptr<Module>> ModuleDictImpl::values() const { return children_.values(); }
bool ModuleDictImpl::contains(const std::string& key) const noexcept { return children_.contains(key); }
void ModuleDictImpl::clear() { children_.clear(); }
void ModuleDictImpl::update(std::initializer_list<Pairs::value_type> modules) { update(Pairs(modules)); }
void ModuleDictImpl::update(const Items& modules) { update(modules.pairs()); }
void ModuleDictImpl::update(const ModuleDictImpl& other) { update(other.items()); }
std::shared_ptr<Module> ModuleDictImpl::operator[](const std::string& key) const { return children_[key]; }
void ModuleDictImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::ModuleDict"; }
std::shared_ptr<Module> ModuleDictImpl::pop(const std::string& key) {
  auto module = (*this)[key];
  unregister_module(key);
  return module;
}
void ModuleDictImpl::update(const Pairs& modules) {
  for (const auto& [key, module] : modules) {
    TAPIR_CHECK_AS(ValueError, module != nullptr, "ModuleDict: module '{}' is null", key);
    TAPIR_CHECK_AS(ValueError, !key.empty() && key.find('.') == std::string::npos,
                   "ModuleDict: '{}' is no name: it is empty or holds a dot", key);
  }
  for (const auto& [key, module] : modules)
    if (contains(key))
      replace_module(key, module);
    else
      register_module(key, module);
}

// --- parameters ---

namespace {
void print_parameters(std::ostream& stream, const char* name, const NamedTensors& parameters) {
  stream << "tapir::nn::" << name << "(";
  if (!parameters.is_empty()) stream << "\n";
  for (const auto& p : parameters) {
    stream << "(" << p.key() << "): Parameter containing: [";
    if (p.value().defined())
      stream << dtype_name(p.value().dtype()) << " of size " << fmt::format("{}", p.value().sizes());
    else
      stream << "undefined";
    stream << "]\n";
  }
  stream << ")";
}
}  // namespace

// A clone has no parameters of its own until they are put there, so that reset() cannot make them.
template <class M>
std::shared_ptr<Module> clone_parameters(const M& original, const std::optional<Device>& device) {
  NoGradGuard no_grad;
  auto copy = std::make_shared<M>();
  for (const auto& p : original.named_parameters(false)) {
    Tensor t = device && !(*device == p.value().device()) ? raw::to_device(p.value(), *device)
                                                          : raw::clone(p.value());
    copy->register_parameter(p.key(), t, p.value().requires_grad());
  }
  copy->train(original.is_training());
  return copy;
}
std::shared_ptr<Module> ParameterListImpl::clone(const std::optional<Device>& device) const {
  return clone_parameters(*this, device);
}
std::shared_ptr<Module> ParameterDictImpl::clone(const std::optional<Device>& device) const {
  return clone_parameters(*this, device);
}
ParameterListImpl& ParameterListImpl::operator+=(const ParameterListImpl& other) {
  for (const Tensor& p : other.parameters(false)) append(p);
  return *this;
}
void ParameterListImpl::pretty_print(std::ostream& stream) const {
  print_parameters(stream, "ParameterList", parameters_);
}
Tensor& ParameterDictImpl::get(const std::string& key) { return parameters_[key]; }
const Tensor& ParameterDictImpl::get(const std::string& key) const { return parameters_[key]; }
bool ParameterDictImpl::contains(const std::string& key) const noexcept { return parameters_.contains(key); }
std::vector<std::string> ParameterDictImpl::keys() const { return parameters_.keys(); }
std::vector<Tensor> ParameterDictImpl::values() const { return parameters_.values(); }
void ParameterDictImpl::clear() { parameters_.clear(); }
void ParameterDictImpl::pretty_print(std::ostream& stream) const {
  print_parameters(stream, "ParameterDict", parameters_);
}
void ParameterListImpl::append(const Tensor& parameter) {
  register_parameter(std::to_string(size()), parameter, parameter.defined() && parameter.requires_grad());
}
Tensor& ParameterListImpl::at(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < size(), "ParameterList: index {} of {} parameters", index, size());
  return parameters_[index].value();
}
Tensor& ParameterDictImpl::insert(std::string key, const Tensor& parameter) {
  return register_parameter(std::move(key), parameter, parameter.defined() && parameter.requires_grad());
}
Tensor ParameterDictImpl::pop(const std::string& key) {
  Tensor value = parameters_[key];
  parameters_.erase(key);
  return value;
}
void ParameterDictImpl::update(const NamedTensors& parameters) {
  for (const auto& p : parameters)
    if (contains(p.key()))
      parameters_[p.key()] = p.value();
    else
      insert(p.key(), p.value());
}

// --- functions ---

void FunctionalImpl::pretty_print(std::ostream& stream) const { stream << "tapir::nn::Functional()"; }

void UnflattenImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Unflatten(dim=" << options.dim() << ", sizes=[";
  for (size_t i = 0; i < options.sizes().size(); ++i) stream << (i ? ", " : "") << options.sizes()[i];
  stream << "])";
}
Tensor UnflattenImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return unflatten(input, options.dim(), options.sizes());
}

BilinearImpl::BilinearImpl(const BilinearOptions& o) : options(o) { BilinearImpl::reset(); }
void BilinearImpl::reset() {
  TAPIR_CHECK_AS(ValueError,
                 options.in1_features() > 0 && options.in2_features() > 0 && options.out_features() > 0,
                 "Bilinear: got {}, {} and {} features, expected more than 0", options.in1_features(),
                 options.in2_features(), options.out_features());
  const DType dtype = get_default_dtype();
  weight = register_parameter(
      "weight",
      Tensor::empty({options.out_features(), options.in1_features(), options.in2_features()}, dtype));
  bias = register_parameter(
      "bias", options.bias() ? Tensor::empty({options.out_features()}, dtype) : Tensor(), options.bias());
  reset_parameters();
}
void BilinearImpl::reset_parameters() {
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
  init::uniform_(weight, -bound, bound);
  if (bias.defined()) init::uniform_(bias, -bound, bound);
}
void BilinearImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "tapir::nn::Bilinear(in1_features=" << options.in1_features()
         << ", in2_features=" << options.in2_features() << ", out_features=" << options.out_features()
         << ", bias=" << options.bias() << ")";
}
Tensor BilinearImpl::forward(const Tensor& input1, const Tensor& input2) {
  CallSite site(TAPIR_HERE);
  return functional::bilinear(input1, input2, weight, bias);
}

Tensor functional::bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError,
                 weight.dim() == 3 && x1.dim() >= 1 && x1.dim() == x2.dim() &&
                     x1.size(-1) == weight.size(1) && x2.size(-1) == weight.size(2) &&
                     x1.sizes().slice(0, x1.sizes().size() - 1) == x2.sizes().slice(0, x2.sizes().size() - 1),
                 "bilinear: got inputs of sizes {} and {} with a weight of sizes {}; expected (..., in1), "
                 "(..., in2) and "
                 "(out, in1, in2)",
                 x1.sizes(), x2.sizes(), weight.sizes());
  const int64_t in1 = weight.size(1), in2 = weight.size(2), out = weight.size(0), rows = x1.numel() / in1;
  // (rows, in1) x (in1, out * in2), then the sum over in2 with x2
  const Tensor by_input = reshape(permute(weight, {1, 0, 2}), {in1, out * in2});
  const Tensor half = view(mm(reshape(x1, {rows, in1}), by_input), {rows, out, in2});
  Tensor y = squeeze(bmm(half, reshape(x2, {rows, in2, 1})), 2);
  if (bias.defined()) y = add(y, bias);
  Dims sizes = x1.sizes();
  sizes[sizes.size() - 1] = out;
  return reshape(y, sizes);
}

}  // namespace tapir::nn
