// Small pieces of libtorch's autograd namespace.
#pragma once

#include "tapir/autograd/engine.h"

namespace tapir::autograd {

using tapir::AutoGradMode;
using tapir::GradMode;
using tapir::NoGradGuard;

/// A leaf over the same memory as `data`, outside its graph.
TAPIR_API Variable make_variable(const Tensor& data, bool requires_grad = false,
                                 bool allow_tensor_metadata_change = true);

/// The identity, whose backward gives an undefined gradient.
struct TAPIR_API UndefinedGrad {
  variable_list apply(const variable_list& inputs) const;
  variable_list operator()(const variable_list& inputs) const { return apply(inputs); }
};

}  // namespace tapir::autograd
