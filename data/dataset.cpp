#include "tapir/data/dataset.h"

#include "tapir/data/collate.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

TensorDataset::TensorDataset(Tensor tensor) : tensor_(std::move(tensor)) {
  TAPIR_CHECK_AS(ShapeError, tensor_.dim() > 0,
                 "TensorDataset: got a tensor without dimensions, expected (N, ...)");
}

TensorDataset::TensorDataset(const std::vector<Tensor>& tensors) : TensorDataset(stack_tensors(tensors)) {}

TensorExample TensorDataset::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < static_cast<size_t>(tensor_.sizes()[0]),
                 "TensorDataset: got index {}, expected one below {}", index, tensor_.sizes()[0]);
  return tensor_.alias(tensor_.layout_of().select(0, static_cast<int64_t>(index)));
}

std::optional<size_t> TensorDataset::size() const { return static_cast<size_t>(tensor_.sizes()[0]); }

}  // namespace tapir::data::datasets
