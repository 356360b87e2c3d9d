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

  /// As Ref calls it for each reference but those of SavedTensors.
  [[nodiscard]] TAPIR_ALWAYS_INLINE bool release(Destroy how) const {
    if (TAPIR_UNLIKELY(stale_saved_.load(std::memory_order_relaxed))) forget_history();
    return RefCounted::release(how);
  }

  // Note [Saved tensors that changed]
  // A graph node may save a tensor whose history an in-place op later puts behind that same node, as in
  // y = x * x; x.add_(y): the node owns the tensor and the tensor, through its history, the node. What was
  // saved is stale then, and nobody may read it. So SavedTensors are counted, and the last other reference
  // to a tensor that has only stale ones left takes the history with it. Counted are those of the thread
  // that made the tensor; where other threads take part, nothing is concluded. Views are not saved
  // themselves (their base may change without them), nor is a tensor again that has stale ones: see
  // SavedTensor::save_input.
  TAPIR_ALWAYS_INLINE void retain_saved() const {
    retain();
    count_saved();
  }
  /// Makes one of the references a SavedTensor's.
  TAPIR_ALWAYS_INLINE void count_saved() const {
    if (TAPIR_LIKELY(owned_here())) ++saved_;
  }
  TAPIR_ALWAYS_INLINE void release_saved() const {
    if (TAPIR_LIKELY(owned_here()))
      --saved_;
    else
      released_elsewhere_.store(true, std::memory_order_relaxed);
    if (RefCounted::release(destroy_counted)) destroy(const_cast<TensorImpl*>(this));
  }
  bool has_stale_saved() const { return stale_saved_.load(std::memory_order_relaxed); }
  /// The values and the history have changed: what was saved until now is stale.
  void history_changed() {
    ++history;
    if (owned_here() && saved_ != 0) stale_saved_.store(true, std::memory_order_relaxed);
  }

 private:
  static void destroy_counted(const RefCounted* p) {
    destroy(static_cast<TensorImpl*>(const_cast<RefCounted*>(p)));
  }
  TAPIR_API TAPIR_COLD void forget_history() const;

  mutable uint32_t saved_ = 0;  ///< read and written by the owning thread alone
  std::atomic<bool> stale_saved_{false};
  mutable std::atomic<bool> released_elsewhere_{false};
};

}  // namespace tapir
