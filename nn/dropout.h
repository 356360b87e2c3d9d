// Dropout and its relatives.
#pragma once

#include "tapir/nn/module.h"

namespace tapir::nn {

struct DropoutOptions {
  DropoutOptions(double p = 0.5) : p_(p) {}  // NOLINT
  TAPIR_ARG(double, p);
  TAPIR_ARG(bool, inplace) = false;
};

using Dropout2dOptions = DropoutOptions;
using Dropout3dOptions = DropoutOptions;
using AlphaDropoutOptions = DropoutOptions;
using FeatureAlphaDropoutOptions = DropoutOptions;

#define TAPIR_DROPOUT(Name)                                                                 \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {                               \
   public:                                                                                  \
    explicit Name##Impl(double p) : Name##Impl(DropoutOptions(p)) {}                        \
    explicit Name##Impl(const DropoutOptions& o = {}) : options(o) { Name##Impl::reset(); } \
    void reset() override;                                                                  \
    void pretty_print(std::ostream& stream) const override;                                 \
    Tensor forward(Tensor input);                                                           \
    DropoutOptions options;                                                                 \
  };                                                                                        \
  TAPIR_BUILTIN_MODULE(Name)

// All act in training only; after eval() they return the input itself. They throw ValueError unless p is a
// probability.

/// Each element becomes zero with probability p and is divided by 1 - p else (Srivastava et al. 2014).
TAPIR_DROPOUT(Dropout);
/// The same for whole channels of (N, C, H, W) or (N, C, L).
TAPIR_DROPOUT(Dropout2d);
/// The same for whole channels of (N, C, D, H, W).
TAPIR_DROPOUT(Dropout3d);
/// Dropout for networks of SELU, which keeps mean 0 and variance 1; see alpha_dropout.
TAPIR_DROPOUT(AlphaDropout);
/// The same for whole channels.
TAPIR_DROPOUT(FeatureAlphaDropout);
#undef TAPIR_DROPOUT

}  // namespace tapir::nn
