#include <limits>

#include "tapir/autograd/functions/loss_margin.h"
#include "tapir/autograd/functions/loss_reduce.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/ctc.h"

namespace tapir {

namespace {

struct CtcLossBackward final : NodeOf<1, 3> {
  const char* type_name() const override { return "CtcLossBackward"; }
  void backward(Grads g, GradSink& sink) override {
    raw::Ctc c = call;
    c.log_probs = saved(0);
    TAPIR_CHECK_AS(AutogradError, !recording(g[0], c.log_probs),
                   "ctc_loss: there is no second derivative; call backward without create_graph");
    sink.set(0, raw::ctc_backward(c, {saved(1), saved(2)}, g[0], zero_infinity));
  }
  raw::Ctc call;  // without log_probs
  bool zero_infinity;
};

Tensor lengths_on_cpu(const char* what, const Tensor& lengths, int64_t batch) {
  TAPIR_CHECK_AS(DTypeError, is_integral(lengths.dtype()), "ctc_loss: {} of {}, expected integers", what,
                 lengths.dtype());
  TAPIR_CHECK_AS(ShapeError, lengths.dim() <= 1 && lengths.numel() == batch,
                 "ctc_loss: {} has sizes {}, expected one for each of {} batches", what, lengths.sizes(),
                 batch);
  return raw::contiguous(raw::cast(raw::to_device(lengths, kCPU), kInt64));
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probs_in, const Tensor& targets_in, const Tensor& input_lengths_in,
                const Tensor& target_lengths_in, int64_t blank, int64_t reduction, bool zero_infinity) {
  CallSite site(TAPIR_HERE);
  detail::check_reduction("ctc_loss", reduction);
  const bool one = log_probs_in.dim() == 2;
  TAPIR_CHECK_AS(ShapeError, one || log_probs_in.dim() == 3,
                 "ctc_loss: log_probs has sizes {}, expected (T, N, C) or (T, C)", log_probs_in.sizes());
  const Tensor log_probs = one ? unsqueeze(log_probs_in, 1) : log_probs_in;
  TAPIR_CHECK_AS(DTypeError, log_probs.dtype() == kFloat32 || log_probs.dtype() == kFloat64,
                 "ctc_loss: log_probs of {}, expected float32 or float64", log_probs.dtype());
  const int64_t time = log_probs.size(0), batch = log_probs.size(1), classes = log_probs.size(2);
  TAPIR_CHECK_AS(ValueError, blank >= 0 && blank < classes,
                 "ctc_loss: blank is {}, expected one of {} classes", blank, classes);
  TAPIR_CHECK_AS(DTypeError, is_integral(targets_in.dtype()), "ctc_loss: targets of {}, expected integers",
                 targets_in.dtype());
  raw::Ctc c;
  c.log_probs = log_probs;
  c.blank = blank;
  c.targets = raw::contiguous(raw::cast(raw::to_device(targets_in, kCPU), kInt64));
  c.input_lengths = lengths_on_cpu("input_lengths", input_lengths_in, batch);
  c.target_lengths = lengths_on_cpu("target_lengths", target_lengths_in, batch);
  c.offsets = Tensor::empty({batch}, kInt64);
  const bool padded = c.targets.dim() == 2;
  TAPIR_CHECK_AS(ShapeError, padded ? c.targets.size(0) == batch : c.targets.dim() == 1,
                 "ctc_loss: targets has sizes {}, expected ({}, S), or all targets one after the other",
                 targets_in.sizes(), batch);
  const int64_t *inputs = c.input_lengths.data_ptr<int64_t>(),
                *lengths = c.target_lengths.data_ptr<int64_t>(), *classes_of = c.targets.data_ptr<int64_t>();
  int64_t* offsets = c.offsets.data_ptr<int64_t>();
  int64_t at = 0;
  c.longest = 0;
  for (int64_t b = 0; b < batch; ++b) {
    TAPIR_CHECK_AS(ValueError, inputs[b] >= 0 && inputs[b] <= time,
                   "ctc_loss: input_lengths holds {} at batch {}, expected at most the {} steps of log_probs",
                   inputs[b], b, time);
    offsets[b] = padded ? b * c.targets.size(1) : at;
    const int64_t room = padded ? c.targets.size(1) : c.targets.numel() - at;
    TAPIR_CHECK_AS(ValueError, lengths[b] >= 0 && lengths[b] <= room,
                   "ctc_loss: target_lengths holds {} at batch {}, but targets (sizes {}) has room for {}",
                   lengths[b], b, targets_in.sizes(), room);
    at += lengths[b];
    c.longest = std::max(c.longest, lengths[b]);
    for (int64_t s = 0; s < lengths[b]; ++s) {
      const int64_t t = classes_of[offsets[b] + s];
      TAPIR_CHECK_AS(IndexError, t >= 0 && t < classes && t != blank,
                     "ctc_loss: target {} of batch {} is not a class of [0, {}) other than the blank, {}", t,
                     b, classes, blank);
    }
  }
  raw::CtcResult r = raw::ctc(c);
  Tensor losses = r.losses;
  if (recording(log_probs)) {
    auto* node = record<CtcLossBackward>(TAPIR_HERE, losses, log_probs);
    node->save_input(0, log_probs);
    node->save_output(1, losses);
    node->save_input(2, r.log_alpha);
    node->call = c;
    node->call.log_probs.reset();
    node->zero_infinity = zero_infinity;
  }
  if (zero_infinity)
    losses = where(eq(losses, Scalar(std::numeric_limits<double>::infinity())), Scalar(0), losses);
  if (reduction == detail::kMeanReduction) {
    const Tensor n = raw::to_device(raw::cast(c.target_lengths, losses.dtype()), losses.device());
    return mean(div(losses, clamp_min(reshape(n, {batch}), Scalar(1))));
  }
  if (reduction == detail::kSumReduction) return sum(losses);
  return one ? squeeze(losses, 0) : losses;
}

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, IntArrayRef input_lengths,
                IntArrayRef target_lengths, int64_t blank, int64_t reduction, bool zero_infinity) {
  CallSite site(TAPIR_HERE);
  const auto lengths = [](IntArrayRef v) {
    return raw::from_values(v.data(), {static_cast<int64_t>(v.size())}, kInt64);
  };
  return ctc_loss(log_probs, targets, lengths(input_lengths), lengths(target_lengths), blank, reduction,
                  zero_infinity);
}

}  // namespace tapir
