#include "tapir/tensor/tensor_impl.h"

namespace tapir {

void TensorImpl::forget_history() const {
  if (released_elsewhere_.load(std::memory_order_relaxed) || own_count() != saved_ + 1) return;
  // The caller's is the last reference that may read it; it keeps this object until the graph is gone.
  auto* self = const_cast<TensorImpl*>(this);
  const Ref<AutogradSlot> history = std::move(self->autograd);
  const Ref<TensorImpl> whole = std::move(self->base);
}

}  // namespace tapir
