#include "tapir/autograd/functions/banded.h"

namespace tapir {

namespace {

struct BandedBackward final : NodeOf<1> {
  const char* type_name() const override { return label; }
  void backward(Grads grads, GradSink& sink) override {
    sink.set(0, banded(label, label, grads[0], dim, transposed, TAPIR_HERE));
  }
  const char* label;
  int64_t dim;
  std::shared_ptr<const raw::Band> transposed;
};

}  // namespace

Tensor banded(const char* op, const char* label, const Tensor& x, int64_t dim,
              std::shared_ptr<const raw::Band> band, const void* site) {
  Tensor y = raw::banded(op, x, dim, *band);
  if (recording(x)) {
    auto* node = record<BandedBackward>(site, y, x);
    node->label = label;
    node->dim = dim;
    node->transposed = std::make_shared<const raw::Band>(band->transposed());
  }
  return y;
}

}  // namespace tapir
