// Gradients that are zero but for some rows: what an embedding with sparse(true) gives its weight.
#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// A gradient of sizes (count, d) by its rows: row `rows[i]` is `values[i]`, every other row is zero.
struct RowGradient {
  Tensor rows;    ///< (n) int64, ascending, each once
  Tensor values;  ///< (n, d)
};

/// The gradient of a leaf where it is known by its rows: no op gave a dense one, and nobody has changed what
/// grad() returned. Null otherwise. Rows that came several times are summed here. `values` may be changed in
/// place (clipping); the pointer is good until the next backward into the leaf, or change of its gradient.
///
/// Tensor::grad() of such a leaf makes the dense gradient, as large as the weight, at its first call; a step
/// of an optimizer that takes rows never does.
TAPIR_API RowGradient* row_gradient(const Tensor& leaf);

/// True where the tensor has a gradient; unlike grad().defined(), it makes no dense one.
TAPIR_API bool has_gradient(const Tensor& leaf);

/// What zero_grad() does to a parameter: leaves it without gradient, or with `set_to_none` false detaches a
/// dense one and fills it with zeros in place.
TAPIR_API void clear_gradient(const Tensor& leaf, bool set_to_none);

namespace detail {

/// The row gradient of a leaf, as it gathers.
class LeafRows {
 public:
  /// Row index[i] (an int64 or int32 tensor of n elements) gains values[i] (n, d); but not where it is
  /// `skip`.
  void add(Tensor index, Tensor values, int64_t skip);
  /// All of it, summed.
  RowGradient& summed();
  /// Adds it to a dense gradient.
  void add_to(const Tensor& dense) const;

  Tensor dense;                ///< what grad() made of it; undefined before
  uint32_t dense_version = 0;  ///< of `dense`, when it was made

 private:
  struct Part {
    Tensor index, values;
    int64_t skip;
  };
  std::vector<Part> parts_;
  RowGradient summed_;  // of parts_, which is then empty
};

}  // namespace detail

}  // namespace tapir
