// The iterator over a loader's batches.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "tapir/tensor/macros.h"

namespace tapir::data {

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void end_iterator_failure();
}

/// An input iterator: copies share the position. Throws ValueError where it is used past the end.
template <class Batch>
class Iterator {
 public:
  using difference_type = std::ptrdiff_t;
  using value_type = Batch;
  using pointer = Batch*;
  using reference = Batch&;
  using iterator_category = std::input_iterator_tag;

  /// The end.
  Iterator() = default;
  /// Batches from `next` until it gives none. The first one is asked for at first use.
  explicit Iterator(std::function<std::optional<Batch>()> next)
      : state_(std::make_shared<State>(State{std::move(next), std::nullopt, false})) {}

  Iterator& operator++() {
    if (at_end()) detail::end_iterator_failure();
    state_->batch = state_->next();
    return *this;
  }
  Batch& operator*() {
    if (at_end()) detail::end_iterator_failure();
    return *state_->batch;
  }
  Batch* operator->() { return &**this; }
  bool operator==(const Iterator& other) const { return at_end() ? other.at_end() : state_ == other.state_; }
  bool operator!=(const Iterator& other) const { return !(*this == other); }

 private:
  struct State {
    std::function<std::optional<Batch>()> next;
    std::optional<Batch> batch;
    bool begun;
  };
  bool at_end() const {
    if (!state_) return true;
    if (!state_->begun) {
      state_->batch = state_->next();
      state_->begun = true;
    }
    return !state_->batch;
  }
  std::shared_ptr<State> state_;
};

}  // namespace tapir::data
