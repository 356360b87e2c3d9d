// Optimizer: updates parameters from their gradients; groups of parameters with options of their own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tapir/autograd/row_gradient.h"
#include "tapir/nn/ordered_dict.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::serialize {
class OutputArchive;
class InputArchive;
}  // namespace tapir::serialize

namespace tapir::optim {

/// Is shown each value of an options or state object by name: for saving, loading and comparing.
class TAPIR_API FieldVisitor {
 public:
  virtual ~FieldVisitor();
  virtual void field(const char* name, double& value) = 0;
  virtual void field(const char* name, int64_t& value);  ///< goes through the form for double
  virtual void field(const char* name, bool& value);     ///< likewise
  /// A tensor of the parameter's sizes.
  virtual void field(const char* name, Tensor& value) = 0;
  /// A tensor of these sizes; goes through the form above.
  virtual void field(const char* name, Tensor& value, IntArrayRef sizes);
  /// Tensors of these sizes, as "name.0", "name.1" and so on up to the first that is undefined.
  void field(const char* name, std::vector<Tensor>& values, IntArrayRef sizes);
  /// Numbers, as "name.0", "name.1" and so on.
  void field(const char* name, std::vector<double>& values);
};

/// What an optimizer keeps for one parameter.
class TAPIR_API OptimizerParamState {
 public:
  virtual ~OptimizerParamState();
  virtual std::unique_ptr<OptimizerParamState> clone() const = 0;
  /// Shows every tensor and number to the visitor; an undefined tensor is one that is not in use. Without an
  /// override it throws ValueError: the state can't be saved.
  virtual void visit(FieldVisitor& visitor);
};
template <class Derived>
class OptimizerCloneableParamState : public OptimizerParamState {
 public:
  std::unique_ptr<OptimizerParamState> clone() const override {
    return std::unique_ptr<OptimizerParamState>(new Derived(static_cast<const Derived&>(*this)));
  }
};

/// The numbers that an update depends on.
class TAPIR_API OptimizerOptions {
 public:
  virtual ~OptimizerOptions();
  virtual std::unique_ptr<OptimizerOptions> clone() const = 0;
  /// Throw ValueError where there is no lr.
  virtual double get_lr() const;
  virtual void set_lr(double lr);
  /// SGD, RMSprop: momentum. Adam and its kin: the first of betas. Others throw ValueError.
  virtual double get_momentum() const;
  virtual void set_momentum(double momentum);
  /// Shows every number to the visitor. Without an override it throws ValueError: the options can't be saved.
  virtual void visit(FieldVisitor& visitor);
  /// Throws ValueError for a number outside its domain.
  virtual void check() const {}
};
template <class Derived>
class OptimizerCloneableOptions : public OptimizerOptions {
 public:
  std::unique_ptr<OptimizerOptions> clone() const override {
    return std::unique_ptr<OptimizerOptions>(new Derived(static_cast<const Derived&>(*this)));
  }
  double get_lr() const override {
    if constexpr (requires(const Derived& d) { double(d.lr()); }) {
      return static_cast<const Derived&>(*this).lr();
    } else {
      return OptimizerOptions::get_lr();
    }
  }
  void set_lr(double lr) override {
    if constexpr (requires(Derived & d) { d.lr(lr); }) {
      static_cast<Derived&>(*this).lr(lr);
    } else {
      OptimizerOptions::set_lr(lr);
    }
  }
};

/// Whether two objects are of one class and show the same values: as numbers, and as tensors of the same
/// dtype, sizes and elements.
TAPIR_API bool operator==(const OptimizerOptions& a, const OptimizerOptions& b);
TAPIR_API bool operator==(const OptimizerParamState& a, const OptimizerParamState& b);

/// Parameters that are updated with the same options; without options, the optimizer's defaults.
class TAPIR_API OptimizerParamGroup {
 public:
  OptimizerParamGroup(std::vector<Tensor> params) : params_(std::move(params)) {}  // NOLINT
  OptimizerParamGroup(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> options)
      : params_(std::move(params)), options_(std::move(options)) {}
  OptimizerParamGroup(const OptimizerParamGroup& other)
      : params_(other.params_),
        options_(other.options_ ? other.options_->clone() : nullptr),
        initial_lr_(other.initial_lr_) {}
  OptimizerParamGroup(OptimizerParamGroup&&) = default;
  OptimizerParamGroup& operator=(OptimizerParamGroup&&) = default;
  bool has_options() const { return options_ != nullptr; }
  /// Throws ValueError where the group has none yet (it gets the defaults when an optimizer takes it).
  OptimizerOptions& options();
  const OptimizerOptions& options() const;
  void set_options(std::unique_ptr<OptimizerOptions> options) { options_ = std::move(options); }
  std::vector<Tensor>& params() { return params_; }
  const std::vector<Tensor>& params() const { return params_; }
  /// The rate before the first scheduler changed it, which the schedulers of an optimizer have in common.
  std::optional<double>& initial_lr() { return initial_lr_; }

 private:
  std::vector<Tensor> params_;
  std::unique_ptr<OptimizerOptions> options_;
  std::optional<double> initial_lr_;
};

/// The states of parameters, in the order in which they came into use. Can be read as the map from
/// TensorImpl* that libtorch has: state().at(p.unsafeGetTensorImpl()), for (auto& [param, state] : state()).
class TAPIR_API OptimizerStates {
 public:
  struct Entry {
    Tensor first;                                 ///< the parameter
    std::unique_ptr<OptimizerParamState> second;  ///< its state
  };
  using iterator = std::vector<Entry>::iterator;
  using const_iterator = std::vector<Entry>::const_iterator;

  /// The state of `param`, or null. Asking for all parameters in order costs one comparison each.
  OptimizerParamState* find(const Tensor& param);
  OptimizerParamState& set(const Tensor& param, std::unique_ptr<OptimizerParamState> state);
  iterator find(const void* param);
  bool contains(const void* param) { return find(param) != end(); }
  size_t count(const void* param) { return contains(param); }
  /// Throws IndexError where the parameter has no state.
  std::unique_ptr<OptimizerParamState>& at(const void* param);
  std::unique_ptr<OptimizerParamState>& operator[](const void* param) { return at(param); }
  iterator begin() { return entries_.begin(); }
  iterator end() { return entries_.end(); }
  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  void clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
  size_t next_ = 0;  // where the next find() looks first
};

/// An optimizer's state by name, for files: "state.<parameter>.<field>" and "param_groups.<i>.<field>", where
/// <parameter> is a name, or the number of the parameter counted through the groups. Bools are 0 and 1.
/// "param_groups.<i>.params" is the number of parameters in the group; it need not be there.
struct OptimizerStateDict {
  OrderedDict<std::string, Tensor> tensors{"Entry"};
  OrderedDict<std::string, double> numbers{"Entry"};
};

/// Base of the optimizers. Parameters are shared with the module that they come from.
///
/// An optimizer of one's own overrides update() (the parameters one by one), derives from
/// ElementwiseOptimizer, or overrides step() and does it all.
class TAPIR_API Optimizer {
 public:
  using LossClosure = std::function<Tensor()>;
  /// Throws ValueError for options outside their domains, for a parameter that is undefined or given twice;
  /// AutogradError for one that is no leaf.
  Optimizer(const std::vector<OptimizerParamGroup>& groups, std::unique_ptr<OptimizerOptions> defaults);
  Optimizer(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> defaults)
      : Optimizer(std::vector<OptimizerParamGroup>{OptimizerParamGroup(std::move(params))},
                  std::move(defaults)) {}
  Optimizer(const Optimizer&) = delete;
  /// Schedulers follow an optimizer that is moved. The one moved from can only be destroyed.
  Optimizer(Optimizer&& other) noexcept;
  virtual ~Optimizer();

  /// Updates every parameter that has a gradient. A closure is called first, with gradients on, to compute
  /// them: it returns the loss, which is returned. Throws ShapeError, DeviceError or DTypeError for a
  /// gradient that does not fit its parameter; no parameter is changed then.
  virtual Tensor step(LossClosure closure = nullptr);
  /// Drops every gradient, or fills it with zeros.
  void zero_grad(bool set_to_none = true);

  /// Throws ValueError as the constructor.
  virtual void add_param_group(const OptimizerParamGroup& group);
  /// Adds to the first group.
  void add_parameters(const std::vector<Tensor>& parameters);
  std::vector<OptimizerParamGroup>& param_groups() noexcept { return groups_; }
  const std::vector<OptimizerParamGroup>& param_groups() const noexcept { return groups_; }
  /// The options of groups that were given none.
  OptimizerOptions& defaults() noexcept { return *defaults_; }
  const OptimizerOptions& defaults() const noexcept { return *defaults_; }
  OptimizerStates& state() noexcept { return states_; }
  const OptimizerStates& state() const noexcept { return states_; }
  /// All parameters, group by group, and their number.
  std::vector<Tensor> parameters() const;
  size_t size() const noexcept;

  /// The state under the names that `names` (a module's named_parameters()) gives the parameters, or under
  /// numbers. The tensors share memory with the optimizer. Throws ValueError for a parameter without a name.
  OptimizerStateDict state_dict(const OrderedDict<std::string, Tensor>* names = nullptr) const;
  /// Takes over a state; tensors are copied, cast and moved to their parameter's device. Throws ValueError
  /// that lists every entry that is missing, unexpected or does not fit its parameter, or where the groups
  /// have other numbers of parameters, and changes nothing then.
  void load_state_dict(const OptimizerStateDict& state,
                       const OrderedDict<std::string, Tensor>* names = nullptr);
  /// The same to and from an archive (io/archive.h), by numbers.
  void save(serialize::OutputArchive& archive) const;
  void load(serialize::InputArchive& archive);

 protected:
  /// One parameter that has a gradient.
  struct Item {
    const Tensor& param;
    const Tensor& grad;  ///< of the parameter, or where `rows` is given the values of those rows
    const RowGradient* rows;
    OptimizerOptions& options;
    OptimizerParamState& state;
  };
  /// Whether gradients by rows (autograd/row_gradient.h) are taken as they are; otherwise they are made
  /// dense.
  enum class TakesRows {
    kNo,    ///< an update with a gradient of zero changes something
    kYes,   ///< it changes nothing, so that rows without a gradient need no update
    kOnly,  ///< no others are taken
  };
  virtual TakesRows takes_rows(const OptimizerOptions& /*options*/) const { return TakesRows::kNo; }
  /// A state for a parameter that has none yet.
  virtual std::unique_ptr<OptimizerParamState> make_state() const;
  /// The updates of all parameters that have a gradient, for step(): update() of each.
  virtual void update_all(const std::vector<Item>& items);
  /// The update of one parameter that has a gradient.
  virtual void update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
                      OptimizerParamState& state);
  /// The class of the options, as a check.
  virtual bool takes(const OptimizerOptions& /*options*/) const { return true; }
  virtual const char* name() const { return "Optimizer"; }

 private:
  friend class SchedulerBase;
  std::pair<const Tensor*, const RowGradient*> gradient_of(const Tensor& param,
                                                           const OptimizerOptions& options) const;
  void check_new(const std::vector<Tensor>& params, const char* op) const;
  void add_checked(const OptimizerParamGroup& group, const char* op);
  std::vector<std::string> param_names(const OrderedDict<std::string, Tensor>* names) const;
  std::vector<OptimizerParamGroup> groups_;
  OptimizerStates states_;
  std::unique_ptr<OptimizerOptions> defaults_;
  std::vector<Item> items_;           // step()'s, kept for its memory
  std::shared_ptr<Optimizer*> self_;  // where schedulers find this; null in it once this is gone
};

}  // namespace tapir::optim
