// What the optimizers share. Private.
#pragma once

#include "tapir/optim/adam.h"
#include "tapir/tensor/function_ref.h"
#include "tapir/tensor/kernels.h"

namespace tapir::optim {

namespace detail {
/// Calls f(parameter, gradient) with contiguous arrays of the parameter's dtype and counts the change; a
/// parameter that is not contiguous is updated as a copy, which is then written back.
void update_contiguous(const Tensor& param, const Tensor& grad,
                       FunctionRef<void(void* param, const void* grad)> f);
/// t, or where it is undefined a new contiguous array of zeros like param.
void ensure_zeros(Tensor& t, const Tensor& param);
/// Throws ValueError where ok is false: "SGD: lr is -1, expected ..."
void check_option(const char* optimizer, const char* option, double value, bool ok, const char* expected);
/// One step with the numbers of `args`; the arrays are filled in here.
void adam_update(const Tensor& param, const Tensor& grad, AdamArgs& args, bool amsgrad,
                 AdamParamState& state);
}  // namespace detail

}  // namespace tapir::optim
