// Derivatives checked against finite differences.
#pragma once

#include <functional>

#include "tapir/autograd/engine.h"

namespace tapir::autograd {

/// Any callable that takes a list of tensors and returns a tensor or a list of them.
class TAPIR_API CheckedFunction {
 public:
  template <class F>
  requires(std::is_invocable_v<F, const variable_list&>) CheckedFunction(F f)  // NOLINT
      : call_([f = std::move(f)](const variable_list& x) -> variable_list {
          if constexpr (std::is_convertible_v<decltype(f(x)), Tensor>)
            return {f(x)};
          else
            return f(x);
        }) {}
  variable_list operator()(const variable_list& x) const { return call_(x); }

 private:
  std::function<variable_list(const variable_list&)> call_;
};

/// What gradcheck compares, and how closely: |analytic - numeric| <= atol + rtol * |numeric|.
struct GradcheckOptions {
  double eps = 1e-6;  ///< central differences are taken eps to both sides
  double atol = 1e-5;
  double rtol = 1e-3;
  bool raise_exception = true;
  /// Two backward passes over one graph may differ by this much.
  double nondet_tol = 0;
  /// Gradients that arrive for some of several outputs only must add up to those of all of them.
  bool check_undefined_grad = true;
  /// The whole Jacobian is compared where it has at most this many elements; random directions always.
  int64_t max_jacobian = 4096;
};

/// Compares the gradients of fn with central differences, for every input that requires a gradient and every
/// floating-point output: along random directions, element by element where the Jacobian is small, again for
/// a gradient that is not contiguous, and twice for the same result. Inputs must be float64. fn must not
/// change them and must give the same outputs each time; away from kinks it must be smooth within eps.
/// Returns true, or throws AutogradError with the indices and both values (false without raise_exception).
/// Throws ValueError where no input requires a gradient, DTypeError where one is not float64.
TAPIR_API bool gradcheck(const CheckedFunction& fn, const variable_list& inputs,
                         const GradcheckOptions& options);
TAPIR_API bool gradcheck(const CheckedFunction& fn, const variable_list& inputs, double eps = 1e-6,
                         double atol = 1e-5, double rtol = 1e-3, bool raise_exception = true);

/// gradcheck of the gradient itself: of (inputs, grad_outputs) -> gradients of fn, recorded with
/// create_graph. Without grad_outputs they are random.
TAPIR_API bool gradgradcheck(const CheckedFunction& fn, const variable_list& inputs,
                             const variable_list& grad_outputs, const GradcheckOptions& options);
TAPIR_API bool gradgradcheck(const CheckedFunction& fn, const variable_list& inputs,
                             const variable_list& grad_outputs = {}, double eps = 1e-6, double atol = 1e-5,
                             double rtol = 1e-3, bool raise_exception = true);

}  // namespace tapir::autograd
