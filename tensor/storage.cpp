#include "tapir/tensor/storage.h"

#include "tapir/tensor/error_format.h"

namespace tapir {

Ref<StorageImpl> StorageImpl::make_large(size_t bytes, Device device) {
  detail::drain_refs();
  Allocator& a = allocator(device);
  void* data = bytes ? a.allocate(bytes) : nullptr;
  auto* s = new (pool::allocate(sizeof(StorageImpl))) StorageImpl(bytes);
  s->data_ = static_cast<std::byte*>(data);
  s->device_ = device;
  s->kind_ = Kind::kAllocator;
  return Ref<StorageImpl>::adopt(s);
}

Ref<StorageImpl> StorageImpl::wrap(void* data, size_t bytes, Device device,
                                   std::function<void(void*)> deleter) {
  auto* s = new (pool::allocate(sizeof(StorageImpl))) StorageImpl(bytes);
  s->data_ = static_cast<std::byte*>(data);
  s->device_ = device;
  s->kind_ = Kind::kExternal;
  if (deleter) s->deleter_ = new std::function<void(void*)>(std::move(deleter));
  return Ref<StorageImpl>::adopt(s);
}

void StorageImpl::inference_failure(const char* op) {
  throw_error<AutogradError>(
      "{}: an inference tensor cannot be changed in place outside of InferenceMode; clone() it for a normal "
      "one",
      op ? op : "an in-place op");
}

void StorageImpl::destroy_large(StorageImpl* s) {
  if (s->kind_ == Kind::kAllocator) {
    if (s->data_) allocator(s->device_).deallocate(s->data_, s->nbytes_);
  } else if (s->deleter_) {
    (*s->deleter_)(s->data_);
    delete s->deleter_;
  }
  pool::release(s, sizeof(StorageImpl));
}

}  // namespace tapir
