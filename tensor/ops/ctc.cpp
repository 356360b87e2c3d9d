#include "tapir/tensor/ops/ctc.h"

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {
CtcArgs arguments(const Ctc& c, const Tensor& log_probs, const CtcResult& r) {
  return {log_probs.dtype(),
          log_probs.data_ptr(),
          c.targets.data_ptr<int64_t>(),
          c.offsets.data_ptr<int64_t>(),
          c.input_lengths.data_ptr<int64_t>(),
          c.target_lengths.data_ptr<int64_t>(),
          r.losses.data_ptr(),
          r.log_alpha.data_ptr<double>(),
          log_probs.size(0),
          log_probs.size(1),
          log_probs.size(2),
          c.longest,
          c.blank};
}
}  // namespace

CtcResult ctc(const Ctc& c) {
  const Tensor log_probs = contiguous(c.log_probs);
  const int64_t time = log_probs.size(0), batch = log_probs.size(1);
  CtcResult r{Tensor::empty({batch}, log_probs.dtype(), log_probs.device()),
              Tensor::empty({batch, time, 2 * c.longest + 1}, kFloat64, log_probs.device())};
  require(&KernelTable::ctc, log_probs.device(), "ctc_loss")(arguments(c, log_probs, r));
  return r;
}

Tensor ctc_backward(const Ctc& c, const CtcResult& forward, const Tensor& grad_in, bool zero_infinity) {
  const Tensor log_probs = contiguous(c.log_probs), grad = contiguous(grad_in);
  Tensor out = Tensor::empty(log_probs.sizes(), log_probs.dtype(), log_probs.device());
  require(&KernelTable::ctc_backward, log_probs.device(),
          "ctc_loss")({arguments(c, log_probs, forward), grad.data_ptr(), out.data_ptr(), zero_infinity});
  return out;
}

}  // namespace tapir::raw
