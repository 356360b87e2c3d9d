#include "tapir/nn/embedding.h"

#include <ostream>

#include "tapir/autograd/node.h"
#include "tapir/nn/functional.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::nn {

EmbeddingImpl::EmbeddingImpl(EmbeddingOptions o) : options(std::move(o)) { EmbeddingImpl::reset(); }

namespace {

/// Wraps the row that is padding, and gives the first values: those of the options, or memory to be filled.
template <class Options>
Tensor first_weight(Options& options, const char* name) {
  const int64_t rows = options.num_embeddings(), columns = options.embedding_dim();
  if (options.padding_idx()) {
    const int64_t i = *options.padding_idx();
    TAPIR_CHECK_AS(ValueError, i >= -rows && i < rows, "{}: padding_idx is {}, expected one of {} rows", name,
                   i, rows);
    if (i < 0) options.padding_idx(i + rows);
  }
  if (!options._weight().defined()) {
    TAPIR_CHECK_AS(ValueError, rows >= 0 && columns >= 0,
                   "{}: got num_embeddings {} and embedding_dim {}, expected none to be negative", name, rows,
                   columns);
    return Tensor::empty({rows, columns}, get_default_dtype());
  }
  TAPIR_CHECK_AS(ShapeError, options._weight().sizes() == IntArrayRef({rows, columns}),
                 "{}: the weight has sizes {}, expected [{}, {}]", name, options._weight().sizes(), rows,
                 columns);
  return options._weight().detach();  // shares memory, not identity
}
void draw(const Tensor& weight, const std::optional<int64_t>& padding) {
  init::normal_(weight);
  if (padding) raw::fill(weight.alias(weight.layout_of().select(0, *padding)), 0);
}

}  // namespace

void EmbeddingImpl::reset() {
  weight = register_parameter("weight", first_weight(options, "Embedding"));
  if (!options._weight().defined()) reset_parameters();
}
void EmbeddingImpl::reset_parameters() { draw(weight, options.padding_idx()); }

void EmbeddingImpl::pretty_print(std::ostream& stream) const {
  stream << "tapir::nn::Embedding(num_embeddings=" << options.num_embeddings()
         << ", embedding_dim=" << options.embedding_dim();
  if (options.padding_idx()) stream << ", padding_idx=" << *options.padding_idx();
  if (options.max_norm()) stream << ", max_norm=" << *options.max_norm();
  if (options.norm_type() != 2) stream << ", norm_type=" << options.norm_type();
  if (options.scale_grad_by_freq()) stream << ", scale_grad_by_freq=true";
  if (options.sparse()) stream << ", sparse=true";
  stream << ")";
}

Tensor EmbeddingImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return functional::embedding(input, weight,
                               functional::EmbeddingFuncOptions()
                                   .padding_idx(options.padding_idx())
                                   .max_norm(options.max_norm())
                                   .norm_type(options.norm_type())
                                   .scale_grad_by_freq(options.scale_grad_by_freq())
                                   .sparse(options.sparse()));
}

Embedding Embedding::from_pretrained(const Tensor& embeddings, const EmbeddingFromPretrainedOptions& o) {
  TAPIR_CHECK_AS(ShapeError, embeddings.dim() == 2,
                 "from_pretrained: got sizes {}, expected two dimensions: rows and columns",
                 embeddings.sizes());
  Embedding embedding(EmbeddingOptions(embeddings.size(0), embeddings.size(1))
                          ._weight(embeddings)
                          .padding_idx(o.padding_idx())
                          .max_norm(o.max_norm())
                          .norm_type(o.norm_type())
                          .scale_grad_by_freq(o.scale_grad_by_freq())
                          .sparse(o.sparse()));
  embedding->weight.set_requires_grad(!o.freeze());
  return embedding;
}

EmbeddingBagImpl::EmbeddingBagImpl(EmbeddingBagOptions o) : options(std::move(o)) {
  EmbeddingBagImpl::reset();
}
void EmbeddingBagImpl::reset() {
  weight = register_parameter("weight", first_weight(options, "EmbeddingBag"));
  if (!options._weight().defined()) reset_parameters();
}
void EmbeddingBagImpl::reset_parameters() { draw(weight, options.padding_idx()); }

void EmbeddingBagImpl::pretty_print(std::ostream& stream) const {
  constexpr const char* kModes[] = {"kSum", "kMean", "kMax"};
  stream << std::boolalpha << "tapir::nn::EmbeddingBag(num_embeddings=" << options.num_embeddings()
         << ", embedding_dim=" << options.embedding_dim();
  if (options.max_norm()) stream << ", max_norm=" << *options.max_norm();
  if (options.norm_type() != 2) stream << ", norm_type=" << options.norm_type();
  if (options.scale_grad_by_freq()) stream << ", scale_grad_by_freq=true";
  if (options.sparse()) stream << ", sparse=true";
  if (!(options.mode() == kMean) && options.mode().number() >= 0)
    stream << ", mode=" << kModes[options.mode().number()];
  if (options.include_last_offset()) stream << ", include_last_offset=true";
  if (options.padding_idx()) stream << ", padding_idx=" << *options.padding_idx();
  stream << ")";
}
Tensor EmbeddingBagImpl::forward(const Tensor& input, const Tensor& offsets,
                                 const Tensor& per_sample_weights) {
  CallSite site(TAPIR_HERE);
  return functional::embedding_bag(input, weight,
                                   functional::EmbeddingBagFuncOptions()
                                       .offsets(offsets)
                                       .max_norm(options.max_norm())
                                       .norm_type(options.norm_type())
                                       .scale_grad_by_freq(options.scale_grad_by_freq())
                                       .mode(options.mode())
                                       .sparse(options.sparse())
                                       .per_sample_weights(per_sample_weights)
                                       .include_last_offset(options.include_last_offset())
                                       .padding_idx(options.padding_idx()));
}

EmbeddingBag EmbeddingBag::from_pretrained(const Tensor& embeddings,
                                           const EmbeddingBagFromPretrainedOptions& o) {
  TAPIR_CHECK_AS(ShapeError, embeddings.dim() == 2,
                 "from_pretrained: got sizes {}, expected two dimensions: rows and columns",
                 embeddings.sizes());
  EmbeddingBag bag(EmbeddingBagOptions(embeddings.size(0), embeddings.size(1))
                       ._weight(embeddings)
                       .max_norm(o.max_norm())
                       .norm_type(o.norm_type())
                       .scale_grad_by_freq(o.scale_grad_by_freq())
                       .mode(o.mode())
                       .sparse(o.sparse())
                       .include_last_offset(o.include_last_offset())
                       .padding_idx(o.padding_idx()));
  bag->weight.set_requires_grad(!o.freeze());
  return bag;
}

// --- what may be left out when they are called through AnyModule ---

std::vector<std::pair<size_t, AnyValue>> EmbeddingBagImpl::forward_default_args_() {
  return {{1, AnyValue(Tensor())}, {2, AnyValue(Tensor())}};
}

}  // namespace tapir::nn
