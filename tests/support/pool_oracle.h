#pragma once

// What the tests of pooling and of interpolation share: their inputs, and first and second derivatives.

#include "support/module_oracle.h"

namespace pool_oracle {

/// An input of n spatial dimensions.
inline tapir::Tensor input(int n) {
  if (n == 1) return nn_oracle::wave({2, 2, 11}, 1);
  return n == 2 ? nn_oracle::wave({1, 2, 7, 6}, 1) : nn_oracle::wave({1, 1, 5, 6, 4}, 1);
}

inline void check_derivatives(const tapir::Tensor& x,
                              const std::function<tapir::Tensor(const tapir::Tensor&)>& f) {
  const nn_oracle::Inputs in{x.clone().set_requires_grad(true)};
  const auto g = [&](const nn_oracle::Inputs& v) { return nn_oracle::Inputs{f(v[0])}; };
  CHECK(tapir::autograd::gradcheck(g, in));
  CHECK(tapir::autograd::gradgradcheck(g, in));
}

}  // namespace pool_oracle
