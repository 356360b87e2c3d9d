// Linear, and the modules that only pass on or reshape.
#pragma once

#include "tapir/nn/module.h"

namespace tapir::nn {

struct LinearOptions {
  LinearOptions(int64_t in_features, int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}
  TAPIR_ARG(int64_t, in_features);
  TAPIR_ARG(int64_t, out_features);
  TAPIR_ARG(bool, bias) = true;
};

/// y = x weight^T + bias for x (..., in_features); weight (out_features, in_features), bias (out_features).
/// Both start uniform in +-1 / sqrt(in_features).
class TAPIR_API LinearImpl : public Cloneable<LinearImpl> {
 public:
  LinearImpl(int64_t in_features, int64_t out_features)
      : LinearImpl(LinearOptions(in_features, out_features)) {}
  explicit LinearImpl(const LinearOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);

  LinearOptions options;
  Tensor weight, bias;
};
TAPIR_BUILTIN_MODULE(Linear);

/// Returns its input.
class TAPIR_API IdentityImpl : public Cloneable<IdentityImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input) { return input; }
};
TAPIR_BUILTIN_MODULE(Identity);

struct FlattenOptions {
  TAPIR_ARG(int64_t, start_dim) = 1;
  TAPIR_ARG(int64_t, end_dim) = -1;
};

/// Dimensions start_dim to end_dim as one; the first is left alone by default.
class TAPIR_API FlattenImpl : public Cloneable<FlattenImpl> {
 public:
  explicit FlattenImpl(const FlattenOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  FlattenOptions options;
};
TAPIR_BUILTIN_MODULE(Flatten);

}  // namespace tapir::nn
