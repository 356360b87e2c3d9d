#include "tapir/tensor/ops/loss.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/require.h"

namespace tapir::raw {

namespace {

const void* data_or_null(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

TAPIR_COLD void bad_target(const char* op, const Tensor& target, int64_t row, int64_t classes,
                           int64_t ignore_index) {
  const Scalar value = item(target.alias(target.layout_of().select(0, row)));
  throw_error<IndexError>("{}: target {} at row {} is not a class of [0, {}), nor the ignore_index {}", op,
                          value.to_int64(), row, classes, ignore_index);
}

}  // namespace

CrossEntropy cross_entropy(const char* op, const Tensor& logits_in, const Tensor& target_in,
                           const Tensor& weight_in, int64_t ignore_index, double label_smoothing,
                           bool want_log_probs) {
  const Tensor logits = contiguous(logits_in), target = contiguous(target_in);
  TAPIR_CHECK_AS(ShapeError, logits.dim() == 2 && target.dim() == 1 && logits.size(0) == target.size(0),
                 "{}: logits have sizes {} and targets {}, expected (n, classes) and (n)", op, logits.sizes(),
                 target.sizes());
  TAPIR_CHECK_AS(DTypeError, is_floating_point(logits.dtype()),
                 "{}: logits of {}, expected a floating-point dtype", op, logits.dtype());
  TAPIR_CHECK_AS(DTypeError, target.dtype() == kInt64,
                 "{}: class targets of {}, expected int64; class probabilities have the sizes of the logits",
                 op, target.dtype());
  TAPIR_CHECK_AS(DeviceError, target.device() == logits.device(), "{}: logits on {}, targets on {}", op,
                 logits.device(), target.device());
  const int64_t n = logits.size(0), classes = logits.size(1);
  Tensor weight;
  if (weight_in.defined()) {
    TAPIR_CHECK_AS(ShapeError, weight_in.dim() == 1 && weight_in.size(0) == classes,
                   "{}: weight has sizes {}, expected one for each of the {} classes", op, weight_in.sizes(),
                   classes);
    TAPIR_CHECK_AS(DTypeError, weight_in.dtype() == logits.dtype(), "{}: weight of {} for logits of {}", op,
                   weight_in.dtype(), logits.dtype());
    TAPIR_CHECK_AS(DeviceError, weight_in.device() == logits.device(), "{}: logits on {}, weight on {}", op,
                   logits.device(), weight_in.device());
    weight = contiguous(weight_in);
  }
  CrossEntropy result{Tensor::empty({n}, logits.dtype(), logits.device()), Tensor(), 0};
  if (want_log_probs) result.log_probs = Tensor::empty(logits.sizes(), logits.dtype(), logits.device());
  int64_t bad_row = -1;
  require(&KernelTable::cross_entropy, logits.device(),
          op)({logits.dtype(), logits.data_ptr(), target.data_ptr<int64_t>(), data_or_null(weight),
               result.losses.data_ptr(), want_log_probs ? result.log_probs.data_ptr() : nullptr,
               &result.weight_sum, &bad_row, n, classes, ignore_index, label_smoothing});
  if (TAPIR_UNLIKELY(bad_row >= 0)) bad_target(op, target, bad_row, classes, ignore_index);
  return result;
}

Tensor sum_losses(const Tensor& losses_in, double scale) {
  const Tensor losses = contiguous(losses_in);
  Tensor out = Tensor::empty({}, losses.dtype(), losses.device());
  require(&KernelTable::reduce, out.device(),
          "sum")({Reduction::Sum, losses.data_ptr(), losses.dtype(), out.data_ptr(), out.dtype(), nullptr, 1,
                  losses.numel(), 1, scale});
  return out;
}

int64_t check_targets(const char* op, const Tensor& target_in, int64_t classes, int64_t ignore_index) {
  const Tensor target = contiguous(to_device(target_in, kCPU));
  const int64_t* p = target.data_ptr<int64_t>();
  Layout l = Layout::of({target.numel()});
  l.offset = target.storage_offset();
  const Tensor flat = target.alias(l);
  int64_t counted = 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    counted += p[i] != ignore_index;
    if (TAPIR_UNLIKELY((p[i] < 0 || p[i] >= classes) && p[i] != ignore_index))
      bad_target(op, flat, i, classes, ignore_index);
  }
  return counted;
}

Tensor cross_entropy_backward(const Tensor& grad_in, double scale, const Tensor& log_probs_in,
                              const Tensor& target_in, const Tensor& weight_in, int64_t ignore_index,
                              double label_smoothing) {
  const Tensor grad = contiguous(grad_in), log_probs = contiguous(log_probs_in),
               target = contiguous(target_in);
  const Tensor weight = weight_in.defined() ? contiguous(weight_in) : Tensor();
  const int64_t n = log_probs.size(0), classes = log_probs.size(1);
  Tensor out = Tensor::empty(log_probs.sizes(), log_probs.dtype(), log_probs.device());
  require(&KernelTable::cross_entropy_backward, out.device(),
          "cross_entropy")({out.dtype(), grad.data_ptr(), grad.dim() == 0 ? 0 : 1, scale,
                            log_probs.data_ptr(), target.data_ptr<int64_t>(), data_or_null(weight),
                            out.data_ptr(), n, classes, ignore_index, label_smoothing});
  return out;
}

}  // namespace tapir::raw
