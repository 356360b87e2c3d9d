#include "tapir/optim/optimizer.h"

#include <map>

#include "tapir/autograd/node.h"
#include "tapir/optim/update.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::optim {

FieldVisitor::~FieldVisitor() = default;
void FieldVisitor::field(const char* name, int64_t& value) {
  auto number = static_cast<double>(value);
  field(name, number);
  value = static_cast<int64_t>(number);
}
void FieldVisitor::field(const char* name, bool& value) {
  double number = value;
  field(name, number);
  value = number != 0;
}

OptimizerParamState::~OptimizerParamState() = default;
OptimizerOptions::~OptimizerOptions() = default;

double OptimizerOptions::get_momentum() const {
  throw_error<ValueError>("get_momentum: this optimizer has no momentum");
}
void OptimizerOptions::set_momentum(double) {
  throw_error<ValueError>(
      "set_momentum: this optimizer has no momentum; cycle_momentum(false) leaves it alone");
}

OptimizerOptions& OptimizerParamGroup::options() {
  TAPIR_CHECK_AS(
      ValueError, options_ != nullptr,
      "OptimizerParamGroup: it has no options yet; give some, or add it to an optimizer for its defaults");
  return *options_;
}
const OptimizerOptions& OptimizerParamGroup::options() const {
  return const_cast<OptimizerParamGroup&>(*this).options();
}

OptimizerParamState* OptimizerStates::find(const Tensor& param) {
  if (next_ < entries_.size() && entries_[next_].param.is_same(param)) return entries_[next_++].state.get();
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].param.is_same(param)) continue;
    next_ = i + 1;
    return entries_[i].state.get();
  }
  return nullptr;
}

OptimizerParamState& OptimizerStates::set(const Tensor& param, std::unique_ptr<OptimizerParamState> state) {
  for (Entry& e : entries_)
    if (e.param.is_same(param)) return *(e.state = std::move(state));
  entries_.push_back({param, std::move(state)});
  next_ = entries_.size();
  return *entries_.back().state;
}

Optimizer::Optimizer(const std::vector<OptimizerParamGroup>& groups,
                     std::unique_ptr<OptimizerOptions> defaults)
    : defaults_(std::move(defaults)) {
  defaults_->check();
  for (const OptimizerParamGroup& g : groups) add_checked(g, "Optimizer");
}

Optimizer::~Optimizer() = default;

void Optimizer::add_param_group(const OptimizerParamGroup& group) {
  TAPIR_CHECK_AS(ValueError, !group.has_options() || takes(group.options()),
                 "{}: the group's options are those of another optimizer", name());
  add_checked(group, name());
}

// Calls nothing of the derived class, which the constructor could not.
void Optimizer::add_checked(const OptimizerParamGroup& given, const char* op) {
  OptimizerParamGroup group = given;
  if (!group.has_options()) group.set_options(defaults_->clone());
  group.options().check();
  std::vector<Tensor> known = parameters();
  for (const Tensor& p : group.params()) {
    TAPIR_CHECK_AS(ValueError, p.defined(), "{}: a parameter is undefined", op);
    TAPIR_CHECK_AS(AutogradError, p.is_leaf(),
                   "{}: a parameter (sizes {}) is the result of a recorded op; only leaves are optimized", op,
                   p.sizes());
    for (const Tensor& other : known)
      TAPIR_CHECK_AS(ValueError, !other.is_same(p), "{}: a parameter (sizes {}) was given twice", op,
                     p.sizes());
    known.push_back(p);
  }
  groups_.push_back(std::move(group));
}

std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> all;
  for (const OptimizerParamGroup& g : groups_) all.insert(all.end(), g.params().begin(), g.params().end());
  return all;
}

size_t Optimizer::size() const noexcept {
  size_t n = 0;
  for (const OptimizerParamGroup& g : groups_) n += g.params().size();
  return n;
}

void Optimizer::zero_grad(bool set_to_none) {
  for (OptimizerParamGroup& g : groups_) {
    for (const Tensor& p : g.params()) {
      if (!p.grad().defined()) continue;
      Tensor& grad = p.mutable_grad();
      if (set_to_none) {
        grad.reset();
      } else {
        grad = grad.detach();
        raw::fill(grad, 0, "zero_grad");
      }
    }
  }
}

Tensor Optimizer::step(const LossClosure& closure) {
  Tensor loss;
  if (closure) {
    AutoGradMode on(true);
    loss = closure();
  }
  NoGradGuard no_grad;
  for (OptimizerParamGroup& g : groups_) {
    TAPIR_CHECK_AS(ValueError, takes(g.options()), "{}: a group's options are those of another optimizer",
                   name());
    for (const Tensor& p : g.params()) {
      const Tensor& grad = p.grad();
      if (!grad.defined()) continue;
      OptimizerParamState* state = states_.find(p);
      if (!state) state = &states_.set(p, make_state());
      update(p, grad, g.options(), *state);
    }
  }
  return loss;
}

// --- state by name ---

std::vector<std::string> Optimizer::param_names(const OrderedDict<std::string, Tensor>* names) const {
  std::vector<std::string> result;
  for (const Tensor& p : parameters()) {
    std::string found;
    if (names) {
      for (const auto& item : *names)
        if (item.value().is_same(p)) found = item.key();
      TAPIR_CHECK_AS(ValueError, !found.empty(), "{}: a parameter (sizes {}) is not among the {} names given",
                     name(), p.sizes(), names->size());
    } else {
      found = std::to_string(result.size());
    }
    result.push_back(std::move(found));
  }
  return result;
}

namespace {

struct Writer final : FieldVisitor {
  Writer(OptimizerStateDict& d, std::string p) : dict(d), prefix(std::move(p)) {}
  using FieldVisitor::field;
  void field(const char* name, double& value) override { dict.numbers.insert(prefix + name, value); }
  void field(const char* name, Tensor& value) override {
    if (value.defined()) dict.tensors.insert(prefix + name, value.detach());
  }
  OptimizerStateDict& dict;
  std::string prefix;
};

// Reads an object's fields and notes problems instead of throwing.
struct Reader final : FieldVisitor {
  Reader(const OptimizerStateDict& d, std::map<std::string, bool>& u, std::string& p)
      : dict(d), used(u), problems(p) {}
  using FieldVisitor::field;
  void field(const char* name, double& value) override {
    if (const double* v = dict.numbers.find(prefix + name)) {
      value = *v;
      used[prefix + name] = true;
    } else {
      problems += fmt::format("\n  missing: {}{}", prefix, name);
    }
  }
  void field(const char* name, Tensor& value) override {
    const Tensor* v = dict.tensors.find(prefix + name);
    value.reset();
    if (!v) return;  // not in use
    used[prefix + name] = true;
    if (!v->defined() || !(v->sizes() == param.sizes())) {
      problems += fmt::format("\n  misfitting: {}{} does not have sizes {}", prefix, name, param.sizes());
      return;
    }
    value = raw::clone_contiguous(raw::to_device(raw::cast(*v, param.dtype()), param.device()));
  }
  const OptimizerStateDict& dict;
  std::map<std::string, bool>& used;
  std::string& problems;
  std::string prefix;
  Tensor param;
};

}  // namespace

OptimizerStateDict Optimizer::state_dict(const OrderedDict<std::string, Tensor>* names) const {
  OptimizerStateDict dict;
  const std::vector<std::string> params = param_names(names);
  const std::vector<Tensor> all = parameters();
  for (size_t i = 0; i < all.size(); ++i)
    for (const OptimizerStates::Entry& e : states_.entries()) {
      if (!e.param.is_same(all[i])) continue;
      Writer writer(dict, "state." + params[i] + ".");
      e.state->visit(writer);
    }
  for (size_t i = 0; i < groups_.size(); ++i) {
    Writer writer(dict, fmt::format("param_groups.{}.", i));
    const_cast<OptimizerOptions&>(groups_[i].options()).visit(writer);
  }
  return dict;
}

void Optimizer::load_state_dict(const OptimizerStateDict& dict,
                                const OrderedDict<std::string, Tensor>* names) {
  std::string problems;
  std::map<std::string, bool> used;
  Reader reader(dict, used, problems);
  const std::vector<std::string> params = param_names(names);
  const std::vector<Tensor> all = parameters();
  OptimizerStates states;
  for (size_t i = 0; i < all.size(); ++i) {
    reader.prefix = "state." + params[i] + ".";
    const auto mine = [&](const auto& entries) {
      for (const auto& item : entries)
        if (item.key().compare(0, reader.prefix.size(), reader.prefix) == 0) return true;
      return false;
    };
    if (!mine(dict.numbers) && !mine(dict.tensors)) continue;  // it has not been updated yet
    reader.param = all[i];
    auto state = make_state();
    state->visit(reader);
    states.set(all[i], std::move(state));
  }
  std::vector<std::unique_ptr<OptimizerOptions>> options;
  for (size_t i = 0; i < groups_.size(); ++i) {
    reader.prefix = fmt::format("param_groups.{}.", i);
    options.push_back(groups_[i].options().clone());
    options.back()->visit(reader);
  }
  const auto unexpected = [&](const auto& entries) {
    for (const auto& item : entries)
      if (!used.contains(item.key())) problems += fmt::format("\n  unexpected: {}", item.key());
  };
  unexpected(dict.tensors);
  unexpected(dict.numbers);
  TAPIR_CHECK_AS(ValueError, problems.empty(),
                 "{}: load_state_dict: the entries do not fit; nothing was loaded:{}", name(), problems);
  for (const auto& o : options) o->check();
  states_ = std::move(states);
  for (size_t i = 0; i < groups_.size(); ++i) groups_[i].set_options(std::move(options[i]));
}

namespace detail {

void update_contiguous(const Tensor& param, const Tensor& grad,
                       FunctionRef<void(void* param, const void* grad)> f) {
  TAPIR_CHECK_AS(ShapeError, grad.sizes() == param.sizes(),
                 "step: a parameter has sizes {}, its gradient {}; assign a gradient that fits",
                 param.sizes(), grad.sizes());
  TAPIR_CHECK_AS(DeviceError, grad.device() == param.device(),
                 "step: a parameter is on {}, its gradient on {}", param.device(), grad.device());
  if (param.numel() == 0) return;
  const Tensor values =
      raw::contiguous(grad.dtype() == param.dtype() ? grad : raw::cast(grad, param.dtype()));
  if (param.is_contiguous()) {
    f(param.data_ptr(), values.data_ptr());
    raw::mark_changed(param, "step");
  } else {
    const Tensor copy = raw::clone_contiguous(param);
    f(copy.data_ptr(), values.data_ptr());
    raw::copy_into(param, copy);
  }
}

void ensure_zeros(Tensor& t, const Tensor& param) {
  if (!t.defined()) t = raw::zeros(param.sizes(), param.dtype(), param.device());
}

void check_option(const char* optimizer, const char* option, double value, bool ok, const char* expected) {
  TAPIR_CHECK_AS(ValueError, ok, "{}: {} is {}, expected {}", optimizer, option, value, expected);
}

}  // namespace detail

}  // namespace tapir::optim
