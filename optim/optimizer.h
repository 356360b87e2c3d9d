// Optimizer: updates parameters from their gradients; groups of parameters with options of their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tapir/nn/ordered_dict.h"
#include "tapir/tensor/args.h"
#include "tapir/tensor/tensor.h"

namespace tapir::optim {

/// Is shown each value of an options or state object by name: for saving, loading and comparing.
class TAPIR_API FieldVisitor {
 public:
  virtual ~FieldVisitor();
  virtual void field(const char* name, double& value) = 0;
  virtual void field(const char* name, int64_t& value);  ///< goes through the form for double
  virtual void field(const char* name, bool& value);     ///< likewise
  virtual void field(const char* name, Tensor& value) = 0;
};

/// What an optimizer keeps for one parameter.
class TAPIR_API OptimizerParamState {
 public:
  virtual ~OptimizerParamState();
  virtual std::unique_ptr<OptimizerParamState> clone() const = 0;
  /// Shows every tensor and number to the visitor; an undefined tensor is one that is not in use.
  virtual void visit(FieldVisitor& visitor) = 0;
};
template <class Derived>
class OptimizerCloneableParamState : public OptimizerParamState {
 public:
  std::unique_ptr<OptimizerParamState> clone() const override {
    return std::make_unique<Derived>(static_cast<const Derived&>(*this));
  }
};

/// The numbers that an update depends on.
class TAPIR_API OptimizerOptions {
 public:
  virtual ~OptimizerOptions();
  virtual std::unique_ptr<OptimizerOptions> clone() const = 0;
  virtual double get_lr() const = 0;
  virtual void set_lr(double lr) = 0;
  /// SGD: momentum. Adam, AdamW: the first of betas. Others throw ValueError.
  virtual double get_momentum() const;
  virtual void set_momentum(double momentum);
  virtual void visit(FieldVisitor& visitor) = 0;
  /// Throws ValueError for a number outside its domain.
  virtual void check() const = 0;
};
template <class Derived>
class OptimizerCloneableOptions : public OptimizerOptions {
 public:
  std::unique_ptr<OptimizerOptions> clone() const override {
    return std::make_unique<Derived>(static_cast<const Derived&>(*this));
  }
  double get_lr() const override { return static_cast<const Derived&>(*this).lr(); }
  void set_lr(double lr) override { static_cast<Derived&>(*this).lr(lr); }
};

/// Parameters that are updated with the same options; without options, the optimizer's defaults.
class TAPIR_API OptimizerParamGroup {
 public:
  OptimizerParamGroup(std::vector<Tensor> params) : params_(std::move(params)) {}  // NOLINT
  OptimizerParamGroup(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> options)
      : params_(std::move(params)), options_(std::move(options)) {}
  OptimizerParamGroup(const OptimizerParamGroup& other)
      : params_(other.params_), options_(other.options_ ? other.options_->clone() : nullptr) {}
  OptimizerParamGroup(OptimizerParamGroup&&) = default;
  OptimizerParamGroup& operator=(OptimizerParamGroup&&) = default;
  bool has_options() const { return options_ != nullptr; }
  /// Throws ValueError where the group has none yet (it gets the defaults when an optimizer takes it).
  OptimizerOptions& options();
  const OptimizerOptions& options() const;
  void set_options(std::unique_ptr<OptimizerOptions> options) { options_ = std::move(options); }
  std::vector<Tensor>& params() { return params_; }
  const std::vector<Tensor>& params() const { return params_; }

 private:
  std::vector<Tensor> params_;
  std::unique_ptr<OptimizerOptions> options_;
};

/// The states of parameters, in the order in which they came into use.
class TAPIR_API OptimizerStates {
 public:
  struct Entry {
    Tensor param;
    std::unique_ptr<OptimizerParamState> state;
  };
  /// The state of `param`, or null. Asking for all parameters in order costs one comparison each.
  OptimizerParamState* find(const Tensor& param);
  OptimizerParamState& set(const Tensor& param, std::unique_ptr<OptimizerParamState> state);
  std::vector<Entry>& entries() { return entries_; }
  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }

 private:
  std::vector<Entry> entries_;
  size_t next_ = 0;  // where the next find() looks first
};

/// An optimizer's state by name, for files: "state.<parameter>.<field>" and "param_groups.<i>.<field>", where
/// <parameter> is a name, or the number of the parameter counted through the groups. Bools are 0 and 1.
struct OptimizerStateDict {
  OrderedDict<std::string, Tensor> tensors{"Entry"};
  OrderedDict<std::string, double> numbers{"Entry"};
};

/// Base of the optimizers. Parameters are shared with the module that they come from.
class TAPIR_API Optimizer {
 public:
  using LossClosure = std::function<Tensor()>;
  /// Throws ValueError for options outside their domains, for no parameters, an undefined one, or one given
  /// twice; AutogradError for one that is no leaf.
  Optimizer(const std::vector<OptimizerParamGroup>& groups, std::unique_ptr<OptimizerOptions> defaults);
  Optimizer(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> defaults)
      : Optimizer(std::vector<OptimizerParamGroup>{OptimizerParamGroup(std::move(params))},
                  std::move(defaults)) {}
  Optimizer(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// Updates every parameter that has a gradient. A closure is called first, with gradients on, to compute
  /// them: it returns the loss, which is returned.
  Tensor step(const LossClosure& closure = nullptr);
  /// Drops every gradient, or fills it with zeros.
  void zero_grad(bool set_to_none = true);

  void add_param_group(const OptimizerParamGroup& group);
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
  /// that lists every entry that is missing, unexpected or does not fit its parameter, and changes nothing
  /// then.
  void load_state_dict(const OptimizerStateDict& state,
                       const OrderedDict<std::string, Tensor>* names = nullptr);

 protected:
  /// A state for a parameter that has none yet.
  virtual std::unique_ptr<OptimizerParamState> make_state() const = 0;
  /// The update of one parameter that has a gradient.
  virtual void update(const Tensor& param, const Tensor& grad, OptimizerOptions& options,
                      OptimizerParamState& state) = 0;
  /// The class of the options, as a check.
  virtual bool takes(const OptimizerOptions& options) const = 0;
  virtual const char* name() const = 0;

 private:
  void add_checked(const OptimizerParamGroup& group, const char* op);
  std::vector<std::string> param_names(const OrderedDict<std::string, Tensor>* names) const;
  std::vector<OptimizerParamGroup> groups_;
  OptimizerStates states_;
  std::unique_ptr<OptimizerOptions> defaults_;
};

}  // namespace tapir::optim
