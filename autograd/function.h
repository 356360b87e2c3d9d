// Function: an op with a backward of the user's own.
//
//   struct Scale : autograd::Function<Scale> {
//     static Tensor forward(AutogradContext* ctx, Tensor x, double factor) {
//       ctx->saved_data["factor"] = factor;
//       return x * factor;
//     }
//     static variable_list backward(AutogradContext* ctx, variable_list grads) {
//       return {grads[0] * ctx->saved_data["factor"].toDouble(), Tensor()};  // one per argument of forward
//     }
//   };
//   Tensor y = Scale::apply(x, 2.0);
#pragma once

#include <map>
#include <string>
#include <typeinfo>

#include "tapir/autograd/engine.h"
#include "tapir/autograd/ivalue.h"

namespace tapir::autograd {

class FunctionNode;

/// What forward and backward of one call share.
class TAPIR_API AutogradContext {
 public:
  AutogradContext() = default;
  AutogradContext(const AutogradContext&) = delete;
  AutogradContext& operator=(const AutogradContext&) = delete;

  /// Keeps inputs and outputs of forward (others belong into saved_data). Call it once.
  void save_for_backward(variable_list tensors) { to_save_ = std::move(tensors); }
  /// What was saved. Throws AutogradError where one was changed in place since, or the graph was freed.
  variable_list get_saved_variables() const;
  /// Anything else that backward needs.
  std::map<std::string, IValue> saved_data;

  /// forward changed these inputs in place, and returns them.
  void mark_dirty(const variable_list& inputs) { dirty_ = inputs; }
  /// These outputs have no gradient. Integer outputs need not be named.
  void mark_non_differentiable(const variable_list& outputs) { non_differentiable_ = outputs; }
  /// Whether backward gets zeros for the gradient of an output that nothing used (the default), or an
  /// undefined tensor.
  void set_materialize_grads(bool value) { materialize_ = value; }
  /// In backward: whether the gradient of tensor argument `i` (not counting others) is asked for.
  bool needs_input_grad(size_t i) const;

 private:
  friend class FunctionNode;
  friend class FunctionCall;
  variable_list to_save_, dirty_, non_differentiable_;
  bool materialize_ = true;
  FunctionNode* node_ = nullptr;  // the call's, where it is recorded
};

using FunctionBackward = variable_list (*)(AutogradContext*, variable_list);

/// One call of a user-defined function; what Function::apply is made of.
class TAPIR_API FunctionCall {
 public:
  FunctionCall(FunctionBackward backward, const std::type_info& type);
  ~FunctionCall();

  void add(const Tensor& t);
  void add(const std::optional<Tensor>& t) { add(t.value_or(Tensor())); }
  void add(TensorList list) {
    for (const Tensor& t : list) add(t);
  }
  void add(const variable_list& list) { add(TensorList(list)); }
  template <class A>
  void add(const A& argument) {
    if constexpr (std::is_convertible_v<const A&, Tensor>)
      add(static_cast<const Tensor&>(argument));
    else
      is_tensor_.push_back(false);
  }
  /// Its return address is the user's line.
  AutogradContext* begin();
  void end(variable_list& outputs);

 private:
  FunctionBackward backward_;
  const std::type_info& type_;
  variable_list inputs_;
  std::vector<bool> is_tensor_;  // per argument, lists taken apart
  Ref<FunctionNode> node_;
  AutogradContext unrecorded_;
};

/// Base of a user-defined op. T has two static functions:
///   Tensor (or variable_list) forward(AutogradContext*, arguments...)   runs without recording
///   variable_list backward(AutogradContext*, variable_list grads)       one gradient per argument of
///   forward; an
///                                                                       undefined one for others than
///                                                                       tensors
/// A backward made of differentiable ops can be differentiated again.
template <class T>
struct Function {
  /// Calls forward and records the call. Throws AutogradError where mark_dirty names a leaf that requires a
  /// gradient, or a tensor that forward does not return.
  template <class... Args>
  TAPIR_ALWAYS_INLINE static auto apply(Args&&... args) {
    FunctionCall call([](AutogradContext* ctx,
                         variable_list grads) -> variable_list { return T::backward(ctx, std::move(grads)); },
                      typeid(T));
    (call.add(args), ...);
    AutogradContext* ctx = call.begin();
    auto run = [&] {
      NoGradGuard no_grad;
      return T::forward(ctx, std::forward<Args>(args)...);
    };
    if constexpr (std::is_convertible_v<decltype(run()), Tensor>) {
      variable_list outputs{run()};
      call.end(outputs);
      return Tensor(std::move(outputs[0]));
    } else {
      variable_list outputs = run();
      call.end(outputs);
      return outputs;
    }
  }
};

}  // namespace tapir::autograd
