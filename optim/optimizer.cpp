#include "tapir/optim/optimizer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <typeinfo>

#include "tapir/autograd/node.h"
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

void FieldVisitor::field(const char* name, Tensor& value, IntArrayRef) { field(name, value); }
void FieldVisitor::field(const char* name, std::vector<Tensor>& values, IntArrayRef sizes) {
  for (size_t i = 0;; ++i) {
    Tensor value = i < values.size() ? values[i] : Tensor();
    field(fmt::format("{}.{}", name, i).c_str(), value, sizes);
    values.resize(value.defined() ? std::max(values.size(), i + 1) : i);
    if (!value.defined()) return;
    values[i] = value;
  }
}

void FieldVisitor::field(const char* name, std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) field(fmt::format("{}.{}", name, i).c_str(), values[i]);
}

OptimizerParamState::~OptimizerParamState() = default;
OptimizerOptions::~OptimizerOptions() = default;

void OptimizerParamState::visit(FieldVisitor&) {
  throw_error<ValueError>("OptimizerParamState: this state does not say what is in it: override visit()");
}
void OptimizerOptions::visit(FieldVisitor&) {
  throw_error<ValueError>("OptimizerOptions: these options do not say what is in them: override visit()");
}
double OptimizerOptions::get_lr() const { throw_error<ValueError>("get_lr: these options have no lr"); }
void OptimizerOptions::set_lr(double) { throw_error<ValueError>("set_lr: these options have no lr"); }
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
  if (next_ < entries_.size() && entries_[next_].first.is_same(param)) return entries_[next_++].second.get();
  const iterator found = find(param.unsafeGetTensorImpl());
  if (found == end()) return nullptr;
  next_ = static_cast<size_t>(found - begin()) + 1;
  return found->second.get();
}

OptimizerStates::iterator OptimizerStates::find(const void* param) {
  return std::find_if(begin(), end(), [&](const Entry& e) { return e.first.unsafeGetTensorImpl() == param; });
}

std::unique_ptr<OptimizerParamState>& OptimizerStates::at(const void* param) {
  const iterator found = find(param);
  TAPIR_CHECK_AS(IndexError, found != end(),
                 "OptimizerStates: that parameter has no state (of {} that have one)", size());
  return found->second;
}

OptimizerParamState& OptimizerStates::set(const Tensor& param, std::unique_ptr<OptimizerParamState> state) {
  const iterator found = find(param.unsafeGetTensorImpl());
  if (found != end()) return *(found->second = std::move(state));
  entries_.push_back({param, std::move(state)});
  next_ = entries_.size();
  return *entries_.back().second;
}

Optimizer::Optimizer(const std::vector<OptimizerParamGroup>& groups,
                     std::unique_ptr<OptimizerOptions> defaults)
    : defaults_(std::move(defaults)) {
  defaults_->check();
  for (const OptimizerParamGroup& g : groups) add_checked(g, "Optimizer");
}

Optimizer::Optimizer(Optimizer&& other) noexcept
    : groups_(std::move(other.groups_)),
      states_(std::move(other.states_)),
      defaults_(std::move(other.defaults_)),
      self_(std::move(other.self_)) {
  if (self_) *self_ = this;
}

Optimizer::~Optimizer() {
  if (self_) *self_ = nullptr;
}

void Optimizer::add_param_group(const OptimizerParamGroup& group) {
  TAPIR_CHECK_AS(ValueError, !group.has_options() || takes(group.options()),
                 "{}: the group's options are those of another optimizer", name());
  add_checked(group, name());
}

void Optimizer::add_parameters(const std::vector<Tensor>& parameters) {
  TAPIR_CHECK_AS(ValueError, !groups_.empty(), "{}: add_parameters: there is no group to add to", name());
  check_new(parameters, name());
  std::vector<Tensor>& first = groups_[0].params();
  first.insert(first.end(), parameters.begin(), parameters.end());
}

void Optimizer::check_new(const std::vector<Tensor>& params, const char* op) const {
  std::vector<const void*> known;
  for (const OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params()) known.push_back(p.unsafeGetTensorImpl());
  std::sort(known.begin(), known.end());
  std::vector<const void*> added;
  for (const Tensor& p : params) {
    TAPIR_CHECK_AS(ValueError, p.defined(), "{}: a parameter is undefined", op);
    TAPIR_CHECK_AS(AutogradError, p.is_leaf(),
                   "{}: a parameter (sizes {}) is the result of a recorded op; only leaves are optimized", op,
                   p.sizes());
    TAPIR_CHECK_AS(ValueError, !std::binary_search(known.begin(), known.end(), p.unsafeGetTensorImpl()),
                   "{}: a parameter (sizes {}) was given twice", op, p.sizes());
    added.push_back(p.unsafeGetTensorImpl());
  }
  std::sort(added.begin(), added.end());
  TAPIR_CHECK_AS(ValueError, std::adjacent_find(added.begin(), added.end()) == added.end(),
                 "{}: a parameter was given twice", op);
}

// Calls nothing of the derived class, which the constructor could not.
void Optimizer::add_checked(const OptimizerParamGroup& given, const char* op) {
  OptimizerParamGroup group = given;
  if (!group.has_options()) group.set_options(defaults_->clone());
  group.options().check();
  check_new(group.params(), op);
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
  for (OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params()) clear_gradient(p, set_to_none);
}

// The gradient to use, dense or by rows; null where there is none. Throws for one that does not fit.
std::pair<const Tensor*, const RowGradient*> Optimizer::gradient_of(const Tensor& p,
                                                                    const OptimizerOptions& options) const {
  if (!has_gradient(p)) return {};
  TAPIR_CHECK_AS(DTypeError, is_floating_point(p.dtype()),
                 "step: a parameter has dtype {}, which has no gradient; expected a floating dtype",
                 p.dtype());
  const TakesRows takes = takes_rows(options);
  if (takes != TakesRows::kNo && p.is_contiguous())
    if (const RowGradient* rows = row_gradient(p)) return {&rows->values, rows};
  TAPIR_CHECK_AS(ValueError, takes != TakesRows::kOnly,
                 "{}: a parameter (sizes {}) has a dense gradient, expected one by rows, as embeddings with "
                 "sparse(true) give; use Adam for the others",
                 name(), p.sizes());
  const Tensor& grad = p.grad();
  TAPIR_CHECK_AS(ShapeError, grad.sizes() == p.sizes(),
                 "step: a parameter has sizes {}, its gradient {}; assign a gradient that fits", p.sizes(),
                 grad.sizes());
  TAPIR_CHECK_AS(DeviceError, grad.device() == p.device(), "step: a parameter is on {}, its gradient on {}",
                 p.device(), grad.device());
  return {&grad, nullptr};
}

Tensor Optimizer::step(LossClosure closure) {
  Tensor loss;
  if (closure) {
    AutoGradMode on(true);
    loss = closure();
  }
  NoGradGuard no_grad;
  for (OptimizerParamGroup& g : groups_) {
    TAPIR_CHECK_AS(ValueError, takes(g.options()), "{}: a group's options are those of another optimizer",
                   name());
    for (const Tensor& p : g.params()) gradient_of(p, g.options());
  }
  items_.clear();
  for (OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params()) {
      const auto [grad, rows] = gradient_of(p, g.options());
      if (!grad) continue;
      OptimizerParamState* state = states_.find(p);
      if (!state) state = &states_.set(p, make_state());
      items_.push_back({p, *grad, rows, g.options(), *state});
    }
  update_all(items_);
  return loss;
}

std::unique_ptr<OptimizerParamState> Optimizer::make_state() const {
  throw_error<ValueError>("{}: it has no state for a parameter: override make_state()", name());
}
void Optimizer::update_all(const std::vector<Item>& items) {
  for (const Item& i : items) update(i.param, i.grad, i.options, i.state);
}
void Optimizer::update(const Tensor&, const Tensor&, OptimizerOptions&, OptimizerParamState&) {
  throw_error<ValueError>("{}: it does not say how a parameter is updated: override update() or step()",
                          name());
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
  void field(const char* name, Tensor& value) override { field(name, value, param.sizes()); }
  void field(const char* name, Tensor& value, IntArrayRef sizes) override {
    const Tensor* v = dict.tensors.find(prefix + name);
    value.reset();
    if (!v) return;  // not in use
    used[prefix + name] = true;
    if (!v->defined() || !(v->sizes() == sizes)) {
      problems += fmt::format("\n  misfitting: {}{} does not have sizes {}", prefix, name, sizes);
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

namespace {

template <class T>
OptimizerStateDict fields(const T& object) {
  OptimizerStateDict dict;
  Writer writer(dict, "");
  const_cast<T&>(object).visit(writer);
  return dict;
}

bool same_tensors(const Tensor& a, const Tensor& b) {
  if (!(a.dtype() == b.dtype() && a.sizes() == b.sizes() && a.device() == b.device())) return false;
  const Tensor x = raw::contiguous(raw::to_device(a, kCPU)), y = raw::contiguous(raw::to_device(b, kCPU));
  return a.numel() == 0 ||
         std::memcmp(x.data_ptr(), y.data_ptr(), static_cast<size_t>(a.numel()) * item_size(a.dtype())) == 0;
}

// a and b show the same fields, with values that `equal` says are.
bool fields_match(const auto& a, const auto& b, auto equal) {
  if (a.size() != b.size()) return false;
  for (const auto& item : a) {
    const auto* other = b.find(item.key());
    if (!other || !equal(item.value(), *other)) return false;
  }
  return true;
}

bool same(const OptimizerStateDict& a, const OptimizerStateDict& b) {
  return fields_match(a.tensors, b.tensors, same_tensors) &&
         fields_match(a.numbers, b.numbers, std::equal_to<double>());
}

}  // namespace

bool operator==(const OptimizerOptions& a, const OptimizerOptions& b) {
  return typeid(a) == typeid(b) && same(fields(a), fields(b));
}
bool operator==(const OptimizerParamState& a, const OptimizerParamState& b) {
  return typeid(a) == typeid(b) && same(fields(a), fields(b));
}

namespace {

std::string params_key(size_t group) { return fmt::format("param_groups.{}.params", group); }

}  // namespace

OptimizerStateDict Optimizer::state_dict(const OrderedDict<std::string, Tensor>* names) const {
  OptimizerStateDict dict;
  const std::vector<std::string> params = param_names(names);
  const std::vector<Tensor> all = parameters();
  for (size_t i = 0; i < all.size(); ++i)
    for (const auto& [param, state] : states_) {
      if (!param.is_same(all[i])) continue;
      Writer writer(dict, "state." + params[i] + ".");
      state->visit(writer);
    }
  for (size_t i = 0; i < groups_.size(); ++i) {
    Writer writer(dict, fmt::format("param_groups.{}.", i));
    const_cast<OptimizerOptions&>(groups_[i].options()).visit(writer);
    dict.numbers.insert(params_key(i), static_cast<double>(groups_[i].params().size()));
  }
  return dict;
}

void Optimizer::load_state_dict(const OptimizerStateDict& dict,
                                const OrderedDict<std::string, Tensor>* names) {
  std::string problems;
  std::map<std::string, bool> used;
  Reader reader(dict, used, problems);
  // Entries alone would fit groups that are cut elsewhere.
  std::vector<double> counts, own_counts;
  while (const double* count = dict.numbers.find(params_key(counts.size()))) {
    used[params_key(counts.size())] = true;
    counts.push_back(*count);
  }
  for (const OptimizerParamGroup& g : groups_) own_counts.push_back(static_cast<double>(g.params().size()));
  TAPIR_CHECK_AS(ValueError, counts.empty() || counts == own_counts,
                 "{}: load_state_dict: the state's groups have {} parameters, this optimizer's {}; nothing "
                 "was loaded",
                 name(), fmt::join(counts, ", "), fmt::join(own_counts, ", "));
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

}  // namespace tapir::optim
