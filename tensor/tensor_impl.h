// TensorImpl: what a Tensor points to.
#pragma once

#include "tapir/tensor/dtype.h"
#include "tapir/tensor/layout.h"
#include "tapir/tensor/storage.h"

namespace tapir {

/// All that a tensor knows of automatic differentiation: one abstract, reference-counted pointer. The layer
/// above derives its graph nodes from it.
class TAPIR_API AutogradSlot : public RefCounted {
 public:
  enum class Kind : uint8_t {
    kNode,      ///< the operation that made the tensor
    kLeaf,      ///< a leaf that accumulates its gradient
    kRetained,  ///< an operation's result that also keeps its gradient
  };
  explicit AutogradSlot(Kind kind) : kind_(kind) {}
  virtual ~AutogradSlot();
  Kind kind() const { return kind_; }
  /// Ends the object when its last reference is gone.
  virtual void dispose() = 0;
  static void destroy(AutogradSlot* s) { s->dispose(); }

 private:
  Kind kind_;
};

/// The state of a tensor: a layout over a storage, a dtype, and a place for autograd.
class TensorImpl final : public RefCounted {
 public:
  TensorImpl(Ref<StorageImpl> s, Layout l, DType d)
      : data(s->data() + l.offset * static_cast<int64_t>(item_size(d))),
        dtype(d),
        device(s->device()),
        storage(std::move(s)),
        layout(std::move(l)) {}
  /// The sizes and strides of `like`, over a storage of its own.
  TAPIR_ALWAYS_INLINE TensorImpl(Ref<StorageImpl> s, const TensorImpl& like, DType d)
      : data(s->data()), dtype(d), device(like.device), storage(std::move(s)), layout(like.layout) {
    layout.offset = 0;
  }
  TAPIR_POOLED

  std::byte* data;  ///< address of the first element
  DType dtype;
  Device device;
  bool untracked = false;    ///< changes through this alias do not count (data(), tensor_data())
  bool frozen_view = false;  ///< shows an input's memory as the result of a user-defined function: not to be
                             ///< changed in place while recording
  uint32_t output_nr = 0;    ///< which output of its node
  uint32_t history = 0;      ///< as a base: how often its graph node was replaced by an in-place op;
                             ///< as a view: the base's count at the time that `autograd` was valid
  Ref<StorageImpl> storage;
  Layout layout;
  Ref<AutogradSlot> autograd;
  Ref<TensorImpl> base;  ///< the tensor that this one is a view of, never itself a view

  static void destroy(TensorImpl* t) { delete t; }
};

}  // namespace tapir
