// Datasets: where batches come from. Derive from Dataset and give `get` and `size`.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/data/example.h"
#include "tapir/data/queue.h"
#include "tapir/data/state.h"

namespace tapir::data {

namespace detail {
/// Notes which sample the calling thread is about to read, for the message of an exception thrown by it.
TAPIR_API void set_current_sample(int64_t index);

/// Tells the transforms that the calling thread runs meanwhile which samples their batch is made of.
class TAPIR_API BatchScope {
 public:
  explicit BatchScope(ArrayRef<size_t> indices);
  ~BatchScope();
  BatchScope(const BatchScope&) = delete;
  BatchScope& operator=(const BatchScope&) = delete;

 private:
  ArrayRef<size_t> before_;
};
}  // namespace detail

namespace datasets {

template <class SourceDataset, class AppliedTransform>
class MapDataset;
template <class SourceDataset, class Transform>
MapDataset<SourceDataset, Transform> map(SourceDataset dataset, Transform transform);

/// A dataset that makes whole batches. `Self` is the class that derives from it, `Request` what a sampler
/// asks for.
template <class Self, class Batch, class Request = ArrayRef<size_t>>
class BatchDataset {
 public:
  using SelfType = Self;
  using BatchType = Batch;
  using BatchRequestType = Request;
  static constexpr bool is_stateful = false;

  virtual ~BatchDataset() = default;
  virtual Batch get_batch(Request request) = 0;
  /// Number of samples, where that is known.
  virtual std::optional<size_t> size() const = 0;
  /// This dataset with `transform` applied to each batch. The dataset is copied (moved from an rvalue).
  template <class Transform>
  MapDataset<Self, Transform> map(Transform transform) & {
    return datasets::map(static_cast<Self&>(*this), std::move(transform));
  }
  template <class Transform>
  MapDataset<Self, Transform> map(Transform transform) && {
    return datasets::map(std::move(static_cast<Self&>(*this)), std::move(transform));
  }
};

/// A dataset of samples that are read by index. A batch is the vector of them.
template <class Self, class SingleExample = Example<>>
class Dataset : public BatchDataset<Self, std::vector<SingleExample>> {
 public:
  using ExampleType = SingleExample;
  /// The sample at `index` < size().
  virtual ExampleType get(size_t index) = 0;
  std::vector<ExampleType> get_batch(ArrayRef<size_t> indices) override {
    std::vector<ExampleType> batch;
    batch.reserve(indices.size());
    for (const size_t i : indices) {
      detail::set_current_sample(static_cast<int64_t>(i));
      batch.push_back(get(i));
    }
    detail::set_current_sample(-1);
    return batch;
  }
};

/// A dataset that is asked for so and so many samples, whichever come next.
template <class Self, class Batch = std::vector<Example<>>>
class StreamDataset : public BatchDataset<Self, Batch, size_t> {};

/// A dataset that knows by itself which samples come next; it gives no batch at the end of an epoch.
template <class Self, class Batch = std::vector<Example<>>, class Request = size_t>
class StatefulDataset : public BatchDataset<Self, std::optional<Batch>, Request> {
 public:
  static constexpr bool is_stateful = true;
  /// Begins a new epoch.
  virtual void reset() = 0;
  /// libtorch's way to keep a dataset's position. Without overrides they throw ValueError. A loader's
  /// state_dict needs neither; it calls state_dict() and load_state_dict(state) where a dataset has them, for
  /// what reset() depends on beside the default generator.
  virtual void save(serialize::OutputArchive& /*archive*/) const { data::detail::no_archive_failure(); }
  virtual void load(serialize::InputArchive& /*archive*/) { data::detail::no_archive_failure(); }
};
template <class Self, class Batch, class Request>
serialize::OutputArchive& operator<<(serialize::OutputArchive& archive,
                                     const StatefulDataset<Self, Batch, Request>& dataset) {
  dataset.save(archive);
  return archive;
}
template <class Self, class Batch, class Request>
serialize::InputArchive& operator>>(serialize::InputArchive& archive,
                                    StatefulDataset<Self, Batch, Request>& dataset) {
  dataset.load(archive);
  return archive;
}

/// Samples that come one after the other, from a file or a socket say: give `next` and `rewind`. The loader's
/// workers share it and take turns, so batches are the same whatever their number.
template <class Self, class SingleExample = Example<>>
class IterableDataset : public StatefulDataset<Self, std::vector<SingleExample>> {
 public:
  using ExampleType = SingleExample;
  /// The next sample; none at the end of the epoch.
  virtual std::optional<SingleExample> next() = 0;
  /// Goes back to the first sample.
  virtual void rewind() = 0;
  std::optional<std::vector<SingleExample>> get_batch(size_t size) override {
    const data::detail::InTurn turn;
    const std::lock_guard lock(*mutex_);
    std::vector<SingleExample> batch;
    batch.reserve(size);
    while (batch.size() < size && !ended_) {
      data::detail::set_current_sample(given_);
      if (auto example = next()) {
        batch.push_back(std::move(*example));
        ++given_;
      } else {
        ended_ = true;
      }
    }
    data::detail::set_current_sample(-1);
    if (batch.empty()) return std::nullopt;
    return batch;
  }
  void reset() override {
    const std::lock_guard lock(*mutex_);
    given_ = 0;
    ended_ = false;
    rewind();
  }
  std::optional<size_t> size() const override { return std::nullopt; }

 private:
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  int64_t given_ = 0;
  bool ended_ = false;
};

/// What a transform T makes of a batch of the dataset S.
template <class S, class T>
using MappedBatch = std::conditional_t<S::is_stateful, std::optional<typename T::OutputBatchType>,
                                       typename T::OutputBatchType>;

/// `SourceDataset` with a transform applied to each batch: made by `dataset.map(transform)`.
template <class SourceDataset, class AppliedTransform>
class MapDataset : public BatchDataset<MapDataset<SourceDataset, AppliedTransform>,
                                       MappedBatch<SourceDataset, AppliedTransform>,
                                       typename SourceDataset::BatchRequestType> {
 public:
  using DatasetType = SourceDataset;
  using TransformType = AppliedTransform;
  using BatchRequestType = typename SourceDataset::BatchRequestType;
  using OutputBatchType = MappedBatch<SourceDataset, AppliedTransform>;
  static constexpr bool is_stateful = SourceDataset::is_stateful;

  MapDataset(DatasetType dataset, TransformType transform)
      : dataset_(std::move(dataset)), transform_(std::move(transform)) {}
  OutputBatchType get_batch(BatchRequestType indices) override {
    if constexpr (is_stateful) {
      auto batch = dataset_.get_batch(std::move(indices));
      if (!batch) return std::nullopt;
      return transform_.apply_batch(std::move(*batch));
    } else {
      if constexpr (std::is_same_v<BatchRequestType, ArrayRef<size_t>>) {
        auto batch = dataset_.get_batch(indices);
        const data::detail::BatchScope scope(indices);
        return transform_.apply_batch(std::move(batch));
      } else {
        return transform_.apply_batch(dataset_.get_batch(std::move(indices)));
      }
    }
  }
  std::optional<size_t> size() const noexcept override { return dataset_.size(); }
  void reset() requires(is_stateful) { dataset_.reset(); }
  State state_dict() const requires requires(const SourceDataset& d) { d.state_dict(); }
  { return dataset_.state_dict(); }
  void load_state_dict(const State& state) requires requires(SourceDataset& d) { d.load_state_dict(state); }
  { dataset_.load_state_dict(state); }
  auto own_generators() const requires requires(const SourceDataset& d) { d.own_generators(); }
  { return dataset_.own_generators(); }
  const SourceDataset& dataset() const noexcept { return dataset_; }
  const AppliedTransform& transform() const noexcept { return transform_; }

 private:
  SourceDataset dataset_;
  AppliedTransform transform_;
};

template <class SourceDataset, class Transform>
MapDataset<SourceDataset, Transform> map(SourceDataset dataset, Transform transform) {
  static_assert(
      std::is_same_v<
          std::conditional_t<SourceDataset::is_stateful, std::optional<typename Transform::InputBatchType>,
                             typename Transform::InputBatchType>,
          typename SourceDataset::BatchType>,
      "the transform's input is not the dataset's batch");
  return {std::move(dataset), std::move(transform)};
}

/// One dataset that several loader threads share instead of each having a copy. It must allow calls from
/// several threads at once.
template <class UnderlyingDataset>
class SharedBatchDataset
    : public BatchDataset<SharedBatchDataset<UnderlyingDataset>, typename UnderlyingDataset::BatchType,
                          typename UnderlyingDataset::BatchRequestType> {
 public:
  using BatchType = typename UnderlyingDataset::BatchType;
  using BatchRequestType = typename UnderlyingDataset::BatchRequestType;
  static constexpr bool is_stateful = UnderlyingDataset::is_stateful;
  explicit SharedBatchDataset(std::shared_ptr<UnderlyingDataset> dataset) : dataset_(std::move(dataset)) {}
  BatchType get_batch(BatchRequestType request) override { return dataset_->get_batch(std::move(request)); }
  std::optional<size_t> size() const override { return dataset_->size(); }
  void reset() requires(is_stateful) { dataset_->reset(); }
  State state_dict() const requires requires(const UnderlyingDataset& d) { d.state_dict(); }
  { return dataset_->state_dict(); }
  void load_state_dict(const State& state) requires requires(UnderlyingDataset& d) {
    d.load_state_dict(state);
  }
  { dataset_->load_state_dict(state); }
  auto own_generators() const requires requires(const UnderlyingDataset& d) { d.own_generators(); }
  { return dataset_->own_generators(); }
  UnderlyingDataset& operator*() { return *dataset_; }
  const UnderlyingDataset& operator*() const { return *dataset_; }
  UnderlyingDataset* operator->() { return dataset_.get(); }
  const UnderlyingDataset* operator->() const { return dataset_.get(); }

 private:
  std::shared_ptr<UnderlyingDataset> dataset_;
};

template <class UnderlyingDataset, class... Args>
SharedBatchDataset<UnderlyingDataset> make_shared_dataset(Args&&... args) {
  return SharedBatchDataset<UnderlyingDataset>(
      std::make_shared<UnderlyingDataset>(std::forward<Args>(args)...));
}

/// The rows of a tensor as examples without target: get(i) is tensor[i], which shows the tensor's memory.
class TAPIR_API TensorDataset : public Dataset<TensorDataset, TensorExample> {
 public:
  /// Throws ShapeError for a tensor without dimensions.
  explicit TensorDataset(Tensor tensor);
  /// The tensors stacked. Throws ShapeError, DTypeError where they differ.
  explicit TensorDataset(const std::vector<Tensor>& tensors);
  /// Throws IndexError.
  TensorExample get(size_t index) override;
  std::optional<size_t> size() const override;
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
};

}  // namespace datasets

using datasets::BatchDataset;
using datasets::Dataset;

}  // namespace tapir::data
