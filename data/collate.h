// Bringing samples together into a batch.
#pragma once

#include <cstdint>
#include <vector>

#include "tapir/data/example.h"
#include "tapir/tensor/args.h"

namespace tapir::data {

/// Tensors of one shape, dtype and device along a new first dimension. Throws ValueError for no tensor,
/// ShapeError, DTypeError and DeviceError where they differ.
TAPIR_API Tensor stack_tensors(ArrayRef<Tensor> tensors);

/// How sequences are padded.
struct PadOptions {
  /// (B, T, ...) instead of (T, B, ...).
  TAPIR_ARG(bool, batch_first) = false;
  /// Where a sequence has ended.
  TAPIR_ARG(double, padding_value) = 0;
  /// The same for targets; the default is what cross_entropy ignores.
  TAPIR_ARG(double, target_padding_value) = -100;
  /// Targets with a dimension are sequences as long as their data and are padded like it; false stacks them.
  /// Those without a dimension are always stacked.
  TAPIR_ARG(bool, pad_targets) = true;
  /// Longest sequence first, as pack_padded_sequence expects; those of equal length keep their order.
  TAPIR_ARG(bool, sort) = false;
};

/// Sequences of one dtype, each (length, ...) with the same further sizes, in one tensor (T, B, ...), where T
/// is the greatest length, filled up with padding_value. Throws as stack_tensors does.
TAPIR_API Tensor pad_tensors(ArrayRef<Tensor> sequences, const PadOptions& options = {});

/// A batch of sequences.
struct PaddedExample {
  Tensor data;     ///< (T, B, ...), or (B, T, ...)
  Tensor target;   ///< likewise where targets are sequences, else the targets stacked: (B, ...)
  Tensor lengths;  ///< (B), int64
};
/// Pads data and, by PadOptions::pad_targets, targets. Throws ShapeError where a target is not as long as its
/// data, else as pad_tensors does.
TAPIR_API PaddedExample pad_examples(const std::vector<Example<>>& examples, const PadOptions& options = {});

/// A batch of sequences without padding, as the parts of an nn::utils::rnn::PackedSequence:
///   rnn::PackedSequence(batch.data, batch.batch_sizes, batch.sorted_indices, batch.unsorted_indices)
struct PackedExample {
  Tensor data;  ///< (N, ...): step by step, of each step one row per sequence that is that long
  /// (N, ...) in the same order where targets are sequences, else the targets stacked in the examples' order:
  /// (B, ...).
  Tensor target;
  Tensor batch_sizes;       ///< (T) int64: rows per step
  Tensor sorted_indices;    ///< (B) int64: which example is the j-th longest
  Tensor unsorted_indices;  ///< (B) int64: the inverse
  Tensor lengths;           ///< (B) int64, in the examples' order
};
/// Packs data and, as pad_examples does by pad_targets, targets. Throws ShapeError for an empty sequence, and
/// as pad_examples does.
TAPIR_API PackedExample pack_examples(const std::vector<Example<>>& examples, bool pack_targets = true);

/// For transforms::Normalize.
TAPIR_API Tensor channel_values(ArrayRef<double> values, const char* name);
TAPIR_API Tensor normalize(const Tensor& input, const Tensor& mean, const Tensor& stddev);

}  // namespace tapir::data
