// Sliding windows of images as columns, and back; autograd/functions/fold.h has the formulas.
#pragma once

#include "tapir/nn/expanding_array.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

struct FoldOptions {
  FoldOptions(ExpandingArray<2> output_size, ExpandingArray<2> kernel_size)
      : output_size_(output_size), kernel_size_(kernel_size) {}
  TAPIR_ARG(ExpandingArray<2>, output_size);
  TAPIR_ARG(ExpandingArray<2>, kernel_size);
  TAPIR_ARG(ExpandingArray<2>, dilation) = 1;
  TAPIR_ARG(ExpandingArray<2>, padding) = 0;
  TAPIR_ARG(ExpandingArray<2>, stride) = 1;
};
struct UnfoldOptions {
  UnfoldOptions(ExpandingArray<2> kernel_size) : kernel_size_(kernel_size) {}  // NOLINT
  TAPIR_ARG(ExpandingArray<2>, kernel_size);
  TAPIR_ARG(ExpandingArray<2>, dilation) = 1;
  TAPIR_ARG(ExpandingArray<2>, padding) = 0;
  TAPIR_ARG(ExpandingArray<2>, stride) = 1;
};

namespace functional {
using FoldFuncOptions = FoldOptions;
using UnfoldFuncOptions = UnfoldOptions;
/// col2im
TAPIR_API Tensor fold(const Tensor& input, const FoldFuncOptions& options);
/// im2col
TAPIR_API Tensor unfold(const Tensor& input, const UnfoldFuncOptions& options);
}  // namespace functional

/// Columns (N, C K, L) summed into images (N, C, output_size...).
class TAPIR_API FoldImpl : public Cloneable<FoldImpl> {
 public:
  FoldImpl(ExpandingArray<2> output_size, ExpandingArray<2> kernel_size)
      : options(output_size, kernel_size) {}
  explicit FoldImpl(const FoldOptions& o) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  FoldOptions options;
};
TAPIR_BUILTIN_MODULE(Fold);

/// The windows of images (N, C, H, W) as columns (N, C K, L).
class TAPIR_API UnfoldImpl : public Cloneable<UnfoldImpl> {
 public:
  UnfoldImpl(ExpandingArray<2> kernel_size) : options(kernel_size) {}  // NOLINT
  explicit UnfoldImpl(const UnfoldOptions& o) : options(o) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);
  UnfoldOptions options;
};
TAPIR_BUILTIN_MODULE(Unfold);

}  // namespace tapir::nn
