// SavedTensor: a tensor that a node keeps for its backward, with the version that it had.
#pragma once

#include <utility>

#include "tapir/tensor/tensor.h"

namespace tapir {

class Node;

/// Keeps an input of the forward as it is (a view as an alias with its history), or a result as an alias
/// without its graph, so that a node never owns itself; see also Note [Saved tensors that changed]. What was
/// made in inference mode cannot be saved. unpack() throws AutogradError where the tensor was changed in
/// place since, or where the graph was freed.
class TAPIR_API SavedTensor {
 public:
  SavedTensor() = default;
  SavedTensor(SavedTensor&& o) noexcept
      : impl_(std::exchange(o.impl_, nullptr)), version_(o.version_), state_(o.state_) {}
  SavedTensor& operator=(SavedTensor&&) = delete;
  ~SavedTensor() { drop(); }
  void save_input(const Tensor& t) {
    if (!t.defined()) return;
    TensorImpl* p = t.impl();
    version_ = p->storage->version();
    if (TAPIR_UNLIKELY(version_ == StorageImpl::kNoVersion)) inference_failure(t);
    drop();
    if (TAPIR_UNLIKELY(p->base || p->has_stale_saved()))
      save_alias(t);
    else
      (impl_ = p)->retain_saved();
    state_ = State::kInput;
  }
  /// `t` is output number `output_nr` of the node that saves it.
  void save_output(const Tensor& t, uint32_t output_nr = 0) {
    drop();
    impl_ = new TensorImpl(t.impl()->storage, t.impl()->layout, t.impl()->dtype);
    impl_->count_saved();
    impl_->output_nr = output_nr;
    version_ = t.impl()->storage->version();
    state_ = State::kOutput;
  }
  /// The tensor; undefined where none was saved. `owner` is the node that saved it: a saved result takes it
  /// as its grad_fn while gradients are recorded (create_graph).
  Tensor unpack(const Node& owner) const;
  /// Drops the tensor; a later unpack() says that the graph was freed.
  void release() {
    if (state_ == State::kEmpty) return;
    drop();
    state_ = State::kReleased;
  }

 private:
  enum class State : uint8_t { kEmpty, kInput, kOutput, kReleased };
  [[noreturn]] void changed_failure(const Node& owner) const;
  [[noreturn]] static void freed_failure(const Node& owner);
  [[noreturn]] TAPIR_COLD static void inference_failure(const Tensor& t);
  void drop() {
    if (const TensorImpl* p = std::exchange(impl_, nullptr)) p->release_saved();
  }
  void save_alias(const Tensor& t);

  TensorImpl* impl_ = nullptr;  // see Note [Saved tensors that changed]
  uint32_t version_ = 0;
  State state_ = State::kEmpty;
};

}  // namespace tapir
