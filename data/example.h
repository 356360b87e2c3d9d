// Example: one sample of a dataset.
#pragma once

#include <utility>

#include "tapir/tensor/tensor.h"

namespace tapir::data {

namespace example {
/// Stands for the target of an example that has none.
using NoTarget = void;
}  // namespace example

/// An input and its target.
template <class Data = Tensor, class Target = Tensor>
struct Example {
  using DataType = Data;
  using TargetType = Target;
  Example() = default;
  Example(Data data, Target target) : data(std::move(data)), target(std::move(target)) {}
  Data data;
  Target target;
};

/// An input alone.
template <class Data>
struct Example<Data, example::NoTarget> {
  using DataType = Data;
  using TargetType = example::NoTarget;
  Example() = default;
  Example(Data data) : data(std::move(data)) {}  // NOLINT: implicit as in libtorch
  operator Data&() { return data; }              // NOLINT
  operator const Data&() const { return data; }  // NOLINT
  Data data;
};
using TensorExample = Example<Tensor, example::NoTarget>;

}  // namespace tapir::data
