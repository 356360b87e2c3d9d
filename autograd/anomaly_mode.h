// Anomaly mode: backward stops at the first gradient that holds NaN, and says which op made it.
//
//   autograd::DetectAnomalyGuard guard;
//   loss.backward();   // throws AutogradError:
//     anomaly mode: LogBackward gave NaN in the gradient of its input 0 (sizes [2, 3], float32): 1 of 6
//     elements, the first at [0, 2]; the gradient that it got (sizes [2, 3]) holds no NaN
//       in the backward of LogBackward, recorded at model.cpp:42 (Net::forward(...))
//
// Infinities pass, as by PyTorch. A node whose backward was itself recorded (create_graph) names the line of
// the forward too. Off, it costs nothing; on, each gradient is looked at, and products of weights are not
// gathered.
#pragma once

#include "tapir/tensor/macros.h"

namespace tapir::autograd {

/// For the whole process; off at start. A backward that is running keeps to the mode that it began with.
struct TAPIR_API AnomalyMode {
  static bool is_enabled();
  /// Whether gradients are looked at where the mode is on.
  static bool should_check_nan();
  static void set_enabled(bool enabled, bool check_nan = true);
};

/// Turns the mode on until the end of the scope, then back to what it was.
class TAPIR_API DetectAnomalyGuard {
 public:
  explicit DetectAnomalyGuard(bool check_nan = true);
  ~DetectAnomalyGuard();
  DetectAnomalyGuard(const DetectAnomalyGuard&) = delete;
  DetectAnomalyGuard& operator=(const DetectAnomalyGuard&) = delete;

 private:
  bool was_enabled_, checked_nan_;
};

}  // namespace tapir::autograd
