// Connectionist temporal classification without gradient.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// The call as CtcArgs describes it: log_probs (T, N, C) of float32 or float64, the rest int64 on the CPU.
struct Ctc {
  Tensor log_probs, targets, offsets, input_lengths, target_lengths;
  int64_t longest, blank;
};
struct CtcResult {
  Tensor losses, log_alpha;
};
TAPIR_API CtcResult ctc(const Ctc& c);
TAPIR_API Tensor ctc_backward(const Ctc& c, const CtcResult& forward, const Tensor& grad, bool zero_infinity);

}  // namespace tapir::raw
