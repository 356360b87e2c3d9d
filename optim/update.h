// What the optimizers share. Private.
#pragma once

#include <initializer_list>
#include <tuple>
#include <utility>

#include "tapir/optim/adam.h"
#include "tapir/tensor/kernels.h"

namespace tapir::optim::detail {

/// The memory of a state, which is made like param and filled with `value` where it is undefined. Throws
/// ShapeError for one that no longer fits its parameter.
void* use_state(Tensor& state, const Tensor& param, double value = 0);

/// Writes the formula's factors, in its order.
void set_factors(UpdateTensor& update, std::initializer_list<double> factors);

/// Throws ValueError where ok is false: "SGD: lr is -1, expected ..."
void check_option(const char* optimizer, const char* option, double value, bool ok, const char* expected);
/// The same for options that are at least 0.
void check_not_negative(const char* optimizer, std::initializer_list<std::pair<const char*, double>> options);
/// The same for two numbers in [0, 1).
void check_betas(const char* optimizer, const std::tuple<double, double>& betas);

/// What Adam and AdamW have in common: all but weight decay. In adam.cpp.
template <class Options>
void plan_adam(const Tensor& param, const Options& options, AdamParamState& state, UpdateTensor& update);

}  // namespace tapir::optim::detail
