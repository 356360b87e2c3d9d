// Inference mode: nothing is recorded, and what is made has no version counter.
//
//   InferenceMode guard;
//   Tensor y = model(x);     // y.is_inference()
//
// PyTorch's rules. Inside, tensors that are made are inference tensors, and views of such are too, inside and
// outside; views of normal tensors and normal tensors changed in place stay normal. Outside, an inference
// tensor may be read by any op, but
//   - saving it for backward throws AutogradError: clone() it first;
//   - changing it in place throws AutogradError: clone() it first;
//   - requires_grad_() and _version() throw AutogradError.
// Different from PyTorch: AutoGradMode(true) inside has no effect, while InferenceMode(false) records again,
// as there. backward() called inside leaves the mode while it runs, so that the gradients of normal leaves
// are normal.
#pragma once

#include "tapir/autograd/grad_mode.h"

namespace tapir {

/// Per thread, until the end of the scope. InferenceMode(false) is the normal, recording mode.
class TAPIR_API InferenceMode {
 public:
  explicit InferenceMode(bool enabled = true) : before_(detail::autograd_thread) { set(enabled, !enabled); }
  ~InferenceMode() { set(before_.inference, before_.grad_enabled); }
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

  static bool is_enabled() { return detail::autograd_thread.inference; }

 private:
  static void set(bool inference, bool grad);
  detail::AutogradThread before_;
};

}  // namespace tapir
