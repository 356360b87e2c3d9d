#include "tapir/data/collate.h"

#include <algorithm>
#include <numeric>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir::data {

namespace {

// Checks that all tensors are of one kind, with equal sizes from dimension `from` on.
void check_alike(ArrayRef<Tensor> tensors, size_t from, const char* op) {
  TAPIR_CHECK_AS(ValueError, !tensors.empty(), "{}: got no tensor, expected at least one", op);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& a = tensors[0];
    const Tensor& b = tensors[i];
    TAPIR_CHECK_AS(ValueError, b.defined(), "{}: tensor {} is undefined", op, i);
    TAPIR_CHECK_AS(ShapeError, b.sizes().size() >= from,
                   "{}: tensor {} is of sizes {}, expected at least {} dimension", op, i, b.sizes(), from);
    TAPIR_CHECK_AS(
        ShapeError,
        a.sizes().slice(from, a.sizes().size() - from).equals(b.sizes().slice(from, b.sizes().size() - from)),
        "{}: tensor 0 is of sizes {}, tensor {} of {}{}", op, a.sizes(), i, b.sizes(),
        from ? ": only the first may differ" : "; PadSequences brings different lengths together");
    TAPIR_CHECK_AS(DTypeError, a.dtype() == b.dtype(), "{}: tensor 0 is {}, tensor {} is {}", op, a.dtype(),
                   i, b.dtype());
    TAPIR_CHECK_AS(DeviceError, a.device() == b.device(), "{}: tensor 0 is on {}, tensor {} on {}", op,
                   a.device(), i, b.device());
  }
}

// Whether targets are sequences, by `option`; those without a dimension are none. Not guessed from the
// lengths: a target of 3 labels would come otherwise in the batches where all sequences have length 3.
bool have_sequences(const std::vector<Example<>>& examples, bool option, const char* op,
                    const char* way_out) {
  if (!option) return false;
  for (const Example<>& e : examples)
    if (!e.target.defined() || e.target.dim() == 0) return false;
  for (size_t i = 0; i < examples.size(); ++i) {
    const int64_t data = examples[i].data.sizes()[0], target = examples[i].target.sizes()[0];
    TAPIR_CHECK_AS(ShapeError, data == target,
                   "{}: example {} has data of length {} and a target of length {}, expected the same; {} "
                   "stacks targets that are no sequences",
                   op, i, data, target, way_out);
  }
  return true;
}

}  // namespace

Tensor stack_tensors(ArrayRef<Tensor> tensors) {
  check_alike(tensors, 0, "stack");
  std::vector<int64_t> sizes{static_cast<int64_t>(tensors.size())};
  sizes.insert(sizes.end(), tensors[0].sizes().begin(), tensors[0].sizes().end());
  const Tensor out = Tensor::empty(sizes, tensors[0].dtype(), tensors[0].device());
  for (size_t i = 0; i < tensors.size(); ++i)
    raw::copy_into(out.alias(out.layout_of().select(0, static_cast<int64_t>(i))), tensors[i]);
  return out;
}

Tensor pad_tensors(ArrayRef<Tensor> sequences, const PadOptions& options) {
  check_alike(sequences, 1, "pad");
  int64_t longest = 0;
  for (const Tensor& s : sequences) longest = std::max(longest, s.sizes()[0]);
  std::vector<int64_t> sizes{longest, static_cast<int64_t>(sequences.size())};
  if (options.batch_first()) std::swap(sizes[0], sizes[1]);
  sizes.insert(sizes.end(), sequences[0].sizes().begin() + 1, sequences[0].sizes().end());
  const Tensor out = raw::full(sizes, options.padding_value(), sequences[0].dtype(), sequences[0].device());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Layout row = out.layout_of().select(options.batch_first() ? 0 : 1, static_cast<int64_t>(i));
    raw::copy_into(out.alias(row.narrow(0, 0, sequences[i].sizes()[0])), sequences[i]);
  }
  return out;
}

PaddedExample pad_examples(const std::vector<Example<>>& examples, const PadOptions& options) {
  TAPIR_CHECK_AS(ValueError, !examples.empty(), "pad: got no example, expected at least one");
  for (size_t i = 0; i < examples.size(); ++i)
    TAPIR_CHECK_AS(ShapeError, examples[i].data.defined() && examples[i].data.dim() > 0,
                   "pad: example {} is no sequence: its data has no dimension", i);
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (options.sort()) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return examples[a].data.sizes()[0] > examples[b].data.sizes()[0];
    });
  }
  std::vector<Tensor> data, targets;
  PaddedExample batch;
  batch.lengths = Tensor::empty({static_cast<int64_t>(examples.size())}, kInt64);
  for (size_t i = 0; i < order.size(); ++i) {
    const Example<>& e = examples[order[i]];
    data.push_back(e.data);
    targets.push_back(e.target);
    batch.lengths.data_ptr<int64_t>()[i] = e.data.sizes()[0];
  }
  batch.data = pad_tensors(data, options);
  if (have_sequences(examples, options.pad_targets(), "pad", "pad_targets(false)")) {
    raw::check_fits("pad: target_padding_value", options.target_padding_value(), targets[0].dtype());
    batch.target = pad_tensors(targets, PadOptions(options).padding_value(options.target_padding_value()));
  } else {
    batch.target = stack_tensors(targets);
  }
  return batch;
}

PackedExample pack_examples(const std::vector<Example<>>& examples, bool pack_targets) {
  TAPIR_CHECK_AS(ValueError, !examples.empty(), "pack: got no example, expected at least one");
  const auto batch = static_cast<int64_t>(examples.size());
  std::vector<Tensor> data, targets;
  PackedExample packed;
  packed.lengths = Tensor::empty({batch}, kInt64);
  int64_t* const lengths = packed.lengths.data_ptr<int64_t>();
  int64_t rows = 0;
  for (int64_t i = 0; i < batch; ++i) {
    const Example<>& e = examples[static_cast<size_t>(i)];
    TAPIR_CHECK_AS(ShapeError, e.data.defined() && e.data.dim() > 0 && e.data.sizes()[0] > 0,
                   "pack: example {} is no sequence of at least one step", i);
    data.push_back(e.data);
    targets.push_back(e.target);
    rows += lengths[i] = e.data.sizes()[0];
  }
  check_alike(data, 1, "pack");
  packed.sorted_indices = Tensor::empty({batch}, kInt64);
  packed.unsorted_indices = Tensor::empty({batch}, kInt64);
  int64_t* const order = packed.sorted_indices.data_ptr<int64_t>();
  std::iota(order, order + batch, int64_t{0});
  std::stable_sort(order, order + batch, [&](int64_t a, int64_t b) { return lengths[a] > lengths[b]; });
  for (int64_t j = 0; j < batch; ++j) packed.unsorted_indices.data_ptr<int64_t>()[order[j]] = j;
  packed.batch_sizes = Tensor::empty({lengths[order[0]]}, kInt64);
  int64_t* const sizes = packed.batch_sizes.data_ptr<int64_t>();
  for (int64_t t = 0, running = batch; t < packed.batch_sizes.numel(); ++t) {
    while (lengths[order[running - 1]] <= t) --running;
    sizes[t] = running;
  }

  const auto pack = [&](const std::vector<Tensor>& sequences) {
    std::vector<int64_t> shape = sequences[0].sizes().vec();
    shape[0] = rows;
    const Tensor out = Tensor::empty(shape, sequences[0].dtype(), sequences[0].device());
    int64_t row = 0;
    for (int64_t t = 0; t < packed.batch_sizes.numel(); ++t)
      for (int64_t j = 0; j < sizes[t]; ++j) {
        const Tensor& s = sequences[static_cast<size_t>(order[j])];
        raw::copy_into(out.alias(out.layout_of().select(0, row++)), s.alias(s.layout_of().select(0, t)));
      }
    return out;
  };
  packed.data = pack(data);
  if (have_sequences(examples, pack_targets, "pack", "pack_targets = false")) {
    check_alike(targets, 1, "pack");
    packed.target = pack(targets);
  } else {
    packed.target = stack_tensors(targets);
  }
  return packed;
}

Tensor channel_values(ArrayRef<double> values, const char* name) {
  TAPIR_CHECK_AS(ValueError, !values.empty(), "Normalize: got no {}, expected one value or one per channel",
                 name);
  const Tensor t = Tensor::empty({static_cast<int64_t>(values.size()), 1, 1}, kFloat32);
  for (size_t i = 0; i < values.size(); ++i) {
    TAPIR_CHECK_AS(ValueError, name[0] != 's' || values[i] != 0, "Normalize: got a stddev of 0");
    t.data_ptr<float>()[i] = static_cast<float>(values[i]);
  }
  return t;
}

Tensor normalize(const Tensor& input, const Tensor& mean, const Tensor& stddev) {
  return raw::binary(Pointwise::div, raw::binary(Pointwise::add, input, mean, raw::Params(-1)), stddev);
}

}  // namespace tapir::data
