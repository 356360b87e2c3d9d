// Tensors as text, in the layout that Python's PyTorch prints.
#pragma once

#include <string>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// How tensors print. Values are aligned; floats have `precision` digits behind the point, and are scientific
/// where magnitudes differ by more than 1000, exceed 1e8 or fall below 1e-4 (or as sci_mode says). Of tensors
/// with more than `threshold` elements, `edgeitems` at each end of a dimension are shown.
struct PrintOptions {
  int precision = 4;
  int64_t threshold = 1000;
  int64_t edgeitems = 3;
  int64_t linewidth = 80;
  std::optional<bool> sci_mode;
};
/// The options that all threads print with.
TAPIR_API PrintOptions get_print_options();
TAPIR_API void set_print_options(const PrintOptions& options);

/// "tensor([[1., 2.],\n        [3., 4.]], dtype=float64, ...)"; `suffixes` follow the tensor's own.
TAPIR_API std::string format_tensor(const Tensor& t, const PrintOptions& options,
                                    const std::vector<std::string>& suffixes = {});

}  // namespace tapir
