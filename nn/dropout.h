#pragma once

#include "tapir/nn/module.h"

namespace tapir::nn {

struct DropoutOptions {
  DropoutOptions(double p = 0.5) : p_(p) {}  // NOLINT
  TAPIR_ARG(double, p);
  TAPIR_ARG(bool, inplace) = false;
};

/// In training, each element becomes zero with probability p and is divided by 1 - p else (Srivastava et al.
/// 2014); after eval(), the input itself.
class TAPIR_API DropoutImpl : public Cloneable<DropoutImpl> {
 public:
  explicit DropoutImpl(double p) : DropoutImpl(DropoutOptions(p)) {}
  explicit DropoutImpl(const DropoutOptions& options = {});
  void reset() override;
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor input);
  DropoutOptions options;
};
TAPIR_MODULE(Dropout);

}  // namespace tapir::nn
