#include "tapir/autograd/inference_mode.h"

#include "tapir/tensor/storage.h"

namespace tapir {

void InferenceMode::set(bool inference, bool grad) {
  detail::autograd_thread.inference = inference;
  detail::autograd_thread.grad_enabled = grad;
  detail::ref_thread.first_version = inference ? StorageImpl::kNoVersion : 0;
}

}  // namespace tapir
