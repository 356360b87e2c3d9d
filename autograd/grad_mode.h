// Whether operations are recorded: a per-thread switch, and guards that set it for a scope.
#pragma once

#include <cstdint>

#include "tapir/tensor/macros.h"

namespace tapir {

namespace detail {
/// What autograd keeps per thread.
struct AutogradThread {
  bool grad_enabled = true;
  bool inference = false;           ///< see inference_mode.h
  const void* call_site = nullptr;  ///< see CallSite in node.h
  uint64_t next_sequence = 0;
};
extern TAPIR_API constinit thread_local AutogradThread autograd_thread;
}  // namespace detail

/// Per-thread; on at start. In inference mode it is off and stays off.
struct GradMode {
  static bool is_enabled() { return detail::autograd_thread.grad_enabled; }
  static void set_enabled(bool enabled) {
    detail::autograd_thread.grad_enabled = enabled && !detail::autograd_thread.inference;
  }
};

/// Sets the mode until the end of the scope.
class AutoGradMode {
 public:
  explicit AutoGradMode(bool enabled) : before_(GradMode::is_enabled()) { GradMode::set_enabled(enabled); }
  ~AutoGradMode() { GradMode::set_enabled(before_); }
  AutoGradMode(const AutoGradMode&) = delete;
  AutoGradMode& operator=(const AutoGradMode&) = delete;

 private:
  bool before_;
};

/// Nothing is recorded in its scope:  NoGradGuard no_grad;
class NoGradGuard : public AutoGradMode {
 public:
  NoGradGuard() : AutoGradMode(false) {}
};

}  // namespace tapir
