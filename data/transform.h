// Transforms of samples and batches, for BatchDataset::map.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "tapir/data/collate.h"
#include "tapir/data/example.h"

namespace tapir::data::detail {
/// Notes that the calling thread is at sample `at` of a batch of `size`; at the end of it for at == size.
TAPIR_API void set_current_of_batch(size_t at, size_t size);
}  // namespace tapir::data::detail

namespace tapir::data::transforms {

/// Makes one batch of another.
template <class InputBatch, class OutputBatch>
class BatchTransform {
 public:
  using InputBatchType = InputBatch;
  using OutputBatchType = OutputBatch;
  virtual ~BatchTransform() = default;
  virtual OutputBatch apply_batch(InputBatch input_batch) = 0;
};

/// Makes one sample of another; a batch is transformed sample by sample.
template <class Input, class Output>
class Transform : public BatchTransform<std::vector<Input>, std::vector<Output>> {
 public:
  using InputType = Input;
  using OutputType = Output;
  virtual OutputType apply(InputType input) = 0;
  std::vector<Output> apply_batch(std::vector<Input> input_batch) override {
    std::vector<Output> output;
    output.reserve(input_batch.size());
    const size_t size = input_batch.size();
    for (size_t i = 0; i < size; ++i) {
      data::detail::set_current_of_batch(i, size);
      output.push_back(apply(std::move(input_batch[i])));
    }
    data::detail::set_current_of_batch(size, size);
    return output;
  }
};

/// A function of a batch as a transform.
template <class Input, class Output = Input>
class BatchLambda : public BatchTransform<Input, Output> {
 public:
  using FunctionType = std::function<Output(Input)>;
  explicit BatchLambda(FunctionType function) : function_(std::move(function)) {}
  Output apply_batch(Input input_batch) override { return function_(std::move(input_batch)); }

 private:
  FunctionType function_;
};

/// A function of a sample as a transform.
template <class Input, class Output = Input>
class Lambda : public Transform<Input, Output> {
 public:
  using FunctionType = std::function<Output(Input)>;
  explicit Lambda(FunctionType function) : function_(std::move(function)) {}
  Output apply(Input input) override { return function_(std::move(input)); }

 private:
  FunctionType function_;
};

/// Brings a vector of samples together.
template <class T, class BatchType = std::vector<T>>
using Collation = BatchTransform<BatchType, T>;
/// A function that does so, as a transform.
template <class T, class BatchType = std::vector<T>>
using Collate = BatchLambda<BatchType, T>;

/// Stacks data and targets along a new first dimension. Throws ShapeError, DTypeError where samples differ.
template <class ExampleType = Example<>>
struct Stack;
template <>
struct Stack<Example<>> : public Collation<Example<>> {
  Example<> apply_batch(std::vector<Example<>> examples) override {
    std::vector<Tensor> data, targets;
    data.reserve(examples.size());
    targets.reserve(examples.size());
    for (auto& e : examples) {
      data.push_back(std::move(e.data));
      targets.push_back(std::move(e.target));
    }
    return {stack_tensors(data), stack_tensors(targets)};
  }
};
template <>
struct Stack<TensorExample> : public Collation<TensorExample> {
  TensorExample apply_batch(std::vector<TensorExample> examples) override {
    std::vector<Tensor> data;
    data.reserve(examples.size());
    for (auto& e : examples) data.push_back(std::move(e.data));
    return stack_tensors(data);
  }
};

/// Pads sequences of different lengths into one batch. See pad_tensors.
class TAPIR_API PadSequences : public BatchTransform<std::vector<Example<>>, PaddedExample> {
 public:
  explicit PadSequences(PadOptions options = {}) : options_(options) {}
  PaddedExample apply_batch(std::vector<Example<>> examples) override {
    return pad_examples(examples, options_);
  }

 private:
  PadOptions options_;
};

/// Packs sequences of different lengths into one batch without padding. See pack_examples.
class TAPIR_API PackSequences : public BatchTransform<std::vector<Example<>>, PackedExample> {
 public:
  explicit PackSequences(bool pack_targets = true) : pack_targets_(pack_targets) {}
  PackedExample apply_batch(std::vector<Example<>> examples) override {
    return pack_examples(examples, pack_targets_);
  }

 private:
  bool pack_targets_;
};

/// Transforms the data of an example and leaves its target alone.
template <class Target = Tensor>
class TensorTransform : public Transform<Example<Tensor, Target>, Example<Tensor, Target>> {
 public:
  using E = Example<Tensor, Target>;
  virtual Tensor operator()(Tensor input) = 0;
  E apply(E input) override {
    input.data = (*this)(std::move(input.data));
    return input;
  }
};

/// A function of the data as a transform.
template <class Target = Tensor>
class TensorLambda : public TensorTransform<Target> {
 public:
  using FunctionType = std::function<Tensor(Tensor)>;
  explicit TensorLambda(FunctionType function) : function_(std::move(function)) {}
  Tensor operator()(Tensor input) override { return function_(std::move(input)); }

 private:
  FunctionType function_;
};

/// (input - mean) / stddev, with one mean and one deviation or one per channel of (C, H, W) input.
template <class Target = Tensor>
struct Normalize : public TensorTransform<Target> {
  /// Throws ValueError without values, or for a deviation of 0.
  Normalize(ArrayRef<double> mean, ArrayRef<double> stddev)
      : mean(channel_values(mean, "mean")), stddev(channel_values(stddev, "stddev")) {}
  Tensor operator()(Tensor input) override { return normalize(input, mean, stddev); }
  Tensor mean, stddev;  ///< (C, 1, 1), float32
};

}  // namespace tapir::data::transforms
