// Activations as modules.
#pragma once

#include "tapir/nn/functional_activation.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

struct ReLUOptions {
  ReLUOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  TAPIR_ARG(bool, inplace);
};

/// max(x, 0)
class TAPIR_API ReLUImpl : public Cloneable<ReLUImpl> {
 public:
  explicit ReLUImpl(const ReLUOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  ReLUOptions options;
};
TAPIR_BUILTIN_MODULE(ReLU);

/// tanh(x)
class TAPIR_API TanhImpl : public Cloneable<TanhImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
};
TAPIR_BUILTIN_MODULE(Tanh);

/// 1 / (1 + e^-x)
class TAPIR_API SigmoidImpl : public Cloneable<SigmoidImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
};
TAPIR_BUILTIN_MODULE(Sigmoid);

// The others compute what autograd/functions/activation.h says of the function of the same name.

/// A module with options, or without any.
#define TAPIR_ACTIVATION(Name)                                       \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {        \
   public:                                                           \
    explicit Name##Impl(const Name##Options& o = {}) : options(o) {} \
    void reset() override {}                                         \
    void pretty_print(std::ostream& stream) const override;          \
    Tensor forward(Tensor input);                                    \
    Name##Options options;                                           \
  };                                                                 \
  TAPIR_BUILTIN_MODULE(Name)
#define TAPIR_PLAIN_ACTIVATION(Name)                          \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> { \
   public:                                                    \
    void reset() override {}                                  \
    void pretty_print(std::ostream& stream) const override;   \
    Tensor forward(const Tensor& input);                      \
  };                                                          \
  TAPIR_BUILTIN_MODULE(Name)

TAPIR_ACTIVATION(ELU);
TAPIR_ACTIVATION(SELU);
TAPIR_ACTIVATION(CELU);
TAPIR_ACTIVATION(GELU);
TAPIR_ACTIVATION(GLU);
TAPIR_ACTIVATION(Hardshrink);
TAPIR_ACTIVATION(Hardsigmoid);
TAPIR_ACTIVATION(Hardswish);
TAPIR_ACTIVATION(LeakyReLU);
TAPIR_ACTIVATION(ReLU6);
TAPIR_ACTIVATION(Softplus);
TAPIR_ACTIVATION(Softshrink);
TAPIR_PLAIN_ACTIVATION(LogSigmoid);
TAPIR_PLAIN_ACTIVATION(Mish);
TAPIR_PLAIN_ACTIVATION(SiLU);
TAPIR_PLAIN_ACTIVATION(Softsign);
TAPIR_PLAIN_ACTIVATION(Tanhshrink);
/// Softmax over the channels of (N, C, H, W) or (C, H, W).
TAPIR_PLAIN_ACTIVATION(Softmax2d);
#undef TAPIR_ACTIVATION
#undef TAPIR_PLAIN_ACTIVATION

/// min(max(x, min_val), max_val). Throws ValueError unless min_val < max_val.
class TAPIR_API HardtanhImpl : public Cloneable<HardtanhImpl> {
 public:
  explicit HardtanhImpl(const HardtanhOptions& o = {}) : options(o) { HardtanhImpl::reset(); }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  HardtanhOptions options;
};
TAPIR_BUILTIN_MODULE(Hardtanh);

/// x > 0 ? x : weight * x, with a weight for each of num_parameters channels (dimension 1), or one for all.
class TAPIR_API PReLUImpl : public Cloneable<PReLUImpl> {
 public:
  explicit PReLUImpl(const PReLUOptions& o = {}) : options(o) { PReLUImpl::reset(); }
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  PReLUOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_MODULE(PReLU);

/// Leaky ReLU with random slopes while training, see rrelu.
class TAPIR_API RReLUImpl : public Cloneable<RReLUImpl> {
 public:
  explicit RReLUImpl(const RReLUOptions& o = {}) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  RReLUOptions options;
};
TAPIR_BUILTIN_MODULE(RReLU);

/// x > threshold ? x : value
class TAPIR_API ThresholdImpl : public Cloneable<ThresholdImpl> {
 public:
  ThresholdImpl(double threshold, double value) : ThresholdImpl(ThresholdOptions(threshold, value)) {}
  explicit ThresholdImpl(const ThresholdOptions& o) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  ThresholdOptions options;
};
TAPIR_BUILTIN_MODULE(Threshold);

#define TAPIR_SOFTMAX(Name)                                     \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {   \
   public:                                                      \
    explicit Name##Impl(int64_t dim) : options(dim) {}          \
    explicit Name##Impl(const Name##Options& o) : options(o) {} \
    void reset() override {}                                    \
    void pretty_print(std::ostream& stream) const override;     \
    Tensor forward(const Tensor& input);                        \
    Name##Options options;                                      \
  };                                                            \
  TAPIR_BUILTIN_MODULE(Name)
/// exp(x) / sum(exp(x)) along dim.
TAPIR_SOFTMAX(Softmax);
/// Softmax of -x.
TAPIR_SOFTMAX(Softmin);
/// The logarithm of softmax.
TAPIR_SOFTMAX(LogSoftmax);
#undef TAPIR_SOFTMAX

}  // namespace tapir::nn
