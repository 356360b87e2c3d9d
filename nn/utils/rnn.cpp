#include "tapir/nn/utils/rnn.h"

#include <algorithm>
#include <numeric>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::nn::utils::rnn {

namespace {

Tensor int64s(const std::vector<int64_t>& values) {
  Tensor t = Tensor::empty({static_cast<int64_t>(values.size())}, kInt64);
  std::copy(values.begin(), values.end(), t.data_ptr<int64_t>());
  return t;
}

IntArrayRef values_of(const Tensor& contiguous_int64) {
  return {contiguous_int64.data_ptr<int64_t>(), static_cast<size_t>(contiguous_int64.numel())};
}

// Lengths or sizes as a contiguous int64 tensor on the CPU.
Tensor counts(const char* op, const char* what, const Tensor& t) {
  TAPIR_CHECK_AS(DTypeError, t.defined() && t.dtype() == kInt64 && t.is_cpu(),
                 "{}: {} must be int64 on the CPU", op, what);
  TAPIR_CHECK_AS(ShapeError, t.dim() == 1, "{}: {} has sizes {}, expected one dimension", op, what,
                 t.sizes());
  return raw::contiguous(t);
}

// Sizes of input with (steps, batch) in place of the first two.
Dims like(const Tensor& data, int64_t rows, int64_t columns) {
  Dims sizes{rows, columns};
  for (int64_t d = 1; d < data.dim(); ++d) sizes.push_back(data.size(d));
  return sizes;
}

}  // namespace

PackedSequence::PackedSequence(Tensor data, Tensor batch_sizes, Tensor sorted_indices,
                               Tensor unsorted_indices)
    : data_(std::move(data)),
      batch_sizes_(counts("PackedSequence", "batch_sizes", batch_sizes)),
      sorted_indices_(std::move(sorted_indices)),
      unsorted_indices_(unsorted_indices.defined() ? std::move(unsorted_indices)
                                                   : invert_permutation(sorted_indices_)) {
  int64_t rows = 0, before = INT64_MAX;
  for (const int64_t n : values_of(batch_sizes_)) {
    TAPIR_CHECK_AS(ValueError, n > 0 && n <= before,
                   "PackedSequence: batch_sizes {} must be positive and must not grow",
                   values_of(batch_sizes_));
    rows += before = n;
  }
  TAPIR_CHECK_AS(ShapeError, data_.defined() && data_.dim() >= 1 && data_.size(0) == rows,
                 "PackedSequence: batch_sizes add up to {}, but data has sizes {}", rows,
                 data_.defined() ? data_.sizes() : IntArrayRef());
}

PackedSequence PackedSequence::to(const TensorOptions& options) const {
  PackedSequence p = *this;
  p.data_ = data_.to(options);
  if (options.has_device() && sorted_indices_.defined()) {
    p.sorted_indices_ = raw::to_device(sorted_indices_, options.device());
    p.unsorted_indices_ = raw::to_device(unsorted_indices_, options.device());
  }
  return p;
}

PackedSequence PackedSequence::with_data(Tensor data) const {
  PackedSequence p = *this;
  p.data_ = std::move(data);
  return p;
}

Tensor invert_permutation(const Tensor& permutation) {
  if (!permutation.defined()) return {};
  const Tensor p = counts("invert_permutation", "the permutation", raw::to_device(permutation, kCPU));
  const int64_t n = p.numel();
  std::vector<int64_t> inverse(static_cast<size_t>(n), -1);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t to = values_of(p)[static_cast<size_t>(i)];
    TAPIR_CHECK_AS(ValueError, to >= 0 && to < n && inverse[static_cast<size_t>(to)] < 0,
                   "invert_permutation: {} is no permutation", values_of(p));
    inverse[static_cast<size_t>(to)] = i;
  }
  return raw::to_device(int64s(inverse), permutation.device());
}

PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths, bool batch_first,
                                    bool enforce_sorted) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, input.dim() >= 2,
                 "pack_padded_sequence: the input has sizes {}, expected steps, batch and more",
                 input.sizes());
  const Tensor given = counts("pack_padded_sequence", "lengths", lengths);
  const int64_t batch = input.size(batch_first ? 0 : 1), steps = input.size(batch_first ? 1 : 0);
  TAPIR_CHECK_AS(
      ShapeError, given.numel() == batch && batch > 0,
      "pack_padded_sequence: {} lengths for an input of sizes {}: one for each of its {} sequences, and "
      "at least one",
      given.numel(), input.sizes(), batch);
  std::vector<int64_t> length = values_of(given).vec();
  for (const int64_t n : length)
    TAPIR_CHECK_AS(
        ValueError, n >= 1 && n <= steps,
        "pack_padded_sequence: a sequence has length {}, expected 1 to {} (the steps of the input)", n,
        steps);
  // The place of each sequence in the input, longest first.
  std::vector<int64_t> order(static_cast<size_t>(batch));
  std::iota(order.begin(), order.end(), 0);
  const auto longer = [&](int64_t a, int64_t b) {
    return length[static_cast<size_t>(a)] > length[static_cast<size_t>(b)];
  };
  if (enforce_sorted)
    TAPIR_CHECK_AS(ValueError, std::is_sorted(order.begin(), order.end(), longer),
                   "pack_padded_sequence: lengths {} are not in falling order; sort the sequences, or pass "
                   "enforce_sorted = false",
                   IntArrayRef(length));
  else
    std::stable_sort(order.begin(), order.end(), longer);

  // Row t * batch + j of the flattened input is step t of sequence j.
  const int64_t longest = length[static_cast<size_t>(order[0])];
  std::vector<int64_t> rows, sizes;
  for (int64_t t = 0; t < longest; ++t) {
    int64_t n = 0;
    for (const int64_t j : order) {
      if (length[static_cast<size_t>(j)] <= t) break;
      rows.push_back(batch_first ? j * steps + t : t * batch + j);
      ++n;
    }
    sizes.push_back(n);
  }
  Tensor data = index_select(flatten(input, 0, 1), 0, raw::to_device(int64s(rows), input.device()));
  Tensor sorted = enforce_sorted ? Tensor() : raw::to_device(int64s(order), input.device());
  return PackedSequence(std::move(data), int64s(sizes), std::move(sorted));
}

std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first,
                                               double padding_value, std::optional<int64_t> total_length) {
  CallSite site(TAPIR_HERE);
  const Tensor& data = sequence.data();
  TAPIR_CHECK_AS(ValueError, data.defined(), "pad_packed_sequence: the sequence is empty");
  const IntArrayRef sizes = values_of(sequence.batch_sizes());
  const auto longest = static_cast<int64_t>(sizes.size());
  const int64_t steps = total_length.value_or(longest), batch = sizes[0];
  TAPIR_CHECK_AS(ValueError, steps >= longest,
                 "pad_packed_sequence: total_length is {}, but the longest sequence has {} steps", steps,
                 longest);
  std::vector<int64_t> place(static_cast<size_t>(batch)), length(static_cast<size_t>(batch));
  std::iota(place.begin(), place.end(), 0);
  if (sequence.sorted_indices().defined())
    place = values_of(raw::contiguous(raw::to_device(sequence.sorted_indices(), kCPU))).vec();
  // Every place of the result takes a row of the data, or the row of padding behind it.
  std::vector<int64_t> rows(static_cast<size_t>(steps * batch), data.size(0));
  int64_t row = 0;
  for (int64_t t = 0; t < longest; ++t) {
    for (int64_t j = 0; j < sizes[static_cast<size_t>(t)]; ++j) {
      const int64_t b = place[static_cast<size_t>(j)];
      rows[static_cast<size_t>(batch_first ? b * steps + t : t * batch + b)] = row++;
      length[static_cast<size_t>(b)] = t + 1;
    }
  }
  const bool padded = std::find(rows.begin(), rows.end(), data.size(0)) != rows.end();
  Tensor source = data;
  if (padded) {
    Dims one = data.layout_of().sizes;
    one[0] = 1;
    source = cat({data, full(one, padding_value, data.options())}, 0);
  }
  Tensor result = index_select(source, 0, raw::to_device(int64s(rows), data.device()));
  return {view(result, batch_first ? like(data, batch, steps) : like(data, steps, batch)), int64s(length)};
}

namespace {

int64_t longest_of(const char* op, ArrayRef<Tensor> sequences) {
  TAPIR_CHECK_AS(ValueError, !sequences.empty(), "{}: got no sequences", op);
  int64_t longest = 0;
  for (const Tensor& s : sequences) {
    TAPIR_CHECK_AS(ShapeError,
                   s.dim() >= 1 && s.sizes().slice(1) == sequences[0].sizes().slice(1) &&
                       s.dtype() == sequences[0].dtype(),
                   "{}: sequences of sizes {} ({}) and {} ({}); only the first size may differ", op,
                   sequences[0].sizes(), sequences[0].dtype(), s.sizes(), s.dtype());
    longest = std::max(longest, s.size(0));
  }
  return longest;
}

}  // namespace

Tensor pad_sequence(ArrayRef<Tensor> sequences, bool batch_first, double padding_value) {
  CallSite site(TAPIR_HERE);
  const int64_t longest = longest_of("pad_sequence", sequences);
  std::vector<Tensor> padded;
  for (const Tensor& s : sequences) {
    Dims sizes = s.layout_of().sizes;
    sizes[0] = longest - s.size(0);
    padded.push_back(sizes[0] == 0 ? s : cat({s, full(sizes, padding_value, s.options())}, 0));
  }
  return stack(padded, batch_first ? 0 : 1);
}

PackedSequence pack_sequence(ArrayRef<Tensor> sequences, bool enforce_sorted) {
  CallSite site(TAPIR_HERE);
  longest_of("pack_sequence", sequences);
  std::vector<int64_t> lengths;
  for (const Tensor& s : sequences) lengths.push_back(s.size(0));
  return pack_padded_sequence(pad_sequence(sequences), int64s(lengths), false, enforce_sorted);
}

}  // namespace tapir::nn::utils::rnn
