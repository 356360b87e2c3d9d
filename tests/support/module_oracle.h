// Cases of oracle/make_modules.py: value, gradients, and both against finite differences.
#pragma once

#define NN_ORACLE_TABLE "oracle/modules.inc"
#include "support/nn_oracle.h"
#include "support/tensors.h"

namespace nn_oracle {

using Inputs = std::vector<tapir::Tensor>;

/// Parameters as make_modules.py fills them.
inline void fill(tapir::nn::Module& module) {
  module.to(tapir::kFloat64);
  double phase = 0;
  for (const tapir::Tensor& p : module.parameters()) {
    p.data().copy_(wave(p.sizes(), phase));
    phase += 0.7;
  }
}

/// f(inputs) and the gradients of inputs and parameters for the upstream gradient wave(sizes, 9).
template <class F>
void check_case(const std::string& name, Inputs inputs, F f, tapir::nn::Module* module = nullptr,
                double tolerance = 1e-12) {
  for (tapir::Tensor& x : inputs) x = x.clone().set_requires_grad(true);
  const tapir::Tensor y = f(inputs);
  check(name, y, tolerance);
  Inputs wrt = inputs;
  if (module)
    for (const tapir::Tensor& p : module->parameters()) wrt.push_back(p);
  const Inputs grads = tapir::autograd::grad({y}, wrt, {wave(y.sizes(), 9.0)});
  for (size_t i = 0; i < wrt.size(); ++i) check(name + ".grad" + std::to_string(i), grads[i], tolerance);
}

}  // namespace nn_oracle
