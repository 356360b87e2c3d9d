#include "tapir/autograd/saved_tensor.h"

#include "tapir/autograd/node.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

Tensor SavedTensor::unpack(const Node& owner) const {
  if (TAPIR_UNLIKELY(!impl_)) {
    if (state_ == State::kReleased) freed_failure(owner);
    return {};
  }
  if (TAPIR_UNLIKELY(impl_->storage->version() != version_)) changed_failure(owner);
  if (state_ == State::kInput || !GradMode::is_enabled()) return Tensor(Ref<TensorImpl>::share(impl_));
  Tensor t(Ref<TensorImpl>::adopt(new TensorImpl(impl_->storage, impl_->layout, impl_->dtype)));
  t.impl()->autograd = Ref<Node>::share(const_cast<Node*>(&owner));
  t.impl()->output_nr = impl_->output_nr;
  return t;
}

void SavedTensor::changed_failure(const Node& owner) const {
  const char* by = impl_->storage->last_change();
  throw_error<AutogradError>(
      "{}: a tensor that it needs ({} of sizes {}) was changed in place by {}: it was saved at version {} "
      "and is now at version "
      "{}. Use the form of {} that makes a new tensor, or clone() before changing it",
      owner.name(), impl_->dtype, IntArrayRef(impl_->layout.sizes), by ? by : "an in-place op", version_,
      impl_->storage->version(), by ? by : "that op");
}

void SavedTensor::save_alias(const Tensor& t) {
  impl_ = new TensorImpl(t.impl()->storage, t.impl()->layout, t.impl()->dtype);
  impl_->count_saved();
  Edge history = gradient_edge(t);
  impl_->output_nr = history.input_nr;
  impl_->autograd = std::move(history.function);
}

void SavedTensor::inference_failure(const Tensor& t) {
  throw_error<AutogradError>(
      "save_for_backward: an inference tensor (sizes {}) cannot be saved for backward; clone() it outside of "
      "InferenceMode first",
      t.sizes());
}

void SavedTensor::freed_failure(const Node& owner) {
  throw_error<AutogradError>(
      "{}: the graph was already freed by an earlier backward; pass retain_graph = true to the first one to "
      "run another",
      owner.name());
}

}  // namespace tapir
