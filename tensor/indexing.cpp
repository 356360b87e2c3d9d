#include "tapir/tensor/indexing.h"

#include <cstring>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/tensor.h"

namespace tapir::indexing {

TensorIndex::TensorIndex(const char* text) : kind_(Kind::kEllipsis) {
  TAPIR_CHECK_AS(ValueError, std::strcmp(text, "...") == 0, "TensorIndex: got \"{}\", expected \"...\"",
                 text);
}

TensorIndex::TensorIndex(const Tensor& t) : kind_(Kind::kTensor), tensor_(t.ref()) {
  t.dtype();  // refuses an undefined tensor
}

Tensor TensorIndex::tensor() const { return Tensor(tensor_); }

}  // namespace tapir::indexing
