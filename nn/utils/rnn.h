// Sequences of different lengths: padded to one tensor, or packed without the padding.
#pragma once

#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::nn::utils::rnn {

/// Sequences sorted by falling length, laid out step by step: of step t, data holds batch_sizes[t] rows, one
/// per sequence that is longer than t. sorted_indices[j] is the original place of sequence j,
/// unsorted_indices the inverse; undefined where the sequences were given in order.
class TAPIR_API PackedSequence {
 public:
  PackedSequence() = default;
  /// Checks that batch_sizes (int64, on the CPU) fits data. The inverse is computed where it is left out.
  PackedSequence(Tensor data, Tensor batch_sizes, Tensor sorted_indices = {}, Tensor unsorted_indices = {});
  const Tensor& data() const { return data_; }
  const Tensor& batch_sizes() const { return batch_sizes_; }
  const Tensor& sorted_indices() const { return sorted_indices_; }
  const Tensor& unsorted_indices() const { return unsorted_indices_; }
  PackedSequence to(const TensorOptions& options) const;
  PackedSequence to(Device device) const { return to(TensorOptions(device)); }
  PackedSequence to(DeviceType device) const { return to(Device(device)); }
  PackedSequence to(DType dtype) const { return to(TensorOptions(dtype)); }
  PackedSequence cpu() const { return to(Device(kCPU)); }
  PackedSequence cuda() const { return to(Device(kCUDA)); }
  bool is_cuda() const { return data_.is_cuda(); }
  /// A packing of other data with the same lengths and order.
  PackedSequence with_data(Tensor data) const;

 private:
  Tensor data_, batch_sizes_, sorted_indices_, unsorted_indices_;
};

/// Index i of `permutation` goes to place permutation[i] of the result; undefined for undefined.
TAPIR_API Tensor invert_permutation(const Tensor& permutation);

/// Packs input (T, B, ...), or (B, T, ...) with batch_first, whose sequence j has lengths[j] steps, 1 to T
/// (int64, CPU). With enforce_sorted, lengths must not grow; else the sequences are sorted. Throws
/// ValueError, ShapeError.
TAPIR_API PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths,
                                              bool batch_first = false, bool enforce_sorted = true);
/// The inverse: the sequences padded to the longest one, or to total_length, and their lengths.
TAPIR_API std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence,
                                                         bool batch_first = false, double padding_value = 0,
                                                         std::optional<int64_t> total_length = std::nullopt);
/// Sequences (L_j, ...) padded at their end to the longest and stacked: (T, B, ...), or (B, T, ...) with
/// batch_first.
TAPIR_API Tensor pad_sequence(ArrayRef<Tensor> sequences, bool batch_first = false, double padding_value = 0);
/// Packs sequences (L_j, ...).
TAPIR_API PackedSequence pack_sequence(ArrayRef<Tensor> sequences, bool enforce_sorted = true);

}  // namespace tapir::nn::utils::rnn
