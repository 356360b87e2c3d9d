// Embeddings: rows of a table by index, or bags of them.
#pragma once

#include "tapir/nn/any.h"
#include "tapir/nn/enums.h"
#include "tapir/nn/module.h"

namespace tapir::nn {

struct EmbeddingOptions {
  EmbeddingOptions(int64_t num_embeddings, int64_t embedding_dim)
      : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}
  TAPIR_ARG(int64_t, num_embeddings);
  TAPIR_ARG(int64_t, embedding_dim);
  /// The row that starts at zero and gets no gradient; negative counts from the end.
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
  // The others are those of functional::EmbeddingFuncOptions.
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  TAPIR_ARG(bool, sparse) = false;
  /// The first values, instead of random ones.
  TAPIR_ARG(Tensor, _weight) = Tensor();
};

struct EmbeddingFromPretrainedOptions {
  TAPIR_ARG(bool, freeze) = true;
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  TAPIR_ARG(bool, sparse) = false;
};

/// Rows of weight (num_embeddings, embedding_dim), which starts standard normal, by index: input of any sizes
/// (int64 or int32) gives input.sizes() + (embedding_dim). Throws IndexError for an index out of range.
class TAPIR_API EmbeddingImpl : public Cloneable<EmbeddingImpl> {
 public:
  EmbeddingImpl(int64_t num_embeddings, int64_t embedding_dim)
      : EmbeddingImpl(EmbeddingOptions(num_embeddings, embedding_dim)) {}
  explicit EmbeddingImpl(EmbeddingOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input);

  EmbeddingOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_CLONEABLE(EmbeddingImpl);

/// Holder of EmbeddingImpl.
class TAPIR_API Embedding : public ModuleHolder<EmbeddingImpl> {
 public:
  using ModuleHolder<EmbeddingImpl>::ModuleHolder;
  using Impl = EmbeddingImpl;
  /// An embedding with the given weight (rows, columns), frozen unless options say otherwise.
  static Embedding from_pretrained(const Tensor& embeddings,
                                   const EmbeddingFromPretrainedOptions& options = {});
};

struct EmbeddingBagOptions {
  EmbeddingBagOptions(int64_t num_embeddings, int64_t embedding_dim)
      : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}
  TAPIR_ARG(int64_t, num_embeddings);
  TAPIR_ARG(int64_t, embedding_dim);
  // The others are those of functional::EmbeddingBagFuncOptions.
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  TAPIR_ARG(EmbeddingBagMode, mode) = kMean;
  TAPIR_ARG(bool, sparse) = false;
  /// The first values, instead of random ones.
  TAPIR_ARG(Tensor, _weight) = Tensor();
  TAPIR_ARG(bool, include_last_offset) = false;
  /// A row that starts at zero and is left out of every bag; negative counts from the end.
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
};

struct EmbeddingBagFromPretrainedOptions {
  TAPIR_ARG(bool, freeze) = true;
  TAPIR_ARG(std::optional<double>, max_norm) = std::nullopt;
  TAPIR_ARG(double, norm_type) = 2;
  TAPIR_ARG(bool, scale_grad_by_freq) = false;
  TAPIR_ARG(EmbeddingBagMode, mode) = kMean;
  TAPIR_ARG(bool, sparse) = false;
  TAPIR_ARG(bool, include_last_offset) = false;
  TAPIR_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
};

/// The sum, mean or maximum of the rows of weight (num_embeddings, embedding_dim), which starts standard
/// normal, in each bag; see functional::embedding_bag.
class TAPIR_API EmbeddingBagImpl : public Cloneable<EmbeddingBagImpl> {
 public:
  EmbeddingBagImpl(int64_t num_embeddings, int64_t embedding_dim)
      : EmbeddingBagImpl(EmbeddingBagOptions(num_embeddings, embedding_dim)) {}
  explicit EmbeddingBagImpl(EmbeddingBagOptions options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& input, const Tensor& offsets = {}, const Tensor& per_sample_weights = {});
  static std::vector<std::pair<size_t, AnyValue>> forward_default_args_();

  EmbeddingBagOptions options;
  Tensor weight;
};
TAPIR_BUILTIN_CLONEABLE(EmbeddingBagImpl);

/// Holder of EmbeddingBagImpl.
class TAPIR_API EmbeddingBag : public ModuleHolder<EmbeddingBagImpl> {
 public:
  using ModuleHolder<EmbeddingBagImpl>::ModuleHolder;
  using Impl = EmbeddingBagImpl;
  /// An embedding with the given weight (rows, columns), frozen unless options say otherwise.
  static EmbeddingBag from_pretrained(const Tensor& embeddings,
                                      const EmbeddingBagFromPretrainedOptions& options = {});
};

}  // namespace tapir::nn
