#include "tapir/nn/embedding.h"

#include <ostream>

#include "tapir/autograd/node.h"
#include "tapir/nn/functional.h"
#include "tapir/nn/init.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::nn {

EmbeddingImpl::EmbeddingImpl(EmbeddingOptions o) : options(std::move(o)) { EmbeddingImpl::reset(); }

void EmbeddingImpl::reset() {
  const int64_t rows = options.num_embeddings(), columns = options.embedding_dim();
  if (options.padding_idx()) {
    const int64_t i = *options.padding_idx();
    TAPIR_CHECK_AS(ValueError, i >= -rows && i < rows,
                   "Embedding: padding_idx is {}, expected one of {} rows", i, rows);
    if (i < 0) options.padding_idx(i + rows);
  }
  if (!options._weight().defined()) {
    TAPIR_CHECK_AS(ValueError, rows >= 0 && columns >= 0,
                   "Embedding: got num_embeddings {} and embedding_dim {}, expected none to be negative",
                   rows, columns);
    weight = register_parameter("weight", Tensor::empty({rows, columns}, get_default_dtype()));
    reset_parameters();
    return;
  }
  TAPIR_CHECK_AS(ShapeError, options._weight().sizes() == IntArrayRef({rows, columns}),
                 "Embedding: the weight has sizes {}, expected [{}, {}]", options._weight().sizes(), rows,
                 columns);
  weight = register_parameter("weight", options._weight().detach());  // shares memory, not identity
}

void EmbeddingImpl::reset_parameters() {
  init::normal_(weight);
  if (options.padding_idx()) raw::fill(weight.alias(weight.layout_of().select(0, *options.padding_idx())), 0);
}

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

}  // namespace tapir::nn
